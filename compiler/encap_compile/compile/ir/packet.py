"""What must be known of an inner packet."""

from enum import Enum
from typing import NamedTuple


class Hides(Enum):
    """What a packet may not show of all that is asked for: a later fragment, or an odd chain of headers."""

    NOTHING = "nothing"
    PROTOCOL = "protocol"
    PORTS = "ports"


class PacketNeeds(NamedTuple):
    """What the rules want to know of the inner packet; the parser looks for nothing else.

    `families` are those that any rule can see. A member of `struct packet` exists only if its need is true.
    """

    families: tuple[str, ...]
    protocol: bool
    ports: bool
    dscp: bool
    ttl: bool
    mark: bool
    hash: bool
    length: bool  # of the inner packet, and where its transport header begins: to encapsulate
    flow: bool  # what tells its flow from others
    fragments: bool  # later fragments show what the first one did
    socket: bool  # cgroups of its socket, or what was chosen for it
    hides: Hides
    discovery: bool  # whether an IPv6 packet is neighbour discovery

    @property
    def both(self) -> bool:
        return len(self.families) == 2
