"""The JSON schema: committed as it is made, well described, and in agreement with how specs are validated."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from encap_compile.common.diagnostics import Findings
from encap_compile.common.documents.reader import read_yaml
from encap_compile.compile.frontend.schema_document import annotated_schema, schema_document, schema_text
from encap_compile.compile.frontend.schema_errors import WORDS
from encap_compile.compile.frontend.validation import validate
from encap_compile.compile.headers.catalogue import headers

ROOT = Path(__file__).parents[2]
CASES = ROOT / "tests" / "cases"
SPECS = sorted((*CASES.glob("errors/*.yaml"), *CASES.glob("ok/*.yaml"), *ROOT.glob("examples/*.yaml")))
KNOWN = {
    *("$schema", "$id", "$ref", "$defs", "title", "description", "markdownDescription", "default", "examples"),
    *("type", "const", "enum", "pattern", "minLength", "maxLength", "minimum", "maximum", "items", "minItems"),
    *("maxItems", "properties", "required", "additionalProperties", "propertyNames", "minProperties"),
    *("maxProperties", "if", "then", "else", "allOf", "not", "x-problem"),
}


def nodes(schema: Any) -> Iterator[dict[str, Any]]:
    """Every schema within a schema."""
    if not isinstance(schema, dict):
        return
    yield schema
    for key in ("$defs", "properties"):
        for part in schema.get(key, {}).values():
            yield from nodes(part)
    for key in ("items", "additionalProperties", "propertyNames", "if", "then", "else", "not"):
        yield from nodes(schema.get(key))
    for part in schema.get("allOf", ()):
        yield from nodes(part)


def test_committed() -> None:
    committed = (ROOT / "schemas" / "encap.schema.json").read_text(encoding="utf-8")
    assert committed == schema_text(), (
        "python -m encap_compile.compile.frontend.schema_document > schemas/encap.schema.json"
    )


def test_is_draft_2020_12() -> None:
    jsonschema.Draft202012Validator.check_schema(schema_document())


def test_every_key_is_described_and_every_object_closed() -> None:
    for schema in nodes(schema_document()):
        assert schema.keys() <= KNOWN
        for key, part in schema.get("properties", {}).items():
            assert part.get("description"), key
        if "properties" in schema and not schema.get("if"):
            assert schema["additionalProperties"] is False


def test_every_keyword_that_can_fail_has_words() -> None:
    said = {*("$schema", "$id", "$ref", "$defs", "title", "description", "default", "examples", "x-problem")}
    leading = {"properties", "propertyNames", "items", "allOf", "if", "then", "else"}
    for schema in nodes(annotated_schema()):
        assert schema.keys() - said - leading - WORDS.keys() <= {"not"}
    for condition in [s[k] for s in nodes(annotated_schema()) for k in ("then", "else") if k in s]:
        assert "not" not in condition or "x-problem" in condition
    assert "x-problem" not in schema_text()


def test_every_header_of_the_catalogue() -> None:
    definitions = schema_document()["$defs"]
    for name, header in headers().items():
        variable = {header.variable.name} if header.variable else set()
        assert set(definitions[f"header_{name}"]["properties"]) == set(header.settable()) | variable
        assert name in definitions["header"]["properties"]


@pytest.mark.parametrize("path", SPECS, ids=lambda p: p.stem)
def test_agrees_with_a_general_validator(path: Path) -> None:
    findings = Findings()
    root = read_yaml(path.read_bytes(), str(path), findings)
    if root is None or findings.errors:
        pytest.skip("not YAML")
    validate(root, findings)
    general = list(jsonschema.Draft202012Validator(schema_document()).iter_errors(root.plain()))
    assert bool(findings.errors) == bool(general), (findings.errors, general)


def test_default_values_fit_their_own_schema() -> None:
    document = schema_document()
    for schema in nodes(document):
        whole = {**schema, "$defs": document["$defs"]}
        for value in [*schema.get("examples", []), *([schema["default"]] if "default" in schema else [])]:
            if "type" in schema or "enum" in schema:
                jsonschema.Draft202012Validator(whole).validate(value)
