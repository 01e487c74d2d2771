"""What `doctor` found, as text and as JSON."""

from __future__ import annotations

import os
from typing import Any

from ...common.diagnostics import Severity
from ...common.reporting.json import document as of_diagnostics
from ..doctor import Examined, State
from ..kernel.system import kernel_release
from . import counted


def doctor_text(examined: Examined) -> str:
    """A line for each check. The findings themselves are diagnostics."""
    who = f"{examined.bundle} on {os.uname().nodename}" if examined.bundle else os.uname().nodename
    width = max(len(check.name) for check in examined.checks)
    lines = [f"{who}, kernel {kernel_release()}:"]
    for check in examined.checks:
        codes = ", ".join(dict.fromkeys(d.code for d in check.diagnostics))
        state = check.state.upper() if check.state is State.FOUND else check.state
        text = "; ".join(part for part in (check.text, codes) if part)
        lines.append(f"  {state:<7} {check.name:<{width}}  {text}".rstrip())
    wrong = [d for d in examined.diagnostics if d.severity is not Severity.NOTE]
    lines.append(f"{counted(len(wrong), 'thing')} to mend." if wrong else "Nothing to mend.")
    return "\n".join(lines) + "\n"


def doctor_document(examined: Examined) -> dict[str, Any]:
    """The same for programs."""
    return {
        **of_diagnostics(examined.diagnostics),
        "bundle": examined.bundle or None,
        "kernel": kernel_release(),
        "checks": [
            {
                "name": check.name,
                "state": str(check.state),
                "text": check.text,
                "codes": list(dict.fromkeys(d.code for d in check.diagnostics)),
            }
            for check in examined.checks
        ],
    }
