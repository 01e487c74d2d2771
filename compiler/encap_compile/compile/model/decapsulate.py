"""A received stack: every header is checked, outermost first, then all are decapsulated."""

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
from .header_options import read_options
from .packet import ETHER, HEADER, UDP, Packet, parse
from .received import Received
from .run import Run

TAGS = (0x8100, 0x88A8)  # IEEE 802.1Q
VLAN = 0x0FFF
IPV4_LEAST = 20


class _Refused(Exception):  # noqa: N818 - not an error: a packet's end
    """Why a packet is refused: a counter's last part."""


class Decapsulation:
    """One packet of an encapsulation, over `outer`. `protocol` is what the outermost header says that follows."""

    def __init__(
        self, run: Run, decapsulation: ir.Decapsulation, outer: ir.OuterHeader, extension: int, protocol: int
    ) -> None:
        self.run, self.d, self.outer, self.stack, self.protocol = run, decapsulation, outer, outer.stack, protocol
        self.machine = run.machine
        self.received = Received(self.stack, run.data, extension)
        self.overhead = self.received.fixed + extension
        self.inner = ""  # its family
        self.inner_length = 0
        self.packet: Packet | None = None
        self.row: Row | None = None  # for the received identifier
        self.mark = run.mark
        self.learned: dict[str, Value] = {}

    def verdict(self, ingress: ir.IngressProgram) -> Verdict:
        try:
            self._check_headers()
            datagram = self._datagram()
            self._find_inner(datagram)
            rule = self._rule()
            self._take(rule)
            match rule.verdict:
                case ir.IngressVerdict.DECAPSULATE:
                    return self._decapsulate(rule, ingress.family_change)
                case _:
                    assert_never(rule.verdict)
        except _Refused as refused:
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

    # ---- headers ----------------------------------------------------------------------------------------------------

    def _there(self, size: int) -> None:
        """So many bytes must be there behind Ethernet's header."""
        if ETHER + size > len(self.run.data):
            raise _Refused("truncated")

    def _check_headers(self) -> None:
        self._there(self.overhead + (IPV4_LEAST if self.d.inner_fixed else 0))
        for check in self.outer.checks:
            self._check(check)
        self._check_words(behind=False)
        if self.stack.variable is not None:
            self._check_variable(self.stack.variable)
        for own in self.d.checksums:
            self._check_sum(own)
        if isinstance(self.d.inner, ir.NamedByField) and self.d.inner.tagged:
            self._skip_tag(self.d.inner.field)
        self._there(self.overhead + IPV4_LEAST)
        if self.outer.checksum:
            self._check_sum(ir.ChecksumCheck(self.stack.layers[0].member, IPV4_LEAST, "header_checksum"))

    def _check_words(self, behind: bool) -> None:
        for check in self.d.checks:
            if behind == self.stack.is_behind(check.layer):
                self._check(check)

    def _check(self, check: ir.WordCheck) -> None:
        if self._differs(check):
            raise _Refused(check.reason)

    def _check_sum(self, check: ir.ChecksumCheck) -> None:
        at = self.received.begins(check.layer)
        if not checksum.is_right(bytes(self.run.data[at : at + check.size])):
            raise _Refused(check.reason)

    def _differs(self, check: ir.WordCheck) -> bool:
        raw = self.received.raw(check.layer, check.word)
        if isinstance(check.expected, ir.FromHost):
            host = self.machine.facts.host[check.expected.member]
            if check.bits == 48:  # a frame to a group of stations is for us too
                return not raw[0] & 1 and raw != host
            if isinstance(host, bytes):
                return raw != host
            shift = (check.mask & -check.mask).bit_length() - 1
            return (int.from_bytes(raw, "big") & check.mask) >> shift != host
        assert isinstance(check.expected, ir.Literal)
        if check.bits == 48 and raw[0] & 1:
            return False
        return int.from_bytes(raw, "big") & check.mask != check.expected.value

    def _check_variable(self, variable: ir.BoundedSegment) -> None:
        length = variable.length
        size = self.received.number(length.field) * length.unit - length.besides
        if variable.reason and (not 0 <= size <= variable.most or size % 4):
            raise _Refused(variable.reason)
        self.received.variable = size
        if variable.options is not None:
            reason = read_options(self.received, variable, ETHER + self.overhead, self.machine.facts)
            if reason:
                raise _Refused(reason)
        self.overhead += self.received.variable
        if self.stack.behind:
            size = sum(layer.size for layer in self.stack.behind)
            self._there(self.overhead + size)
            self._check_words(behind=True)
            self.overhead += size

    def _skip_tag(self, field: ir.ReceivedField) -> None:
        """A tag of VLAN 0 names no VLAN and carries a priority alone (IEEE 802.1Q, 6.9.1)."""
        self.next = self.received.number(field)
        if self.next not in TAGS:
            return
        self._there(self.overhead + 4)
        tag = self.run.data[ETHER + self.overhead :][:4]
        if int.from_bytes(tag[:2], "big") & VLAN:
            raise _Refused("vlan")
        self.next = int.from_bytes(tag[2:4], "big")
        self.overhead += 4

    # ---- lengths, and the inner packet ------------------------------------------------------------------------------

    def _datagram(self) -> int:
        """The length of the outer datagram, with which all others must agree; the frame may be longer."""
        length = self.outer.length
        datagram = self.received.whole(length.layer, length.word) + (40 if length.payload else 0)
        if datagram > len(self.run.data) - ETHER or datagram < self.overhead + IPV4_LEAST:
            raise _Refused("length")
        for check in self.d.lengths:
            layer = next(x for x in self.stack.layers if x.member == check.layer)
            before = layer.offset + (layer.size if check.payload else 0)
            if self.received.whole(check.layer, check.word) != datagram - self.received.extension - before:
                raise _Refused("length")
        return datagram

    def _named(self) -> int:
        """The number that names what is inside."""
        match self.d.inner:
            case ir.NamedByItself():
                return self.run.data[ETHER + self.overhead] >> 4
            case ir.NamedByOuter():
                return self.protocol
            case ir.NamedByField(field=field, tagged=tagged):
                return self.next if tagged else self.received.number(field)
            case _:
                assert_never(self.d.inner)

    def _find_inner(self, datagram: int) -> None:
        numbers = self.d.inner.numbers
        self.inner = {numbers.ipv4: "ipv4", numbers.ipv6: "ipv6"}.get(self._named(), "")
        at = ETHER + self.overhead
        if not self.inner:
            raise _Refused("payload")
        self._there(self.overhead + HEADER[self.inner])
        head = self.run.data[at : at + HEADER[self.inner]]
        if head[0] >> 4 != {"ipv4": 4, "ipv6": 6}[self.inner]:
            raise _Refused("payload")
        if self.inner == "ipv4":
            self.inner_length = int.from_bytes(head[2:4], "big")
        else:
            self.inner_length = int.from_bytes(head[4:6], "big") + 40
        if self.run.frame.gso_size:
            # One outer header stands for all of it, or there are others in its payload.
            protocol = head[9] if self.inner == "ipv4" else head[6]
            whole = self.inner_length == len(self.run.data) - at
            if not whole or (self.d.in_udp and protocol == UDP):
                raise _Refused("gso")
        if self.inner_length > datagram - self.overhead:
            raise _Refused("length")
        if self.d.parses:
            self.packet = parse(self.run.data, at, self.inner, self.run.mark, self.machine.program.packet)
            if self.packet is None:
                raise _Refused("payload")
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
        return any_address(self.received.raw(first.member, word))

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
                raise _Refused(reason)
            case ir.RefuseBySource(unlisted, unmatched):
                raise _Refused(unmatched if listed else unlisted)
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
        for step in rule.steps:
            match step:
                case ir.IdentifierLookUp():
                    self._look_up(step, rule)
                case ir.SetMark():
                    self.mark = self._mark(step)
                case ir.Learn():
                    if step.variable is not None:
                        self._there(self.received.fixed + self.received.extension + self.received.variable)
                    self.learned = learn.values(step, self.received)
                case _:
                    assert_never(step)

    def _look_up(self, step: ir.IdentifierLookUp, rule: ir.IngressRule) -> None:
        if isinstance(step.key, ir.ReceivedOption):
            number = int.from_bytes(self.received.options[step.key.member], "big")
        else:
            number = self.received.number(step.key)
        self.row = self.machine.facts.tables[step.table].find((number,))
        if self.row is None:
            self.run.step(Did.MISSED, step.table, f"{number:#x}", rule.place)
            raise _Refused(step.miss)
        self.run.step(Did.FOUND, step.table, self.row.name or f"row {self.row.line}")

    # ---- decapsulation ----------------------------------------------------------------------------------------------

    def _decapsulate(self, rule: ir.IngressRule, change: ir.FamilyChange) -> Verdict:
        run = self.run
        self._combine_congestion()
        again = self._received_again(change)
        least = HEADER[self.stack.outer_family if again else self.inner]  # bpf_skb_adjust_room leaves at least that
        if run.helper_refuses() or len(run.data) - ETHER - self.overhead < least:
            raise _Refused("pull_failed")
        type_ = ETHER_TYPE[self.inner].to_bytes(2, "big")
        run.data[:] = bytes(run.data[:12]) + type_ + bytes(run.data[ETHER + self.overhead :])
        run.add(rule.counter, self.inner_length)
        run.mark = self.mark
        for arrival in self.d.then:
            self._arrive(arrival, rule)
        return Verdict.REDIRECT if again else Verdict.PASS

    def _received_again(self, change: ir.FamilyChange) -> bool:
        """Whether the frame is received once more, so that the kernel reads its type anew."""
        match change:
            case ir.FamilyChange.FLAGS:
                return False
            case ir.FamilyChange.RECEIVE_AGAIN:
                return self.inner != self.stack.outer_family and bool(self.run.frame.gso_size)
            case _:
                assert_never(change)

    def _arrive(self, arrival: ir.Arrival, rule: ir.IngressRule) -> None:
        match arrival:
            case ir.Arrival.MOVE_TRANSPORT:
                if self.packet is not None and self.packet.transport:
                    self.packet.transport -= self.overhead
            case ir.Arrival.FIT_SOCKETS:
                fit_segments(self.run, self.packet)
            case ir.Arrival.LEARN:
                if rule.learn is not None:
                    assert self.packet is not None
                    learn.record(self.run, self.packet, rule.learn, self.stack, self.learned, self.received)
            case ir.Arrival.FIT_ANSWERS | ir.Arrival.REMEMBER_ARRIVAL:
                fit.arrives(self.run, self.inner, self.overhead)
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
        run, at = self.run, ETHER + self.overhead
        outer = _ecn(run.data, ETHER, self.stack.outer_family)
        inner = _ecn(run.data, at, self.inner)
        combined = ecn.decapsulated(outer, inner)
        if combined is None:
            raise _Refused("ecn")
        if combined == inner:
            return
        run.step(Did.CHANGED, "ecn", f"{inner} to {combined}")
        if self.inner == "ipv6":
            run.data[at + 1] = run.data[at + 1] & 0xCF | combined << 4
            return
        was = int.from_bytes(run.data[at : at + 2], "big")
        new = was & ~3 | combined
        field = slice(at + 10, at + 12)
        run.data[at : at + 2] = new.to_bytes(2, "big")
        run.data[field] = checksum.changed(int.from_bytes(run.data[field], "big"), was, new).to_bytes(2, "big")


def _ecn(data: bytearray, at: int, family: str) -> int:
    return data[at + 1] & 3 if family == "ipv4" else data[at + 1] >> 4 & 3
