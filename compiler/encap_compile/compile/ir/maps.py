"""Maps, and the structs of their keys and values."""

from ipaddress import IPv4Network, IPv6Network
from typing import NamedTuple

from .conditions import Condition


class StructMember(NamedTuple):
    """A member of a generated struct. `ctype` as in C, `array` how many of them if it is one.

    Of what the loader writes, `type` is how, in the words of `manifest.Member`, and `label` what it is called there.
    """

    name: str
    ctype: str
    comment: str = ""
    array: int = 0
    type: str = ""
    label: str = ""
    offset: int = 0
    size: int = 0


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
    """A map of addresses: those in a field of a table's rows, or a long prefix list."""

    name: str
    kind: str  # hash, lpm
    ctype: str  # of the address: __be32, struct ipv6_address, struct ip_address
    capacity: int
    comment: str
    key: tuple[StructMember, ...]
    table: str = ""  # whose addresses these are, and whose capacity it has
    field: str = ""  # as the spec calls it
    prefixes: tuple[IPv4Network | IPv6Network, ...] = ()  # of the list


class HostMember(NamedTuple):
    """A member of `struct host`, and where its value comes from: for people, and as `manifest.HostMember` has it."""

    member: StructMember
    comment: str
    source: str  # empty: padding
    family: str = ""  # of the address that is taken, if the value may have both
    stacks: tuple[str, ...] = ()  # that need it
    own: bool = False  # it is an outer source
