"""Records of what is agreed, tenants, and rules of their own: what a file may say, and what it comes to."""

from __future__ import annotations

import datetime

import pytest

from twintrack.catalog.prices import load
from twintrack.config.compile import compile_snapshot
from twintrack.config.explain import explain_values
from twintrack.config.load import parse
from twintrack.config.snapshot import Narrowing, PrivacyRule, Snapshot, Terms
from twintrack.config.source import InvalidConfig

ALL = ("own", "contracted", "third_party")
PROVIDER = """
[[providers]]
name = "firm"
api = "openai"
url = "https://llm.example.com/v1"
zone = "contracted"
"""
WHOLE = (
    PROVIDER
    + """
[providers.terms]
entity = "Firm Inc."
storage_region = "eu-west"
retention_days = 7
trains_on_data = false
baa = true
persons = ["us"]
evidence = "contract 17"
verified_on = "2026-01-31"
expires_on = "2027-01-31"

[[deployments]]
model = "m"
provider = "firm"
facts = { quality = 0.9 }

[[keys]]
name = "ops"
key = "env:K"
operator = true
tenant = "clinic"
privacy = { internal = { dpa = true } }

[tenants.clinic]
data_class = "confidential"
[tenants.clinic.privacy]
public = { providers = ["firm"] }
categories = { phi = { baa = true } }

[routes.r]
tiers = [{ name = "t", deployments = ["m@firm"] }]
[routes.r.privacy]
restricted = { zones = ["own"] }

[privacy]
internal = { max_retention_days = 30 }
[privacy.categories]
export = { persons = ["us"] }
"""
)


def compiled(text: str) -> Snapshot:
    settings, source = parse(text, "/etc/twintrack/twintrack.toml", environ=None)
    return compile_snapshot(
        settings,
        source,
        generation=1,
        prices=load(None, on=datetime.date(2026, 11, 1)),
        secrets=lambda reference: reference,
    )


def test_what_it_comes_to() -> None:
    snapshot = compiled(WHOLE)
    assert snapshot.deployments[0].terms == Terms("eu-west", 7, False, True, False, ("us",), 20_849)
    (key,) = snapshot.keys
    assert (key.data_class, key.operator, key.tenant) == ("confidential", True, 0)
    assert key.privacy == Narrowing({"internal": PrivacyRule(ALL, ("*",), dpa=True)})
    assert snapshot.tenants[0].privacy == Narrowing(
        {"public": PrivacyRule(ALL, ("*",), ("firm",))}, {"phi": PrivacyRule(ALL, ("*",), baa=True)}
    )
    assert snapshot.routes[0].privacy == Narrowing({"restricted": PrivacyRule(("own",), ("*",))})
    assert snapshot.categories == {"export": PrivacyRule(ALL, ("*",), persons=("us",))}
    assert snapshot.privacy["confidential"] == PrivacyRule(("own", "contracted"), ("*",), max_retention_days=30)


def test_a_rule_that_only_asks_for_terms_opens_no_zone() -> None:
    rules = compiled("[privacy]\nrestricted = { baa = true }\nconfidential = { dpa = true }\n").privacy
    assert (rules["restricted"].zones, rules["confidential"].zones) == (("own",), ("own", "contracted"))


def test_all_of_it_decides_and_so_changes_the_name_of_the_policy() -> None:
    names = {compiled(WHOLE).policy_version}
    for old, new in (
        ("retention_days = 7", "retention_days = 8"),
        ('expires_on = "2027-01-31"', 'expires_on = "2027-02-01"'),
        ("operator = true", "operator = false"),
        ("dpa = true", "baa = true"),
        ("phi = { baa", "pii = { baa"),
        ('restricted = { zones = ["own"] }', "restricted = { zones = [] }"),
        ("export = { persons", "secret = { persons"),
    ):
        assert old in WHOLE
        names.add(compiled(WHOLE.replace(old, new)).policy_version)
    assert len(names) == 8
    assert compiled(WHOLE.replace("contract 17", "contract 18")).policy_version in names


def test_every_value_of_it_is_explained() -> None:
    settings, source = parse(WHOLE, "twintrack.toml", environ=None)
    values = {each.path: each for each in explain_values(settings, source)}
    assert values["$.providers[0].terms.baa"].value is True
    assert values["$.tenants.clinic.privacy.categories.phi.baa"].value is True
    assert values["$.keys[0].privacy.internal.dpa"].origin == f"twintrack.toml:{_line('dpa = true')}"
    assert not any(".privacy.public.zones" in path and "routes" in path for path in values)


def _line(text: str) -> int:
    return WHOLE[: WHOLE.index(text)].count("\n") + 1


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (
            PROVIDER + 'terms = { expires_on = "next year" }\n',
            "$.providers[0].terms.expires_on is 'next year', which is no day. Write it as \"2027-03-31\".",
        ),
        (
            PROVIDER + 'terms = { verified_on = "2026-02-30" }\n',
            "$.providers[0].terms.verified_on is '2026-02-30', which is no day. Write it as \"2027-03-31\".",
        ),
        (PROVIDER + "terms = { expires_on = 2027-03-31 }\n", "$.providers[0].terms.expires_on is a date or time"),
        (
            PROVIDER + 'terms = { verified_on = "2026-03-01", expires_on = "2026-02-01" }\n',
            "$.providers[0].terms.expires_on is 2026-02-01, before it was verified on 2026-03-01.",
        ),
        (
            PROVIDER + "terms = { zdr = true, retention_days = 30 }\n",
            "$.providers[0].terms.retention_days is 30 beside zdr = true.",
        ),
        (PROVIDER + 'terms = { storage_region = "EU" }\n', "$.providers[0].terms.storage_region is 'EU'"),
        (PROVIDER + "terms = { baaa = true }\n", "$.providers[0].terms.baaa is unknown. Did you mean baa?"),
        (
            '[[keys]]\nname = "k"\nkey = "env:K"\ntenant = "clinc"\n[tenants.clinic]\n',
            "$.keys[0].tenant is 'clinc', which is not the name of a tenant. Did you mean clinic?",
        ),
        (
            "[privacy.categories]\nphy = { baa = true }\n",
            "$.privacy.categories.phy is no category of findings. Did you mean phi?",
        ),
        (
            PROVIDER + '[tenants.t.privacy]\ninternal = { providers = ["firn"] }\n',
            "$.tenants.t.privacy.internal.providers[0] is 'firn', which is the name of no provider. Did you mean firm?",
        ),
        (
            '[tenants.t.privacy.categories]\nphi = { regions = ["EU"] }\n',
            "$.tenants.t.privacy.categories.phi.regions[0] is 'EU', which no region can match.",
        ),
        ("[privacy]\nrestricted = { max_retention_days = -1 }\n", "$.privacy.restricted.max_retention_days is -1"),
    ],
)
def test_a_fault_is_told_with_its_path_and_its_remedy(text: str, complaint: str) -> None:
    with pytest.raises(InvalidConfig) as caught:
        parse(text, "twintrack.toml", environ=None)
    assert any(complaint in each for each in caught.value.problems), caught.value.problems


def test_a_word_of_a_detection_rule_is_a_category() -> None:
    text = '[[detect.rules]]\nname = "vines"\ncategory = "vines"\nterms = ["vine"]\n'
    assert compiled(text + "[privacy.categories]\nvines = { zones = [] }\n").categories["vines"].zones == ()
