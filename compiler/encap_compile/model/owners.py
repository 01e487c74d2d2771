"""Whose a packet is: the cgroups that its socket was made in, and what was chosen for it."""

from __future__ import annotations

from .packet import Packet
from .run import Run


def find_owner(run: Run, packet: Packet) -> None:
    """As far as the frame's socket says it."""
    return


def fit_plain(run: Run) -> None:
    """What a packet that is not encapsulated says of the segments that its sender takes. No socket: nothing is done."""
    return


def fit_segments(run: Run, packet: Packet | None) -> None:
    """The same for one that was decapsulated."""
    return
