"""A configuration that uses most words, and the environment it needs."""

import pytest

EXAMPLE = """\
[server]
listen = "127.0.0.1:8080"

[[keys]]                             # static keys; managed keys live in the database
name = "dev"
key = "env:TWINTRACK_KEY"            # secrets only by reference: env: or file: (re-read on change)

[[providers]]
name = "openai"                      # a known row: address, dialect and key variable come with it
key = "env:OPENAI_API_KEY"

[[providers]]
name = "gpu-room"
api = "vllm"
url = "http://10.0.0.5:8000/v1"
zone = "own"
region = "eu-west"

[[deployments]]                      # named model@provider unless `name` says otherwise
model = "llama-3.3-70b-instruct"     # catalogue name: licence, window, modalities come with it
provider = "gpu-room"
price = { per_hour_usd = 9.6 }       # own engines are charged by time, idle included
max_in_flight = 64

[[deployments]]
model = "gpt-5.4"
provider = "openai"

[[deployments]]
model = "our-model"                  # not in the catalogue: say what it is
provider = "gpu-room"
facts = { context_tokens = 8192, modalities = ["text"], tools = true }
price = { input_usd_per_mtok = 0.2, output_usd_per_mtok = 0.4 }

[routes.auto]                        # clients send model = "auto"
tiers = [
  { name = "small", deployments = ["llama-3.3-70b-instruct@gpu-room"] },
  { name = "premium", deployments = ["gpt-5.4@openai"] },
]
keep_quality = 0.98                  # of the last tier's, on this route's traffic
max_usd_per_request = 0.05
default_class = "internal"
mode = "route"                       # "observe": record the choice, answer with the model the client named

[privacy]
restricted = { zones = ["own"] }
confidential = { zones = ["own", "contracted"], regions = ["eu-*"] }
"""
SECRETS = {"TWINTRACK_KEY": "tk-our-secret", "OPENAI_API_KEY": "sk-their-secret"}


@pytest.fixture
def example() -> str:
    return EXAMPLE


@pytest.fixture
def environ() -> dict[str, str]:
    return dict(SECRETS)
