"""A packet that carries a stack: the rule that takes it, and what becomes of it."""

from __future__ import annotations

from typing import assert_never

from .. import ir
from . import checksum, ecn, fit, learn
from .attribution import fit_segments
from .conditions import contains, first_unmet, in_prefixes
from .encapsulate import ETHER_TYPE
from .facts import Row, Value, any_address
from .fragments import follow_first
from .frame import Did, Verdict
from .packet import ETHER, HEADER, Packet, parse
from .run import Run
from .validation import Headers, Refused


class Decapsulation:
    """One packet of an encapsulation, over `outer`. `protocol` is what the outermost header says that follows."""

    def __init__(
        self, run: Run, decapsulation: ir.Decapsulation, outer: ir.OuterHeader, extension: int, protocol: int
    ) -> None:
        self.run, self.d, self.stack = run, decapsulation, outer.stack
        self.machine = run.machine
        self.headers = Headers(run, decapsulation, outer, extension, protocol)
        self.packet: Packet | None = None
        self.row: Row | None = None  # for the received identifier
        self.mark = run.mark
        self.learned: dict[str, Value] = {}

    def verdict(self, ingress: ir.IngressProgram) -> Verdict:
        try:
            self.headers.validate()
            if self.d.parses:
                self._parse()
            rule = self._rule()
            self._take(rule)
            match rule.verdict:
                case ir.IngressVerdict.DECAPSULATE:
                    return self._decapsulate(rule, ingress.family_change)
                case _:
                    assert_never(rule.verdict)
        except Refused as refused:
            reason = str(refused)
            self.run.step(Did.CHECKED, self.stack.name, reason, self.stack.place)
            self.run.count(self.machine.refusal(self.d.encapsulation, reason))
            match ingress.refuse:
                case ir.OnRefusal.DROP:
                    return Verdict.DROP
                case ir.OnRefusal.PASS:
                    return Verdict.PASS
                case _:
                    assert_never(ingress.refuse)

    def _parse(self) -> None:
        at = ETHER + self.headers.overhead
        self.packet = parse(self.run.data, at, self.headers.inner, self.run.mark, self.machine.program.packet)
        if self.packet is None:
            raise Refused("payload")
        if self.packet.fragment and self._follows():
            follow_first(self.run, self.packet, leaves=False)

    def _follows(self) -> bool:
        match self.d.follows:
            case ir.Follows.NOBODY:
                return False
            case ir.Follows.ANYBODY:
                return True
            case ir.Follows.LISTED:
                return any(self._may_send(rule) for rule in self.d.rules)
            case _:
                assert_never(self.d.follows)

    # ---- rules ------------------------------------------------------------------------------------------------------

    def _source(self) -> bytes:
        first = self.stack.layers[0]
        word = next(w.name for w in first.words if any(p.name == "source" for p in w.parts))
        return any_address(self.headers.received.raw(first.member, word))

    def _may_send(self, rule: ir.IngressRule) -> bool:
        match rule.senders:
            case ir.AnySource():
                return True
            case ir.SourcePrefixes(prefixes=prefixes):
                return in_prefixes(self._source(), self.stack.outer_family, prefixes)
            case ir.SourceMap(map=name, family=only):
                if only not in ("", self.stack.outer_family):
                    return False
                known = self.machine.facts.sets.get(name)
                if known is not None:
                    return self._source() in known
                return contains(self._source(), self.machine.facts.prefixes[name])
            case _:
                assert_never(rule.senders)

    def _rule(self) -> ir.IngressRule:
        """The first that takes the packet."""
        listed = False
        for rule in self.d.rules:
            if not self._may_send(rule):
                self.run.step(Did.TRIED, rule.name, "not from such a source", rule.place)
                continue
            listed = True
            if rule.match and not self._meets(rule):
                continue
            self.run.step(Did.MATCHED, rule.name, rule.text, rule.place)
            self.run.rule = rule.name
            return rule
        match self.d.otherwise:
            case ir.Refuse(reason):
                raise Refused(reason)
            case ir.RefuseBySource(unlisted, unmatched):
                raise Refused(unmatched if listed else unlisted)
            case None:
                raise AssertionError("no rule takes a packet, though one takes all")
            case _:
                assert_never(self.d.otherwise)

    def _meets(self, rule: ir.IngressRule) -> bool:
        assert self.packet is not None
        machine = self.machine
        unmet = first_unmet(rule.match, self.packet, machine.program.packet, machine.facts, machine.constants.cgroups)
        if unmet is not None:
            self.run.step(Did.TRIED, rule.name, "the inner packet does not match", rule.place)
        return unmet is None

    def _take(self, rule: ir.IngressRule) -> None:
        """What the rule does with a packet, before it is decapsulated."""
        received = self.headers.received
        for step in rule.steps:
            match step:
                case ir.IdentifierLookUp():
                    self._look_up(step, rule)
                case ir.SetMark():
                    self.mark = self._mark(step)
                case ir.Learn():
                    if step.variable is not None:
                        self.headers.there(received.fixed + received.extension + received.variable)
                    self.learned = learn.values(step, received)
                case _:
                    assert_never(step)

    def _look_up(self, step: ir.IdentifierLookUp, rule: ir.IngressRule) -> None:
        if isinstance(step.key, ir.ReceivedOption):
            number = int.from_bytes(self.headers.received.options[step.key.member], "big")
        else:
            number = self.headers.received.number(step.key)
        self.row = self.machine.facts.tables[step.table].find((number,))
        if self.row is None:
            self.run.step(Did.MISSED, step.table, f"{number:#x}", rule.place)
            raise Refused(step.miss)
        self.run.step(Did.FOUND, step.table, self.row.name or f"row {self.row.line}")

    # ---- decapsulation ----------------------------------------------------------------------------------------------

    def _decapsulate(self, rule: ir.IngressRule, change: ir.FamilyChange) -> Verdict:
        run = self.run
        self._combine_congestion()
        again = self._received_again(change)
        # bpf_skb_adjust_room leaves at least a header of the packet's family.
        least = HEADER[self.stack.outer_family if again else self.headers.inner]
        if run.helper_refuses() or len(run.data) - ETHER - self.headers.overhead < least:
            raise Refused("pull_failed")
        type_ = ETHER_TYPE[self.headers.inner].to_bytes(2, "big")
        run.data[:] = bytes(run.data[:12]) + type_ + bytes(run.data[ETHER + self.headers.overhead :])
        run.add(rule.counter, self.headers.inner_length)
        run.mark = self.mark
        for arrival in self.d.then:
            self._arrive(arrival, rule)
        return Verdict.REDIRECT if again else Verdict.PASS

    def _received_again(self, change: ir.FamilyChange) -> bool:
        """Whether the frame is received once more, so that the kernel reads its type again."""
        match change:
            case ir.FamilyChange.FLAGS:
                return False
            case ir.FamilyChange.RECEIVE_AGAIN:
                return self.headers.inner != self.stack.outer_family and bool(self.run.frame.gso_size)
            case _:
                assert_never(change)

    def _arrive(self, arrival: ir.Arrival, rule: ir.IngressRule) -> None:
        match arrival:
            case ir.Arrival.MOVE_TRANSPORT:
                if self.packet is not None and self.packet.transport:
                    self.packet.transport -= self.headers.overhead
            case ir.Arrival.FIT_SOCKETS:
                fit_segments(self.run, self.packet)
            case ir.Arrival.LEARN:
                if rule.learn is not None:
                    assert self.packet is not None
                    learn.record(self.run, self.packet, rule.learn, self.stack, self.learned, self.headers.received)
            case ir.Arrival.FIT_ANSWERS | ir.Arrival.REMEMBER_ARRIVAL:
                fit.arrives(self.run, self.headers.inner, self.headers.overhead)
            case ir.Arrival.LEARN_PATH_MTU:
                raise AssertionError("of what comes in, not of what it carries")
            case _:
                assert_never(arrival)

    def _mark(self, step: ir.SetMark) -> int:
        value: Value
        match step.value:
            case ir.Literal(value=value):
                pass
            case ir.FromRow(member=member):
                value = self.row.fields.get(member, 0) if self.row is not None else 0
            case ir.FromHost(member=member):
                value = self.machine.facts.host[member]
            case _:
                assert_never(step.value)
        assert isinstance(value, int)
        return value

    def _combine_congestion(self) -> None:
        """Congestion seen on the way goes into the inner header (RFC 6040)."""
        run, at = self.run, ETHER + self.headers.overhead
        outer = _ecn(run.data, ETHER, self.stack.outer_family)
        inner = _ecn(run.data, at, self.headers.inner)
        combined = ecn.decapsulated(outer, inner)
        if combined is None:
            raise Refused("ecn")
        if combined == inner:
            return
        run.step(Did.CHANGED, "ecn", f"{inner} to {combined}")
        if self.headers.inner == "ipv6":
            run.data[at + 1] = run.data[at + 1] & 0xCF | combined << 4
            return
        was = int.from_bytes(run.data[at : at + 2], "big")
        new = was & ~3 | combined
        field = slice(at + 10, at + 12)
        run.data[at : at + 2] = new.to_bytes(2, "big")
        run.data[field] = checksum.changed(int.from_bytes(run.data[field], "big"), was, new).to_bytes(2, "big")


def _ecn(data: bytearray, at: int, family: str) -> int:
    return data[at + 1] & 3 if family == "ipv4" else data[at + 1] >> 4 & 3
