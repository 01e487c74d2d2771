"""Whatever the bytes, a spec is right or refused with diagnostics; nothing else is ever raised."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from encap_compile import checks
from encap_compile.codes import CODES
from encap_compile.diagnostics import DiagnosedError, Diagnostic, Findings
from encap_compile.documents.nodes import Node
from encap_compile.documents.reader import read_yaml
from encap_compile.frontend.load import parse_spec
from encap_compile.frontend.schema_document import annotated_schema, schema_document
from encap_compile.frontend.schema_walk import judge
from encap_compile.reporting import report
from encap_compile.spec import Spec

CASES = Path(__file__).parents[1] / "cases"
SEEDS = [p.read_bytes() for p in sorted((*CASES.glob("ok/*.yaml"), *CASES.glob("errors/*.yaml")))]
ROWS = str(CASES / "ok" / "spec.yaml")  # files that seeds name are there
WORDS = [
    *("host.uplink", "host.", "endpoint.address", "received.vxlan.vni", "packet.x", "*a", "&a", "<<", "!!int", "~", ""),
    *("[]", "{}", "null", "true", "0x", "-1", "99999999999999999999", "5.10", "010", "::", "10.0.0.0/8", "::/0"),
    *("10.0.0.1/8", "1-0", "tcp", "ef", "flow", "zero", "inherit", "any", "ip", "u24", "sites", "sites/x", "a/b/c"),
    *("---", "...", "- ", "? ", ": ", "|", ">", "'", '"', "%YAML 1.1", "\t", "\x00", "\u2028", "\ufeff", "é", "😀"),
]


def judged(data: bytes) -> tuple[Spec | None, list[Diagnostic]]:
    try:
        spec = parse_spec(data, ROWS)
    except DiagnosedError as error:
        assert any(d.severity == "error" for d in error.diagnostics)
        return None, list(error.diagnostics)
    return spec, checks.run(spec).all


def sound(data: bytes) -> None:
    """Judge, and hold every diagnostic to what a person relies on."""
    _, found = judged(data)
    lines = data.decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n").split("\n")
    for d in found:
        assert d.code in CODES and d.message
        if d.place.file == ROWS and d.place.line:
            assert 1 <= d.place.line <= len(lines)
            assert d.place.column >= 1
    for format in ("text", "json", "github", "sarif"):
        report(found, format, io.StringIO(), {ROWS: data.decode("utf-8", "replace")})


@st.composite
def mutated(draw: Callable[..., object]) -> bytes:
    """A spec of the corpus with a few pieces cut, doubled, swapped or replaced."""
    data = bytearray(draw(st.sampled_from(SEEDS)))  # type: ignore[call-overload]
    for _ in range(draw(st.integers(1, 4))):  # type: ignore[call-overload]
        at = draw(st.integers(0, len(data)))
        length = draw(st.integers(0, 12))
        piece = draw(st.one_of(st.sampled_from(WORDS).map(str.encode), st.binary(max_size=4)))
        data[at : at + length] = piece  # type: ignore[operator,misc]
    return bytes(data)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.binary(max_size=400))
@example(b"\xff\xfe")
@example(b"? ? ? ?")
@example(b"{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{")
@example(b"a: " + b"9" * 10000)
@example(b"%TAG ! tag:x,2000:\n--- !a b")
def test_any_bytes(data: bytes) -> None:
    sound(data)


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(mutated())
def test_mutated_specs(data: bytes) -> None:
    sound(data)


KEYS = sorted({key for d in schema_document()["$defs"].values() for key in d.get("properties", {})})
scalars = st.one_of(st.sampled_from(WORDS), st.integers(-5, 2**33), st.booleans(), st.none(), st.text(max_size=6))
trees = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.one_of(st.sampled_from([*KEYS, *schema_document()["properties"]]), st.text(max_size=4)),
            inner,
            max_size=4,
        ),
    ),
    max_leaves=25,
)


def _node(value: object) -> Node:
    kinds = {type(None): "null", bool: "boolean", int: "integer", float: "number", str: "string"}
    from encap_compile.diagnostics import Place

    place = Place(ROWS, 1, 1)
    if isinstance(value, dict):
        return Node("object", {k: _node(v) for k, v in value.items()}, place, keys=dict.fromkeys(value, place))
    if isinstance(value, list):
        return Node("array", [_node(v) for v in value], place)
    return Node(kinds[type(value)], value, place)


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(trees, st.sampled_from([None, *schema_document()["properties"]]), st.sampled_from(range(len(SEEDS))))
def test_the_walk_agrees_with_jsonschema(tree: object, section: str | None, seed: int) -> None:
    """A random tree, alone or in the place of a section of a spec."""
    root = read_yaml(SEEDS[seed], ROWS, Findings())
    in_place = root is not None and root.kind == "object" and section is not None
    document = {**root.plain(), section: tree} if in_place else tree  # type: ignore[union-attr]
    if any("\n" in text for text in _texts(document)):
        return  # `$` in Python's own regular expressions also matches before a last line end
    findings = Findings()
    judge(_node(document), annotated_schema(), findings)
    general = jsonschema.Draft202012Validator(schema_document()).is_valid(document)
    assert general == (not findings.errors), findings.all


def _texts(value: object) -> list[str]:
    if isinstance(value, dict):
        return [t for k, v in value.items() for t in (k, *_texts(v))]
    if isinstance(value, list):
        return [t for v in value for t in _texts(v)]
    return [value] if isinstance(value, str) else []


def test_right_specs_stay_right() -> None:
    for path in sorted(CASES.glob("ok/*.yaml")):
        spec, found = judged(path.read_bytes())
        assert spec is not None and not [d for d in found if d.severity == "error"], path


@pytest.mark.parametrize("seed", range(len(SEEDS)))
def test_seeds(seed: int) -> None:
    sound(SEEDS[seed])
