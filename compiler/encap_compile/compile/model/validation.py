"""The headers of a packet that came in: every one is checked, from the outside in, to the inner packet."""

from __future__ import annotations

from typing import assert_never

from .. import ir
from . import checksum
from .header_options import read_options
from .packet import ETHER, HEADER, UDP
from .received import Received
from .run import Run

TAGS = (0x8100, 0x88A8)  # IEEE 802.1Q
VLAN = 0x0FFF
IPV4_LEAST = 20


class Refused(Exception):  # noqa: N818 - not an error: a packet's end
    """Why a packet is refused: a counter's last part."""


class Headers:
    """Those of an encapsulation, over `outer`. `protocol` is what the outermost header says that follows.

    Valid ones have an `inner` packet of that family, `inner_length` bytes by its own header, behind `overhead` bytes.
    """

    def __init__(
        self, run: Run, decapsulation: ir.Decapsulation, outer: ir.OuterHeader, extension: int, protocol: int
    ) -> None:
        self.run, self.d, self.outer, self.stack, self.protocol = run, decapsulation, outer, outer.stack, protocol
        self.received = Received(self.stack, run.data, extension)
        self.overhead = self.received.fixed + extension
        self.inner = ""
        self.inner_length = 0

    def validate(self) -> None:
        self._check_headers()
        self._find_inner(self._datagram())

    def there(self, size: int) -> None:
        """So many bytes must be there behind Ethernet's header."""
        if ETHER + size > len(self.run.data):
            raise Refused("truncated")

    def _check_headers(self) -> None:
        self.there(self.overhead + (IPV4_LEAST if self.d.inner_fixed else 0))
        for check in self.outer.checks:
            self._check(check)
        self._check_words(behind=False)
        if self.stack.variable is not None:
            self._check_variable(self.stack.variable)
        for own in self.d.checksums:
            self._check_sum(own)
        if isinstance(self.d.inner, ir.NamedByField) and self.d.inner.tagged:
            self._skip_tag(self.d.inner.field)
        self.there(self.overhead + IPV4_LEAST)
        if self.outer.checksum:
            self._check_sum(ir.ChecksumCheck(self.stack.layers[0].member, IPV4_LEAST, "header_checksum"))

    def _check_words(self, behind: bool) -> None:
        for check in self.d.checks:
            if behind == self.stack.is_behind(check.layer):
                self._check(check)

    def _check(self, check: ir.WordCheck) -> None:
        if self._differs(check):
            raise Refused(check.reason)

    def _check_sum(self, check: ir.ChecksumCheck) -> None:
        at = self.received.begins(check.layer)
        if not checksum.is_right(bytes(self.run.data[at : at + check.size])):
            raise Refused(check.reason)

    def _differs(self, check: ir.WordCheck) -> bool:
        raw = self.received.raw(check.layer, check.word)
        if isinstance(check.expected, ir.FromHost):
            host = self.run.machine.facts.host[check.expected.member]
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
            raise Refused(variable.reason)
        self.received.variable = size
        if variable.options is not None:
            reason = read_options(self.received, variable, ETHER + self.overhead, self.run.machine.facts)
            if reason:
                raise Refused(reason)
        self.overhead += self.received.variable
        if self.stack.behind:
            size = sum(layer.size for layer in self.stack.behind)
            self.there(self.overhead + size)
            self._check_words(behind=True)
            self.overhead += size

    def _skip_tag(self, field: ir.ReceivedField) -> None:
        """A tag of VLAN 0 names no VLAN and carries a priority alone (IEEE 802.1Q, 6.9.1)."""
        self.next = self.received.number(field)
        if self.next not in TAGS:
            return
        self.there(self.overhead + 4)
        tag = self.run.data[ETHER + self.overhead :][:4]
        if int.from_bytes(tag[:2], "big") & VLAN:
            raise Refused("vlan")
        self.next = int.from_bytes(tag[2:4], "big")
        self.overhead += 4

    def _datagram(self) -> int:
        """The length of the outer datagram, with which all others must agree; the frame may be longer."""
        length = self.outer.length
        datagram = self.received.whole(length.layer, length.word) + (40 if length.payload else 0)
        if datagram > len(self.run.data) - ETHER or datagram < self.overhead + IPV4_LEAST:
            raise Refused("length")
        for check in self.d.lengths:
            layer = next(x for x in self.stack.layers if x.member == check.layer)
            before = self.received.begins(check.layer) - ETHER + (layer.size if check.payload else 0)
            if self.received.whole(check.layer, check.word) != datagram - before:
                raise Refused("length")
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
            raise Refused("payload")
        self.there(self.overhead + HEADER[self.inner])
        head = self.run.data[at : at + HEADER[self.inner]]
        if head[0] >> 4 != {"ipv4": 4, "ipv6": 6}[self.inner]:
            raise Refused("payload")
        if self.inner == "ipv4":
            self.inner_length = int.from_bytes(head[2:4], "big")
        else:
            self.inner_length = int.from_bytes(head[4:6], "big") + 40
        if self.run.frame.gso_size:
            # One outer header stands for all of it, or there are others in its payload.
            protocol = head[9] if self.inner == "ipv4" else head[6]
            whole = self.inner_length == len(self.run.data) - at
            if not whole or (self.d.in_udp and protocol == UDP):
                raise Refused("gso")
        if self.inner_length > datagram - self.overhead:
            raise Refused("length")
