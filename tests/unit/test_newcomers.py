"""Small stumbles of newcomers: the likely mistake is named, columns stay columns, the shell and the editor help."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from encap_compile import ctl
from encap_compile.common import command_line
from encap_compile.common.diagnostics import DiagnosedError, Exit
from encap_compile.compile.cli import cli
from encap_compile.compile.pipeline import check_spec
from encap_compile.compile.summary import summary
from encap_compile.run.loader.hostfile import read_settings

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = {"encap-compile": "cli", "encapctl": "ctl"}


def program(name: str, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A program under the name that people call it by, which completion goes by."""
    code = f"import sys; sys.argv[0] = {name!r}; from encap_compile.{PROGRAMS[name]} import main; main()"
    command = [sys.executable, "-c", code, *words]
    return subprocess.run(command, env=os.environ | environment, capture_output=True, text=True)


# ---- --set -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "words", "help"),
    [
        (["address=192.0.2.1,address=2001:db8::1"], "`address=` stands behind a comma", "--set address=ONE,TWO"),
        (["uplink=up0, vtep=192.0.2.1"], "`vtep=` stands behind a comma", "a --set of its own"),
        (["address=192.0.2.1", "address=192.0.2.2"], "gives `address` twice", "--set address=192.0.2.1,192.0.2.2"),
    ],
)
def test_a_value_that_is_two(settings: list[str], words: str, help: str) -> None:
    with pytest.raises(DiagnosedError) as caught:
        read_settings(settings)
    (found,) = caught.value.diagnostics
    assert (found.code, caught.value.exit_code) == ("H103", Exit.USAGE)
    assert words in found.message and help in found.help


def test_values_that_are_right() -> None:
    given = read_settings(["address=192.0.2.1, 2001:db8::1", "path=/a=b", "uplink=up0", "uplink=up0"])
    assert given["address"].texts == ("192.0.2.1", "2001:db8::1")
    assert given["path"].texts == ("/a=b",)


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_second_value_without_its_option(capsys: pytest.CaptureFixture[str], form: str) -> None:
    assert ctl.run(["plan", "x", "--set", "uplink=up0", "address=192.0.2.1", "--format", form]) == Exit.USAGE
    shown = capsys.readouterr()
    assert "a --set of its own" in (shown.out if form == "json" else shown.err)


# ---- columns ---------------------------------------------------------------------------------------------------------


def test_a_long_name_keeps_the_columns(tmp_path: Path) -> None:
    long = "rule-that-says-everything"
    text = (ROOT / "examples" / "two-by-row.yaml").read_text()
    spec = tmp_path / "spec.yaml"
    spec.write_text(text.replace("name: lab", f"name: {long}"))
    _, lowered, _, _ = check_spec(str(spec))
    assert long in {rule.name for rule in lowered.manifest.rules}
    shown = summary(lowered.manifest, {}).splitlines()
    lines = [line for line in shown if any(f" {rule.name} " in line[:60] for rule in lowered.manifest.rules)]
    starts = {
        line.index(text)
        for line in lines
        for text in [*(rule.text for rule in lowered.manifest.rules if rule.name != "default"), "everything else"]
        if f" {text}" in line
    }
    assert len(lines) > 2 and len(starts) == 1, "\n".join(lines)


# ---- completion and editors ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(name: str, shell: str) -> None:
    variable = f"_{name.upper().replace('-', '_')}_COMPLETE"
    done = program(name, **{variable: f"{shell}_source"})
    assert (done.returncode, done.stderr) == (0, "")
    assert name in done.stdout and "complet" in done.stdout
    assert f"{variable}={shell}_source" in (ROOT / "README.md").read_text() or shell != "bash"


@pytest.mark.parametrize(
    ("name", "typed", "offered"),
    [
        ("encap-compile", "encap-compile ex", "plain,explain"),
        ("encap-compile", "encap-compile over", "file,over"),
        ("encap-compile", "encap-compile overlay.yaml --form", "plain,--format"),
        ("encap-compile", "encap-compile check --format sa", "plain,sarif"),
        ("encapctl", "encapctl re", "plain,remove"),
        ("encapctl", "encapctl apply --al", "plain,--allow-removals"),
    ],
)
def test_what_is_completed(name: str, typed: str, offered: str) -> None:
    variable = f"_{name.upper().replace('-', '_')}_COMPLETE"
    at = str(len(typed.split()) - 1)
    done = program(name, **{variable: "bash_complete", "COMP_WORDS": typed, "COMP_CWORD": at})
    assert offered in done.stdout.split("\n"), done.stdout + done.stderr


def test_init_brings_the_schema_that_it_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def init(path: Path) -> int:
        return command_line.run(cli, "encap-compile", ["init", str(path)])

    assert init(tmp_path / "mine.yaml") == Exit.DONE
    first = (tmp_path / "mine.yaml").read_text().splitlines()[0]
    named = first.removeprefix("# yaml-language-server: $schema=")
    assert named != first
    schema = json.loads((tmp_path / named).read_text())
    assert schema == json.loads((ROOT / "schemas" / "encap.schema.json").read_text())
    assert check_spec(str(tmp_path / "mine.yaml"))[3].all == []
    (tmp_path / named).write_text("mine")
    assert init(tmp_path / "other.yaml") == Exit.DONE
    assert (tmp_path / named).read_text() == "mine", "what is there stays"
    capsys.readouterr()
