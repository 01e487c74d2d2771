"""What a message repeats of what a person wrote is bounded, and what is right is never cut."""

from __future__ import annotations

from pathlib import Path

import pytest

from encap_compile.common.codes import CODES
from encap_compile.common.diagnostics import DiagnosedError, Findings
from encap_compile.common.rows import read_prefixes
from encap_compile.common.rows.short import ShortFindings, short_help, short_message
from encap_compile.compile.frontend.load import parse_spec

NAME = "n" * 64


@pytest.mark.parametrize(
    "text",
    [
        f"table sites has no row `{NAME}`",
        "there is no file " + "folder/" * 25 + "sites.csv",
        "a first line with `one` and `two`\nand a second with a lone ` in it, and " + "more words " * 20,
    ],
)
def test_what_is_right_stays(text: str) -> None:
    assert short_message(text) == text
    assert short_help(text) == text


def test_help_of_every_case_stays() -> None:
    for path in (Path(__file__).parents[1] / "cases" / "errors").glob("*.expected"):
        for line in path.read_text().split("\n"):
            _, is_help, help = line.partition("= help: ")
            assert not is_help or short_help(help) == help
    assert all(short_message(c.title) == c.title for c in CODES.values())


def test_long_text_is_cut_in_the_middle() -> None:
    assert short_message(f"`{'a' * 300}end` is wrong") == f"`{'a' * 61}...{'a' * 13}end` is wrong"
    assert short_message("b" * 300 + " is wrong") == "b" * 181 + "..." + "b" * 16 + " is wrong"
    assert len(short_message("`a`b " * 1000)) == 500
    assert len(short_help("write " + "1, " * 5000)) == 1000


@pytest.mark.parametrize("sign", ["x", "1", "1.", "ab:", "a b ", "`", "a,", "-", "10.0.0.0/"])
def test_nothing_that_is_said_about_a_spec_is_long(tmp_path: Path, sign: str) -> None:
    (tmp_path / "set.txt").write_text(sign * 3000 + "\n")
    findings: Findings = ShortFindings()
    read_prefixes(str(tmp_path / "set.txt"), findings)
    long = '"' + sign * 3000 + '"'
    places = {
        "KEY": f"{long}: 1",
        "KERNEL": f"kernel: {long}",
        "HOST": f"host: {{uplink: device, {long}: device}}",
        "RULE": f"egress: {{default: pass, rules: [{{name: a, match: {{source: {long}}}, to: {long}}}]}}",
        "PORT": f"egress: {{default: pass, rules: [{{name: a, match: {{destination_port: {long}}}, to: b}}]}}",
        "ACTION": f"egress: {{default: {long}}}",
        "HEADER": f"encapsulations: {{a: [{{{long}: {{}}}}]}}",
        "VALUE": f"encapsulations: {{a: [{{ipv4: {{source: {long}, destination: {long}, ttl: {long}}}}}]}}",
    }
    for text in places.values():
        spec = f"apiVersion: encap/v1alpha1\nname: s\nattach: {{devices: [host.uplink]}}\n{text}\n"
        try:
            findings.extend(parse_spec(spec.encode(), str(tmp_path / "s.yaml")).warnings)
        except DiagnosedError as error:
            findings.extend(error.diagnostics)
    assert len(findings.errors) >= len(places)
    for d in findings.all:
        assert len(d.message) <= 500 and len(d.help) <= 1000
