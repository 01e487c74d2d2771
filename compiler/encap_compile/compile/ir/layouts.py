"""Stacks of headers: which words stand where, and what is in them."""

from typing import NamedTuple

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
    """An option in a tail, by its `name` in the spec; `member` holds its data, `words` of 32 bits.

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


class Tail(NamedTuple):
    """What stands behind the words of `layer` in a length that differs by packet.

    The layer's field at `shift` of `word` counts it in 32-bit words. `member` is its name in the C. Without `options`
    it is kept there as it is `received`. `behind` are the layers that follow it.
    """

    layer: str
    word: str
    word_bits: int
    shift: int
    bits: int
    most: int  # bytes
    member: str
    received: str
    behind: tuple[str, ...]
    fixed: int  # bytes before it
    options: Options | None = None


class Stack(NamedTuple):
    """An encapsulation with its outer family decided: one fixed layout. `name` is what the manifest calls it."""

    id: int
    name: str  # vxlan_ipv4
    c_name: str
    encapsulation: str
    outer_family: str
    overhead: int  # bytes
    layers: tuple[Layer, ...]
    tc_flags: tuple[str, ...]  # what bpf_skb_adjust_room is told of the headers
    per_segment: str  # what the kernel would write wrong in segments of a GSO packet, as udp_2.length; empty: nothing
    inner_families: tuple[str, ...]
    title: str  # "ipv4 / udp / vxlan / ethernet"
    place: str
    packed: bool  # a header stands where its members would not be aligned
    bare: bool  # nothing names the inner packet: its own version tells
    uses_hash: bool
    tail: Tail | None = None
    apart: bool = False  # the families of the encapsulation differ in what stands behind the outer header

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
        return self.headers_constant.replace("__HEADERS", "__FIXED") if self.tail else self.headers_constant

    @property
    def constant(self) -> str:
        """Its number; the names of the constants of the stack alone begin so too."""
        return f"STACK_{self.c_name}".upper()

    @property
    def overhead_constant(self) -> str:
        return f"{self.constant}__OVERHEAD"

    @property
    def most_overhead(self) -> int:
        """With the longest tail."""
        return self.overhead + (self.tail.most if self.tail and not self.tail.options else 0)
