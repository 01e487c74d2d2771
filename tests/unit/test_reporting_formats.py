"""One diagnostic, many formats."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from encap_compile.common.codes import CODES, explain
from encap_compile.common.diagnostics import Diagnostic, Place, Severity
from encap_compile.common.reporting import FORMATS, report

SOURCES = {"s.yaml": "name: a\n\tkey: wert, größe: 東京 x\nlast"}
ERROR = Diagnostic("E201", "no key `x`", Place("s.yaml", 1, 1, 5), "did you mean `y`?")


def text(*diagnostics: Diagnostic, sources: dict[str, str] | None = None) -> str:
    stream = io.StringIO()
    report(diagnostics, "text", stream, SOURCES if sources is None else sources)
    return stream.getvalue()


def test_text() -> None:
    assert text(ERROR) == (
        "error[E201]: no key `x`\n"
        " --> s.yaml:1:1\n"
        "  |\n"
        "1 | name: a\n"
        "  | ^^^^\n"
        "  = help: did you mean `y`?\n"
        "\n"
        "1 error; `encap-compile explain E201` says more\n"
    )


def test_caret_stands_under_tabs_and_wide_characters() -> None:
    lines = text(Diagnostic("E201", "m", Place("s.yaml", 2, 22, 23))).splitlines()
    assert lines[3] == "2 | \tkey: wert, größe: 東京 x"
    assert lines[4] == "  | \t" + " " * 22 + "^"
    lines = text(Diagnostic("E201", "m", Place("s.yaml", 2, 20, 22))).splitlines()
    assert lines[4] == "  | \t" + " " * 18 + "^^^^"  # two characters, four cells


def test_places_without_a_line() -> None:
    assert text(Diagnostic("E101", "m", Place("gone.yaml"))).startswith("error[E101]: m\n --> gone.yaml\n\n")
    assert text(Diagnostic("E101", "m")).startswith("error[E101]: m\n\n1 error")
    assert "99:1\n\n" in text(Diagnostic("E101", "m", Place("s.yaml", 99, 1)))
    assert text(Diagnostic("E101", "m", Place("s.yaml", 3, 50, 60))).splitlines()[4] == "  |     ^"


def test_related_and_many_lines_of_help() -> None:
    d = Diagnostic(
        "E111", "twice", Place("s.yaml", 3, 1, 5), "one\ntwo", related=((Place("s.yaml", 1, 1, 5), "first"),)
    )
    assert text(d).splitlines()[5:11] == [
        " ::: s.yaml:1:1",
        "  |",
        "1 | name: a",
        "  | ---- first",
        "  = help: one",
        "          two",
    ]


def test_long_lines_are_shown_in_part() -> None:
    line = "x" * 5000 + "HERE" + "y" * 5000
    shown = text(Diagnostic("E201", "m", Place("l", 1, 5001, 5005)), sources={"l": line}).splitlines()
    start = shown[4].index("^")
    assert shown[3][start : start + 4] == "HERE" and len(shown[3]) < 200


def test_control_characters_do_not_reach_the_terminal() -> None:
    out = text(Diagnostic("E201", "m\x1b[31m", Place("l", 1, 1)), sources={"l": "a\x1b]0;title\x07b"})
    assert "\x1b" not in out and "\x07" not in out


def test_colour_only_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.delenv("NO_COLOR", raising=False)
    stream = Terminal()
    report([ERROR], "text", stream, SOURCES)
    assert "\x1b[1;31merror[E201]\x1b[0m" in stream.getvalue()
    monkeypatch.setenv("NO_COLOR", "1")
    plain = Terminal()
    report([ERROR], "text", plain, SOURCES)
    assert plain.getvalue() == text(ERROR)


def test_json() -> None:
    stream = io.StringIO()
    warning = Diagnostic("W311", "unused", Place("s.yaml", 2, 3), severity=Severity.WARNING)
    report([ERROR, warning, Diagnostic("H101", "no place")], "json", stream)
    document = json.loads(stream.getvalue())
    assert (document["format_version"], document["errors"], document["warnings"]) == (1, 2, 1)
    assert document["diagnostics"][0] == {
        "code": "E201",
        "severity": "error",
        "message": "no key `x`",
        "help": "did you mean `y`?",
        "place": {"file": "s.yaml", "line": 1, "column": 1, "end_column": 5},
        "related": [],
    }
    assert document["diagnostics"][2]["place"] is None


def test_github() -> None:
    stream = io.StringIO()
    report([Diagnostic("E201", "50%\nwrong", Place("a,b:c.yaml", 3, 4, 9), "mend")], "github", stream)
    assert stream.getvalue() == (
        "::error file=a%2Cb%3Ac.yaml,line=3,col=4,endColumn=9,title=E201::50%25%0Awrong%0Amend\n"
    )


def test_sarif() -> None:
    stream = io.StringIO()
    report([ERROR, Diagnostic("E999", "unknown code", Place("/etc/x y"))], "sarif", stream)
    log = json.loads(stream.getvalue())
    (run,) = log["runs"]
    assert log["version"] == "2.1.0"
    assert [r["id"] for r in run["tool"]["driver"]["rules"]] == ["E201", "E999"]
    assert run["results"][0]["locations"][0]["physicalLocation"] == {
        "artifactLocation": {"uri": "s.yaml"},
        "region": {"startLine": 1, "startColumn": 1, "endColumn": 5},
    }
    assert run["results"][1]["locations"][0]["physicalLocation"] == {"artifactLocation": {"uri": "file:///etc/x%20y"}}


@pytest.mark.parametrize("format", FORMATS)
def test_nothing_to_say(format: str) -> None:
    stream = io.StringIO()
    report([], format, stream)
    if format in ("json", "sarif"):
        json.loads(stream.getvalue())
    else:
        assert stream.getvalue() == ""


def test_unknown_format() -> None:
    with pytest.raises(ValueError, match="unknown format"):
        report([], "xml", io.StringIO())


def test_every_code_is_explained() -> None:
    for code, explained in CODES.items():
        assert len(explained.text) > 30, code
        assert all(len(line) <= 120 for line in explained.text.splitlines()), code
    assert explain("e201").startswith("E201: ")
    with pytest.raises(KeyError):
        explain("E000")


def test_sources_are_read_when_not_given(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text("a: b\r\nc: d\r\n")
    assert "2 | c: d\n" in text(Diagnostic("E201", "m", Place(str(path), 2, 1)), sources={})
