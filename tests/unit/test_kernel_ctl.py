"""The command line's edges: a bug of ours, an unknown word, a closed pipe; never a traceback."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from encap_compile import ctl
from encap_compile.common.diagnostics import Exit
from encap_compile.run import plan
from encap_compile.run.kernel.errors import KernelError, NotPermittedError


def failing(error: Exception) -> object:
    def fail(*_: object) -> None:
        raise error

    return fail


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (ZeroDivisionError("what"), Exit.BUG, "please report it"),
        (KernelError(22, "bpf_obj_pin"), Exit.KERNEL, "K209"),
        (NotPermittedError(1, "bpf_obj_pin"), Exit.MACHINE, "H101"),
        (OSError(28, "No space left", "/run/encap"), Exit.MACHINE, "H114"),
    ],
)
def test_unexpected(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: Exception, code: Exit, words: str
) -> None:
    monkeypatch.setattr(plan, "plan", failing(error))
    assert ctl.run(["plan", "nothing"]) == code
    shown = capsys.readouterr().err
    assert words in shown and "Traceback" not in shown
    assert ctl.run(["plan", "nothing", "--debug"]) == code
    assert "Traceback" in capsys.readouterr().err


def test_usage(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert ctl.run(["nonsense"]) == Exit.USAGE
    assert ctl.run(["plan"]) == Exit.USAGE
    assert ctl.run(["plan", str(tmp_path), "--rows", "no-equals"]) == Exit.USAGE
    assert ctl.run(["plan", str(tmp_path), "--attach", "nonsense"]) == Exit.USAGE
    assert ctl.run(["--help"]) == Exit.DONE
    assert ctl.run(["apply", "--help"]) == Exit.DONE
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize("verb", ["plan", "apply", "status", "stats", "remove"])
def test_no_bundle_there(verb: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ctl.run([verb, str(tmp_path / "nothing")]) == Exit.SPEC
    assert "B301" in capsys.readouterr().err


def test_debug_may_stand_anywhere(tmp_path: Path) -> None:
    assert ctl.run(["--debug", "plan", str(tmp_path)]) == Exit.SPEC
    assert ctl.run(["plan", "--debug", str(tmp_path)]) == Exit.SPEC


@pytest.mark.parametrize(
    ("error", "message", "help"),
    [
        (OSError(28, "No space left on device", "/run/encap/1"), "/run/encap/1 cannot be used: No space left", "room"),
        (OSError(30, "Read-only file system", "/run/encap"), "/run/encap cannot be used: Read-only", "ENCAP_STATE"),
        (PermissionError(13, "Permission denied", "/sys/fs/bpf"), "/sys/fs/bpf cannot be used", "as root"),
        (OSError(21, "Is a directory", "/run/x.tmp", None, "/run/x"), "/run/x cannot be used: Is a directory", "mend"),
        (OSError(24, "Too many open files"), "the system refused a call: Too many open files", "ulimit -n"),
        (OSError(5, "Input/output error", "/x"), "/x cannot be used: Input/output error", "mend that, then run"),
        (TimeoutError("timed out"), "the system refused a call: timed out", "mend that"),
    ],
)
def test_what_the_system_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: OSError, message: str, help: str
) -> None:
    monkeypatch.setattr(plan, "plan", failing(error))
    assert ctl.run(["plan", "nothing"]) == Exit.MACHINE
    shown = capsys.readouterr().err
    assert f"error[H114]: {message}" in shown
    assert help in shown and "run the same command again; what ran before runs on" in shown
    assert "Errno" not in shown


def test_half_a_bundle(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ctl.run(["plan", str(tmp_path)]) == Exit.SPEC
    assert "no manifest.json, so this is no bundle" in capsys.readouterr().err
    (tmp_path / "one.bpf.c").touch()
    (tmp_path / "one.bpf.o").touch()
    for verb in ("plan", "status"):
        assert ctl.run([verb, str(tmp_path)]) == Exit.SPEC
        shown = capsys.readouterr().err
        assert "half a bundle: one.bpf.c and one.bpf.o without a manifest.json" in shown
        assert "run it again" in shown
    assert ctl.run(["plan", str(tmp_path / "none")]) == Exit.SPEC
    assert f"there is no directory {tmp_path / 'none'}" in capsys.readouterr().err


def test_a_node_explains_its_diagnostics(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """It has no `encap-compile`, so what is said names its own verb, and that answers."""
    assert ctl.run(["plan", str(tmp_path / "none")]) == Exit.SPEC
    assert capsys.readouterr().err.endswith("`encapctl explain B301` says more\n")
    assert ctl.run(["explain", "b301"]) == Exit.DONE
    assert capsys.readouterr().out.startswith("B301: ")
    assert ctl.run(["explain", "B999", "--format", "json"]) == Exit.USAGE
    assert "there is no code B999" in json.loads(capsys.readouterr().out)["diagnostics"][0]["message"]
