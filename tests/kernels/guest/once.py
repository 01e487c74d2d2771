"""What leaves our host for a tunnel endpoint: encapsulated, and no more than once."""

from __future__ import annotations

import os

from ..cells import Kind
from . import traffic
from .traffic import FailedError
from .watch import Watch

_OUTER = {"ipv4": 20, "ipv6": 40}
_BEHIND = {"vxlan": 8 + 8 + 14, "gre": 4 + 4}


def sent_once(kind: Kind, wire: Watch, us: str, there: str) -> bytes:
    """Send a datagram from our side and return its frame on the wire, which has the headers once."""
    message = os.urandom(32)
    traffic.send("ours", us, there, message)
    frame = wire.frame_with(message, traffic.ARRIVES)
    if frame is None:
        raise FailedError(f"no datagram from {us} to {there} was on the wire")
    inner = _OUTER["ipv6" if ":" in us else "ipv4"] + 8 + len(message)
    once = 14 + _OUTER[kind.outer] + _BEHIND[kind.encapsulation] + inner
    if len(frame) != once:
        raise FailedError(f"{len(frame)} bytes were on the wire, encapsulated once it is {once}: {frame[:120].hex()}")
    return frame
