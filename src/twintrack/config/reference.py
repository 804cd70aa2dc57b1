"""The configuration reference, written from the types and docstrings of `settings.py`:

    python -m twintrack.config.reference

prints it as Markdown. The same source gives the same text.
"""

from __future__ import annotations

import ast
import inspect
import sys

import msgspec
import msgspec.inspect as types

from twintrack.config import detection, serving, settings
from twintrack.config.shape import TABLES, choices, range_words

_OPENING = """# Configuration

One TOML file. A word it does not know is an error with the nearest one it knows; `twintrack config check` names every
fault with its line, `twintrack config explain` prints every value with its origin, and `twintrack config schema` prints
a JSON Schema for editors. A value without a default must be said. Paths are relative to the file.

An example that uses most of it:
"""

EXAMPLE = """\
[server]
listen = "127.0.0.1:8080"

[[keys]]                             # who may ask; without any, everybody on this machine
name = "dev"
key = "env:TWINTRACK_KEY"            # secrets only by reference: env:NAME or file:PATH

[[providers]]
name = "openai"                      # a known one: address, dialect and key variable come with it
key = "env:OPENAI_API_KEY"

[[providers]]
name = "gpu-room"
api = "vllm"
url = "http://10.0.0.5:8000/v1"
zone = "own"
region = "eu-west"

[[deployments]]                      # named model@provider unless `name` says otherwise
model = "llama-3.3-70b-instruct"     # catalogue name: licence, window and inputs come with it
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
mode = "route"                       # "observe": record the choice, answer from the last tier

[privacy]
restricted = { zones = ["own"] }
confidential = { zones = ["own", "contracted"], regions = ["eu-*"] }
"""


def reference() -> str:
    """Markdown: a section for each table, a row for each word."""
    meanings = docstrings()
    sections = [_section(header, table, meanings) for header, table in TABLES]
    return "\n".join([_OPENING + f"\n```toml\n{EXAMPLE}```\n", *sections])


def _section(header: str, table: type[msgspec.Struct], meanings: dict[tuple[str, str], str]) -> str:
    info = types.type_info(table)
    assert isinstance(info, types.StructType)
    title = f"## `{header}`" if header.startswith("[") else "## The file"
    lines = [title, "", meanings[table.__name__, ""], "", "| word | takes | default | meaning |", "|---|---|---|---|"]
    for field in info.fields:
        meaning = meanings.get((table.__name__, field.encode_name), "")
        cells = (f"`{field.encode_name}`", _takes(field.type), _default(field), meaning or _see(field))
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def _takes(kind: types.Type) -> str:
    if isinstance(kind, types.UnionType):
        return ", or ".join(_takes(each) for each in kind.types if not isinstance(each, types.NoneType))
    if isinstance(kind, types.LiteralType):
        return ", ".join(f"`{value}`" for value in choices(kind))
    if isinstance(kind, types.IntType):
        return "whole number" + range_words(kind)
    if isinstance(kind, types.FloatType):
        return "number" + range_words(kind)
    if isinstance(kind, types.BoolType):
        return "true or false"
    if isinstance(kind, types.VarTupleType):
        item = kind.item_type
        return "list of tables" if isinstance(item, types.StructType) else f"list of {_plural(item)}"
    if isinstance(kind, types.DictType):
        return "a table for each name"
    return "table" if isinstance(kind, types.StructType) else "text"


def _plural(item: types.Type) -> str:
    if isinstance(item, types.TupleType):
        return "pairs of texts"
    return _takes(item) if isinstance(item, types.LiteralType) else "texts"


def _default(field: types.Field) -> str:
    if field.required:
        return "must be said"
    if isinstance(field.default, msgspec.Struct) or field.default is msgspec.NODEFAULT:
        return ""
    default = msgspec.to_builtins(field.default)
    return "" if default in (None, (), "") else f"`{msgspec.json.encode(default).decode()}`"


def _see(field: types.Field) -> str:
    """Tables explain themselves in a section of their own."""
    kind = field.type
    if isinstance(kind, types.UnionType):
        kind = next(each for each in kind.types if not isinstance(each, types.NoneType))
    if isinstance(kind, types.VarTupleType):
        kind = kind.item_type
    if not isinstance(kind, types.StructType):
        return ""
    return next(f"See `{header}`." for header, table in TABLES if table is kind.cls)


def docstrings() -> dict[tuple[str, str], str]:
    """By class and field; the class's own stands under the empty field. Python keeps none for fields at run time."""
    found = {}
    nodes = (node for module in (serving, detection, settings) for node in ast.parse(inspect.getsource(module)).body)
    for node in nodes:
        if not isinstance(node, ast.ClassDef):
            continue
        found[node.name, ""] = _flat(ast.get_docstring(node) or "")
        for statement, following in zip(node.body, node.body[1:], strict=False):
            if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
                match following:
                    case ast.Expr(value=ast.Constant(value=str(text))):
                        found[node.name, statement.target.id] = _flat(text)
    return found


def _flat(text: str) -> str:
    return " ".join(text.split())


if __name__ == "__main__":
    sys.stdout.write(reference())
