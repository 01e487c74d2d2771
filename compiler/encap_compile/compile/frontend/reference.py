"""`docs/spec.md`: the reference of the language, from the schema and the header catalogue."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from ..headers.catalogue import headers
from ..headers.model import Field, FromSpec, Header, NextProtocol, Opaque, Options
from .later import HEADER_NAMES, KEYS
from .schema_document import schema_document
from .schema_headers import IP_DOC, WHAT
from .schema_words import flow

Schema = dict[str, Any]
INTRODUCTION = """\
# The spec language

<!-- Made from schemas/encap.schema.json and the header catalogue by `encap-compile reference`. Do not edit. -->

A spec is one YAML document: UTF-8, YAML 1.2 core schema, no tags, no merge keys, no duplicate keys. What two YAML
readers could take differently is text: `010`, `1_000`, `yes`, `on`, dates, and anything with colons, like a MAC
address. Closed: a key that is not listed here is an error. Where a list is allowed, a single value is a list of one.

A **value** in a header is a literal, a keyword of its field, or a reference: `host.NAME` or `host.DEVICE.ATTRIBUTE`
(per machine), `endpoint.FIELD` (the row that was found), `packet.dscp`, `packet.ttl` or `packet.mark` (the inner
packet), `received.HEADER.FIELD` (what came in with the packet that is answered, where a rule reflects). **Names** are
lower-case letters, digits, `-` and `_`, begin with a letter, have at most 32 characters, are no word of C, and differ
in more than `-` and `_`.

**Files** (`file:`) are named relative to the spec, with `/`, and lie in its folder or below.
"""
SECTIONS = (
    ("The document", "", ""),
    ("Presets", "preset", "preset: {NAME: {PARAMETER: ...}}"),
    ("Host values", "host_value", "host: {NAME: ...}"),
    ("Attaching", "attach", "attach: {...}"),
    ("The route device", "route_device", "attach: {devices: [host.uplink], route_device: {...}}"),
    ("Sets", "set", "sets: {NAME: ...}"),
    ("Tables", "table", "endpoints: {NAME: {...}}"),
    ("Shape", "shape", "shape: {...}"),
    ("Egress", "egress", "egress: {...}"),
    ("Connect", "connect", "connect: {...}"),
    ("Connect rules", "connect_rule", "- {name: ..., ...}"),
    ("Remembering", "remember", "remember: {...}"),
    ("Egress rules", "egress_rule", "- {name: ..., ...}"),
    ("Ingress", "ingress", "ingress: {...}"),
    ("Ingress rules", "ingress_rule", "- {name: ..., ...}"),
    ("Learning", "learn", "learn: {...}"),
    ("Match", "match", "match: {...}"),
    ("Fitting", "mtu", "mtu: {...}"),
    ("Receiving", "receive", "receive: {...}"),
    ("Tests", "tests", "tests: {...}"),
    ("A test", "test", "- {name: ..., ...}"),
    ("A packet that leaves", "leaving", "leaves: {...}"),
    ("A packet that arrives", "arriving", "arrives: {...}"),
    ("A socket that connects", "connecting", "connects: {...}"),
    ("What is expected", "expectation", "expect: {...}"),
)
ROWS = """\
## Rows

Rows stand in the spec (`rows:`) or in a CSV file (`file:`) with a header line that names the columns, in any order:
`name` (needed without a key), `encapsulation` (needed if the table has several), the words of the key, the fields.
Cells may be in double quotes, spaces around them do not count, lines that begin with `#` and blank lines are skipped,
CRLF and a byte-order mark are fine. A field that the row's encapsulation does not use may be left out.

| Type | A value |
|---|---|
"""


def spec_reference() -> str:
    """The whole page, Markdown."""
    document = schema_document()
    parts = [INTRODUCTION]
    for title, name, sketch in SECTIONS:
        schema = document["$defs"][name] if name else document
        parts.append("\n".join(_section(title, schema, sketch, document)))
    kinds = document["$defs"]["field_type"]["enum"]
    rows = "".join(f"| `{kind}` | {what} |\n" for kind, what in WHAT.items() if kind in kinds)
    parts.append(ROWS + rows)
    parts.append("\n".join(_headers(document)))
    parts.append("\n".join(_later()))
    return "\n".join(parts).rstrip("\n") + "\n"


def _section(title: str, schema: Schema, sketch: str, document: Schema) -> Iterator[str]:
    yield f"{'####' if title.startswith('An ') else '##'} {title}\n"
    yield f"{schema['description']}\n"
    if sketch:
        yield f"```yaml\n{sketch}\n```\n"
    inner = schema if "properties" in schema else schema.get("then", {})
    required = inner.get("required", [])
    enum = schema.get("else", {}).get("enum")
    if enum:
        yield f"Types: {', '.join(f'`{e}`' for e in enum)}.\n"
    if "properties" not in inner:
        return
    yield "| Key | Type | Default | What it is |\n|---|---|---|---|"
    for key, part in inner["properties"].items():
        target = {**document["$defs"][part["$ref"].rpartition("/")[2]], **part} if "$ref" in part else part
        default = "required" if key in required else f"`{flow(target['default'])}`" if "default" in target else ""
        text = part.get("description", target.get("description", ""))
        examples = target.get("examples", [])
        if examples:
            text += " For example " + ", ".join(f"`{key}: {flow(e)}`" for e in examples[:2]) + "."
        yield f"| `{key}` | {_type(target)} | {default} | {_cell(text)} |"
    yield ""


def _type(schema: Schema) -> str:
    if "const" in schema:
        return f"`{schema['const']}`"
    if "enum" in schema:
        return ", ".join(f"`{e}`" for e in schema["enum"])
    kinds = {"string": "text", "object": "mapping", "array": "list", "integer": "number", "boolean": "true or false"}
    given = schema.get("type", "string")
    return " or ".join(kinds.get(k, k) for k in ([given] if isinstance(given, str) else given))


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _headers(document: Schema) -> Iterator[str]:
    yield "## Encapsulations and headers\n"
    yield f"{document['$defs']['encapsulation']['description']}\n"
    yield f"### `ip`\n\n{IP_DOC}: `source`, `destination`, `dscp`, `ttl`.\n"
    for header in headers().values():
        yield from _header(header, document)


def _header(header: Header, document: Schema) -> Iterator[str]:
    yield f"### `{header.name}`: {header.title}\n"
    yield f"{header.reference}.{' ' + header.doc if header.doc else ''}\n"
    picture = _diagram(header)
    if picture:
        yield f"```text\n{picture}\n```\n"
    yield "| Field | Bits | Set by | Default | What it is |\n|---|---|---|---|---|"
    for field in header.everything():
        who = f"the spec: {_values(header, field)}" if _given(field) else "the compiler"
        bits = f"0 to {field.bits}" if field is header.variable else str(field.bits)
        yield f"| `{field.name}` | {bits} | {who} | {_default(field)} | {_cell(field.doc)} |"
    yield ""
    if header.variable is not None and isinstance(header.variable.role, Options):
        yield from _section(f"An option of `{header.name}`", document["$defs"][f"option_{header.name}"], "", document)


def _given(field: Field) -> bool:
    return field.settable or isinstance(field.role, Options)


def _values(header: Header, field: Field) -> str:
    if isinstance(field.role, Opaque):
        return f"`received.{header.name}.{field.name}`"
    if isinstance(field.role, Options):
        return "a list, see below"
    kinds = [f"`{k}`" for k in field.keywords]
    if field.type in WHAT:
        kinds.append(f"`{field.type}`")
    return " or ".join(kinds)


def _default(field: Field) -> str:
    if isinstance(field.role, Opaque | Options):
        return "none"
    if field.required:
        return "required"
    if isinstance(field.role, FromSpec):
        return "left out" if field.role.optional else f"`{field.role.default}`"
    return "what follows" if isinstance(field.role, NextProtocol) else ""


def _diagram(header: Header) -> str:
    """The bit diagram of `compile.headers.diagram`, if that module is there."""
    name = f"{headers.__module__.rpartition('.')[0]}.diagram"
    if find_spec(name) is None:
        return ""
    drawn: str = import_module(name).diagram(header)
    return drawn.rstrip("\n")


def _later() -> Iterator[str]:
    yield "## Not yet in this release\n"
    yield "Words of the language that are refused with a code of their own:\n"
    words: dict[str, tuple[str, set[str]]] = {}
    for context, keys in KEYS.items():
        for key, found in keys.items():
            where = f"`{key}` in `{context}`" if context else f"`{key}`"
            words.setdefault(found.code, (found.words, set()))[1].add(where)
    for code, (text, places) in sorted(words.items()):
        yield f"- {code}, {text}: {', '.join(sorted(places))}"
    names = ", ".join(f"`{n}`" for n in sorted(HEADER_NAMES - headers().keys()))
    yield f"- N912, headers: {names}"
