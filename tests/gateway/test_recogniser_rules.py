"""A recogniser of names is shown a text before anybody knows whose rules hold for it: so all of them have to let it."""

from __future__ import annotations

import pytest

from support.street import snapshot
from twintrack.errors import ConfigError
from twintrack.gateway.ner import recogniser

RECOGNISER = '[detect.ner]\nurl = "http://127.0.0.1:5002"\n'
KEY = '[[keys]]\nname = "k"\nkey = "env:K"\n'
GPU = '[[providers]]\nname = "gpu"\napi = "vllm"\nurl = "http://127.0.0.1:9/v1"\nzone = "own"\n'


@pytest.mark.parametrize(
    ("rules", "why"),
    [
        ("[privacy]\nrestricted = { zones = [] }\n", "restricted data may go nowhere"),
        ('[privacy]\nconfidential = { regions = ["eu-*"] }\n', "where this one is, is not known"),
        (KEY + 'privacy = { public = { persons = ["us"] } }\n', "by its key's rules"),
        (KEY + 'tenant = "t"\n[tenants.t.privacy]\ninternal = { zones = [] }\n', "by its tenant's rules"),
        ('[privacy.categories]\nexport = { persons = ["us"] }\n', "export-controlled data"),
    ],
)
def test_any_rule_that_keeps_it_out_is_said_at_the_start(rules: str, why: str) -> None:
    with pytest.raises(ConfigError) as caught:
        recogniser(snapshot(rules + RECOGNISER))
    assert why in caught.value.why


def test_what_is_known_of_it_may_meet_them() -> None:
    rules = '[privacy]\nconfidential = { regions = ["eu-*"], no_training = true, baa = true }\n'
    rules += 'restricted = { zones = ["own"], persons = ["us"], max_retention_days = 0 }\n'
    made = recogniser(snapshot(rules + RECOGNISER + 'region = "eu-west"\npersons = ["us"]\n'))
    assert made is not None
    assert made.admitted.data_class == "restricted"


def test_lists_of_providers_are_of_those_who_answer() -> None:
    assert recogniser(snapshot(GPU + '[privacy]\npublic = { providers = ["gpu"] }\n' + RECOGNISER)) is not None
