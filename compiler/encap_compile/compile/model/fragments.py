"""Later fragments follow the decision of the first, which alone shows ports: RFC 791, section 3.2; RFC 8200, 4.5."""

from __future__ import annotations

from typing import NamedTuple

from .frame import Did
from .packet import Packet
from .run import Run

IDLE = 30_000_000_000  # ns: as long as Linux waits for missing fragments (net.ipv4.ipfrag_time)


class Shown(NamedTuple):
    """What a first fragment showed."""

    expires: int
    source_port: int
    destination_port: int
    protocol: int


Key = tuple[bytes, bytes, int, bytes, int, bool]


def follow_first(run: Run, packet: Packet, leaves: bool) -> bool:
    """Give a later fragment what the first one of its packet showed. False: that has not been seen."""
    machine = run.machine
    number = packet.protocol if packet.family == "ipv4" else 0  # in IPv6 only the first one's counts
    key = (packet.source, packet.destination, run.mark, packet.fragment_id, number, leaves)
    if not packet.later_fragment and packet.ports_unseen:
        machine.fragments.pop(key, None)
        return False
    if not packet.ports_unseen:
        expires = machine.now + IDLE
        shown = Shown(expires, packet.source_port, packet.destination_port, packet.protocol)
        machine.fragments[key] = shown
        run.step(Did.KEPT, "first fragment", f"ports {shown.source_port} and {shown.destination_port}")
        return True
    known = machine.fragments.get(key)
    if known is None or known.expires < machine.now:
        run.step(Did.MISSED, "first fragment")
        return False
    packet.source_port, packet.destination_port = known.source_port, known.destination_port
    packet.protocol, packet.ports_unseen = known.protocol, False
    run.step(Did.FOUND, "first fragment", f"ports {known.source_port} and {known.destination_port}")
    return True
