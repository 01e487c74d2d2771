"""Host values: which members `struct host` has, and where each comes from on a machine."""

from __future__ import annotations

from .. import ir
from ..spec import Reference, Spec
from .stacks import host_value
from .structs import Entry, place, value_type

IDENTITY = "identity"
FLOW_SEED = "flow_seed"
CGROUP_LEVEL, CGROUP_LEVELS, CGROUPS, NETNS_COOKIE = "cgroup_level", "cgroup_levels", "cgroups", "netns_cookie"
ATTACHED, PACKET_NETNS, SOCKET_NETNS = "attached", "packet_netns_cookie", "socket_netns_cookie"
INITIAL_NETNS = "initial_netns"
MOST_ATTACHED = 64  # devices
COMMENTS = {
    FLOW_SEED: "secret, the same until the next boot",
    CGROUP_LEVEL: "of the attached cgroup: 0 is the hierarchy's root",
    CGROUP_LEVELS: "bit n: a row is found by a cgroup n levels below it",
    CGROUPS: "of an instance for a cgroup: those that it is, or lies in",
    NETNS_COOKIE: "of the sockets that are managed; 0: not known",
    ATTACHED: "of an instance for a cgroup: ifindexes of the devices whose packets come to our programs; 0: no more",
    PACKET_NETNS: "the same, where programs can ask a packet for it (6.13)",
    SOCKET_NETNS: "the same, where user space can ask for it (5.14)",
    INITIAL_NETNS: "1: it is the machine's first network namespace",
}


class HostValues:
    """Collects the host values that the program reads."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self._found: dict[str, tuple[str, str, str, set[str]]] = {}  # member -> type, source, family, stacks
        self._own: set[str] = set()  # members that are outer sources

    def device_mtu(self) -> None:
        device = self.spec.attach[0].path[0]
        self._add("mtu", "u32", f"{device}.mtu", "", "")

    def flow_seed(self) -> None:
        self._add(FLOW_SEED, "u32", FLOW_SEED, "", "")

    def cgroup_level(self) -> None:
        """How deep the attached cgroup lies."""
        self._add(CGROUP_LEVEL, "u32", CGROUP_LEVEL, "", "")

    def cgroup_levels(self) -> None:
        """How far below the attached cgroup those lie by which rows are found."""
        self._add(CGROUP_LEVELS, "u32", CGROUP_LEVELS, "", "")

    def cgroups(self) -> None:
        """Of an instance for a cgroup: which cgroups it is or lies in."""
        self._add(CGROUPS, "u64", CGROUPS, "", "")

    def netns_cookie(self) -> None:
        """Whose sockets are managed."""
        self._add(NETNS_COOKIE, "u64", NETNS_COOKIE, "", "")

    def guard(self, marks: bool) -> None:
        """What says whether a packet of a cgroup's socket leaves by a device without our program."""
        self._add(ATTACHED, f"u32x{MOST_ATTACHED}", ATTACHED, "", "")
        self._add(PACKET_NETNS, "u64", PACKET_NETNS, "", "")
        if marks:
            self._add(SOCKET_NETNS, "u64", SOCKET_NETNS, "", "")
            self._add(INITIAL_NETNS, "u32", INITIAL_NETNS, "", "")

    def add(self, reference: Reference, family: str, stack: str, own: bool = False) -> None:
        """A `host.` reference that a stack of outer `family` uses; `own` if it is the outer source."""
        found = host_value(reference, family, self.spec)
        self._add(found.member, found.type, ".".join(reference.path), found.family, stack)
        if own:
            self._own.add(found.member)

    def _add(self, member: str, type_: str, source: str, family: str, stack: str) -> None:
        known = self._found.setdefault(member, (type_, source, family, set()))
        known[3].add(stack)

    def lower(self) -> tuple[ir.HostMember, ...]:
        """The widest alignment first, and which bundle this is at the end."""
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
