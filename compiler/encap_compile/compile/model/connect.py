"""A socket that connects: the first connect rule that it meets chooses a row for it, or nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import ir
from .conditions import first_unmet, text
from .facts import FAMILY_OF_SIZE, any_address
from .frame import Connecting, Did, Outcome, Step, Verdict
from .packet import Packet, SocketRecord

if TYPE_CHECKING:
    from .machine import Machine

HOOKS = {"ipv4": "cgroup_connect4", "ipv6": "cgroup_connect6"}


def connect(machine: Machine, socket: Connecting) -> Outcome:
    """What the programs of all cgroups that the socket lies in do, the innermost first: its decision holds."""
    attribution = machine.program.attribution
    family = FAMILY_OF_SIZE[len(socket.destination)]
    steps: list[Step] = []
    counted: dict[str, tuple[int, int]] = {}
    decided: list[ir.ConnectRule | None] = []
    assert attribution is not None
    for cgroup in _deciding(attribution, family, {"", *socket.cgroups}):
        rule = _first(machine, attribution, socket, family, _around(attribution, cgroup), steps)
        decided.append(rule)
        if rule is None:
            continue
        counter = rule.counter
        packets, size = counted.get(counter, (0, 0))
        counted[counter] = packets + 1, size
        place, words = machine.counters[counter]
        steps.append(Step(Did.COUNTED, counter, words, place))
    first = decided[0] if decided else None
    chosen = None
    if first is not None and first.selects:
        chosen = first.selects.table, first.selects.row.name
        steps.append(Step(Did.FOUND, *chosen))
    name = first.name if first is not None else ""
    return Outcome(Verdict.PASS, b"", socket.mark, counted, tuple(steps), rule=name, chosen=chosen)


def _deciding(attribution: ir.Attribution, family: str, inside: set[str]) -> list[ir.CgroupBit]:
    """The cgroups around the socket that have the program, the innermost first."""
    found = [c for c in attribution.cgroups if c.path in inside and HOOKS[family] in c.hooks]
    return sorted(found, key=lambda c: c.level, reverse=True)


def _around(attribution: ir.Attribution, cgroup: ir.CgroupBit) -> frozenset[str]:
    """The named cgroups that a cgroup is, or lies in: a program knows those of its own cgroup alone."""
    return frozenset(c.path for c in attribution.cgroups if not c.path or f"{cgroup.path}/".startswith(f"{c.path}/"))


def _first(
    machine: Machine,
    attribution: ir.Attribution,
    socket: Connecting,
    family: str,
    cgroups: frozenset[str],
    steps: list[Step],
) -> ir.ConnectRule | None:
    packet = Packet(
        family=family,
        source=bytes(16),
        destination=any_address(socket.destination),
        dscp=0,
        ecn=0,
        ttl=0,
        mark=socket.mark,
        length=0,
        protocol=socket.protocol,
        destination_port=socket.destination_port,
        socket=SocketRecord(cgroups),
    )
    for rule in attribution.connects:
        constants, needs = machine.constants.cgroups, machine.program.packet
        unmet = first_unmet(rule.conditions, packet, needs, machine.facts, constants)
        if unmet is None:
            steps.append(Step(Did.MATCHED, rule.name, rule.text, rule.place))
            return rule
        steps.append(Step(Did.TRIED, rule.name, f"not {text(unmet, machine.cgroup_paths)}", rule.place))
    return None
