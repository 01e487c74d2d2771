"""Stacks of headers: which words stand where, and what is in them."""

from typing import NamedTuple

from .received import ReceivedField
from .sources import Source


class Part(NamedTuple):
    """A field within a word: where it stands and where its value comes from."""

    name: str
    bits: int
    shift: int
    source: Source


class WordLayout(NamedTuple):
    """A member of a header's struct. `constant` is its name in the C when all parts are literal and not all zero."""

    name: str
    bits: int
    parts: tuple[Part, ...]
    constant: str


class Layer(NamedTuple):
    """One header of a stack, at its fixed offset from the first outer byte.

    `member` is its name in the stack: the header's, and with a number if the stack has an outer one of that name.
    """

    member: str
    struct: str
    header: str
    offset: int
    size: int
    words: tuple[WordLayout, ...]
    checksum_base: str  # name of the folded constant; empty without a checksum


class Option(NamedTuple):
    """An option of a header, by its `name` in the spec; `member` holds its data, `words` of 32 bits.

    The `constant` is its `head`: class, type and length.

    `reason` is what a packet is refused for in which it is wrong.
    """

    name: str
    member: str
    constant: str
    head: int
    words: int
    source: Source
    reason: str
    place: str


class Options(NamedTuple):
    """The options that a stack sends, in this order, and wants to receive, in any order. `struct` holds them.

    `length` and `critical` are bits of an option's head; `constant` begins their names. The upper 24 bits tell options
    apart.
    """

    struct: str
    options: tuple[Option, ...]
    constant: str
    length: int
    critical: int


class LengthField(NamedTuple):
    """The field that says how long a variable-length part is, in units of `unit` bytes.

    It counts `besides` bytes that are none of the part: the header's own words.
    """

    field: ReceivedField
    unit: int
    besides: int


class FixedSegment(NamedTuple):
    """Headers that follow each other without a gap: every word stands at a fixed place behind where they begin."""

    layers: tuple[Layer, ...]

    @property
    def sent(self) -> int:
        """Bytes."""
        return sum(layer.size for layer in self.layers)


class BoundedSegment(NamedTuple):
    """The variable-length part of the header before it, at most `most` bytes in what is received.

    `member` is its name in the C. Options are `sent` as the spec lists them. Without `options` the part means nothing
    to us, is kept as it is `received`, and sent back so. A `reason` is what packets are refused for whose length field
    says more than `most`, or less than there must be; empty if it cannot.
    """

    length: LengthField
    most: int
    member: str
    received: str
    sent: int = 0  # bytes; what is kept comes on top
    options: Options | None = None
    reason: str = ""

    @property
    def layer(self) -> str:
        """The header that it belongs to."""
        return self.length.field.layer


Segment = FixedSegment | BoundedSegment


class Stack(NamedTuple):
    """An encapsulation with its outer family decided. `name` is what the manifest calls it.

    Its `segments`, outermost first, are headers at fixed offsets and variable-length parts between and behind them.
    """

    id: int
    name: str  # vxlan_ipv4
    c_name: str
    encapsulation: str
    outer_family: str
    segments: tuple[Segment, ...]
    tc_flags: tuple[str, ...]  # what bpf_skb_adjust_room is told of the headers
    per_segment: str  # what the kernel would write wrong in segments of a GSO packet, as udp_2.length; empty: nothing
    inner_families: tuple[str, ...]
    title: str  # "ipv4 / udp / vxlan / ethernet"
    place: str
    packed: bool  # a header stands where its members would not be aligned
    bare: bool  # nothing names the inner packet: its own version tells
    uses_hash: bool
    apart: bool = False  # the families of the encapsulation differ in what stands behind the outer header

    @property
    def layers(self) -> tuple[Layer, ...]:
        """All headers, outermost first."""
        return tuple(layer for s in self.segments if isinstance(s, FixedSegment) for layer in s.layers)

    @property
    def variable(self) -> BoundedSegment | None:
        """The variable-length part; checks see to it that there is one at most."""
        return next((s for s in self.segments if isinstance(s, BoundedSegment)), None)

    @property
    def before(self) -> int:
        """Bytes of the headers before a variable-length part, or of all."""
        return self.segments[0].sent

    @property
    def behind(self) -> tuple[Layer, ...]:
        """The headers that follow a variable-length part."""
        return tuple(x for s in self.segments[1:] if isinstance(s, FixedSegment) for x in s.layers)

    def is_behind(self, member: str) -> bool:
        """Whether a header follows a variable-length part: then it has no fixed offset in what is received."""
        return any(layer.member == member for layer in self.behind)

    @property
    def overhead(self) -> int:
        """Bytes of what is sent, without what is kept of a variable-length part."""
        return sum(segment.sent for segment in self.segments)

    @property
    def most_overhead(self) -> int:
        """Bytes of what is sent, with the longest variable-length part that can be kept."""
        return sum(s.sent if isinstance(s, FixedSegment) or s.options else s.most for s in self.segments)

    @property
    def outer_size(self) -> int:
        """Bytes of the outermost header."""
        return self.layers[0].size

    @property
    def shared_name(self) -> str:
        """What both families of the encapsulation share is called by this name in the C."""
        name = self.c_name.removesuffix(f"_{self.outer_family}")
        return f"{name}__{self.outer_family}" if self.apart else name

    @property
    def shared_constant(self) -> str:
        return f"ENCAP_{self.shared_name}".upper()

    def outer_constant(self, name: str) -> str:
        """A value of the outermost header that the spec fixes, the same in both families."""
        return f"ENCAP_{self.c_name.removesuffix(f'_{self.outer_family}')}__IP_{name}".upper()

    @property
    def headers(self) -> str:
        """The struct of what stands behind the outermost header."""
        return f"headers_{self.shared_name}"

    @property
    def headers_constant(self) -> str:
        """How many bytes that is: the struct may be padded at its end."""
        return f"{self.shared_constant}__HEADERS"

    @property
    def fixed_constant(self) -> str:
        """How many of them there are at least: up to a variable-length part."""
        return self.headers_constant.replace("__HEADERS", "__FIXED") if self.variable else self.headers_constant

    @property
    def constant(self) -> str:
        """Its number; the names of the constants of the stack alone begin so too."""
        return f"STACK_{self.c_name}".upper()

    @property
    def overhead_constant(self) -> str:
        return f"{self.constant}__OVERHEAD"
