"""What leaves: rules in the order written; the first that a packet meets decides."""

from __future__ import annotations

from collections.abc import Mapping
from typing import assert_never

from ...common.values import address_text
from .. import ir
from . import fit
from .aside import is_aside
from .attribution import attribute_packet
from .conditions import first_unmet, text
from .encapsulate import dispatch
from .facts import Value
from .flows import find_learned
from .fragments import follow_first
from .frame import Did, Verdict
from .look_up import find_row, is_asked
from .packet import ETHER, Packet, parse
from .run import Run

WORDS = {  # as the spec says it
    ir.Verdict.PASS: "pass",
    ir.Verdict.PASS_UNLESS_KEPT: "pass",
    ir.Verdict.DROP: "drop",
    ir.Verdict.NEXT: "next",
}


def leave(run: Run) -> Verdict:
    program = run.machine.program
    egress, needs = program.egress, program.packet
    if egress.fits:
        fit.leaves(run)
    if not egress.needed:
        return Verdict.PASS
    if run.family not in needs.families:
        run.count("egress_other")
        return _pass(run)
    packet = parse(run.data, ETHER, run.family, run.mark, needs)
    if packet is None:
        run.count("egress_malformed")
        return Verdict.DROP
    run.step(Did.READ, packet.family, f"{address_text(packet.source)} to {address_text(packet.destination)}")
    if egress.fragments and packet.fragment and not follow_first(run, packet, leaves=True):
        run.count("egress_no_first_fragment")
    for before in egress.before:
        if any(is_aside(run, packet, kind) for kind in before.kinds):
            return _pass(run, before.counter)
    if program.attribution is not None:
        attribute_packet(run, packet)
    return _Rules(run, packet).apply()


def _pass(run: Run, counter: str = "") -> Verdict:
    """Nothing goes on from the route device. Without a counter, the packet is counted already."""
    if run.on_route_device:
        run.count("egress_unrouted")
        return Verdict.DROP
    if counter:
        run.count(counter)
    return Verdict.PASS


class _Rules:
    """One packet and the rules. `kept`: a rule may have encapsulated it, so that it must not leave unencapsulated."""

    def __init__(self, run: Run, packet: Packet) -> None:
        self.run, self.packet, self.machine = run, packet, run.machine
        self.program = run.machine.program
        self.hides = packet.hides(self.program.packet.hides)
        self.lost = packet.fragment and packet.ports_unseen  # its first fragment was not seen: it may be any rule's
        self.kept = False

    def apply(self) -> Verdict:
        egress = self.program.egress
        for rule in (*egress.rules, egress.default):
            unmet = first_unmet(
                rule.conditions, self.packet, self.program.packet, self.machine.facts, self.machine.constants.cgroups
            )
            if unmet is not None:
                self.run.step(Did.TRIED, rule.name, f"not {text(unmet, self.machine.cgroup_paths)}", rule.place)
                continue
            if rule is not egress.default:
                self.run.step(Did.MATCHED, rule.name, rule.text, rule.place)
            verdict = self._take(rule)
            if verdict is not None:
                return verdict
        raise AssertionError("the default decides")

    def _take(self, rule: ir.EgressRule) -> Verdict | None:
        """None: the next rule decides."""
        for step in rule.steps:
            verdict = self._step(rule, step)
            if verdict is not None:
                return verdict
        if rule.ending.verdict is ir.Verdict.PASS_UNLESS_KEPT and self.kept:
            return Verdict.DROP
        verdict = self._end(rule.ending.verdict)
        if verdict is not None:
            self.run.rule = rule.name
            if verdict is Verdict.PASS:
                return _pass(self.run, rule.ending.counter)
            self.run.count(rule.ending.counter)
        return verdict

    # ---- verdicts ---------------------------------------------------------------------------------------------------

    def _end(self, verdict: ir.Verdict) -> Verdict | None:
        """None: the next step or rule decides."""
        match verdict:
            case ir.Verdict.PASS:
                return Verdict.PASS
            case ir.Verdict.PASS_UNLESS_KEPT:
                return Verdict.DROP if self.kept else Verdict.PASS
            case ir.Verdict.DROP:
                return Verdict.DROP
            case ir.Verdict.NEXT:
                return None
            case _:
                assert_never(verdict)

    # ---- steps ------------------------------------------------------------------------------------------------------

    def _step(self, rule: ir.EgressRule, step: ir.Step) -> Verdict | None:
        match step:
            case ir.LookUp():
                return self._look_up(rule, step)
            case ir.Recall():
                return self._recall(rule, step)
            case _:
                assert_never(step)

    def _look_up(self, rule: ir.EgressRule, step: ir.LookUp) -> Verdict | None:
        find = step.find
        if not is_asked(find, self.machine, self.packet):
            return None
        row = find_row(find, self.machine, self.packet)
        if row is None or (step.skips_lost and self.lost):
            return self._miss(rule, find.table, step.miss)
        self._found(rule, step, find.table, row.name or f"row {row.line}")
        case = self.machine.stacks[row.stack].constant if row.stack else ""
        return self._send(step, case, row.fields)

    def _recall(self, rule: ir.EgressRule, step: ir.Recall) -> Verdict | None:
        learned = find_learned(self.run, self.packet, step.rule)
        if learned is None:
            self.run.step(Did.MISSED, rule.name, "nothing learned", rule.place)
            return None
        self._found(rule, step, rule.name, f"learned from {learned.stack}")
        return self._send(step, learned.stack, learned.values)

    def _found(self, rule: ir.EgressRule, step: ir.Step, where: str, what: str) -> None:
        self.run.rule, self.run.chosen = rule.name, step.counter
        self.run.step(Did.FOUND, where, what)

    def _send(self, step: ir.Step, case: str, values: Mapping[str, Value]) -> Verdict:
        function = next(d for d in self.program.egress.dispatches if d.function == step.send)
        return dispatch(self.run, self.packet, function, case, values)

    def _miss(self, rule: ir.EgressRule, table: str, miss: ir.Miss) -> Verdict | None:
        verdict = miss.hidden if self.hides else miss.shown
        self.run.rule = rule.name
        self.run.step(Did.MISSED, table, f"no row: {WORDS[miss.shown]}", rule.place)
        self.run.count(miss.counter)
        ended = self._end(verdict)
        self.kept |= miss.keeps and self.lost
        return _pass(self.run) if ended is Verdict.PASS else ended
