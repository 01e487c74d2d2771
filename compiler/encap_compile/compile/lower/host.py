"""Host values: which members `struct host` has, and where each comes from on a machine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .. import ir
from ..resolved import HostReference, Resolved
from .stacks import host_value
from .structs import Entry, place, value_type

IDENTITY = "identity"
FLOW_SEED = "flow_seed"
CGROUP_LEVEL, CGROUP_LEVELS, CGROUPS, NETNS_COOKIE = "cgroup_level", "cgroup_levels", "cgroups", "netns_cookie"
ATTACHED, PACKET_NETNS, SOCKET_NETNS = "attached", "packet_netns_cookie", "socket_netns_cookie"
INITIAL_NETNS = "initial_netns"
LOOKUP_IFINDEX = "lookup_ifindex"
ROUTE_DEVICE, UPLINK_IFINDEX, REDIRECT_MARK = "route_device", "uplink_ifindex", "redirect_mark"
NO_TX_CHECKSUM = "no_tx_checksum"
MOST_ATTACHED = 64  # devices
COMMENTS = {
    NO_TX_CHECKSUM: "of NO_TX_CHECKSUM_IPV4 and _IPV6",
    FLOW_SEED: "secret, the same until the next boot",
    CGROUP_LEVEL: "of the attached cgroup: 0 is the hierarchy's root",
    CGROUP_LEVELS: "bit n: a row is found by a cgroup n levels below it",
    CGROUPS: "of an instance for a cgroup: those that it is, or lies in",
    NETNS_COOKIE: "of the sockets that are managed; 0: not known",
    ATTACHED: "of an instance for a cgroup: ifindexes of the devices whose packets come to our programs; 0: no more",
    PACKET_NETNS: "the same, where programs can ask a packet for it (6.13)",
    SOCKET_NETNS: "the same, where user space can ask for it (5.14)",
    LOOKUP_IFINDEX: "from where routes are looked up: lo, or the VRF that the device belongs to",
    ROUTE_DEVICE: "of the route device's own instance: its ifindex; 0: of another",
    UPLINK_IFINDEX: "the attached device, or of the route device's instance the first one",
    REDIRECT_MARK: "secret, the same until the next boot; never 0",
    INITIAL_NETNS: "1: it is the machine's first network namespace",
}


def lower_host(
    resolved: Resolved,
    stacks: Sequence[ir.Stack],
    egress: ir.EgressProgram,
    attribution: ir.Attribution | None,
    reads_mtu: bool,
    sends: bool,
) -> tuple[ir.HostMember, ...]:
    """The members of `struct host`, the widest alignment first, and which bundle this is at the end.

    `sends`: the program encapsulates.
    """
    host = _HostValues()
    if reads_mtu:
        host.add("mtu", "u32", f"{resolved.spec.attach[0].path[0]}.mtu")
    if sends:
        host.add(NO_TX_CHECKSUM, "u32", NO_TX_CHECKSUM)
    for stack in stacks:
        for use in resolved.encapsulations[stack.encapsulation].host:
            host.use(use.value, stack.outer_family, stack.name, use.own)
    for rule in resolved.ingress:
        if isinstance(rule.mark, HostReference):
            host.use(rule.mark, "ipv4")
    for name, type_ in _of_the_loader(resolved, egress, attribution):
        host.add(name, type_, name)
    return host.members()


def _of_the_loader(
    resolved: Resolved, egress: ir.EgressProgram, attribution: ir.Attribution | None
) -> Iterator[tuple[str, str]]:
    """What the loader knows by itself, and its type."""
    if egress.looks_up_routes:
        yield LOOKUP_IFINDEX, "u32"
    if egress.route_device:
        yield ROUTE_DEVICE, "u32"
        yield UPLINK_IFINDEX, "u32"
        yield REDIRECT_MARK, "u32"
    if resolved.learning or attribution:
        yield FLOW_SEED, "u32"
    if attribution is None:
        return
    if attribution.levels:
        yield CGROUP_LEVEL, "u32"
    if attribution.rows_by_cgroup:
        yield CGROUP_LEVELS, "u32"
    if attribution.rules or attribution.connects:
        yield CGROUPS, "u64"
        yield NETNS_COOKIE, "u64"
    if attribution.guard:
        yield ATTACHED, f"u32x{MOST_ATTACHED}"
        yield PACKET_NETNS, "u64"
    if attribution.guard and attribution.marks:
        yield SOCKET_NETNS, "u64"
        yield INITIAL_NETNS, "u32"


class _HostValues:
    """Collects the host values that the program reads."""

    def __init__(self) -> None:
        self._found: dict[str, tuple[str, str, str, set[str]]] = {}  # member -> type, source, family, stacks
        self._own: set[str] = set()  # members that are outer sources

    def use(self, value: HostReference, family: str, stack: str = "", own: bool = False) -> None:
        """What a stack of outer `family` refers to; `own` if it is the outer source."""
        found = host_value(value, family)
        self.add(found.member, found.type, ".".join(value.path), found.family, stack)
        if own:
            self._own.add(found.member)

    def add(self, member: str, type_: str, source: str, family: str = "", stack: str = "") -> None:
        known = self._found.setdefault(member, (type_, source, family, set()))
        known[3].add(stack)

    def members(self) -> tuple[ir.HostMember, ...]:
        entries = [Entry(name, value_type(type_)) for name, (type_, *_) in self._found.items()]
        entries.sort(key=lambda e: -e.type.align)
        return tuple(self._member(member) for member in place([*entries, Entry(IDENTITY, value_type("bytes32"))]))

    def _member(self, member: ir.StructMember) -> ir.HostMember:
        if member.name == IDENTITY:
            return ir.HostMember(member, "which bundle this is: for `encapctl status`", IDENTITY)
        if member.name not in self._found:
            return ir.HostMember(member, "", "")
        _, source, family, stacks = self._found[member.name]
        comment = COMMENTS[source] if member.name in COMMENTS else f"host.{source}"
        needed_by = tuple(sorted(stack for stack in stacks if stack))
        return ir.HostMember(member, comment, source, family, needed_by, member.name in self._own)
