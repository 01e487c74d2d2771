"""What is counted."""

from enum import StrEnum
from typing import NamedTuple


class Direction(StrEnum):
    """Where the counted packets go, or what else is counted."""

    EGRESS = "egress"
    INGRESS = "ingress"
    CONNECT = "connect"  # sockets, as they connect
    FLOWS = "flows"  # records of flows


class Outcome(StrEnum):
    """What became of what is counted."""

    ENCAPSULATED = "encapsulated"
    DECAPSULATED = "decapsulated"
    PASSED = "passed"
    DROPPED = "dropped"
    CONTINUED = "continued"  # went on to the next rule, which counts it too
    NOTED = "noted"  # beside the packet's outcome, which has a counter of its own
    SELECTED = "selected"  # a row for a socket
    UNSELECTED = "unselected"  # a socket keeps to the other rules
    LEARNED = "learned"
    CHANGED = "changed"
    DISBELIEVED = "disbelieved"
    EVICTED = "evicted"


class Counted(NamedTuple):
    """What a counter counts, by its parts. No two counters of a program have the same.

    `rule` and `encapsulation` are empty where it is not of one alone, `table` where no table was looked up.
    """

    direction: Direction
    outcome: Outcome
    rule: str = ""
    table: str = ""
    encapsulation: str = ""
    reason: str = ""  # why, if not by the rule itself; of refusals also words of headers, as `gre_key`


class CounterMember(NamedTuple):
    """A counter. `text` says what happened, `place` which part of the spec asked for it.

    `member` is where it stands in `struct counters`, as the C says it, `offset` the same in bytes, over all entries of
    the map.
    """

    name: str
    kind: str  # chosen, passed, dropped, refused, decapsulated, flows, connect, noted
    counts: Counted
    text: str
    place: str
    formerly: str = ""  # what the first release called it
    was: tuple[str, ...] = ()  # other earlier names: of the rule's former name, or of an earlier release
    member: str = ""
    offset: int = 0


class CounterSlot(NamedTuple):
    """A member of `struct counters`: one counter, or a struct of those that the library itself counts in."""

    type: str  # counter, or the library's struct
    name: str
    comment: str
