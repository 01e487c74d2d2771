"""Whatever the bytes, a spec is right or refused with diagnostics; nothing else is ever raised."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from encap_compile.common.codes import CODES
from encap_compile.common.diagnostics import DiagnosedError, Diagnostic, Exit, Findings
from encap_compile.common.documents.nodes import Node
from encap_compile.common.documents.reader import read_yaml
from encap_compile.common.reporting import report
from encap_compile.compile import checks
from encap_compile.compile.frontend.load import parse_spec
from encap_compile.compile.frontend.schema_document import schema_document
from encap_compile.compile.frontend.validation import validate
from encap_compile.compile.spec import Spec

CASES = Path(__file__).parents[1] / "cases"
PUBLISHED = json.loads((CASES.parents[1] / "schemas" / "encap.schema.json").read_text(encoding="utf-8"))
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
        assert error.exit_code == Exit.SPEC, error  # T110 would be an error of the schema without words
        return None, list(error.diagnostics)
    return spec, checks.run(spec).all


def sound(data: bytes) -> None:
    """Check, and hold every diagnostic to what a person relies on."""
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
    from encap_compile.common.diagnostics import Place

    place = Place(ROWS, 1, 1)
    if isinstance(value, dict):
        return Node("object", {k: _node(v) for k, v in value.items()}, place, keys=dict.fromkeys(value, place))
    if isinstance(value, list):
        return Node("array", [_node(v) for v in value], place)
    return Node(kinds[type(value)], value, place)


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(trees, st.sampled_from([None, *schema_document()["properties"]]), st.sampled_from(range(len(SEEDS))))
def test_random_trees(tree: object, section: str | None, seed: int) -> None:
    """A random tree, alone or in the place of a section of a spec."""
    root = read_yaml(SEEDS[seed], ROWS, Findings())
    in_place = root is not None and root.kind == "object" and section is not None
    document = {**root.plain(), section: tree} if in_place else tree  # type: ignore[union-attr]
    agreed(document)


def moved(draw: Callable[..., Any], document: Any) -> None:
    """One value taken away, replaced, renamed, added, or put where another mapping or list stands."""
    places = [(parent, key) for parent in _containers(document) for key in _keys(parent)]
    if not places:
        return
    parent, key = draw(st.sampled_from(places))
    value = parent[key]
    way = draw(st.sampled_from(("take", "replace", "rename", "add", "move")))
    if way == "replace":
        parent[key] = draw(scalars)
    elif way == "add":
        _add(parent, draw(st.sampled_from(KEYS)), draw(scalars))
    else:
        del parent[key]
        if way == "rename":
            _add(parent, draw(st.sampled_from(KEYS)), value)
        elif way == "move":
            _add(draw(st.sampled_from(list(_containers(document)))), str(key), value)


def _containers(value: Any) -> Iterator[Any]:
    if isinstance(value, (dict, list)):
        yield value
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _containers(inner)


def _keys(parent: Any) -> list[Any]:
    return list(parent) if isinstance(parent, dict) else list(range(len(parent)))


def _add(parent: Any, key: str, value: Any) -> None:
    if isinstance(parent, dict):
        parent[key] = value
    else:
        parent.append(value)


@settings(max_examples=600, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data(), st.sampled_from(range(len(SEEDS))))
def test_specs_with_moved_parts(data: Any, seed: int) -> None:
    """A spec of the corpus with up to three of its values elsewhere, gone, or under another key."""
    findings = Findings()
    root = read_yaml(SEEDS[seed], ROWS, findings)
    if root is None or findings.errors:
        return
    document = root.plain()
    for _ in range(data.draw(st.integers(1, 3))):
        moved(data.draw, document)
    agreed(document)


def agreed(document: Any) -> None:
    """What the compiler accepts and refuses is what a general validator does by the published schema."""
    if any("\n" in text for text in _texts(document)):
        return  # `$` in Python's own regular expressions also matches before a last line end
    findings = Findings()
    validate(_node(document), findings)  # or it raises T110: an error without words
    general = jsonschema.Draft202012Validator(PUBLISHED).is_valid(document)
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
