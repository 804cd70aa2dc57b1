"""A configuration of LiteLLM's proxy, said in ours."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from twintrack.catalog import providers
from twintrack.catalog.prices import Prices
from twintrack.config import settings
from twintrack.config.moving.account import Account
from twintrack.config.moving.document import Document, Node
from twintrack.config.moving.draft import Deployment, Draft, Key, Provider
from twintrack.config.moving.litellm_models import Models
from twintrack.config.moving.litellm_routes import Routes
from twintrack.config.moving.moved import Moved, World
from twintrack.config.moving.upstream import UNSAID_ZONE, own_window, priced
from twintrack.config.moving.variables import Variables
from twintrack.config.moving.words import words
from twintrack.config.moving.write import Value

SECTIONS = ("model_list", "litellm_settings", "router_settings", "general_settings")
"""A mapping with one of them is LiteLLM's."""
_MASTER_KEY = "LITELLM_MASTER_KEY"
_MOST_SECONDS = 86_400


def translate(document: Document, world: World) -> Moved:
    account = Account(document, words("litellm").advice)
    variables = Variables(document.root)
    draft = Draft(
        [
            f"Moved from {document.name}, a configuration of LiteLLM, by `twintrack init --from`.",
            "`twintrack config check` says whether it is right, `twintrack serve` serves it, and",
            "`twintrack config reference` tells what every word means.",
        ],
        listen_comment="LiteLLM's own port is 4000; beyond this machine a key is required",
    )
    models = Models(account, draft, variables, world, words("litellm"))
    routes = Routes(account, draft, models, world.attempts)
    root = document.root.fields
    _credentials(root.get("credential_list"), models)
    models.environment = _section(root, "environment_variables")
    if "model_list" in root:
        models.add(root["model_list"])
    _name_by_reference(draft, variables)
    _settings(root, draft, routes, account)
    routes.write()
    _master_key(root, draft, variables, account)
    account.close()
    to_check = tuple(_to_check(draft, world.prices))
    return Moved(document.name, draft, account.remarks, account.summary, account.carried, variables.used, to_check)


def _name_by_reference(draft: Draft, variables: Variables) -> None:
    """Of two keys for one provider the one the old file names keeps the plain name, whichever came first."""
    for secret in draft.providers:
        alike = [
            each
            for each in draft.providers
            if each.name.startswith(f"{secret.name}-")
            and (each.api, _keyless(each)) == (secret.api, _keyless(secret))
            and not variables.made(each.fields.get("key"))
        ]
        if alike and variables.made(secret.fields.get("key")):
            draft.trade_names(secret, min(alike, key=lambda each: "key" in each.fields))


def _keyless(provider: Provider) -> dict[str, Value]:
    return {word: each for word, each in provider.fields.items() if word != "key"}


def _section(root: dict[str, Node], name: str) -> dict[str, Node]:
    return root[name].fields if name in root else {}


def _credentials(node: Node | None, models: Models) -> None:
    for item in node.items if node is not None else ():
        name, values = item.fields.get("credential_name"), item.fields.get("credential_values")
        if name is not None and values is not None and values.fields:
            models.credentials[str(name.scalar)] = values


def _settings(root: dict[str, Node], draft: Draft, routes: Routes, account: Account) -> None:
    """What holds for all models. Of words that stand in both sections the router's hold."""
    library, router = _section(root, "litellm_settings"), _section(root, "router_settings")
    for word, read in (
        ("fallbacks", routes.fallbacks),
        ("default_fallbacks", routes.default_fallbacks),
        ("context_window_fallbacks", routes.window_fallbacks),
    ):
        node = _one_of(router.get(word), library.get(word), account)
        if node is not None:
            read(node)
    if "model_group_alias" in router:
        routes.aliases(router["model_group_alias"])
    timeout = _one_of(router.get("timeout"), library.get("request_timeout"), account)
    if timeout is not None:
        _deadline(timeout, draft, account)
    dropping = library.get("drop_params")
    known = {each.name for each in msgspec.structs.fields(settings.Route)}
    if dropping is not None and isinstance(dropping.value, bool) and "drop_unsupported" in known:
        routes.drop_unsupported = dropping.value
        account.carry(dropping, "routes.drop_unsupported")


def _one_of(router: Node | None, library: Node | None, account: Account) -> Node | None:
    if router is not None and library is not None:
        account.remark(library, "not needed", f"router_settings says it too, on line {router.line}, and that holds.")
    return router or library


def _deadline(node: Node, draft: Draft, account: Account) -> None:
    value = node.scalar
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= _MOST_SECONDS:
        draft.deadlines["total_s"] = Decimal(str(value))
        account.carry(node, "server.deadlines.total_s")
    else:
        account.lose(node, "A deadline is a number of seconds above 0 and at most 86400: see [server.deadlines].")


def _master_key(root: dict[str, Node], draft: Draft, variables: Variables, account: Account) -> None:
    node = _section(root, "general_settings").get("master_key")
    if node is None or node.value is None:
        return
    secret = variables.key(node, _MASTER_KEY, "the key clients send", needs_none=False)
    if secret is None:
        account.lose(node, "It is no reference and no key.")
        return
    account.carry(node, "keys.key")
    if secret.kind is not None:
        account.remark(node, secret.kind, secret.why)
    draft.keys.append(Key("master", secret.reference))
    variables.use(secret.reference)


def _to_check(draft: Draft, prices: Prices | None) -> list[str]:
    places = [each.name for each in draft.providers if each.comments.get("zone") == UNSAID_ZONE]
    told = []
    if places:
        told.append(
            f"Who sees the data at {', '.join(places)}? They are taken for third parties, so confidential requests do "
            'not go there; write zone = "own" for machines of yours.'
        )
    expiring = [
        each.name
        for each in draft.providers
        if getattr(providers.find(each.api), "auth", "") == "google-oauth" and "key" not in each.fields
    ]
    if expiring:
        told.append(
            f'{", ".join(expiring)} will want an access token, which lasts an hour: add key = "file:PATH", a file that '
            "something renews."
        )
    assumed = [each.called for each in draft.deployments if "assumed" in each.comments.get("facts", "")]
    if assumed:
        told.append(
            f"The catalogue does not know {', '.join(assumed)}. What their `facts` mark as assumed was not said: text "
            "as the only input, and that they can call tools. How good they are is a guess."
        )
    at = {each.name: each for each in draft.providers}
    windows = [each.called for each in draft.deployments if own_window(each, at[each.provider])]
    if windows:
        told.append(
            f"The window of {', '.join(windows)} is the model's, from the catalogue. The server's own may be smaller: "
            "say it as `context_tokens` in `facts` (docs/own-gpu.md tells more)."
        )
    unknown: list[Deployment] = []
    if prices is not None:
        unknown = [each for each in draft.deployments if not priced(each, at[each.provider], prices)]
    if unknown:
        told.append(
            f"Cost unknown: no list price for {', '.join(each.called for each in unknown)}. Add price = "
            "{ input_usd_per_mtok = …, output_usd_per_mtok = … }, or { per_hour_usd = … } for a machine of yours."
        )
    return told
