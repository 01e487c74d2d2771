"""Reading: what surrounds a file, and what both YAML parsers must agree on."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from encap_compile.common.diagnostics import DiagnosedError, Diagnostic, Findings
from encap_compile.common.documents import reader
from encap_compile.compile.frontend import load_spec
from encap_compile.compile.frontend.load import MOST_BYTES, parse_spec

CASES = Path(__file__).parents[1] / "cases"
SPECS = sorted((*CASES.glob("errors/*.yaml"), *CASES.glob("ok/*.yaml")))


def refused(path: str) -> tuple[Diagnostic, ...]:
    with pytest.raises(DiagnosedError) as caught:
        load_spec(path)
    return caught.value.diagnostics


def test_missing(tmp_path: Path) -> None:
    (found,) = refused(str(tmp_path / "none.yaml"))
    assert found.code == "E101" and found.place.file.endswith("none.yaml") and found.help


@pytest.mark.parametrize("name", ["", "a\0b", "x" * 5000])
def test_names_that_no_file_can_have(name: str) -> None:
    assert refused(name)[0].code in ("E101", "E102")


def test_unreadable(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root reads everything")
    path = tmp_path / "secret.yaml"
    path.write_text("name: a")
    path.chmod(0)
    assert refused(str(path))[0].code == "E101"


def test_folder_and_pipe(tmp_path: Path) -> None:
    assert refused(str(tmp_path))[0].code == "E102"
    os.mkfifo(tmp_path / "pipe")
    assert refused(str(tmp_path / "pipe"))[0].code == "E102"


def test_too_large(tmp_path: Path) -> None:
    path = tmp_path / "large.yaml"
    path.write_bytes(b"#" * (MOST_BYTES + 1))
    assert refused(str(path))[0].code == "E103"


def _outline(node: Any) -> Any:
    """A tree of kinds, values and places."""
    if node.kind == "object":
        return [(key, node.keys.get(key), _outline(value)) for key, value in node.items()]
    if node.kind == "array":
        return [_outline(value) for value in node.value]
    return node.kind, node.value, node.place


@pytest.mark.parametrize("path", SPECS, ids=lambda p: p.stem)
def test_pure_parser_agrees(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert reader._LOADER is yaml.CLoader
    fast, pure = Findings(), Findings()
    with_c = reader.read_yaml(path.read_bytes(), "s", fast)
    monkeypatch.setattr(reader, "_LOADER", yaml.Loader)
    without = reader.read_yaml(path.read_bytes(), "s", pure)
    assert [d.code for d in fast.all] == [d.code for d in pure.all]
    if with_c is None or without is None:
        assert with_c is without
        return
    assert repr(_outline(with_c)) == repr(_outline(without))


def test_all_errors_of_a_phase_at_once() -> None:
    text = b"apiVersion: encap/v1alpha1\nname: Bad\nattach: {}\ncolour: red\negress: {default: deny}\n"
    with pytest.raises(DiagnosedError) as caught:
        parse_spec(text, "s.yaml")
    assert sorted(d.code for d in caught.value.diagnostics) == ["E201", "E202", "E204", "E205"]


def test_places_are_exact() -> None:
    text = "apiVersion: encap/v1alpha1\nname: ok\nattach: {devices: [eth0]}\n"
    with pytest.raises(DiagnosedError) as caught:
        parse_spec(text.encode(), "s.yaml")
    (found,) = caught.value.diagnostics
    line = text.splitlines()[found.place.line - 1]
    assert line[found.place.column - 1 : found.place.end_column - 1] == "eth0"


def test_billion_laughs_is_quick() -> None:
    lines = ["a: &a [x, x, x, x, x, x, x, x, x, x]"]
    lines += [
        f"{c}: &{c} [{', '.join('*' + p for _ in range(10))}]" for p, c in zip("abcdefgh", "bcdefghi", strict=True)
    ]
    with pytest.raises(DiagnosedError) as caught:
        parse_spec("\n".join(lines).encode(), "s.yaml")
    assert caught.value.diagnostics[-1].code == "E112"
