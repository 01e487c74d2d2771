"""What a protocol header is, as data.

One description per protocol (in `headers/protocols/`, one file each) gives the C struct and its constants, the folded
checksum base, the overhead, the reference encoder, the checks on receive and the documentation diagram. Nothing in
the generator names a protocol: it reads roles.

All bit widths are in bits, in wire order, most significant first; all numbers are in host order until encoded.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field
from enum import StrEnum
from types import MappingProxyType

from ...common.record import Record

# RFC 6335, section 6: the dynamic ports, which RFC 7348 recommends for the outer source port.
DYNAMIC_PORTS = (49152, 65535)


class Receive(StrEnum):
    """What decapsulation does with a field of a received header."""

    MATCH = "match"  # must be what we would have sent
    IGNORE = "ignore"  # may be anything
    EXCHANGE = "exchange"  # must be what we would have sent in the field `peer`
    VERIFY = "verify"  # must be right in itself: a length, a checksum


class Space(StrEnum):
    """Number spaces that several protocols use to name the next header. A protocol's own is any other word."""

    ETHERTYPE = "ethertype"  # IEEE 802
    IP_PROTOCOL = "ip_protocol"  # IANA protocol numbers
    UDP_PORT = "udp_port"  # IANA service ports


class Constant(Record):
    """Fixed by the protocol."""

    value: int


class Reserved(Record):
    """Sent as zero. On receive ignored or matched, as the protocol's text says."""


class FromSpec(Record):
    """Set by the spec: a literal, a reference, or one of `keywords`.

    `default` is used when the spec says nothing: a literal, a keyword, or None when the spec must say it (or, with
    `optional`, when silence means that the field is left out of the header).
    `identifies` marks a tenant, key or tunnel id: one that varies by row must be named by a `lookup` on receive.
    `bare` is the value with which the header has no bytes at all: an IP packet stands in its place.
    """

    type: str  # ipv4, ipv6, mac, bit, u1 to u32, port, dscp, keyword: no wider than the field
    default: int | str | None = None
    keywords: tuple[str, ...] = ()
    optional: bool = False
    identifies: bool = False
    minimum: int = 0
    bare: int | None = None


class NextProtocol(Record):
    """Names what follows, as a number of `space`. With `settable`, the spec may give another number.

    `numbers` are those of a space of the header's own, by the names of headers: `{"ipv4": 1, "ipv6": 2}`.
    `tagged`: a receiver takes an 802.1Q tag of VLAN 0, which carries a priority alone, before the inner packet.
    """

    space: str  # of `Space`, or a word of the header's own
    settable: bool = False
    tagged: bool = False
    numbers: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))


class Presence(Record):
    """A flag bit: one if the optional field `of` is in the header."""

    of: str


class Length(Record):
    """A length in `unit` bytes.

    `extent`: "header" (this header, with its variable-length part if it has one), "variable" (that part alone),
    "datagram" (this header and all that follows), "payload" (all that follows it). The last two differ between the
    segments of a GSO packet: the kernel writes those of IP and UDP, and another is right only with segmentation off.
    """

    extent: str
    unit: int = 1


class Scope(StrEnum):
    """What a checksum covers."""

    HEADER = "header"  # this header alone: IPv4's
    PAYLOAD = "payload"  # this header and all that follows: GRE's
    PSEUDO_HEADER = "pseudo_header"  # the same, and of the IP header before it addresses, protocol and length: UDP's


class InternetChecksum(Record):
    """RFC 1071 over what `scope` says. `zero_is_none`: a sum of zero is sent as all ones, since zero says that there is
    none (RFC 768)."""

    scope: Scope = Scope.HEADER
    zero_is_none: bool = False


class Ecn(Record):
    """The two ECN bits, by RFC 6040 normal mode: outer = inner on encapsulation, combined on decapsulation."""


class Opaque(Record):
    """A variable-length part of whole 32-bit words, `most` bytes at most, that means something to the ends alone.

    A spec can reflect it unchanged; one that does not name it has none, and refuses packets that have.
    """

    most: int


class Options(Record):
    """A variable-length part of options, `most` bytes of them: each a head of 32 bits, then data of whole 32-bit words.

    `head` describes a head: `class` and `type`, which say what the option is, and at the end a Length of what follows
    it. Who does not know an option whose type has the bit `critical` must refuse the packet; others are passed over.
    A spec lists those that it sends, and without which it takes nothing.
    """

    most: int
    head: Word
    critical: int


class Critical(Record):
    """A flag bit: one if an option of the variable-length part is critical."""


Role = (
    Constant
    | Reserved
    | FromSpec
    | NextProtocol
    | Presence
    | Length
    | InternetChecksum
    | Ecn
    | Opaque
    | Options
    | Critical
)


class Field(Record):
    """A field of a header. `peer` is the counterpart for `Receive.EXCHANGE`.

    `refusal` names the counter for received packets in which the field is wrong; empty: its word's.
    """

    name: str
    bits: int
    role: Role
    doc: str
    receive: Receive = Receive.MATCH
    peer: str = ""
    refusal: str = ""

    @property
    def settable(self) -> bool:
        """Whether a spec may give it a value."""
        return isinstance(self.role, FromSpec | Opaque) or (isinstance(self.role, NextProtocol) and self.role.settable)

    @property
    def required(self) -> bool:
        """Whether a spec must give it a value."""
        return isinstance(self.role, FromSpec) and self.role.default is None and not self.role.optional

    @property
    def type(self) -> str:
        """The value type for a spec; empty when not settable."""
        if isinstance(self.role, FromSpec):
            return self.role.type
        if isinstance(self.role, Opaque):
            return "bytes"
        return "port" if self.settable else ""

    @property
    def keywords(self) -> tuple[str, ...]:
        return self.role.keywords if isinstance(self.role, FromSpec) else ()


class Word(Record):
    """A member of the C struct: one or more fields that share an 8, 16 or 32-bit integer, an address, or bytes.

    `refusal` names the counter for received packets in which the word is wrong; empty: HEADER_WORD.
    """

    name: str
    fields: tuple[Field, ...]
    refusal: str = ""

    @property
    def bits(self) -> int:
        return sum(f.bits for f in self.fields)

    @property
    def size(self) -> int:
        """Bytes."""
        return self.bits // 8

    @property
    def optional_field(self) -> str:
        """The optional field whose presence decides the word's, or empty."""
        for f in self.fields:
            if isinstance(f.role, FromSpec) and f.role.optional:
                return f.name
        return ""

    def shift(self, name: str) -> int:
        """How far left the field stands in the word's integer (host order)."""
        after = 0
        for f in reversed(self.fields):
            if f.name == name:
                return after
            after += f.bits
        raise KeyError(name)


class Header(Record):
    """A protocol header.

    `announced_as`: the number that names it in each space; the catalogue adds those of `NextProtocol.numbers`.
    `carries`: header names that may follow when no field names the next one; empty with a `NextProtocol` field:
    whatever its space can name, the inner IP packet included.
    `variable` is its variable-length part, behind the words: how long it is differs by packet.
    `merged_by`: the kind of the kernel's tunnel devices that, on a UDP port, have GRO merge what this header carries.
    """

    name: str
    title: str
    reference: str
    words: tuple[Word, ...]
    announced_as: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    carries: tuple[str, ...] = ()
    doc: str = ""
    variable: Field | None = None
    merged_by: str = ""

    def fields(self) -> Iterator[Field]:
        for word in self.words:
            yield from word.fields

    def everything(self) -> Iterator[Field]:
        """The fields of the words, and the variable-length part."""
        yield from self.fields()
        if self.variable is not None:
            yield self.variable

    def field(self, name: str) -> Field:
        for f in self.everything():
            if f.name == name:
                return f
        raise KeyError(f"{self.name}.{name}")

    def settable(self) -> dict[str, Field]:
        """The fields that a spec may set, in wire order."""
        return {f.name: f for f in self.everything() if f.settable}

    def variable_length(self) -> tuple[Word, Field] | None:
        """The field that says how long the variable-length part is, and its word."""
        extents = ("variable", "header") if self.variable is not None else ()
        counting = ((w, f) for w in self.words for f in w.fields if isinstance(f.role, Length))
        return next(((w, f) for w, f in counting if isinstance(f.role, Length) and f.role.extent in extents), None)

    def next_protocol(self) -> Field | None:
        """The field that names what follows."""
        return next((f for f in self.fields() if isinstance(f.role, NextProtocol)), None)

    def layout(self, given: Mapping[str, object]) -> tuple[Word, ...]:
        """The words present when the spec gives the fields `given`."""
        if self.is_bare(given):
            return ()
        return tuple(w for w in self.words if not w.optional_field or w.optional_field in given)

    def is_bare(self, given: Mapping[str, object]) -> bool:
        """Whether the header has no bytes when the spec gives these values."""
        for f in self.fields():
            if isinstance(f.role, FromSpec) and f.role.bare is not None:
                value = given.get(f.name, f.role.default)
                return value in (f.role.bare, str(f.role.bare))  # a spec may have it in quotes
        return False

    def may_precede(self, following: Header) -> bool:
        """Whether `following` can be named as this header's payload."""
        if self.carries:
            return following.name in self.carries
        names_next = self.next_protocol()
        if names_next is None or not isinstance(names_next.role, NextProtocol):
            return False
        return names_next.role.space in following.announced_as
