"""Devices for received tunnel packets, as a plan shows them."""

from __future__ import annotations

from typing import Any

from ..loader.gro import DELETE, KEEP, MAKE, REFUSED, SET_UP, Gro

_SIGNS = {KEEP: " ", MAKE: "+", SET_UP: "~", DELETE: "-", REFUSED: " "}
_WORDS = {
    KEEP: "stays",
    MAKE: "receives nothing; the kernel merges what is decapsulated",
    SET_UP: "set up",
    DELETE: "deleted",
    REFUSED: "the machine did not make it",
}


def gro_lines(gro: Gro, done: bool) -> list[str]:
    """Devices for received tunnel packets: ours, and those of others that serve as well."""
    lines = []
    for device in gro.devices:
        if device.action not in (KEEP, REFUSED) or not done:
            why = f"; {device.why}" if device.why else ""
            lines.append(f"  {_SIGNS[device.action]} device {device.text} ({_WORDS[device.action]}{why})")
    if not done:
        merging = (m for m in gro.others if m.families)
        lines += [f"    gro    {m.port.kind} on UDP port {m.port.port} is merged by {m.by}" for m in merging]
    return lines


def gro_document(gro: Gro) -> list[dict[str, Any]]:
    """Those of ours for programs."""
    return [{"name": d.name, "kind": d.kind, "port": d.port, "action": d.action, "why": d.why} for d in gro.devices]
