"""What comes in: by which rule it is decapsulated, and what is done with it afterwards."""

from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network
from typing import NamedTuple

from .conditions import Condition
from .layouts import Stack
from .learning import Learn
from .maps import StructMember
from .received import ChecksumCheck, InnerName, LengthCheck, ReceivedField, ReceivedOption, WordCheck
from .recognition import Recognition
from .sources import FromHost, FromRow, Literal


class AnySource(NamedTuple):
    """Anybody may send."""


class SourcePrefixes(NamedTuple):
    """Who has an address in one of the prefixes, IPv4's first; with none of a family, nobody of it.

    `sets` are where some came from.
    """

    prefixes: tuple[IPv4Network | IPv6Network, ...]
    sets: tuple[str, ...] = ()


class SourceMap(NamedTuple):
    """Whose address is in a map. `family` is the only one that the map has, where packets come over both."""

    map: str
    family: str


Senders = AnySource | SourcePrefixes | SourceMap


class IdentifierLookUp(NamedTuple):
    """The row of `table` for an identifier in the received headers. Without one, the packet is refused for `miss`."""

    table: str
    key: ReceivedField | ReceivedOption
    miss: str


class SetMark(NamedTuple):
    """The packet gets a mark: of the spec, of the row that was found, or of the machine."""

    value: Literal | FromRow | FromHost


IngressStep = IdentifierLookUp | SetMark | Learn


class IngressVerdict(StrEnum):
    """How a rule ends."""

    DECAPSULATE = "decapsulate"


class IngressRule(NamedTuple):
    """Takes packets of the `senders` that meet `match`, does the `steps` in order, and ends in `verdict`, which is
    counted as `counter`."""

    name: str
    c_name: str
    text: str
    place: str
    senders: Senders
    match: tuple[Condition, ...]
    steps: tuple[IngressStep, ...]
    verdict: IngressVerdict
    counter: str

    @property
    def lookup(self) -> IdentifierLookUp | None:
        return next((step for step in self.steps if isinstance(step, IdentifierLookUp)), None)

    @property
    def mark(self) -> SetMark | None:
        return next((step for step in self.steps if isinstance(step, SetMark)), None)

    @property
    def learn(self) -> Learn | None:
        return next((step for step in self.steps if isinstance(step, Learn)), None)


class FlowTable(NamedTuple):
    """The table of flows. `members` are what any of the `rules` learns; without rules, it holds facts of sockets alone.

    A bucket holds `ways` flows. A connection that is only being opened is kept for `opening` ns.
    """

    members: tuple[StructMember, ...]
    rules: tuple[IngressRule, ...]
    ways: int
    opening: int


class Refuse(NamedTuple):
    """No rule takes the packet: it is refused for `reason`."""

    reason: str


class RefuseBySource(NamedTuple):
    """It is refused for another reason if no rule lists its source than if none matches what it holds."""

    unlisted: str
    unmatched: str


Otherwise = Refuse | RefuseBySource


class Follows(StrEnum):
    """Whose later fragments are given what the first one showed, for rules that match ports."""

    NOBODY = "nobody"  # no rule asks
    ANYBODY = "anybody"
    LISTED = "listed"  # of sources that a rule lists


class Arrival(StrEnum):
    """What is done with a packet that has come in, whatever rule took it."""

    LEARN_PATH_MTU = "learn path MTU"  # an ICMP error about what was sent into a tunnel
    MOVE_TRANSPORT = "move transport"  # the parsed packet's transport header has moved
    FIT_SOCKETS = "fit sockets"  # the answers to what sockets and cgroups send encapsulated
    LEARN = "learn"  # what its rule keeps of it
    FIT_ANSWERS = "fit answers"  # those that a rule encapsulates
    REMEMBER_ARRIVAL = "remember arrival"  # how long the headers were, for answers that leave unencapsulated


class OuterHeader(NamedTuple):
    """What an encapsulation has to itself over one outer family: the outer header of `stack`, and its checks."""

    stack: Stack
    checks: tuple[WordCheck, ...]
    length: LengthCheck
    checksum: bool

    @property
    def family(self) -> str:
        return self.stack.outer_family


class Decapsulation(NamedTuple):
    """How packets of an encapsulation are validated, taken by a rule, and decapsulated: over all its outer families,
    which have the same headers behind the outer one.

    `checks`, `lengths` and `checksums` are those of the headers behind the outer one. `inner_fixed`: the inner
    packet is at one place in all packets, so its header is there or the packet is too short, before anything else is
    asked. `otherwise` is for packets that no rule takes, None where a rule takes all. `then` is done in this order.
    """

    encapsulation: str
    function: str
    place: str
    outers: tuple[OuterHeader, ...]
    recognitions: tuple[Recognition, ...]
    in_udp: bool
    checks: tuple[WordCheck, ...]
    lengths: tuple[LengthCheck, ...]
    checksums: tuple[ChecksumCheck, ...]
    inner_fixed: bool
    inner: InnerName
    parses: bool  # the inner packet
    follows: Follows
    rules: tuple[IngressRule, ...]
    otherwise: Otherwise | None
    then: tuple[Arrival, ...]

    @property
    def stack(self) -> Stack:
        """One of the stacks: what is behind the outer header is in all of them."""
        return self.outers[0].stack

    @property
    def learns(self) -> bool:
        return Arrival.LEARN in self.then


class OnRefusal(StrEnum):
    """What becomes of packets that are refused."""

    DROP = "drop"
    PASS = "pass"


class FamilyChange(StrEnum):
    """How a packet is made one of another family."""

    FLAGS = "flags"  # of bpf_skb_adjust_room (6.3)
    RECEIVE_AGAIN = "receive again"  # by header translation, and a GSO packet by receiving its frame once more


class IngressProgram(NamedTuple):
    """`before` is done with every packet. Then the outer header is read, of one of `families` with `seen` bytes behind
    it, and the first decapsulation that recognises the packet takes it."""

    function: str
    refuse: OnRefusal
    before: tuple[Arrival, ...]
    families: tuple[str, ...]
    seen: int
    decapsulations: tuple[Decapsulation, ...]
    family_change: FamilyChange

    @property
    def stacks(self) -> tuple[Stack, ...]:
        """Every stack that may come in."""
        return tuple(outer.stack for d in self.decapsulations for outer in d.outers)

    @property
    def rules(self) -> tuple[IngressRule, ...]:
        """Those of all decapsulations; a rule of an encapsulation whose families have different headers is in two."""
        return tuple(rule for d in self.decapsulations for rule in d.rules)
