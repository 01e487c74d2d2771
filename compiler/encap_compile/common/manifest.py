"""The manifest: what the loader and the reviewer need to know of a bundle, as `manifest.json`.

The compiler writes it (`lower` decides it, `bundle` adds hashes and the toolchain); `encapctl` reads it and needs
nothing else: no spec, no templates, no clang. All offsets and sizes are bytes; those that follow from what
stands before are not written, see `manifest_places`.

The file format is versioned by `FORMAT_VERSION`, MAJOR.MINOR. A loader ignores members that it does not know, and
refuses another major version; what it may not ignore has a name in `requires`, see `requirements`.
"""

# Annotations are not postponed here: `manifest_io` reads documents by them, and evaluating texts would take longer.

from collections.abc import Callable
from dataclasses import field
from typing import Any

from .record import Record

FORMAT_VERSION = "1.1"  # with every new member the minor version goes up by one, once a release
LATER = {"later": True}


def later(default: str | int | None) -> Any:
    """A member that the first release had not. With its default it is not written, so that old manifests keep their
    identity."""
    return field(default=default, metadata=LATER)


def later_of(factory: Callable[[], Any]) -> Any:
    """The same for what is made again for each record."""
    return field(default_factory=factory, metadata=LATER)


class Member(Record):
    """A member of a map's key or value, or of the host values.

    `type` says how a value is written into the bytes:
      u8 to u64      host byte order, as wide as `size` (u24 is kept in a u32; dscp and protocol are u8; mark is u32)
      be16           network byte order (ports in keys)
      ipv4, ipv6     the address in network byte order, 4 or 16 bytes
      ip             16 bytes: IPv6, or IPv4 mapped (::ffff:a.b.c.d)
      mac            6 bytes as on the wire
      prefixlen      u32, host order, first member of an LPM key: significant *bits of all that follows it*
      rowid          u32: FNV-1a (32 bit) of the row's name in UTF-8
      stack          u32: which layout of headers this row takes, see `Table.stacks`
      cgroup         u64, host order: a cgroup's number in the kernel, which is its directory's inode
      bytes          raw bytes (the bundle's identity)
      u32s           several u32 in host byte order, as many as fit
      pad            zero bytes
    """

    name: str
    type: str
    offset: int
    size: int


class Layout(Record):
    """A C struct: its size and members, without gaps (padding is a member)."""

    size: int
    members: tuple[Member, ...]


class KeyColumn(Record):
    """A column of the table's key as a person writes it in a row."""

    name: str  # destination, source, protocol, destination_port, source_port, dscp, mark, cgroup, received.vxlan.vni
    type: str  # prefix, address, protocol, port, dscp, cgroup, u8 to u32, u64
    families: tuple[str, ...] = ()  # of prefix and address: ipv4, ipv6 or both (then IPv4 is written mapped)
    prefix_lengths: tuple[int, ...] = ()  # promised by `shape`; empty: any


class Stack(Record):
    """One fixed layout of outer headers: an encapsulation with its outer family decided."""

    id: int
    name: str  # vxlan_ipv4: as in the C
    encapsulation: str
    outer_family: str  # ipv4 or ipv6
    overhead: int  # bytes added to the inner IP packet, at most
    per_segment: str = later("")  # what forbids GSO packets behind it, as udp_2.length
    least_overhead: int = later(0)  # without parts of variable length; 0: `overhead`, there are none


class Table(Record):
    """A table of endpoints and the map that holds its rows.

    `columns` and `fields` are what a row may say, typed as in the spec; `key` and `value` are the map's bytes.
    A row's stack is found by its encapsulation and the family of its `family_field` (empty: only one stack each).
    """

    name: str
    map: str  # the map's name in the object; empty when the rows are compiled in
    kind: str  # hash, lpm, fixed
    capacity: int  # rows
    columns: tuple[KeyColumn, ...]  # empty: rows are found by name
    fields: dict[str, str]  # name -> ip, ipv4, ipv6, mac, u8 to u32, u64, port, dscp
    encapsulations: tuple[str, ...]  # which a row may take
    family_field: str  # the field that is the outer destination, if its family decides the stack
    stacks: tuple[Stack, ...]
    key: Layout
    value: Layout
    file: str  # the rows, in the bundle; empty when compiled in
    needs: dict[str, tuple[str, ...]] = field(default_factory=dict)
    # encapsulation -> the fields that its rows must fill; of one that is not here: all fields


class SourceSet(Record):
    """A map of outer sources that may send to us: the values of one field of a table."""

    map: str
    table: str
    field: str
    key: Layout  # one member: ip, ipv4 or ipv6; the value is a u32, 1
    capacity: int


class PrefixSet(Record):
    """A long prefix list, kept in an LPM map. The file has one prefix a line."""

    map: str
    name: str
    file: str
    families: tuple[str, ...]
    key: Layout
    capacity: int


class HostDeclaration(Record):
    """`host:` of the spec. `default` is as written, `uplink.address`, or empty."""

    name: str
    type: str
    default: str


class HostMember(Record):
    """Where a host value goes in `struct host` (section .rodata.host, one per attached device).

    `source` is NAME for a value, DEVICE.mac, DEVICE.mtu, DEVICE.ifindex for an attribute of the attached device, or one
    of the words that the loader knows, if the member does not begin with `value_`: `identity`, `flow_seed`, for sockets
      cgroups        u64: of the instance for a cgroup, the named cgroups that it is or lies within, by their bits
      cgroup_level   u32: how deep the attached cgroup lies in the kernel's hierarchy; 0 is its root
      cgroup_levels  u32: bit n is set if a row is keyed by a cgroup n levels below the attached one
      netns_cookie   u64: SO_NETNS_COOKIE of this network namespace; 0 where the kernel does not tell programs (5.15)
      attached       u32s: of the instance for a cgroup, the ifindexes of the devices whose packets come to our programs
      packet_netns_cookie  u64: as netns_cookie; 0 where programs cannot ask a packet's socket for it (6.13)
      socket_netns_cookie  u64: as netns_cookie; 0 where only programs could tell it (5.14)
      initial_netns  u32: 1 in the machine's first network namespace
    and where next hops are looked up
      lookup_ifindex u32: the device from which routes are looked up: lo, or the VRF that the attached device belongs to
    and where there is a route device
      route_device   u32: of its own instance, its ifindex; in all others 0
      uplink_ifindex u32: the attached device; of the route device's instance, the first of them
      redirect_mark  u32: a secret until the next boot, the same in all instances, never 0
    In the instance for a cgroup, DEVICE.mtu is the smallest of all attached devices, and what else belongs to a device
    is zero. `family` picks one address of a value of type ip.
    `required_for` names what needs it: "stack:NAME" (rows of that stack), or empty for always. `own` says that it is
    an outer source: an address of ours, by which what is encapsulated already is known.
    """

    member: Member
    source: str
    family: str = ""
    required_for: tuple[str, ...] = ()
    own: bool = False


class Reply(Record):
    """What came in by the stack `arriving` is answered by the first of `stacks` whose host addresses are there."""

    arriving: str
    stacks: tuple[str, ...]


class Counter(Record):
    """A member of `struct counters` in the per-CPU array map `counters`: packets and bytes, two u64.

    In a map of several entries `offset` is over all of them: the entry is `offset // Manifest.counters_size`.
    Packets are counted as segments on the wire; bytes are those of the inner IP packets.
    """

    name: str  # as in the C struct
    offset: int
    kind: str  # chosen, passed, dropped, refused, decapsulated, flows, connect, noted (beside another)
    text: str  # what happened, for people
    place: str  # part of the spec that asks for it, as `egress.rules.web`, or empty
    formerly: str = later("")  # what the first release called it: what was counted by that name is this counter's
    was: tuple[str, ...] = later_of(tuple)  # its other earlier names, as of a rule before it was renamed: the same
    # What it counts, by its parts. Bundles of earlier releases do not say it: all are empty then.
    direction: str = later("")  # egress, ingress, connect (sockets), flows (records of flows)
    rule: str = later("")  # empty: of no one rule
    table: str = later("")  # that was looked up
    encapsulation: str = later("")  # empty: of none, or of several
    outcome: str = later("")  # what became of it: encapsulated, dropped ..., see `ir.Outcome`
    reason: str = later("")  # why, if not by the rule itself
    struct: str = later("")  # the struct of the C library within which it stands, see `Manifest.counter_structs`


class Hooked(Record):
    """A program of the object and where it goes: to every attached device, or to every cgroup that has the hook."""

    program: str  # the C function
    hook: str  # tc_egress, tc_ingress, cgroup_listen, cgroup_setsockopt ...: see `hooks.HOOKS`
    section: str


class Cgroup(Record):
    """A cgroup that the spec names. It may come and go while the programs run: until it is there, it is pending."""

    path: str  # below the attached one, as `system.slice/nginx.service`; empty: the attached one itself
    bit: int  # its place in a set of cgroups, 0 to 62; 63 says that rows are found by one
    hooks: tuple[str, ...]  # of those of a cgroup, where programs go: its sockets may choose, or rules match by it
    place: str  # part of the spec, as `egress.rules.web`


class TunnelPort(Record):
    """A UDP port on which the bundle decapsulates what the kernel's GRO merges, while a device of that `kind` is up
    there."""

    kind: str  # vxlan, geneve: as rtnetlink calls such devices
    port: int
    families: tuple[str, ...]  # of the outer headers: ipv4, ipv6


class RuleSummary(Record):
    """A rule as `plan` and `status` show it, and what `plan` must prove about it on the machine."""

    name: str
    direction: str  # egress or ingress
    text: str
    place: str  # part of the spec, as `egress.rules.web`; in bundles of the first releases FILE:LINE
    destinations: tuple[str, ...] = ()  # prefixes that it sends into an encapsulation; plan checks their routes
    table: str = ""
    row: str = ""
    digest: str = ""  # of the rule's meaning: a changed rule has another digest
    action: str = later("")  # encapsulate, socket, reflect, pass, drop; decapsulate; choose. Empty: not told
    match: dict[str, tuple[str, ...]] = later_of(dict)
    # What a packet must be, word for word of the spec, numbers and ranges (`8000-8999`) in decimal; `destination` only
    # where `destinations` has none; of an ingress rule `received` alone: the signatures of its stacks.
    on_miss: str = later("")  # egress: drop, next, pass; ingress: drop, pass, for what fits no rule
    more_tables: tuple[str, ...] = later_of(tuple)  # whose rows a socket may choose, besides `table`
    fits_tcp: bool = later(False)  # the MSS of its TCP connections is lowered, so that their segments fit
    was: str = later("")  # its name before, whose totals it continues


class Route(Record):
    """What is routed to the route device for one rule.

    `table`: the destinations of its rows that lie within `prefixes`; empty: all of `prefixes`. Of these, `passed` are
    not: what earlier rules pass, and link-local addresses.
    """

    rule: str
    table: str
    prefixes: tuple[str, ...]
    passed: tuple[str, ...] = ()


class RouteDevice(Record):
    """A device of ours that inner prefixes are routed to.

    It has an instance of its own of the `egress` program, and of `ingress`, which drops what `egress` did not redirect
    there. `overhead` is the most that the headers of a routed rule add to a packet.
    """

    name: str
    egress: str  # functions of the object
    ingress: str
    overhead: int
    routes: tuple[Route, ...]


class Toolchain(Record):
    name: str  # "clang"
    version: str
    source: str  # "pinned" or "chosen"
    flags: tuple[str, ...]


class Inputs(Record):
    """What the bundle was made from, but for the text of the spec and rows: those change where nothing else does."""

    spec: str  # the last part of its path
    compiler: str  # version
    compiler_sha256: str  # of the compiler's own code, templates and schemas
    spec_sha256: str = later("")  # the first two releases had the hashes of the spec and of the files that it names
    files: dict[str, str] = later_of(dict)


class Manifest(Record):
    format_version: str  # MAJOR.MINOR; of the first two releases `1`, read as 1.0
    name: str
    summary: str
    identity: str  # SHA-256 over the C, the headers and this manifest but inputs and files: what was reviewed
    kernel: str  # oldest kernel, "5.10"
    features: dict[str, str]  # feature -> kernel since
    next_hop: str  # keep or route
    host: tuple[HostDeclaration, ...]
    attach: tuple[str, ...]  # host value names of type device or devices
    host_layout: Layout
    host_members: tuple[HostMember, ...]
    tables: tuple[Table, ...]
    source_sets: tuple[SourceSet, ...]
    prefix_sets: tuple[PrefixSet, ...]
    own_addresses: str  # map of every own outer source, key ip; empty when not needed
    counters_size: int  # bytes of each value of their map
    counters: tuple[Counter, ...]
    stacks: tuple[Stack, ...]
    rules: tuple[RuleSummary, ...]
    programs: tuple[Hooked, ...]
    max_overhead: int
    toolchain: Toolchain
    inputs: Inputs
    files: dict[str, str] = field(default_factory=dict)  # C, headers and object -> SHA-256; data: `data_hashes`
    flows: tuple[str, ...] = ()  # what the table of flows keeps of a packet: members in their order, and stacks
    cgroup: str = ""  # where sockets are managed: a path in the cgroup2 hierarchy that begins with `/`, or host.NAME
    cgroups: tuple[Cgroup, ...] = ()
    cgroup_map: str = ""  # hash: a cgroup's number (u64) -> its bits (u64), without those of the ones it lies in
    # With room for more than are named, that map keeps numbers of cgroups that are gone: their sockets may still send.
    contract: tuple[str, ...] = ()  # files for applications that choose; not part of the code, and so of the identity
    replies: tuple[Reply, ...] = ()  # of every rule that reflects
    signatures: dict[str, str] = later_of(dict)
    # By stack, what it is known by on receive: outer family, IP protocols, UDP port (`ipv4 17 4789`)
    boot: str = later("")  # closed: until apply, what rules encapsulate by literal prefixes has no route
    sockets: str = ""  # the map of what sockets have chosen, of the same layout in every version
    program: str = later("")  # SHA-256 over what runs, see `program_hash`; the first two releases have none

    @property
    def runs(self) -> str:
        """What programs say that they are: it differs only where something else runs."""
        return self.program or self.identity

    requires: tuple[str, ...] = later_of(tuple)  # what a loader must know: names of `requirements.FEATURES`
    needs_release: str = later("")  # the oldest release of encapctl that can apply it
    counters_entries: int = later(0)  # of the map of counters, if it has several; 0: it has one
    tunnel_ports: tuple[TunnelPort, ...] = later_of(tuple)
    gro: str = later("")  # device: apply makes a device for each of these ports
    counter_structs: dict[str, int] = later_of(dict)  # members of `struct counters` that are structs: name -> bytes
    route_device: RouteDevice | None = later(None)
