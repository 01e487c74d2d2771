"""What is kept of a received packet for those that answer it."""

from enum import StrEnum
from typing import NamedTuple

from .layouts import BoundedSegment, Option
from .received import ReceivedField


class LearnFor(StrEnum):
    """Which packets have a use for what is kept."""

    REPLIES = "replies"  # the answers to the packet
    FORWARDED = "forwarded"  # the packet itself, going on


class Reply(NamedTuple):
    """What came in by the stack `arriving` is answered by the first of `stacks` whose own addresses the host has."""

    arriving: str
    stacks: tuple[str, ...]


class LearnedField(NamedTuple):
    """A field of a header behind the outermost one, kept in a member of `struct learned`."""

    member: str
    type: str
    field: ReceivedField


class OuterWord(StrEnum):
    """What the spec calls the fields of an outermost header that may be kept."""

    SOURCE = "source"
    DESTINATION = "destination"
    DSCP = "dscp"
    TTL = "ttl"
    HOP_LIMIT = "hop_limit"
    FLOW_LABEL = "flow_label"


class LearnedOuterField(NamedTuple):
    """A field of the outermost header. `fields` is it by family: where a family has none, the member stays 0."""

    member: str
    type: str
    word: OuterWord
    fields: tuple[tuple[str, ReceivedField], ...]


class LearnedOption(NamedTuple):
    """An option whose data are kept in a member of `struct learned`."""

    member: str
    option: Option


class AsReceived(NamedTuple):
    """A packet of the flow grows by the headers that came in, without what only came in."""


class ByOverhead(NamedTuple):
    """It grows by a stack's overhead, which is more. `constant` is its name in the C."""

    constant: str


Growth = AsReceived | ByOverhead


class Grows(NamedTuple):
    """By how much a packet of a learned flow grows, the way that adds more, if it came in over `family`.

    It is `usual` for a host that has the addresses of all stacks in `guards`, for others `otherwise`. Without guards,
    both are the same.
    """

    family: str
    usual: Growth
    guards: tuple[str, ...]
    otherwise: Growth


class Learn(NamedTuple):
    """What an ingress rule keeps of a packet. `constant` begins the names of its number and its timeout."""

    constant: str
    directions: tuple[LearnFor, ...]
    fields: tuple[LearnedField | LearnedOuterField, ...]
    options: tuple[LearnedOption, ...]
    variable: BoundedSegment | None  # which is kept too
    grows: tuple[Grows, ...]
