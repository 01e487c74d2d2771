"""What comes in: how a stack is recognised and validated, and by which rule it is decapsulated."""

from ipaddress import IPv4Network, IPv6Network
from typing import NamedTuple

from .conditions import Condition
from .egress import Signature
from .layouts import Stack
from .learning import Learn
from .maps import StructMember
from .sources import ByInnerFamily, Source


class WordCheck(NamedTuple):
    """A word of a received header that must have a value. `mask` leaves out ignored bits (host order).

    `constant` and `mask_constant` are their names in the C; `mask_constant` is empty when every bit counts, `constant`
    when zero is expected. `fields` says which fields are compared, for people.
    """

    layer: str
    word: str
    bits: int
    mask: int
    expected: Source
    constant: str
    mask_constant: str
    fields: str
    reason: str


class LengthCheck(NamedTuple):
    """A received length, which must agree with the datagram's.

    It counts from the beginning of `layer`, or with `payload` from behind it.
    """

    layer: str
    word: str
    payload: bool


class IngressRule(NamedTuple):
    """`source_kind`: any, prefixes or map. `mark`: a number, `row.FIELD`, `host.MEMBER`, or empty."""

    name: str
    c_name: str
    text: str
    place: str
    source_kind: str
    source_prefixes: tuple[IPv4Network | IPv6Network, ...]
    source_map: str
    match: tuple[Condition, ...]
    lookup: str
    mark: str
    mark_place: str
    learn: Learn | None = None
    source_sets: tuple[str, ...] = ()


class FlowTable(NamedTuple):
    """The table of flows. `members` are what any of the `rules` learns; without rules, it holds facts of sockets alone.

    A bucket holds `ways` flows. A connection that is only being opened is kept for `opening` ns.
    """

    members: tuple[StructMember, ...]
    rules: tuple[IngressRule, ...]
    ways: int
    opening: int


class Identifier(NamedTuple):
    """The field of a received header that a lookup in `table` reads; without a `layer`, the option called `word`."""

    table: str
    layer: str
    word: str
    word_bits: int
    shift: int
    bits: int
    reason: str


class Mark(NamedTuple):
    """Bits of a received packet by which a stack is told from others of the same protocol and port.

    `offset` bytes behind the outermost header stands a word of `bits`, which has one of `values` under `mask`, both in
    host order.
    """

    offset: int
    bits: int
    mask: int
    values: tuple[int, ...]
    what: str


class Decapsulator(NamedTuple):
    """A function that checks a packet of a stack and takes the stack off.

    `marks` all hold for its packets, and for none of the stacks that are looked for after it.
    `next` names the inner packet: a number for each family. Without `next_layer` it is the inner packet's own version.
    `encapsulation_limit`: a destination option of RFC 2473 may stand behind the outer IPv6 header.
    `tagged`: a priority tag may stand between the last header and the inner packet.
    """

    function: str
    stack: Stack
    signature: Signature
    own_address: Source
    checks: tuple[WordCheck, ...]
    lengths: tuple[LengthCheck, ...]
    checksum_layer: str
    identifiers: tuple[Identifier, ...]
    rules: tuple[IngressRule, ...]
    next_layer: str
    next_word: str
    next_word_bits: int
    next_shift: int
    next_bits: int
    next_numbers: ByInnerFamily
    ecn_layer: str
    any_match: bool
    encapsulation_limit: bool
    tagged: bool
    marks: tuple[Mark, ...]
    learns: bool
    fragments: bool  # a match asks for what later fragments do not show


class IngressProgram(NamedTuple):
    """`family_change`: how a packet changes its family: `flags` of adjust_room (6.3) or `reinject`."""

    function: str
    refuse: str
    decapsulators: tuple[Decapsulator, ...]
    family_change: str
    clamps: bool = False  # the answers to what sockets and cgroups send encapsulated
    fits_plain: bool = False  # the answers that a rule encapsulates
