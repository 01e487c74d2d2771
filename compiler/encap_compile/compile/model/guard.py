"""A packet of a socket that leaves by a device without our program: dropped if the rules would encapsulate it."""

from __future__ import annotations

from typing import assert_never

from .. import ir
from .aside import is_aside
from .attribution import reported
from .conditions import first_unmet
from .flows import was_learned
from .frame import Did, Verdict
from .look_up import find_row, is_asked
from .packet import ETHER, Packet, parse
from .run import Run


def leave_elsewhere(run: Run) -> Verdict:
    """Nothing is remembered for it, and no fragment follows another."""
    machine, program = run.machine, run.machine.program
    guard, attribution = program.guard, program.attribution
    if guard is None or attribution is None or run.frame.socket is None or run.family not in program.packet.families:
        return Verdict.PASS
    packet = parse(run.data, ETHER, run.family, run.mark, program.packet)
    if packet is None or any(is_aside(run, packet, kind) for before in program.egress.before for kind in before.kinds):
        return Verdict.PASS
    packet.socket = reported(run, run.frame.socket, attribution)
    for guarding in guard.rules:
        rule = guarding.rule
        if first_unmet(rule.conditions, packet, program.packet, machine.facts, machine.constants.cgroups) is not None:
            continue
        run.step(Did.MATCHED, rule.name, rule.text, rule.place)
        verdict = _verdict(run, packet, guarding)
        if verdict is not None:
            if verdict is Verdict.DROP:
                run.rule = rule.name
                run.count("egress_unattached")
            return verdict
    return Verdict.PASS


def _verdict(run: Run, packet: Packet, rule: ir.GuardRule) -> Verdict | None:
    for step in rule.steps:
        match step:
            case ir.GuardLookUp():
                verdict = _look_up(run, packet, step)
            case ir.Recall():
                verdict = Verdict.DROP if was_learned(run, packet, step.rule) else None
            case _:
                assert_never(step)
        if verdict is not None:
            return verdict
    return _ended(rule.ending)


def _look_up(run: Run, packet: Packet, step: ir.GuardLookUp) -> Verdict | None:
    if not is_asked(step.find, run.machine, packet):
        return None
    if find_row(step.find, run.machine, packet) is not None:
        return Verdict.DROP
    return _ended(step.hidden if packet.hides(run.machine.program.packet.hides) else step.shown)


def _ended(verdict: ir.Verdict) -> Verdict | None:
    match verdict:
        case ir.Verdict.DROP:
            return Verdict.DROP
        case ir.Verdict.PASS | ir.Verdict.PASS_UNLESS_KEPT:
            return Verdict.PASS
        case ir.Verdict.NEXT:
            return None
        case _:
            assert_never(verdict)
