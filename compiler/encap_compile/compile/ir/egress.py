"""What leaves: rules, and the stacks that they put in front of a packet."""

from enum import Enum, StrEnum
from typing import NamedTuple

from .conditions import Condition
from .layouts import Stack
from .own_stacks import OwnStacks, Paths
from .verdicts import Verdict


class Aside(Enum):
    """What is none for the rules."""

    OWN_STACK = "own stack"  # what this host has encapsulated already
    DISCOVERY = "neighbour discovery"
    LINK_LOCAL_IPV4 = "link-local IPv4"
    LINK_LOCAL_IPV6 = "link-local IPv6"


class PassedBefore(NamedTuple):
    """What passes before the rules see it: any of the kinds."""

    kinds: tuple[Aside, ...]
    counter: str


class NamedRow(NamedTuple):
    """A row that the spec names: in the C by a constant, in the map by the FNV-1a hash of its name."""

    name: str
    constant: str
    id: int


class ByKey(NamedTuple):
    """The row that the packet's own key finds."""

    table: str


class ByName(NamedTuple):
    """The row that the rule names."""

    table: str
    row: NamedRow


class ByChoice(NamedTuple):
    """The row that the packet's socket chose: one of `rows`, or with none any of the table. Nothing else is looked up.

    `constant` names the table's number.
    """

    table: str
    constant: str
    rows: tuple[NamedRow, ...]


Find = ByKey | ByName | ByChoice


class Miss(NamedTuple):
    """What becomes of a packet for which a look-up finds no row.

    `shown`: of one that shows all that the match and the key ask for. `hidden`: of one that does not, and may be one
    that is encapsulated. `keeps`: of those, a fragment whose first one was not seen is kept from leaving
    unencapsulated by a rule behind.
    """

    counter: str
    shown: Verdict
    hidden: Verdict
    keeps: bool


class LookUp(NamedTuple):
    """A step that finds a row. The dispatch `send` encapsulates with it; the packet is counted when it is sent.

    `skips_lost`: a fragment whose first one was not seen finds nothing, as it may be another rule's.
    """

    find: Find
    send: str
    counter: str
    skips_lost: bool
    miss: Miss


class Recall(NamedTuple):
    """A step that encapsulates with what an ingress rule learned of the packet's flow; if that is nothing, the next
    step decides. `rule` and `idle` are the constants of its number and its timeout."""

    rule: str
    idle: str
    send: str
    counter: str


Step = LookUp | Recall


class Ending(NamedTuple):
    """What becomes of a packet that no step of a rule has decided; the counter is empty if it is the next rule's."""

    verdict: Verdict
    counter: str


class EgressRule(NamedTuple):
    """A packet that meets all conditions goes through the steps in order; the first that decides ends it.

    `shared` are those of the conditions that are asked elsewhere too: of answers to packets, or at other hooks.
    """

    name: str
    c_name: str
    text: str
    place: str
    conditions: tuple[Condition, ...]
    shared: tuple[Condition, ...]
    steps: tuple[Step, ...]
    ending: Ending


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


class Dispatch(NamedTuple):
    """All stacks that a table's rows, or a rule's replies, may take; `by_row` when the row says which."""

    function: str
    table: str
    by_row: bool
    encapsulators: tuple[Encapsulator, ...]


class TooBig(StrEnum):
    """What becomes of a packet that does not fit with its headers. It is dropped, and:"""

    ICMP = "icmp"  # its sender is told what fits
    DROP = "drop"  # nothing


class NextHop(StrEnum):
    """Where an encapsulated packet goes."""

    KEEP = "keep"  # to the inner packet's neighbour
    ROUTE = "route"  # to the one on the route of the outer destination


class EgressProgram(NamedTuple):
    """What leaves: what passes before the rules, the rules in order, the default."""

    function: str
    families: tuple[str, ...]  # that the rules can see
    before: tuple[PassedBefore, ...]
    rules: tuple[EgressRule, ...]
    default: EgressRule  # the last rule, which every packet meets
    next_hop: NextHop
    encapsulators: tuple[Encapsulator, ...]
    dispatches: tuple[Dispatch, ...]
    own: OwnStacks | None  # None: nothing is encapsulated, or nothing that rules see
    too_big: TooBig
    paths: Paths | None  # None: their MTU is not learned
    route_device: str  # the function that guards the route device; empty: there is none
    fits: bool  # answers to what came in by a tunnel
    fragments: bool  # a rule or a key asks for what later fragments do not show

    @property
    def looks_up_routes(self) -> bool:
        """Whether it asks the kernel for the next hop of what it encapsulates."""
        return bool(self.encapsulators) and (self.next_hop is NextHop.ROUTE or bool(self.route_device))

    @property
    def needed(self) -> bool:
        """Whether it does anything: without rules, letting everything pass needs no program."""
        return bool(self.rules) or self.default.ending.verdict is Verdict.DROP
