"""Which packets are attributed to which socket, and what sockets may choose."""

from typing import NamedTuple

from .conditions import Condition
from .egress import ByChoice, NamedRow


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
    choices: tuple[ByChoice, ...]


class Selection(NamedTuple):
    """A row of `table` for sockets that connect. It is recorded with the `number` of the rule, which `constant` names.

    `table_constant` names the table's number.
    """

    table: str
    table_constant: str
    row: NamedRow
    constant: str
    number: int

    @property
    def text(self) -> str:
        """As applications write it."""
        return f"{self.table}/{self.row.name}"


class ConnectRule(NamedTuple):
    """What is selected for sockets that connect and meet all conditions; None: nothing. The first such rule decides."""

    name: str
    c_name: str
    text: str
    place: str
    conditions: tuple[Condition, ...]
    selects: Selection | None
    counter: str


class Attribution(NamedTuple):
    """How packets are attributed to sockets, where rules need it. Without `rules` no socket may choose.

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
