"""Whatever the rules are, whenever they change and whatever fails: sets shrink as the class rises, and nobody outside
the set of a request is dialled. The sets are worked out here a second time, in a plainer way than the policy's."""

from __future__ import annotations

import json
from fnmatch import fnmatchcase
from itertools import pairwise
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support.hops import FAULTS
from support.street import Street, Worker, on_a_street, snapshot
from twintrack.config.settings import DATA_CLASSES
from twintrack.policy.compiled import Policy

ZONES = ("own", "contracted", "third_party")
TODAY = "2024-10-04"
FIRST_PORT = 3001
ILL = tuple(
    each for each in FAULTS if each.spoil is None and each.before is None and each.meanwhile is None and not each.nobody
)
RULE = st.fixed_dictionaries(
    {},
    optional={
        "zones": st.lists(st.sampled_from(ZONES), unique=True, max_size=3),
        "regions": st.lists(st.sampled_from(("*", "eu-*", "us-east")), min_size=1, max_size=2),
        "providers": st.lists(st.sampled_from(("*", "p0*", "p1*", "p[23]*")), min_size=1, max_size=2),
        "max_retention_days": st.sampled_from((0, 7, 30)),
        "no_training": st.booleans(),
        "baa": st.booleans(),
        "dpa": st.booleans(),
        "persons": st.lists(st.sampled_from(("us", "ca")), unique=True, max_size=2),
    },
)
RULES = st.dictionaries(st.sampled_from(DATA_CLASSES), RULE, max_size=3)
TERMS = st.none() | st.fixed_dictionaries(
    {},
    optional={
        "retention_days": st.sampled_from((0, 7, 30, 90)),
        "trains_on_data": st.booleans(),
        "baa": st.booleans(),
        "dpa": st.booleans(),
        "persons": st.lists(st.sampled_from(("us", "ca", "in")), unique=True, max_size=2),
        "storage_region": st.sampled_from(("eu-west", "us-east")),
        "expires_on": st.sampled_from(("2024-10-03", "2024-10-04", "2030-01-01")),
    },
)
PROVIDER = st.fixed_dictionaries(
    {"zone": st.sampled_from(ZONES), "region": st.sampled_from(("", "eu-west", "us-east")), "terms": TERMS}
)
WORLD = st.fixed_dictionaries(
    {
        "providers": st.lists(PROVIDER, min_size=2, max_size=4),
        "general": RULES,
        "route": RULES,
        "key": RULES,
        "tenant": RULES,
    }
)
REQUEST = st.fixed_dictionaries(
    {
        "data_class": st.sampled_from(DATA_CLASSES),
        "model": st.sampled_from(("r", "r", "d0", "d1")),
        "key": st.booleans(),
        "stream": st.booleans(),
        "ill": st.lists(st.sampled_from(ILL), min_size=4, max_size=4),
        "reload": st.booleans(),
    }
)


def toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{name} = {toml(each)}" for name, each in value.items()) + " }"
    return json.dumps(value)


def config(world: dict[str, Any]) -> str:
    text = '[server]\nsecret = "env:SECRET"\n'
    text += "[server.deadlines]\nconnect_s = 1.0\nfirst_byte_s = 1.0\nbetween_chunks_s = 1.0\ntotal_s = 9.0\n"
    text += "[server.failover]\nbackoff_s = 0.1\nmax_wait_s = 1.0\n"
    for number, each in enumerate(world["providers"]):
        text += (
            f'[[providers]]\nname = "p{number}"\napi = "openai"\nurl = "http://127.0.0.1:{FIRST_PORT + number}/v1"\n'
        )
        text += f'zone = "{each["zone"]}"\nregion = "{each["region"]}"\n'
        text += f"terms = {toml(each['terms'])}\n" if each["terms"] is not None else ""
        text += (
            f'[[deployments]]\nname = "d{number}"\nmodel = "m"\nprovider = "p{number}"\nfacts = {{ quality = 0.9 }}\n'
        )
    names = [f"d{number}" for number in range(len(world["providers"]))]
    tiers = [{"name": f"t{at}", "deployments": [name]} for at, name in enumerate(names)]
    text += f"[routes.r]\ntiers = [{', '.join(map(toml, tiers))}]\nprivacy = {toml(world['route'])}\n"
    text += f'[[keys]]\nname = "k"\nkey = "env:K"\ntenant = "t"\nprivacy = {toml(world["key"])}\n'
    text += '[[keys]]\nname = "open"\nkey = "env:OPEN"\n'
    text += f"[tenants.t]\nprivacy = {toml(world['tenant'])}\n"
    return text + "[privacy]\n" + "".join(f"{name} = {toml(rule)}\n" for name, rule in world["general"].items())


def usable(world: dict[str, Any]) -> dict[str, Any]:
    """What the configuration would refuse is made right: no class goes where the one below it may not."""
    zones, general = list(ZONES), {}
    for name in DATA_CLASSES:
        default = {"confidential": ["own", "contracted"], "restricted": ["own"]}.get(name, zones)
        rule = world["general"].get(name, {})
        zones = [zone for zone in rule.get("zones", default) if zone in zones]
        if name in world["general"]:
            general[name] = rule | {"zones": zones}
    return world | {"general": general}


def may(world: dict[str, Any], number: int, request: dict[str, Any]) -> bool:
    at = DATA_CLASSES.index(request["data_class"])
    zones = dict(zip(DATA_CLASSES, (ZONES, ZONES, ZONES[:2], ZONES[:1]), strict=True))
    general = {name: {"zones": zones[name]} | world["general"].get(name, {}) for name in DATA_CLASSES}
    sets = [general]
    if request["model"] == "r":
        sets.append(world["route"])
    if request["key"]:
        sets += [world["key"], world["tenant"]]
    each = world["providers"][number]
    return all(
        _passes(each, f"p{number}", rules[name]) for rules in sets for name in DATA_CLASSES[: at + 1] if name in rules
    )


def _passes(each: dict[str, Any], name: str, rule: dict[str, Any]) -> bool:
    zone, terms = each["zone"], each["terms"] or {}
    over = terms.get("expires_on", TODAY) < TODAY
    places = [each["region"], *([terms["storage_region"]] if "storage_region" in terms else [])]
    demands = [zone in rule.get("zones", ZONES)]
    demands.append(any(fnmatchcase(name, pattern) for pattern in rule.get("providers", ["*"])))
    demands += [
        any(pattern == "*" or (place and fnmatchcase(place, pattern)) for pattern in rule.get("regions", ["*"]))
        for place in places
    ]
    agreed = {} if over else terms
    if zone != "own":
        kept = agreed.get("retention_days", 10**6)
        demands.append(kept <= rule.get("max_retention_days", 10**9))
        demands.append(not rule.get("no_training") or agreed.get("trains_on_data") is False)
        demands += [not rule.get(word) or agreed.get(word, False) for word in ("baa", "dpa")]
    if rule.get("persons"):
        reach = set(agreed.get("persons", ()))
        demands.append(bool(reach) and reach <= set(rule["persons"]))
    if zone == "contracted" and over and "third_party" not in rule.get("zones", ZONES):
        demands.append(False)
    return all(demands)


def ports(world: dict[str, Any], request: dict[str, Any]) -> set[int]:
    return {FIRST_PORT + number for number in range(len(world["providers"])) if may(world, number, request)}


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.lists(WORLD.map(usable), min_size=2, max_size=2), st.lists(REQUEST, min_size=1, max_size=4))
def test_nobody_outside_the_set_is_dialled(worlds: list[dict[str, Any]], requests: list[dict[str, Any]]) -> None:
    async def play(street: Street) -> None:
        worker = Worker(street, snapshot(config(worlds[0])))
        other = snapshot(config(worlds[1]), 2)
        for request in requests:
            worker.rest()
            for number, ill in enumerate(request["ill"]):
                house = street.house(FIRST_PORT + number)
                house.connects = ill.connects
                house.say = ill.say or house.say
                if request["reload"]:
                    house.on_request = lambda: worker.gateway.swap(other)
            headers = {"x-twintrack-class": request["data_class"]}
            headers["authorization"] = f"Bearer env:{'K' if request['key'] else 'OPEN'}"
            body = {
                "model": request["model"],
                "messages": [{"role": "user", "content": "Hi"}],
                "stream": request["stream"],
            }
            await worker.ask("/v1/chat/completions", json.dumps(body).encode(), headers)
            reached = {port for port, house in street.houses.items() if house.reached}
            assert reached <= ports(worlds[0], request), request

    on_a_street(play)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(WORLD.map(usable))
def test_sets_are_what_the_rules_say_and_shrink_as_the_class_rises(world: dict[str, Any]) -> None:
    policy = Policy(snapshot(config(world)), today=20_000)
    for route, key in ((policy.snapshot.routes[0], 0), (policy.snapshot.routes[0], 1), (None, 0), (None, -1)):
        sets = [policy.view(data_class, route=route, key=key).allowed for data_class in DATA_CLASSES]
        assert all(higher <= lower for lower, higher in pairwise(sets))
        for data_class, found in zip(DATA_CLASSES, sets, strict=True):
            request = {"data_class": data_class, "model": "r" if route is not None else "d0", "key": key == 0}
            assert {FIRST_PORT + index for index in found} == ports(world, request)
