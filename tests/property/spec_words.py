"""Which words of the language a spec uses, by its schema: `egress_rule.on_miss=next`, `table.key=mark`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from encap_compile.compile.frontend.schema_document import annotated_schema
from encap_compile.compile.frontend.schema_parts import KEY_WORDS

Schema = Mapping[str, Any]
# Words that are not keys of the schema, but values that it describes in text: what they may be, by where they stand.
VALUES: Mapping[str, tuple[str, ...]] = {
    "table.key": (*KEY_WORDS, "received"),
    "table.fields": tuple(annotated_schema()["$defs"]["field_type"]["enum"]),
    "host": tuple(annotated_schema()["$defs"]["host_value"]["else"]["enum"]),
    "ingress_rule.from": ("any", "table", "prefixes"),
    "reference": ("host", "endpoint", "packet", "received"),
    "kernel": ("5.10", "5.13", "5.18", "5.19", "6.3"),  # what the oldest kernel changes
}


def _named(schema: Schema) -> tuple[str, Schema]:
    """The definition that a schema refers to, and its name."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return name, annotated_schema()["$defs"][name]
    return "", schema


def _branches(schema: Schema) -> Iterator[Schema]:
    yield schema
    for key in ("then", "else"):
        if isinstance(schema.get(key), dict):
            yield from _branches(schema[key])


TESTS = ("tests", "test", "leaving", "arriving", "expectation")  # they reach no artifact: nothing of them is loaded


def language() -> set[str]:
    """Every word there is."""
    found: set[str] = {f"{place}={value}" for place, values in VALUES.items() for value in values}
    seen: set[str] = set()

    def walk(name: str, schema: Schema) -> None:
        known, schema = _named(schema)
        name = known or name
        if known in seen or known.startswith("preset") or known in TESTS:
            return
        seen.add(known)
        for part in _branches(schema):
            for key, value in part.get("properties", {}).items():
                word = f"{name}.{key}" if name else key
                if word != "preset":
                    found.add(word)
                    found.update(f"{word}={v}" for v in _named(value)[1].get("enum", ()) if value is not None)
                    walk(word, value)
            for key in ("items", "additionalProperties"):
                if isinstance(part.get(key), dict):
                    walk(name, part[key])

    walk("", annotated_schema())
    return found - {"", "header"}


def words(document: Mapping[str, Any]) -> set[str]:
    """Those that a document uses."""
    found: set[str] = set()

    def walk(name: str, schema: Schema, value: Any) -> None:
        known, schema = _named(schema)
        if known in TESTS:
            return
        name = known or name
        for part in _branches(schema):
            properties, others = part.get("properties", {}), part.get("additionalProperties")
            if isinstance(value, dict):
                for key, inner in value.items():
                    if key in properties:
                        word = f"{name}.{key}" if name else key
                        found.add(word)
                        if isinstance(inner, str | bool) and inner in _named(properties[key])[1].get("enum", ()):
                            found.add(f"{word}={inner}")
                        walk(word, properties[key], inner)
                    elif isinstance(others, dict):
                        walk(name, others, inner)
            if isinstance(value, list) and isinstance(part.get("items"), dict):
                for inner in value:
                    walk(name, part["items"], inner)
        if isinstance(value, str) and value.partition(".")[0] in VALUES["reference"] and name.startswith("header_"):
            found.add(f"reference={value.partition('.')[0]}")

    walk("", annotated_schema(), document)
    for table in document.get("endpoints", {}).values():
        keys = table.get("key", [])
        for key in [keys] if isinstance(keys, str) else keys:
            found.add(f"table.key={key.partition('.')[0]}")
        found |= {f"table.fields={kind}" for kind in table.get("fields", {}).values()}
    for value in document.get("host", {}).values():
        found.add(f"host={value if isinstance(value, str) else value['type']}")
    for rule in document.get("ingress", {}).get("rules", ()):
        source = rule["from"]
        kind = "any" if source == "any" else "table" if isinstance(source, str) and "/" not in source else "prefixes"
        found.add(f"ingress_rule.from={kind}")
    found.add(f"kernel={document.get('kernel', '5.10')}")
    return found
