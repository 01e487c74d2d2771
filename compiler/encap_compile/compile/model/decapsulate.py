"""A received stack: every header is checked, outermost first, then all are decapsulated."""

from __future__ import annotations

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
    """One packet of a stack. `protocol` is what the outermost header says that follows."""

    def __init__(self, run: Run, decapsulator: ir.Decapsulator, extension: int, protocol: int) -> None:
        self.run, self.d, self.stack, self.protocol = run, decapsulator, decapsulator.stack, protocol
        self.machine = run.machine
        self.received = Received(self.stack, run.data, extension)
        self.overhead = self.received.fixed + extension
        self.inner = ""  # its family
        self.inner_length = 0
        self.packet: Packet | None = None

    def verdict(self) -> Verdict:
        try:
            self._check_headers()
            datagram = self._datagram()
            self._find_inner(datagram)
            rule, row = self._rule()
            return self._accept(rule, row)
        except _Refused as refused:
            reason = str(refused)
            self.run.step(Did.CHECKED, self.stack.name, reason, self.stack.place)
            self.run.count(self.machine.refusal(self.stack.encapsulation, reason))
            ingress = self.machine.program.ingress
            return Verdict.DROP if ingress is None or ingress.refuse == "drop" else Verdict.PASS

    # ---- headers ----------------------------------------------------------------------------------------------------

    def _there(self, size: int) -> None:
        """So many bytes must be there behind Ethernet's header."""
        if ETHER + size > len(self.run.data):
            raise _Refused("truncated")

    def _check_headers(self) -> None:
        tail = self.stack.tail
        if tail is None and not self.d.tagged:
            self._there(self.overhead + IPV4_LEAST)
            self._check_words(behind=False)
        else:
            self._there(self.overhead)
            self._check_words(behind=False)
            if tail is not None:
                self._check_tail(tail)
            if self.d.tagged:
                self._skip_tag()
            self._there(self.overhead + IPV4_LEAST)
        if self.d.checksum_layer:
            at = self.received.begins(self.d.checksum_layer)
            words = self.run.data[at : at + 20]
            total = sum(int.from_bytes(words[i : i + 2], "big") for i in range(0, 20, 2))
            if total % 0xFFFF or not total:
                raise _Refused("header_checksum")

    def _check_words(self, behind: bool) -> None:
        tail = self.stack.tail
        for check in self.d.checks:
            if behind == bool(tail and check.layer in tail.behind) and self._differs(check):
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

    def _check_tail(self, tail: ir.Tail) -> None:
        self.received.tail = 4 * self.received.number(tail.layer, tail.word, tail.shift, tail.bits)
        if tail.options is not None:
            reason = read_options(self.received, tail, ETHER + self.overhead, self.machine.facts)
            if reason:
                raise _Refused(reason)
        self.overhead += self.received.tail
        behind = [layer for layer in self.stack.layers if layer.member in tail.behind]
        if behind:
            size = sum(layer.size for layer in behind)
            self._there(self.overhead + size)
            self._check_words(behind=True)
            self.overhead += size

    def _skip_tag(self) -> None:
        """A tag of VLAN 0 names no VLAN and carries a priority alone (IEEE 802.1Q, 6.9.1)."""
        self.next = self.received.number(self.d.next_layer, self.d.next_word)
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
        first, *rest = self.d.lengths
        datagram = self.received.number(first.layer, first.word) + (40 if first.payload else 0)
        if datagram > len(self.run.data) - ETHER or datagram < self.overhead + IPV4_LEAST:
            raise _Refused("length")
        for check in rest:
            layer = next(x for x in self.stack.layers if x.member == check.layer)
            before = layer.offset + (layer.size if check.payload else 0)
            if self.received.number(check.layer, check.word) != datagram - self.received.extension - before:
                raise _Refused("length")
        return datagram

    def _named(self) -> int:
        """What the last header says is inside."""
        d = self.d
        if not d.next_layer:
            return self.run.data[ETHER + self.overhead] >> 4
        if d.encapsulation_limit and d.next_layer == self.stack.layers[0].member:
            return self.protocol
        if d.tagged:
            return self.next
        return self.received.number(d.next_layer, d.next_word, d.next_shift, d.next_bits)

    def _find_inner(self, datagram: int) -> None:
        named, numbers = self._named(), self.d.next_numbers
        self.inner = {numbers.ipv4: "ipv4", numbers.ipv6: "ipv6"}.get(named, "")
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
            if not whole or (self.d.signature.port >= 0 and protocol == UDP):
                raise _Refused("gso")
        if self.inner_length > datagram - self.overhead:
            raise _Refused("length")
        if self.d.any_match:
            self.packet = parse(self.run.data, at, self.inner, self.run.mark, self.machine.program.packet)
            if self.packet is None:
                raise _Refused("payload")
            if self.d.fragments and self.packet.fragment and any(self._may_send(r) for r in self.d.rules):
                follow_first(self.run, self.packet, leaves=False)

    # ---- rules ------------------------------------------------------------------------------------------------------

    def _source(self) -> bytes:
        first = self.stack.layers[0]
        word = next(w.name for w in first.words if any(p.name == "source" for p in w.parts))
        return any_address(self.received.raw(first.member, word))

    def _may_send(self, rule: ir.IngressRule) -> bool:
        if rule.source_kind == "any":
            return True
        if rule.source_kind == "prefixes":
            return in_prefixes(self._source(), self.stack.outer_family, rule.source_prefixes)
        known = self.machine.facts.sets.get(rule.source_map)
        return (
            self._source() in known
            if known is not None
            else contains(self._source(), self.machine.facts.prefixes[rule.source_map])
        )

    def _rule(self) -> tuple[ir.IngressRule, Row | None]:
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
            if not rule.lookup:
                return rule, None
            found = next(i for i in self.d.identifiers if i.table == rule.lookup)
            number = self._identifier(found)
            row = self.machine.facts.tables[rule.lookup].find((number,))
            if row is None:
                self.run.step(Did.MISSED, rule.lookup, f"{number:#x}", rule.place)
                raise _Refused(found.reason)
            self.run.step(Did.FOUND, rule.lookup, row.name or f"row {row.line}")
            return rule, row
        every = all(r.match for r in self.d.rules)
        told = every and all(r.source_kind != "any" for r in self.d.rules)
        raise _Refused("match" if every and (listed or not told) else "source")

    def _meets(self, rule: ir.IngressRule) -> bool:
        assert self.packet is not None
        machine = self.machine
        unmet = first_unmet(rule.match, self.packet, machine.program.packet, machine.facts, machine.constants.cgroups)
        if unmet is not None:
            self.run.step(Did.TRIED, rule.name, "the inner packet does not match", rule.place)
        return unmet is None

    def _identifier(self, found: ir.Identifier) -> int:
        if found.layer:
            return self.received.number(found.layer, found.word, found.shift, found.bits)
        return int.from_bytes(self.received.options[found.word], "big")

    # ---- decapsulation ----------------------------------------------------------------------------------------------

    def _accept(self, rule: ir.IngressRule, row: Row | None) -> Verdict:
        run = self.run
        if rule.learn is not None and rule.learn.tail is not None:
            self._there(self.received.fixed + self.received.extension + self.received.tail)
        kept = learn.values(rule, self.received) if rule.learn is not None else None
        self._combine_congestion()
        if run.helper_refuses() or not self._leaves_enough():
            raise _Refused("pull_failed")
        mark = self._mark(rule, row)
        type_ = ETHER_TYPE[self.inner].to_bytes(2, "big")
        run.data[:] = bytes(run.data[:12]) + type_ + bytes(run.data[ETHER + self.overhead :])
        run.add(f"ingress_rule_{rule.c_name}", self.inner_length)
        run.mark = mark
        if self.packet is not None and self.packet.transport:
            self.packet.transport -= self.overhead
        if self.machine.program.ingress is not None and self.machine.program.ingress.clamps:
            fit_segments(run, self.packet)
        if rule.learn is not None and kept is not None:
            assert self.packet is not None
            learn.record(run, self.packet, rule, self.stack, kept, self.received)
        if self.machine.program.fit is not None:
            fit.arrives(run, self.inner, self.overhead)
        changed = self.inner != self.stack.outer_family
        ingress = self.machine.program.ingress
        if changed and ingress is not None and ingress.family_change != "flags" and run.frame.gso_size:
            return Verdict.REDIRECT  # received once more: the kernel reads the frame's type anew
        return Verdict.PASS

    def _leaves_enough(self) -> bool:
        """bpf_skb_adjust_room leaves at least a header of the packet's family."""
        ingress = self.machine.program.ingress
        translated = ingress is not None and (ingress.family_change == "flags" or not self.run.frame.gso_size)
        family = self.inner if translated else self.stack.outer_family
        return len(self.run.data) - ETHER - self.overhead >= HEADER[family]

    def _mark(self, rule: ir.IngressRule, row: Row | None) -> int:
        if not rule.mark:
            return self.run.mark
        value: Value
        if rule.mark.startswith("row."):
            value = row.fields.get(rule.mark.removeprefix("row."), 0) if row is not None else 0
        elif rule.mark.startswith("host."):
            value = self.machine.facts.host[rule.mark.removeprefix("host.")]
        else:
            value = int(rule.mark, 0)
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
