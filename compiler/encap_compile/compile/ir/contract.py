"""What applications see."""

from typing import NamedTuple


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
