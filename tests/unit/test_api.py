"""The Python API: what its page shows, its errors, and what importing it costs."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import FrozenInstanceError
from importlib import import_module
from pathlib import Path

import pytest
from tests.support.documents import validate
from tests.support.examples_of_docs import run

import encap_compile
from encap_compile import api
from encap_compile.cli import cli

ROOT = Path(__file__).resolve().parents[2]
OVERLAY = str(ROOT / "examples" / "vxlan-overlay.yaml")


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the examples, and with a build folder of its own."""
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_page_without_a_machine(checkout: Path) -> None:
    """With one: tests/netns/test_api.py."""
    done = run(ROOT / "docs" / "api.md", without="On a machine")
    assert done.failed == 0 and done.attempted > 15


def test_every_name_is_there() -> None:
    for name in api.__all__:
        assert getattr(api, name) is not None
    assert set(api.__all__) <= set(dir(api))
    with pytest.raises(AttributeError, match="no attribute 'compiled'"):
        _ = api.compiled


def test_every_function_is_on_the_page() -> None:
    page = (ROOT / "docs" / "api.md").read_text()
    functions = [name for name in api.__all__ if name[0].islower()]
    assert [name for name in functions if f"`api.{name}(" not in page] == []
    answers = ("Checked", "Compiled", "Built", "Rendered", "Explained", "Planned", "Applied", "Status", "Removed")
    assert [name for name in answers if f"`{name}`" not in page] == []


def test_it_is_typed() -> None:
    assert (Path(encap_compile.__file__).parent / "py.typed").is_file()


def test_records_are_frozen() -> None:
    checked = api.check(OVERLAY)
    with pytest.raises(FrozenInstanceError):
        checked.name = "other"  # type: ignore[misc]
    assert checked == api.check(OVERLAY) and hash(checked) == hash(api.check(OVERLAY))


def test_importing_it_imports_nothing_else() -> None:
    code = "import sys; from encap_compile import api; print(*sorted(m for m in sys.modules if 'encap_compile' in m))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [
        "encap_compile",
        "encap_compile.api",
        "encap_compile.common",
        "encap_compile.common.diagnostics",
    ]


def test_where_nothing_compiles(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a node the distribution `encapctl` has the package without what compiles."""
    monkeypatch.setitem(sys.modules, "encap_compile.compile.api.compiling", None)
    with pytest.raises(ImportError, match="`compile` is of the distribution encap-compile, and encapctl alone is here"):
        _ = api.compile
    assert api.plan is import_module("encap_compile.run.api.applying").plan


def test_what_the_system_refuses_is_diagnosed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("encap_compile.compile.pipeline.compile_spec", full)
    with pytest.raises(api.DiagnosedError) as raised:
        api.build(OVERLAY, tmp_path)
    assert raised.value.exit_code == api.Exit.MACHINE
    assert [d.code for d in raised.value.diagnostics] == ["H114"]


def test_what_the_kernel_refuses_is_diagnosed(monkeypatch: pytest.MonkeyPatch) -> None:
    from encap_compile.run.kernel.errors import KernelError, NotPermittedError

    for error, code, ends in (
        (NotPermittedError(1, "bpf"), "H101", api.Exit.MACHINE),
        (KernelError(22, "bpf"), "K209", api.Exit.KERNEL),
    ):

        def refuse(*_: object, error: Exception = error) -> None:
            raise error

        monkeypatch.setattr("encap_compile.run.status.status", refuse)
        with pytest.raises(api.DiagnosedError) as raised:
            api.status("overlay")
        assert raised.value.exit_code == ends
        assert [d.code for d in raised.value.diagnostics] == [code]


def test_the_error_says_all_of_it() -> None:
    place = api.Place("spec.yaml", 3, 5)
    found = [api.Diagnostic("E201", "one", place), api.Diagnostic("H110", "two")]
    error = api.DiagnosedError(found, api.Exit.SPEC)
    assert str(error) == "spec.yaml:3:5: one (E201); two (H110)"


def test_a_bug_of_ours_is_no_diagnosed_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("encap_compile.run.status.status", lambda *_: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        api.status("overlay")


def test_the_command_line_says_the_same(checkout: Path) -> None:
    from click.testing import CliRunner

    printed = json.loads(CliRunner().invoke(cli, ["explain", OVERLAY, "--format", "json"]).output)
    explained = api.explain(OVERLAY).document
    assert explained == printed
    validate("explain-spec", explained)
