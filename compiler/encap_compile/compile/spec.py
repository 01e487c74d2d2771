"""The spec as written: frozen records, references unresolved, every node with its place.

A `place` is a line of a file, for messages. A `path` names the same part of the spec by its keys and names
(`egress.rules.web`), and is what artifacts say: a comment or another order of keys does not change it.

`compile.frontend.structure` builds it from YAML; `checks` check it; `lower` turns it into the `ir.Program`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network

from ..common.diagnostics import NOWHERE, Diagnostic, Place
from ..common.record import Record
from .spec_tests import Tests

Prefix = IPv4Network | IPv6Network


class Scalar(Record):
    """A literal, or a keyword of the field it stands in: which of the two, the field's type decides."""

    value: int | str | bool
    place: Place = dataclasses.field(default=NOWHERE, compare=False)


class Reference(Record):
    """A dotted reference. `root` is host, endpoint, packet or received; `path` is what follows the root."""

    root: str
    path: tuple[str, ...]
    place: Place = dataclasses.field(default=NOWHERE, compare=False)

    def __str__(self) -> str:
        return ".".join((self.root, *self.path))


Value = Scalar | Reference
ROOTS = ("host", "endpoint", "packet", "received")


class HostValue(Record):
    """A value that differs per machine. `default` is DEVICE-VALUE.ATTRIBUTE (`uplink.address`) or None."""

    name: str
    type: str  # device, devices, cgroup, ip, ipv4, ipv6, mac, u1 to u32
    default: tuple[str, str] | None
    place: Place = dataclasses.field(compare=False)
    default_place: Place = dataclasses.field(default=NOWHERE, compare=False)


class OptionUse(Record):
    """An option of a header: `length` bytes of data, which are `value`. `kind` is its type on the wire."""

    name: str
    option_class: int
    kind: int
    length: int
    value: Value
    place: Place = dataclasses.field(compare=False)


class HeaderUse(Record):
    """One header of a stack. `name` is a catalogue name, or `ip` for ipv4 or ipv6 as the row's address is."""

    name: str
    values: Mapping[str, Value]  # in the order written
    place: Place = dataclasses.field(compare=False)
    value_places: Mapping[str, Place] = dataclasses.field(compare=False)  # of the keys
    options: tuple[OptionUse, ...] = ()  # in the order sent


class Encapsulation(Record):
    """A stack of headers as sent, outermost first."""

    name: str
    headers: tuple[HeaderUse, ...]
    place: Place = dataclasses.field(compare=False)

    @property
    def path(self) -> str:
        return f"encapsulations.{self.name}"


class AddressSet(Record):
    """A named prefix list, inline or read from `file`."""

    name: str
    prefixes: tuple[Prefix, ...]
    file: str | None
    place: Place = dataclasses.field(compare=False)


class Addresses(Record):
    """Prefixes in a match or in `from`, with the names of the sets they came from (for comments and `explain`)."""

    prefixes: tuple[Prefix, ...]
    sets: tuple[str, ...]
    place: Place = dataclasses.field(default=NOWHERE, compare=False)
    written: tuple[str, ...] = dataclasses.field(default=(), compare=False)  # prefixes and names, as in the spec


class Range(Record):
    """Inclusive at both ends; host byte order."""

    first: int
    last: int


class Match(Record):
    """Conditions on the inner packet; all that are given must hold, any alternative of each suffices.

    `protocol` holds IANA numbers, `dscp` the six-bit code point, ports, marks as ranges, `cgroup` paths below the
    attached cgroup.
    """

    destination: Addresses | None = None
    source: Addresses | None = None
    protocol: tuple[int, ...] = ()
    destination_port: tuple[Range, ...] = ()
    source_port: tuple[Range, ...] = ()
    dscp: tuple[int, ...] = ()
    mark: tuple[Range, ...] = ()
    cgroup: tuple[str, ...] = ()
    place: Place = dataclasses.field(default=NOWHERE, compare=False)


class RowTarget(Record):
    """`to: TABLE` or `to: TABLE/ROW`."""

    table: str
    row: str | None
    place: Place = dataclasses.field(default=NOWHERE, compare=False)


class Reflect(Record):
    """`reflect: INGRESS-RULE`, and `with: ENCAPSULATION` if not the mirror of what came in."""

    rule: str
    encapsulation: str | None
    place: Place = dataclasses.field(default=NOWHERE, compare=False)
    with_place: Place = dataclasses.field(default=NOWHERE, compare=False)


class FormerName(Record):
    """What a rule was called before, whose totals it continues."""

    name: str
    place: Place = dataclasses.field(compare=False)


class EgressRule(Record):
    """Exactly one of `to`, `socket`, `reflect` and `action` (pass, drop). `socket` are the rows a socket may choose."""

    name: str
    match: Match
    to: RowTarget | None
    action: str | None
    on_miss: str  # drop, next, pass: what happens when the table has no such row
    place: Place = dataclasses.field(compare=False)
    text: str = dataclasses.field(default="", compare=False)  # the rule in one line, for comments and `explain`
    reflect: Reflect | None = None
    socket: tuple[RowTarget, ...] = ()
    was: FormerName | None = None

    @property
    def path(self) -> str:
        return f"egress.rules.{self.name}"

    @property
    def targets(self) -> tuple[RowTarget, ...]:
        """The rows that the rule may lead to."""
        return (self.to,) if self.to else self.socket


class ConnectRule(Record):
    """What is chosen for a socket when it connects: exactly one of `choose` and `action` (pass: nothing)."""

    name: str
    match: Match
    choose: RowTarget | None
    place: Place = dataclasses.field(compare=False)
    text: str = dataclasses.field(default="", compare=False)
    was: FormerName | None = None

    @property
    def path(self) -> str:
        return f"connect.rules.{self.name}"


class Remember(Record):
    """For how many connections it is remembered whose they are, and how long (nanoseconds) after the last packet."""

    capacity: int
    idle: int
    place: Place = dataclasses.field(default=NOWHERE, compare=False)


class Egress(Record):
    rules: tuple[EgressRule, ...]
    default: str  # pass or drop
    next_hop: str  # keep or route
    place: Place = dataclasses.field(compare=False)
    default_place: Place = dataclasses.field(compare=False)
    remember: Remember | None = None
    unattached: str = "drop"  # or pass: chosen packets that leave by a device that is not attached
    unattached_place: Place = dataclasses.field(default=NOWHERE, compare=False)
    segmentation: bool = True  # False: no GSO packet is to be encapsulated by what the kernel cannot segment
    boot: str = "open"  # open or closed: before anything is applied
    boot_place: Place = dataclasses.field(default=NOWHERE, compare=False)


class Mtu(Record):
    """How packets fit. `clamp_mss`: the MSS of TCP flows leaves headroom for the headers.

    `too_big`: icmp or drop, what becomes of a packet that does not fit. `path`: learn or ignore, what becomes of ICMP
    errors about encapsulated packets.
    """

    clamp_mss: bool = True
    too_big: str = "icmp"
    path: str = "learn"
    place: Place = dataclasses.field(default=NOWHERE, compare=False)


class Receiving(Record):
    """`gro_device`: apply makes the devices that switch the kernel's GRO on for received tunnel packets."""

    gro_device: bool = False
    place: Place = dataclasses.field(default=NOWHERE, compare=False)


class TableField(Record):
    """`from: TABLE.FIELD`: the outer source must be a value of that field in some row."""

    table: str
    field: str
    place: Place = dataclasses.field(default=NOWHERE, compare=False)


class AnySource(Record):
    """`from: any`, written out because it is a decision."""

    place: Place = dataclasses.field(default=NOWHERE, compare=False)


class Learn(Record):
    """`learn:` keeps what came in. `direction` is replies, forwarded or both; `capacity` flows, `idle` nanoseconds."""

    direction: str
    capacity: int
    idle: int
    place: Place = dataclasses.field(default=NOWHERE, compare=False)


class IngressRule(Record):
    name: str
    decapsulate: str  # an encapsulation's name
    source: Addresses | TableField | AnySource  # `from`
    match: Match  # on the inner packet
    lookup: str | None  # a table keyed by received.HEADER.FIELD
    set_mark: Value | None
    place: Place = dataclasses.field(compare=False)
    places: Mapping[str, Place] = dataclasses.field(compare=False)  # of the values, by key
    text: str = dataclasses.field(default="", compare=False)
    learn: Learn | None = None
    was: FormerName | None = None

    @property
    def path(self) -> str:
        return f"ingress.rules.{self.name}"


class Ingress(Record):
    rules: tuple[IngressRule, ...]
    refuse: str  # drop or pass: what looks like our encapsulation to us and fits no rule
    place: Place = dataclasses.field(compare=False)


class Shape(Record):
    """Promises about a table's keys that the compiler uses and rows are held to."""

    prefix_lengths: tuple[int, ...] = ()  # the only prefix lengths that occur, for IPv4 keys and IPv6 keys alike
    place: Place = dataclasses.field(default=NOWHERE, compare=False)


class Cell(Record):
    value: int | str
    place: Place = dataclasses.field(default=NOWHERE, compare=False)


class Row(Record):
    """One inline row: cells by column name (`name`, `encapsulation`, key columns, fields)."""

    cells: Mapping[str, Cell]
    place: Place = dataclasses.field(compare=False)


class Table(Record):
    """Endpoints, typed. Without a `key`, rows are found by `name`."""

    name: str
    key: tuple[str, ...]  # match words, or one `received.HEADER.FIELD`
    fields: Mapping[str, str]  # name -> type
    encapsulations: tuple[str, ...]
    rows: tuple[Row, ...]
    file: str | None  # as written, relative to the spec
    capacity: int
    fixed: bool
    shape: Shape
    place: Place = dataclasses.field(compare=False)
    places: Mapping[str, Place] = dataclasses.field(compare=False)  # by dotted key: "key", "fields.address" ...

    @property
    def path(self) -> str:
        return f"endpoints.{self.name}"

    def row_path(self, row: Row) -> str:
        """By the row's name, else by its key: what a row is called stays when others come and go."""
        called = [row.cells["name"]] if "name" in row.cells else [row.cells[k] for k in self.key if k in row.cells]
        return f"{self.path}.rows.{','.join(str(cell.value) for cell in called)}"


class Preset(Record):
    """The preset that a document uses. `expansion` is the whole document, written out."""

    name: str
    expansion: str
    place: Place = dataclasses.field(default=NOWHERE, compare=False)


class RouteDevice(Record):
    """A device of ours that inner prefixes are routed to, with the egress program on it."""

    name: str
    place: Place = dataclasses.field(compare=False)


class Spec(Record):
    """One document. `path` is as given on the command line, for messages; only its last part reaches an artifact."""

    api_version: str
    name: str
    kernel: tuple[int, int]  # the oldest kernel it must load on
    host: Mapping[str, HostValue]
    attach: tuple[Reference, ...]  # host.NAME of type device or devices
    cgroup: Value | None  # whose sockets may choose: a path that begins with `/`, or host.NAME of type cgroup
    sets: Mapping[str, AddressSet]
    encapsulations: Mapping[str, Encapsulation]
    endpoints: Mapping[str, Table]
    connect: tuple[ConnectRule, ...]
    egress: Egress
    ingress: Ingress
    mtu: Mtu
    path: str
    sha256: str  # of the file's bytes
    place: Place = dataclasses.field(compare=False)
    name_place: Place = dataclasses.field(default=NOWHERE, compare=False)
    kernel_place: Place = dataclasses.field(default=NOWHERE, compare=False)
    preset: Preset | None = dataclasses.field(default=None, compare=False)  # everything else has it in it
    warnings: tuple[Diagnostic, ...] = dataclasses.field(default=(), compare=False)  # of the frontend, see `checks.run`
    tests: Tests | None = dataclasses.field(default=None, compare=False)  # they reach no artifact
    receive: Receiving = Receiving()
    route_device: RouteDevice | None = None

    @property
    def rules(self) -> tuple[EgressRule | ConnectRule | IngressRule, ...]:
        """Of all directions; their names are unique."""
        return (*self.egress.rules, *self.connect, *self.ingress.rules)

    def ingress_rule(self, name: str) -> IngressRule:
        """Raises StopIteration if there is none."""
        return next(rule for rule in self.ingress.rules if rule.name == name)
