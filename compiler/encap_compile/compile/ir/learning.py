"""What is kept of a received packet for those that answer it."""

from typing import NamedTuple

from .layouts import Option, Tail


class Reply(NamedTuple):
    """What came in by the stack `arriving` is answered by the first of `stacks` whose own addresses the host has."""

    arriving: str
    stacks: tuple[str, ...]


class LearnedField(NamedTuple):
    """A field of a received header that is kept in a member of `struct learned`."""

    member: str
    type: str
    layer: str
    word: str
    word_bits: int
    shift: int
    bits: int


class LearnedOption(NamedTuple):
    """An option whose data are kept in a member of `struct learned`."""

    member: str
    option: Option


class Learn(NamedTuple):
    """What an ingress rule keeps of a packet. `constant` begins the names of its number and its timeout.

    `directions`: replies (the answers to the packet) and forwarded (the packet itself, going on). `larger` names the
    overhead of a reply that grows by more than what came in; empty if none does. It is so for a host that has the
    addresses of all stacks in `guards`, for others it is `otherwise`.
    """

    constant: str
    directions: tuple[str, ...]
    fields: tuple[LearnedField, ...]
    options: tuple[LearnedOption, ...]
    tail: Tail | None  # which is kept too
    larger: str
    guards: tuple[str, ...] = ()
    otherwise: str = ""
