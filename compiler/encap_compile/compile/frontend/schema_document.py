"""The JSON schema of a spec (draft 2020-12), as Python data.

`schemas/encap.schema.json` is this document written out, for editors and other tools; the compiler itself validates
specs by the same document (`validation`). The part about headers comes from the header catalogue.
"""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from .schema_headers import header_definitions
from .schema_parts import definitions, described
from .schema_tests import test_definitions
from .schema_text import TEXT

Schema = dict[str, Any]
ID = "urn:encap-compile:schema:v1alpha1"


@cache
def annotated_schema() -> Schema:
    """The schema with our own `x-problem`, for `schema_errors`. Do not change it: it is shared."""
    names = {"$ref": "#/$defs/name"}

    def named(ref: str, key: str, **more: Any) -> Schema:
        return described(
            key, type="object", propertyNames=names, additionalProperties={"$ref": f"#/$defs/{ref}"}, **more
        )

    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": ID,
        "title": "encap-compile spec",
        "description": TEXT["spec"],
        "type": "object",
        "properties": {
            "apiVersion": described("apiVersion", const="encap/v1alpha1"),
            "name": described("name", **{"$ref": "#/$defs/name"}, examples=["overlay"]),
            "kernel": described(
                "kernel",
                type="string",
                pattern=r"^[1-9][0-9]?\.(0|[1-9][0-9]?)$",
                default="5.10",
                examples=["5.10", "6.1"],
            ),
            "preset": described("preset", **{"$ref": "#/$defs/preset"}),
            "host": named("host_value", "host", examples=[{"uplink": "device"}]),
            "attach": described("attach", **{"$ref": "#/$defs/attach"}),
            "sets": named("set", "sets", examples=[{"vips": ["203.0.113.0/24", "2001:db8:ff::/48"]}]),
            "encapsulations": named("encapsulation", "encapsulations"),
            "endpoints": named("table", "endpoints"),
            "connect": described("connect", **{"$ref": "#/$defs/connect"}),
            "egress": described("egress", **{"$ref": "#/$defs/egress"}),
            "ingress": described("ingress", **{"$ref": "#/$defs/ingress"}),
            "mtu": described("mtu", **{"$ref": "#/$defs/mtu"}),
            "receive": described("receive", **{"$ref": "#/$defs/receive"}),
            "tests": described("tests", **{"$ref": "#/$defs/tests"}),
        },
        "required": ["apiVersion", "name"],
        "additionalProperties": False,
        "if": {"required": ["preset"]},
        "else": {"required": ["attach"]},
        "$defs": {**definitions(), **test_definitions(), **header_definitions()},
    }


def schema_document() -> Schema:
    """The schema for editors and other tools."""
    document: Schema = _for_editors(annotated_schema())
    return document


def schema_text() -> str:
    """What `schemas/encap.schema.json` holds."""
    return json.dumps(schema_document(), indent=2, ensure_ascii=False) + "\n"


def _for_editors(node: Any) -> Any:
    """Without our own annotations, and with the descriptions as Markdown, which they are."""
    if isinstance(node, list):
        return [_for_editors(item) for item in node]
    if not isinstance(node, dict):
        return node
    out = {}
    for key, value in node.items():
        if key == "x-problem":
            continue
        out[key] = _for_editors(value)
        if key == "description" and isinstance(value, str) and "`" in value:
            out["markdownDescription"] = value
    return out


if __name__ == "__main__":
    import sys

    sys.stdout.write(schema_text())
