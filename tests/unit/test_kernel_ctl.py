"""The command line's edges: a bug of ours, an unknown word, a closed pipe; never a traceback."""

from __future__ import annotations

from pathlib import Path

import pytest

from encap_compile import ctl, plan
from encap_compile.diagnostics import Exit
from encap_compile.kernel.errors import KernelError, NotPermittedError


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
