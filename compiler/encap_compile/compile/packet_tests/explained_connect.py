"""`encap-compile explain SPEC --connects`: what is chosen for a socket that connects, and why."""

from __future__ import annotations

from typing import Any

from ...common.values import address_text
from ..model import Connecting, Machine, Outcome
from ..pipeline import check_spec
from ..spec import Spec
from .explained import PacketExplained, steps
from .frames import Frames
from .given import socket_words
from .invented import machine_facts


def explain_connect(path: str, socket: str) -> PacketExplained:
    """`socket` is words. Raises DiagnosedError."""
    given = socket_words(socket)
    spec, described, _, findings = check_spec(path)
    facts = machine_facts(spec, described, findings)
    connecting = Frames(spec, described, facts, findings).connecting(given)
    findings.stop_on_errors()
    assert connecting is not None
    outcome = Machine(described.program, facts).connect(connecting)
    return PacketExplained(_text(spec, connecting, outcome), _document(spec, outcome))


def _chosen(outcome: Outcome) -> str:
    return "/".join(outcome.chosen) if outcome.chosen is not None else ""


def _text(spec: Spec, socket: Connecting, outcome: Outcome) -> str:
    chosen = f"{_chosen(outcome)} is chosen" if outcome.chosen is not None else "nothing is chosen"
    by = f" by {outcome.rule}" if outcome.rule else ""
    to = f"{address_text(socket.destination)}, port {socket.destination_port}, protocol {socket.protocol}"
    lines = [f"A socket connects to {to}: {chosen}{by}", "", *(f"  {step}" for step in steps(spec, outcome))]
    if not outcome.steps:
        lines.append("  it is in no cgroup whose sockets a connect rule decides on")
    return "\n".join(lines) + "\n"


def _document(spec: Spec, outcome: Outcome) -> dict[str, Any]:
    return {
        "name": spec.name,
        "direction": "connect",
        "verdict": "chosen" if outcome.chosen is not None else "passed",
        "rule": outcome.rule,
        "chosen": _chosen(outcome),
        "mark": outcome.mark,
        "steps": steps(spec, outcome),
        "counters": {name: {"packets": p, "bytes": b} for name, (p, b) in outcome.counted.items()},
        "outer": [],
        "frame_in": "",
        "frame_out": "",
    }
