"""Secrets that are planted, and must be found nowhere but where they belong: in the head of a call to the provider."""

from __future__ import annotations

import base64


def canary(name: str) -> str:
    """Long, and like nothing else."""
    return f"canary-{name}-" + base64.b32encode(name.encode() * 2).decode().strip("=").lower()


PROVIDER_KEY, CLIENT_KEY, PROMPT = canary("provider"), canary("client"), canary("prompt")
SECRETS = (PROVIDER_KEY.encode(), CLIENT_KEY.encode(), PROMPT.encode())
ENVIRON = {"FUZZ_PROVIDER_KEY": PROVIDER_KEY, "FUZZ_CLIENT_KEY": CLIENT_KEY}

PROVIDERS = {
    "chatty": ("openai", "openai"),
    "claude": ("anthropic", "anthropic"),
    "replies": ("openai", "responses"),
    "google": ("gemini", "gemini"),
}
"""By name: which server, and the dialect it speaks."""
MODELS = {
    "m": "chatty",
    "vectors": "chatty",
    "sonnet": "claude",
    "translated": "claude",
    "resp": "replies",
    "gem": "google",
}
"""By name: at which provider."""


def config(ports: dict[str, int], *, keys: bool) -> str:
    """Every dialect a provider can have, straight and translated. `ports` by provider; keys for clients or none."""
    lines = ["[server.limits]\nmax_answer_bytes = 4_000_000\n"]
    if keys:
        lines.append('[[keys]]\nname = "fuzz"\nkey = "env:FUZZ_CLIENT_KEY"\n')
    for name, (api, dialect) in PROVIDERS.items():
        version = "v1beta" if dialect == "gemini" else "v1"
        lines.append(
            f'[[providers]]\nname = "{name}"\napi = "{api}"\nurl = "http://127.0.0.1:{ports.get(name, 9)}/{version}"\n'
            f'zone = "own"\nkey = "env:FUZZ_PROVIDER_KEY"\ndialects = ["{dialect}"]\n'
        )
    for name, at in MODELS.items():
        embeds = ", embeddings = true" if name == "vectors" else ""
        lines.append(
            f'[[deployments]]\nname = "{name}"\nmodel = "{name}"\nupstream_model = "up-{name}"\nprovider = "{at}"\n'
            f'facts = {{ tools = true, quality = 0.9, modalities = ["text", "image"]{embeds} }}\n'
            "price = { input_usd_per_mtok = 2.0, output_usd_per_mtok = 8.0 }\n"
        )
    lines.append('[routes.auto]\ntiers = [{ name = "one", deployments = ["m"] }]\ndrop_unsupported = true\n')
    return "\n".join(lines)
