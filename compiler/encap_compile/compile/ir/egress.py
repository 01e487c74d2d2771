"""What leaves: rules, and the stacks that they put in front of a packet."""

from ipaddress import IPv4Network, IPv6Network
from typing import NamedTuple

from .conditions import Condition
from .layouts import Stack


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


class TunnelEndpoint(NamedTuple):
    """Where outer packets go: addresses in a map, one address as C, prefixes, or anywhere (none of them).

    `family` is empty where both occur. The prefixes are those of an ingress rule's `from`: `rule` is its name.
    """

    family: str
    map: str = ""
    ctype: str = ""  # of the map's key
    value: str = ""  # host.MEMBER or a constant
    prefixes: tuple[IPv4Network | IPv6Network, ...] = ()
    rule: str = ""


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
    tunnel_endpoints: tuple[TunnelEndpoint, ...]
    fits: bool  # answers to what came in by a tunnel
    fragments: bool  # a rule or a key asks for what later fragments do not show
    link_local: tuple[str, ...]
    discovery: bool  # the rules could catch IPv6 neighbour discovery, which passes before them

    @property
    def needed(self) -> bool:
        """Whether it does anything: without rules, letting everything pass needs no program."""
        return bool(self.rules) or self.default == "drop"
