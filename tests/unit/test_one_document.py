"""For programs: standard output is exactly one document, however a run of either program ends."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.support.documents import validate_output

from encap_compile import cli, ctl
from encap_compile.common import command_line
from encap_compile.common.diagnostics import Exit
from encap_compile.compile import pipeline
from encap_compile.run import plan
from encap_compile.run.commands.group import cli as ctl_group

ROOT = Path(__file__).resolve().parents[2]
SPEC = "ipip-sites"
Run = Callable[[list[str]], int]


@pytest.fixture
def work(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    shutil.copytree(ROOT / "examples", folder)
    return folder


def compile_(words: list[str]) -> int:
    return command_line.run(cli.cli, "encap-compile", words)


def document(text: str) -> dict[str, Any]:
    """Raises ValueError unless the text is one document and nothing else."""
    found: dict[str, Any] = json.loads(text)
    assert {"format_version", "errors", "warnings", "diagnostics"} <= set(found)
    return found


def asked(run: Run, words: list[str], folder: Path, captured: pytest.CaptureFixture[str]) -> tuple[int, dict[str, Any]]:
    with contextlib.chdir(folder):
        code = run(words)
    shown = captured.readouterr()
    assert shown.err.strip() == "", "diagnostics are in the document"
    validate_output(words, shown.out, "compile" if run is compile_ else "diagnostics")
    return code, document(shown.out)


J = ["--format", "json"]
USAGE = [
    (compile_, [*J]),
    (compile_, ["compile", *J]),
    (compile_, [f"{SPEC}.yaml", "--nonsense", *J]),
    (compile_, ["check", "--format=json"]),
    (compile_, ["render", *J, "a", "b"]),
    (compile_, ["explain", "E999", *J]),
    (compile_, ["init", *J]),
    (compile_, ["test", *J]),
    (ctl.run, [*J]),
    (ctl.run, ["nonsense", *J]),
    (ctl.run, ["why", "x", *J]),
    (ctl.run, ["--nonsense", *J, "plan"]),
    *((ctl.run, [verb, *J, "--nonsense", "x"]) for verb in ctl_group.commands if not ctl_group.commands[verb].hidden),
    (ctl.run, ["plan", "--format=json"]),
    (ctl.run, ["plan", "x", "--rows", "none", *J]),
    (ctl.run, ["apply", "x", "--attach", "none", "--format", "text", *J]),
]


@pytest.mark.parametrize(("run", "words"), USAGE, ids=lambda value: " ".join(value) if isinstance(value, list) else "")
def test_usage(run: Run, words: list[str], work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, found = asked(run, words, work, capsys)
    assert code == Exit.USAGE
    (diagnostic,) = found["diagnostics"]
    assert diagnostic["code"] in ("T121", "H100") and diagnostic["message"] and "--help" in diagnostic["help"]
    assert found["errors"] == 1
    with contextlib.chdir(work):
        text = [word for word in words if word not in (*J, "--format=json")]
        assert run(text) in (Exit.USAGE, Exit.DONE)
    shown = capsys.readouterr()
    assert "format_version" not in shown.out + shown.err, "people are told in words"


@pytest.mark.parametrize(
    ("error", "code", "exit_"),
    [(KeyboardInterrupt(), "T122", 130), (ZeroDivisionError("what"), "T123", 70), (OSError(24, "files"), "H114", 6)],
)
def test_whatever_happens(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    work: Path,
    error: BaseException,
    code: str,
    exit_: int,
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(pipeline, "compile_spec", fail)
    monkeypatch.setattr(pipeline, "check_spec", fail)
    monkeypatch.setattr(plan, "plan", fail)
    for run, words in (
        (compile_, [f"{SPEC}.yaml"]),
        (compile_, ["check", f"{SPEC}.yaml", "gre-tenants.yaml"]),
        (compile_, ["render", f"{SPEC}.yaml"]),
        (compile_, ["explain", f"{SPEC}.yaml"]),
        (ctl.run, ["plan", "x"]),
    ):
        ended, found = asked(run, [*words, *J], work, capsys)
        assert ended == exit_
        assert [d["code"] for d in found["diagnostics"]] == [code]


def test_results(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (work / "wrong.yaml").write_text((work / f"{SPEC}.yaml").read_text().replace("to: sites", "to: nowhere"))
    for words, exit_, key in (
        ([f"{SPEC}.yaml", "gre-tenants.yaml"], 0, "bundles"),
        (["--check", f"{SPEC}.yaml", "gre-tenants.yaml"], 0, "bundles"),
        ([f"{SPEC}.yaml", "wrong.yaml", "none.yaml"], 1, "bundles"),
        (["wrong.yaml"], 1, "diagnostics"),
        (["check", f"{SPEC}.yaml", "gre-tenants.yaml"], 0, "bundles"),
        (["check", "none.yaml", "none.yaml"], 1, "diagnostics"),
        (["render", f"{SPEC}.yaml"], 0, "text"),
        (["render", "wrong.yaml"], 1, "diagnostics"),
        (["explain", f"{SPEC}.yaml"], 0, "counters"),
        (["explain", "wrong.yaml"], 1, "diagnostics"),
        (["explain", "E301"], 0, "title"),
        (["doctor"], 0, "checks"),
        (["doctor", "--clang", "/nonexistent"], 4, "diagnostics"),
    ):
        code, found = asked(compile_, [*words, *J], work, capsys)
        assert code == exit_, words
        assert found[key], words
    for verb in ("plan", "apply", "run", "watch", "status", "stats", "remove"):
        code, found = asked(ctl.run, [verb, str(work / "none"), *J], work, capsys)
        assert (code, found["diagnostics"][0]["code"]) == (Exit.SPEC, "B301")


def test_sarif_is_one_document_too(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words, code, rules in (
        (["render", f"{SPEC}.yaml"], 0, []),
        ([f"{SPEC}.yaml", "--nonsense"], 2, ["T121"]),
        (["check", "none.yaml"], 1, ["E100", "E101", "E102"]),
    ):
        with contextlib.chdir(work):
            assert compile_([*words, "--format", "sarif"]) == code
        found = json.loads(capsys.readouterr().out)
        said = [result["ruleId"] for result in found["runs"][0]["results"]]
        assert set(said) <= set(rules) and bool(said) is bool(rules)


@pytest.mark.parametrize("form", ["text", "json", "github", "sarif"])
def test_every_stale_file_is_named_with_its_reason(work: Path, capsys: pytest.CaptureFixture[str], form: str) -> None:
    with contextlib.chdir(work):
        assert compile_([f"{SPEC}.yaml", "gre-tenants.yaml"]) == 0
        capsys.readouterr()
        bundle = Path("build", SPEC)
        (bundle / f"{SPEC}.bpf.c").write_text("edited")
        (bundle / "sites.csv").unlink()
        Path("gre-tenants.yaml").write_text(Path("gre-tenants.yaml").read_text().replace("capacity: ", "capacity: 1"))
        code = compile_(["--check", f"{SPEC}.yaml", "gre-tenants.yaml", "--format", form])
    shown = capsys.readouterr()
    said = shown.out + shown.err
    assert code == Exit.DRIFT
    for file, why in (
        (f"build/{SPEC}/{SPEC}.bpf.c", "it was edited by hand"),
        (f"build/{SPEC}/sites.csv", "it is not there"),
        ("build/gre-tenants/manifest.json", "the spec gre-tenants.yaml changed"),
        ("build/gre-tenants/gre-tenants.bpf.c", "the spec gre-tenants.yaml changed"),
    ):
        assert any(file in part and why in part for part in _findings(form, said)), (file, said)
    if form == "text":
        assert said.count(f"{SPEC}.bpf.c: it was edited by hand") == 1
    else:
        assert said.count("encap-compile -o build gre-tenants.yaml") >= 2


def _findings(form: str, said: str) -> list[str]:
    if form == "json":
        return [json.dumps(d) for d in json.loads(said)["diagnostics"]]
    if form == "sarif":
        return [json.dumps(result) for result in json.loads(said)["runs"][0]["results"]]
    return said.splitlines()


@pytest.mark.parametrize("encoding", ["latin-1", "ascii", "cp437"])
@pytest.mark.parametrize("form", ["text", "json", "github", "sarif"])
def test_a_terminal_without_these_characters(work: Path, encoding: str, form: str) -> None:
    """No traceback, the right exit code, and a document that is still one."""
    text = (work / f"{SPEC}.yaml").read_text()
    (work / "東京.yaml").write_text(text.replace("to: sites", "to: 東京-ü-→", 1), encoding="utf-8")
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    for program, words, code in (
        ("cli", ["check", "東京.yaml", "--format", form], 1),
        ("cli", ["explain", "→", "--format", form if form in ("text", "json") else "text"], 1),
        ("cli", ["東京→", "--nonsense", "--format", form], 2),
        ("cli", [f"{SPEC}.yaml", "-o", "東京→", "--format", form], 0),
        ("ctl", ["plan", "東京→", "--format", form if form in ("text", "json") else "text"], 1),
        ("ctl", ["status", "--東京→"], 2),
        ("cli", ["reference"], 0),
        ("cli", ["init", "東京→.yaml"], 0),
    ):
        (work / "東京→.yaml").unlink(missing_ok=True)
        command = [sys.executable, "-m", f"encap_compile.{program}", *words]
        done = subprocess.run(command, cwd=work, env=environment, capture_output=True)
        said = (done.stdout + done.stderr).decode(
            "utf-8" if encoding == "ascii" else encoding
        )  # click takes C for UTF-8
        assert done.returncode == code, said
        assert "Traceback" not in said and "UnicodeEncodeError" not in said
        if "json" in words:
            json.loads(done.stdout.decode(encoding))
