"""The words for what a document and the schema disagree about."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from re import search
from typing import Any

from ...common.documents.nodes import Node
from ...common.suggest import did_you_mean
from ...common.values import ValueProblem
from ..headers.catalogue import headers
from .later import LISTS, PRIVATE_HEADERS, Later, later_key, later_value

KINDS = {
    "null": "nothing",
    "boolean": "true or false",
    "integer": "a number",
    "number": "a decimal number",
    "string": "text",
    "object": "a mapping",
    "array": "a list",
}
PLACES = {
    "": "a spec",
    "attach": "`attach`",
    "route_device": "`route_device`",
    "host_value": "a host value",
    "set": "a set",
    "table": "a table",
    "shape": "`shape`",
    "egress": "`egress`",
    "egress_rule": "an egress rule",
    "connect": "`connect`",
    "connect_rule": "a connect rule",
    "remember": "`remember`",
    "learn": "`learn`",
    "ingress": "`ingress`",
    "ingress_rule": "an ingress rule",
    "match": "a match",
}
# Words of other systems, and of older habits, that no spelling check would find.
ALIASES = {
    ("match", "port"): "destination_port",
    ("match", "dport"): "destination_port",
    ("match", "sport"): "source_port",
    ("match", "proto"): "protocol",
    ("match", "tos"): "dscp",
    ("match", "fwmark"): "mark",
    ("match", "cgroups"): "cgroup",
    ("attach", "cgroups"): "cgroup",
    ("egress_rule", "sockets"): "socket",
    ("egress_rule", "table"): "to",
    ("egress_rule", "target"): "to",
    ("egress_rule", "then"): "action",
    ("ingress_rule", "encapsulation"): "decapsulate",
    ("ingress_rule", "source"): "from",
    ("ingress_rule", "peers"): "from",
    ("table", "max_entries"): "capacity",
    ("table", "size"): "capacity",
    ("table", "columns"): "fields",
    ("", "version"): "apiVersion",
    ("", "tables"): "endpoints",
    ("", "presets"): "preset",
    ("", "interfaces"): "attach",
}


def later(found: Later, word: str) -> ValueProblem:
    """The diagnostic for a word that is still to come."""
    return ValueProblem(found.code, f"`{word}` is not yet in this release ({found.words})", found.instead)


def unknown_key(
    context: str, key: str, properties: Mapping[str, Any], private: frozenset[str] = frozenset()
) -> ValueProblem:
    """A key that a closed object does not have. `private` are the names of private headers."""
    if context == "header" and key in private:
        return later(PRIVATE_HEADERS, key)
    found = later_key(context, key)
    if found is not None:
        return later(found, key)
    if context == "header":
        return ValueProblem("E401", f"there is no header `{key}`", did_you_mean(key, properties))
    if context.startswith("option_"):
        words = f"an option of {context.removeprefix('option_')} has no key `{key}`"
        return ValueProblem("E201", words, did_you_mean(key, properties))
    if context.startswith("header_"):
        return _header_field(context.removeprefix("header_"), key, properties)
    if context == "preset":
        return ValueProblem("E216", f"there is no preset `{key}`", did_you_mean(key, properties))
    if context.startswith("preset_"):
        words = f"the preset {context.removeprefix('preset_')} has no parameter `{key}`"
        return ValueProblem("E201", words, did_you_mean(key, properties))
    other = ALIASES.get((context, key))
    help = f"the word is `{other}`" if other else did_you_mean(key, properties)
    return ValueProblem("E201", f"{PLACES.get(context, 'this mapping')} has no key `{key}`", help)


def _header_field(name: str, key: str, properties: Mapping[str, Any]) -> ValueProblem:
    known = headers().get(name)
    if known is not None and any(f.name == key for f in known.fields()):
        return ValueProblem("E404", f"`{key}` of {name} is not set by a spec", f"leave it out: {known.field(key).doc}")
    if name == "ip":
        for family in ("ipv4", "ipv6"):
            if key in headers()[family].settable():
                return ValueProblem(
                    "E403", f"`ip` has no `{key}`", f"only {family} has it: write `{family}` instead of `ip`"
                )
    return ValueProblem("E403", f"header {name} has no field `{key}`", did_you_mean(key, properties))


def missing_key(context: str, key: str, schema: Mapping[str, Any]) -> ValueProblem:
    """A required key that is not there."""
    text = schema.get("description", "")
    if context.startswith("header_"):
        name = context.removeprefix("header_")
        examples = schema.get("examples", [])
        help = f"add `{key}: {examples[0]}`: {text}" if examples else text
        return ValueProblem("E402", f"header {name} needs `{key}`", help)
    example = _yaml(key, schema)
    where = PLACES.get(context, "this mapping")
    if context.startswith("preset_"):
        where = f"the preset {context.removeprefix('preset_')}"
    return ValueProblem("E202", f"{where} needs `{key}`", f"{example}{text}")


def wrong_kind(
    node: Node, wanted: list[str], context: str, key: str, schema: Mapping[str, Any], tables: Iterable[str]
) -> ValueProblem:
    """A list where text belongs, and so on."""
    found = later_value(context, key, str(node.value), frozenset(tables))
    if found is not None and node.kind != "null":
        return later(found, str(node.text or node.value))
    example = _yaml(key, schema) or _how(wanted[0])
    if not key:
        return ValueProblem(
            "E203", f"a spec is a mapping, not {KINDS[node.kind]}", "begin with `apiVersion: encap/v1alpha1`"
        )
    if node.kind == "null":
        return ValueProblem("E210", f"`{key}` has no value", example)
    if context == "row" and node.kind == "array":
        return later(LISTS, key)
    expected = _either(wanted)
    is_ = KINDS[node.kind]
    if context == "header" and node.kind == "string":
        return ValueProblem("E203", f"a header is a mapping, not {is_}", f"write `{node.value}: {{}}`")
    help = example
    if node.kind == "number" and "integer" in wanted:
        help = "write a whole number"
    elif "string" in wanted and node.kind in ("number", "boolean", "integer"):
        pattern = schema.get("pattern")
        quoted = Node("string", node.text, node.place)
        if pattern and not search(pattern.replace("$", r"\Z"), node.text):
            problem = pattern_problem(quoted, context, key, schema)  # in quotes it would be wrong still
            return ValueProblem("E203", f"`{key}` is {expected}, not {is_}", problem.help)
        help = f'quote it: "{node.text}"' if node.text else "quote it"
    elif wanted == ["array"] and node.kind == "object":
        help = "put `- ` before each element"
    return ValueProblem("E203", f"`{key}` is {expected}, not {is_}", help)


def enum_problem(node: Node, allowed: list[Any], context: str, key: str, tables: Iterable[str]) -> ValueProblem:
    """A value that is none of the allowed words."""
    text = {"array": "a list", "object": "a mapping", "boolean": node.text}.get(node.kind) or str(node.value)
    found = later_value(context, key, text, frozenset(tables))
    if found is not None:
        return later(found, text)
    words = [str(a) for a in allowed]
    if key == "apiVersion":
        return ValueProblem("E212", f"`{text}` is not a version of the language", f"write `apiVersion: {words[0]}`")
    code, what = ("E623", "a type of field") if context == "field_type" else ("E204", f"a value of `{key}`")
    if context == "host_value":
        code, what = "E623", "a type of host value"
    listed = ("it can be " if len(words) == 1 else "one of ") + ", ".join(words)
    if node.kind == "null":
        return ValueProblem("E210", f"`{key}` has no value", listed)
    if node.kind in ("array", "object"):
        return ValueProblem(code, f"{text} is not {what}", listed)
    return ValueProblem(code, f"`{text}` is not {what}", did_you_mean(text, words, listed))


def pattern_problem(node: Node, context: str, key: str, schema: Mapping[str, Any]) -> ValueProblem:
    """Text of the wrong form: names, the kernel, the default of a host value."""
    text = node.value
    if context == "attach":
        help = "a path that begins with `/`, which is the root of the cgroup2 hierarchy, or `host.NAME`"
        return ValueProblem("E204", f"`{text}` is not a value of `{key}`", help)
    if context == "route_device":
        help = "the name of a network device: at most 15 letters, digits, `.`, `-` and `_`, like encap0"
        return ValueProblem("E204", f"`{text}` cannot be the name of a device", help)
    if key == "kernel":
        return ValueProblem("E213", f"`{text}` is not a kernel version", 'two numbers in quotes, like "5.10"')
    if context == "name" or key == "name":
        better = "".join(c if c.isascii() and c.isalnum() else "-" for c in text.lower()).strip("-")
        return ValueProblem(
            "E205",
            f"`{text}` cannot be a name",
            "lower-case letters, digits, `-` and `_`, beginning with a letter"
            + (f": `{better}`" if better[:1].isalpha() else f": `n{better}`" if better else ""),
        )
    return ValueProblem("E204", f"`{text}` is not a value of `{key}`", schema.get("description", ""))


def too_many_keys(context: str, names: list[str]) -> ValueProblem:
    """Two headers in one element of a stack, or two presets."""
    if context == "preset":
        words = f"`{names[0]}` and `{names[1]}`: a spec has one preset"
        help = "keep one, and write out what you need of the other beside it: docs/presets.md has it"
        return ValueProblem("E217", words, help)
    lines = "\n".join(f"- {name}: {{...}}" for name in names[:4])
    return ValueProblem("E215", f"`{names[0]}` and `{names[1]}` are one element of the list", f"one each:\n{lines}")


def _how(kind: str) -> str:
    return {
        "object": "a mapping is written `{key: value}`, or as indented lines `key: value`",
        "array": "a list is written `[one, two]`, or as lines that begin with `- `",
        "boolean": "write true or false",
        "integer": "write a number in decimal, or in hexadecimal after 0x",
    }.get(kind, "give it a value, or leave it out")


def _either(wanted: list[str]) -> str:
    return " or ".join(KINDS[k] for k in wanted)


def empty_help(context: str, key: str, schema: Mapping[str, Any]) -> str:
    """What to do about a list or mapping that must have something in it."""
    special = {
        "encapsulation": "name its headers, outermost first, like `- ip: {source: host.vtep, destination: "
        "endpoint.address}`",
        "header": "name one header, like `- ip: {source: host.vtep, destination: endpoint.address}`",
        "row": "name its columns, like `- {destination: 10.1.0.0/16, address: 192.0.2.1}`",
    }
    if context == "table" and key == "fields":
        # The map behind the table has a value, and the kernel knows none of 0 bytes.
        return (
            f"{example(key, schema)}\n"
            "a table that only lists its keys has one field too, like `{mark: u32}`, and a value for it in each row"
        )
    return special.get(context) or example(key, schema) or "leave it out"


def example(key: str, schema: Mapping[str, Any]) -> str:
    """The first example of a schema, as it would be written."""
    examples = schema.get("examples")
    return f"for example `{key}: {flow(examples[0])}`" if examples else ""


def _yaml(key: str, schema: Mapping[str, Any]) -> str:
    """`key: example`, as one line of help."""
    if schema.get("examples"):
        return f"{example(key, schema)}\n"
    if "enum" in schema:
        return f"`{key}: {' or '.join(map(str, schema['enum']))}`\n"
    return f"`{key}: {schema['const']}`\n" if "const" in schema else ""


def flow(value: Any) -> str:
    """A value in YAML's flow style."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{k}: {flow(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(flow(v) for v in value) + "]"
    if isinstance(value, str):
        return json.dumps(value) if ":" in value or value[:1].isdigit() else value
    return json.dumps(value)
