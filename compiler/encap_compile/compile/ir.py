"""The Program: everything decided, nothing optional, nothing to parse. Templates read only this and decide nothing.

`lower` builds it from a checked `Spec`. Names are C identifiers; widths are bits, sizes and offsets bytes; numbers
are in host byte order and become network order where the C says so. Named tuples, because as dataclasses they
would cost a fifth of a cold start; and annotations are not postponed, because a named tuple would compile each text.
"""

from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network
from typing import NamedTuple

# ---- where the value of an outgoing field comes from ----------------------------------------------------------------


class Literal(NamedTuple):
    """Known when compiling. `place` is the path in the spec that says so, empty for what the protocol fixes."""

    value: int
    place: str = ""


class FromHost(NamedTuple):
    """A member of `struct host`, of a value type: addresses are in network order, numbers in host order."""

    member: str
    type: str


class FromRow(NamedTuple):
    """A member of the table's row, or of what was learned. `mapped` picks the IPv4 address out of an IPv4-mapped one.

    `received` is the HEADER.FIELD that it was learned from.
    """

    member: str
    type: str
    mapped: bool = False
    received: str = ""


class FromFlow(NamedTuple):
    """A hash of the inner flow: a port in [first, last], or with `last` 0 the low bits as they are."""

    first: int
    last: int


class FromInner(NamedTuple):
    """Copied from the inner packet: dscp, ecn or ttl."""

    what: str


class ByInnerFamily(NamedTuple):
    """The number of `space` that names the inner packet, which may be of either family."""

    ipv4: int
    ipv6: int
    space: str = ""


class LengthFrom(NamedTuple):
    """The inner packet's length plus the headers from the beginning of `layer` on, or with `payload` from behind it."""

    layer: str
    payload: bool


class HeaderChecksum(NamedTuple):
    """RFC 1071 over the header; the constant words are folded into a base when compiling."""


Source = Literal | FromHost | FromRow | FromFlow | FromInner | ByInnerFamily | LengthFrom | HeaderChecksum


# ---- layouts -------------------------------------------------------------------------------------------------------


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


class NamedConstant(NamedTuple):
    name: str
    value: str
    comment: str


class ConstantGroup(NamedTuple):
    title: str
    constants: tuple[NamedConstant, ...]


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
    room_flags: tuple[str, ...]
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


# ---- conditions ------------------------------------------------------------------------------------------------------


class InPrefixes(NamedTuple):
    """The packet's address is in one of the prefixes. Both families may occur. `sets` are where some came from."""

    member: str  # source, destination
    prefixes: tuple[IPv4Network | IPv6Network, ...]
    sets: tuple[str, ...] = ()


class PrefixSet(NamedTuple):
    """A list of prefixes that rules name."""

    name: str
    c_name: str
    prefixes: tuple[IPv4Network | IPv6Network, ...]


class InPrefixMap(NamedTuple):
    """The same for a long list, kept in an LPM map."""

    member: str
    map: str


class InRanges(NamedTuple):
    """A number of the packet is in one of the inclusive ranges.

    `member`: source_port, destination_port, protocol, dscp or mark. `unseen`: what a later fragment or an unreadable
    header chain, which shows no such number, counts as.
    """

    member: str
    ranges: tuple[tuple[int, int], ...]
    unseen: bool = False


class IsFamily(NamedTuple):
    family: str


class InCgroups(NamedTuple):
    """The packet's socket was made in one of the cgroups, or below. `names` are the constants of their bits."""

    names: tuple[str, ...]


Condition = InPrefixes | InPrefixMap | InRanges | IsFamily | InCgroups


# ---- maps ------------------------------------------------------------------------------------------------------------


class StructMember(NamedTuple):
    """A member of a generated struct. `ctype` as in C; `source` is the packet's member for keys."""

    name: str
    ctype: str
    comment: str = ""
    source: str = ""
    array: int = 0


class FixedRow(NamedTuple):
    """A row that is compiled in. `conditions` select it (or its name's id), `values` are its members' initialisers."""

    comment: str
    row_id: int
    row_name: str
    conditions: tuple[Condition, ...]
    values: tuple[tuple[str, str], ...]


class TableMap(NamedTuple):
    """A table of endpoints and how a packet finds its row.

    `name` is that in the C, behind the prefixes: `map` is the variable.
    `prefix_lengths`: for a hash with promised prefix lengths, the significant bits of the last key member to try,
    longest first; `prefix_bits` is that member's width. `exact_bits` is what precedes it in the key.
    """

    name: str
    kind: str  # hash, lpm, fixed
    place: str
    comment: str
    capacity: int
    key: tuple[StructMember, ...]
    row: tuple[StructMember, ...]
    prefix_lengths: tuple[tuple[str, int], ...]
    prefix_member: str
    mapped: bool
    exact_bits: int
    key_bits: int
    rows: tuple[FixedRow, ...]
    by_name: bool
    received: str  # the received field that is the key, as STACKLESS "vxlan.vni"; empty for egress tables

    @property
    def map(self) -> str:
        return f"table_{self.name}"


class AddressMap(NamedTuple):
    """A map of addresses: tunnel endpoints, our own sources, or a long prefix list."""

    name: str
    kind: str  # hash, lpm
    ctype: str  # of the address: __be32, struct ipv6_address, struct ip_address
    capacity: int
    comment: str
    table: str = ""  # whose addresses these are, and whose capacity it has


class LearnedField(NamedTuple):
    """A field of a received header that is kept in a member of `struct learned`."""

    member: str
    type: str
    layer: str
    word: str
    word_bits: int
    shift: int
    bits: int


class LearnedOption(NamedTuple):
    """An option whose data are kept in a member of `struct learned`."""

    member: str
    option: Option


class Learn(NamedTuple):
    """What an ingress rule keeps of a packet. `constant` begins the names of its number and its timeout.

    `directions`: replies (the answers to the packet) and forwarded (the packet itself, going on). `larger` names the
    overhead of a reply that grows by more than what came in; empty if none does. It is so for a host that has the
    addresses of all stacks in `guards`, for others it is `otherwise`.
    """

    constant: str
    directions: tuple[str, ...]
    fields: tuple[LearnedField, ...]
    options: tuple[LearnedOption, ...]
    tail: Tail | None  # which is kept too
    larger: str
    guards: tuple[str, ...] = ()
    otherwise: str = ""


# ---- programs --------------------------------------------------------------------------------------------------------


class Direction(StrEnum):
    """Where the counted packets go, or what else is counted."""

    EGRESS = "egress"
    INGRESS = "ingress"
    CONNECT = "connect"  # sockets, as they connect
    FLOWS = "flows"  # records of flows


class Outcome(StrEnum):
    """What became of what is counted."""

    ENCAPSULATED = "encapsulated"
    DECAPSULATED = "decapsulated"
    PASSED = "passed"
    DROPPED = "dropped"
    CONTINUED = "continued"  # went on to the next rule, which counts it too
    NOTED = "noted"  # beside the packet's outcome, which has a counter of its own
    SELECTED = "selected"  # a row for a socket
    UNSELECTED = "unselected"  # a socket keeps to the other rules
    LEARNED = "learned"
    CHANGED = "changed"
    DISBELIEVED = "disbelieved"
    EVICTED = "evicted"


class Counted(NamedTuple):
    """What a counter counts, by its parts. No two counters of a program have the same.

    `rule` and `encapsulation` are empty where it is not of one alone, `table` where no table was looked up.
    """

    direction: Direction
    outcome: Outcome
    rule: str = ""
    table: str = ""
    encapsulation: str = ""
    reason: str = ""  # why, if not by the rule itself; of refusals also words of headers, as `gre_key`


class CounterMember(NamedTuple):
    """A counter. `text` says what happened, `place` which part of the spec asked for it.

    `member` is where it stands in `struct counters`, as the C says it, `offset` the same in bytes.
    """

    name: str
    kind: str  # chosen, passed, dropped, refused, decapsulated, flows, connect, noted
    counts: Counted
    text: str
    place: str
    formerly: str = ""  # what the first release called it
    was: tuple[str, ...] = ()  # names of the counters of the rule's former name, this release's and the first's
    member: str = ""
    offset: int = 0


class CounterSlot(NamedTuple):
    """A member of `struct counters`: one counter, or a struct of those that the library itself counts in."""

    type: str  # counter, or the library's struct
    name: str
    comment: str


class PacketNeeds(NamedTuple):
    """What the rules want to know of the inner packet; the parser looks for nothing else.

    `families` are those that any rule can see. A member of `struct packet` exists only if its need is true.
    """

    families: tuple[str, ...]
    protocol: bool
    ports: bool
    dscp: bool
    ttl: bool
    mark: bool
    hash: bool
    length: bool  # of the inner packet, and where its transport header begins: to encapsulate
    flow: bool  # what tells its flow from others
    fragments: bool  # later fragments show what the first one did
    owner: bool  # what its socket says: cgroups, and what was chosen for it
    discovery: bool  # whether an IPv6 packet is neighbour discovery

    @property
    def both(self) -> bool:
        return len(self.families) == 2


class Signature(NamedTuple):
    """How a stack is told from other packets: the outer IP protocol, and for UDP the destination port.

    `protocols` has one number, or two where the protocol names the inner family. `port` is -1 without UDP.
    `own` is what our own outer source is.
    """

    family: str
    protocols: tuple[int, ...]
    port: int
    port_constant: str
    encapsulation: str


class TunnelEnd(NamedTuple):
    """Where outer packets go: addresses in a map, one address as C, prefixes, or anywhere (none of them).

    `family` is empty where both occur.
    """

    family: str
    map: str = ""
    ctype: str = ""  # of the map's key
    value: str = ""  # host.MEMBER or a constant
    prefixes: tuple[IPv4Network | IPv6Network, ...] = ()


class Choice(NamedTuple):
    """Rows of a table that a socket may choose: those whose constants are in `rows`, or with none all of them."""

    table: str
    constant: str  # of the table's number
    rows: tuple[str, ...]
    ids: tuple[int, ...]  # their values


class EgressRule(NamedTuple):
    """`action`: encapsulate, socket, reflect, pass or drop. `row_name` is set when the rule names its row.

    `choices` are what a socket may have chosen for the rule to take the packet.
    `learned` begins the names of the constants of the ingress rule that `reflect` names; `table` is then what
    dispatches to the stacks of the reply.
    """

    name: str
    c_name: str
    text: str
    place: str
    conditions: tuple[Condition, ...]
    action: str
    table: str
    row_name: str
    on_miss: str
    learned: str = ""
    choices: tuple[Choice, ...] = ()


def verb(action: str) -> str:
    """How functions for what a rule sends begin. A rule that reflects may be called like a table."""
    return "reflect" if action == "reflect" else "encapsulate"


class Encapsulator(NamedTuple):
    """A function that puts a stack in front of a packet, with the values of a row of a table.

    `case` is the constant by which the row says that it takes this stack. `clamp`: SYNs are made to fit, and `larger`
    names the overhead of what came in if that is more. `guarded`: only on a host that has the stack's own addresses; on
    others the next encapsulator of the same case takes its place.
    """

    function: str
    table: str
    stack: Stack
    row_type: str
    case: str
    clamp: bool = False
    larger: str = ""
    guarded: bool = False


class Answer(NamedTuple):
    """A rule that the answer to a packet may meet: `conditions` are those of the rule that the packet itself can tell.

    `overhead` names by how much the answer may grow; it is empty for rules that do not encapsulate. `final`: no answer
    that meets it goes on to the next rule.
    """

    name: str
    conditions: tuple[Condition, ...]
    overhead: str
    final: bool


class Fit(NamedTuple):
    """How TCP learns of the headers: by the MSS in SYN and SYN-ACK (RFC 9293, section 3.7.1).

    `answers`: what is asked for packets that come in. `remembers`: how long the headers were that a SYN came in, for an
    answer that leaves unencapsulated.
    """

    answers: tuple[Answer, ...]
    remembers: bool


class Dispatch(NamedTuple):
    """All stacks that a table's rows, or a rule's replies, may take; `by_row` when the row says which."""

    function: str
    table: str
    by_row: bool
    encapsulators: tuple[Encapsulator, ...]


class EgressProgram(NamedTuple):
    """`link_local`: the families whose link-local traffic a rule could catch, and which passes before the rules."""

    function: str
    families: tuple[str, ...]  # that the rules can see
    rules: tuple[EgressRule, ...]
    default: str
    default_place: str
    next_hop: str
    encapsulators: tuple[Encapsulator, ...]
    dispatches: tuple[Dispatch, ...]
    signatures: tuple[Signature, ...]
    tunnel_ends: tuple[TunnelEnd, ...]
    fits: bool  # answers to what came in by a tunnel
    fragments: bool  # a rule or a key asks for what later fragments do not show
    link_local: tuple[str, ...]
    discovery: bool  # the rules could catch IPv6 neighbour discovery, which passes before them

    @property
    def needed(self) -> bool:
        """Whether it does anything: without rules, letting everything pass needs no program."""
        return bool(self.rules) or self.default == "drop"


class CgroupBit(NamedTuple):
    """A cgroup that the spec names: `level` directories below the attached one."""

    constant: str
    path: str
    bit: int
    level: int
    hooks: tuple[str, ...]  # of those of a cgroup, where programs go
    place: str


class SocketTable(NamedTuple):
    """A table that sockets choose rows of. `overheads`: the case of each stack, and the name of its overhead."""

    name: str
    constant: str
    number: int
    overheads: tuple[tuple[str, str], ...]


class SocketRule(NamedTuple):
    """Which sockets may choose what: those made in the cgroups of these constants (with none: all that are managed)."""

    text: str
    place: str
    cgroups: tuple[str, ...]
    choices: tuple[Choice, ...]


class ConnectRule(NamedTuple):
    """What is `chosen` for sockets that connect, as TABLE/ROW, and the constants of both; empty for nothing.

    A choice is recorded with the `number` of the rule that made it, which `constant` names.
    """

    name: str
    c_name: str
    text: str
    place: str
    conditions: tuple[Condition, ...]
    chosen: str
    table_constant: str
    row_constant: str
    constant: str
    number: int


class Owners(NamedTuple):
    """Whose packets are whose, where rules ask for it. Without `rules` no socket may choose.

    `levels`: whether cgroups are asked for; `named_levels`: how far below the attached one those lie that rules name,
    and `rows_by_cgroup` if rows do too. `guard`: what rules encapsulate is dropped where it leaves by a device without
    our program; `marks`: sockets are marked for that when they are made, for kernels on which a packet does not tell
    its network namespace (before 6.13). `nests`: connect programs run in one cgroup and in another within it.
    `clamps_all`: a packet's cgroup alone may have it encapsulated. `mptcp`: a
    subflow's connection can be asked (5.19). `errno`: refusals have a number (5.18).
    """

    cgroups: tuple[CgroupBit, ...]
    levels: bool
    named_levels: tuple[int, ...]
    rows_by_cgroup: bool
    cgroup_capacity: int  # beside one for each row of `cgroup_tables`
    cgroup_tables: tuple[str, ...]
    tables: tuple[SocketTable, ...]
    rules: tuple[SocketRule, ...]
    connects: tuple[ConnectRule, ...]
    nests: bool
    clamps_all: bool
    encapsulates: bool
    guard: bool
    marks: bool
    mptcp: bool
    errno: bool


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


class HostMember(NamedTuple):
    """A member of `struct host`: C type, and where the value comes from for people."""

    name: str
    ctype: str
    comment: str
    array: int = 0


class Program(NamedTuple):
    name: str
    c_name: str
    titles: tuple[str, ...]  # a line for each encapsulation
    spec_file: str
    kernel: str
    compiler: str
    includes: tuple[str, ...]
    rooms: tuple[str, ...]  # headers of the library that read what the spec defines before them
    constants: tuple[ConstantGroup, ...]
    sets: tuple[PrefixSet, ...]
    stacks: tuple[Stack, ...]
    host: tuple[HostMember, ...]
    tables: tuple[TableMap, ...]
    address_maps: tuple[AddressMap, ...]
    counters: tuple[CounterMember, ...]
    counter_slots: tuple[CounterSlot, ...]
    packet: PacketNeeds
    egress: EgressProgram
    ingress: IngressProgram | None
    flows: FlowTable | None
    owners: Owners | None
    clamps: bool  # the MSS of the flows that are encapsulated
    fit: Fit | None


# ---- what applications see -------------------------------------------------------------------------------------------


class ContractRow(NamedTuple):
    """A row that sockets may choose and that is known when compiling.

    `text` is TABLE/ROW as it is chosen; `constant` is its name in C, behind the spec's own, and in Python.
    """

    text: str
    constant: str
    comment: str
    place: str


class ContractTable(NamedTuple):
    """A table of which sockets may choose rows. With a `file` there are more than `rows`: by their names."""

    name: str
    place: str
    comment: str
    file: str
    rows: tuple[ContractRow, ...]


class ContractRule(NamedTuple):
    """An egress rule that takes what the socket has chosen. `text` says which sockets may choose what, for people."""

    name: str
    text: str
    place: str


class ContractConnect(NamedTuple):
    """A connect rule that chooses. The status of a socket shows its `number`, which `constant` names."""

    name: str
    constant: str
    number: int
    text: str
    place: str


class SocketContract(NamedTuple):
    """What an application must know to choose. `reasons`: each refusal has an errno of its own (5.18), not EPERM."""

    name: str
    c_name: str
    titles: tuple[str, ...]  # a line for each encapsulation
    spec_file: str
    compiler: str
    level: int
    reasons: bool
    rules: tuple[ContractRule, ...]
    tables: tuple[ContractTable, ...]
    connects: tuple[ContractConnect, ...]
