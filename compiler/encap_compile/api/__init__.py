"""The verbs of `encap-compile` and `encapctl` as functions on frozen records: docs/api.md has examples.

    >>> from encap_compile import api
    >>> built = api.compile("examples/vxlan-overlay.yaml", "build")

Everything that can go wrong outside of this package is a `DiagnosedError`, which carries the diagnostics that the
command lines print and their exit code. Names are imported when they are first used, and a machine that has `encapctl`
alone has only what runs on a machine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..common.diagnostics import DiagnosedError, Diagnostic, Exit, Place, Severity

if TYPE_CHECKING:
    from ..compile.api.compiling import (
        Built,
        Checked,
        Compiled,
        Explained,
        FileChange,
        Rendered,
        Stale,
        build,
        check,
        compile,
        explain,
        render,
    )
    from ..compile.api.testing import PacketExplained, Tested, explain_connect, explain_packet
    from ..kernel_tests.api import test
    from ..run.api.applying import Applied, HookChange, Planned, RowsChange, RuleChange, apply, plan
    from ..run.api.examining import Finding, Health, doctor
    from ..run.api.looking import CounterTotal, HookState, Overview, Removed, Status, overview, remove, status
    from ..run.api.options import Options

_NAMES = {
    "run.api.applying": ("Applied", "HookChange", "Planned", "RowsChange", "RuleChange", "apply", "plan"),
    "compile.api.compiling": (
        *("Built", "Checked", "Compiled", "Explained", "FileChange", "Rendered", "Stale"),
        *("build", "check", "compile", "explain", "render"),
    ),
    "run.api.examining": ("Finding", "Health", "doctor"),
    "run.api.looking": ("CounterTotal", "HookState", "Overview", "Removed", "Status", "overview", "remove", "status"),
    "run.api.options": ("Options",),
    "compile.api.testing": ("PacketExplained", "Tested", "explain_connect", "explain_packet"),
    "kernel_tests.api": ("test",),
}
_HOME = {name: module for module, names in _NAMES.items() for name in names}

__all__ = [
    "Applied",
    "Built",
    "Checked",
    "Compiled",
    "CounterTotal",
    "DiagnosedError",
    "Diagnostic",
    "Exit",
    "Explained",
    "FileChange",
    "Finding",
    "Health",
    "HookChange",
    "HookState",
    "Options",
    "Overview",
    "PacketExplained",
    "Place",
    "Planned",
    "Removed",
    "Rendered",
    "RowsChange",
    "RuleChange",
    "Severity",
    "Stale",
    "Status",
    "Tested",
    "apply",
    "build",
    "check",
    "compile",
    "doctor",
    "explain",
    "explain_connect",
    "explain_packet",
    "overview",
    "plan",
    "remove",
    "render",
    "status",
    "test",
]


def __getattr__(name: str) -> Any:
    from importlib import import_module

    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(import_module(f"..{home}", __name__), name)
    except ModuleNotFoundError as error:
        if (
            home.startswith(("compile.", "kernel_tests."))
            and (error.name or "").partition(".")[0] == __name__.partition(".")[0]
        ):
            raise ImportError(f"`{name}` is of the distribution encap-compile, and encapctl alone is here") from None
        raise


def __dir__() -> list[str]:
    return sorted(__all__)
