"""Tunnel packets with other destination options than the encapsulation limit that our side skips."""

from __future__ import annotations

import select
import socket
from collections.abc import Iterator

from .namespaces import inside
from .traffic import ARRIVES, FailedError, receiver, send
from .underlay import ROUTER
from .watch import Watch

OPTIONS = 54  # where the destination options header begins in a frame
LIMIT = bytes((0, 4, 1, 4, 1, 1, 0))  # behind its next header, as ip6_tunnel.c writes it
_DESTINATION_OPTIONS = 60
_PAYLOAD = b"an encapsulation limit is before this"


def only_the_limit(source: str, destination: str) -> None:
    """Of a real tunnel packet and copies with other options, only those as the kernel sends them are delivered."""
    with receiver("ours", destination) as listening, _raw() as wire:
        frame = _frame(source, destination)
        if not _arrives(listening):
            raise FailedError("the packet of the kernel's device did not arrive, so nothing was proven")
        for what, other in _others(frame):
            wire.send(other)
            wire.send(frame)  # what it overtook was not delivered
            if not _arrives(listening):
                raise FailedError(f"the packet that was sent again after one with {what} did not arrive")
            if select.select([listening], [], [], 0)[0]:
                raise FailedError(f"a packet with {what} was delivered")


def _frame(source: str, destination: str) -> bytes:
    """A tunnel packet as it reaches our uplink."""
    with Watch("ours", "eth0") as wire:
        send("peer", source, destination, _PAYLOAD)
        frame = wire.frame_with(_PAYLOAD, ARRIVES)
    if frame is None or frame[20] != _DESTINATION_OPTIONS or frame[OPTIONS + 1 : OPTIONS + 8] != LIMIT:
        raise FailedError(f"the kernel's device sent no limit, so nothing was proven: {(frame or b'')[:70].hex()}")
    return frame


def _others(frame: bytes) -> Iterator[tuple[str, bytes]]:
    """The frame with other options, and what they are."""
    for what, at, value in (
        ("a longer header", 1, 1),
        ("another option", 2, 5),
        ("a limit of no byte", 3, 0),
        ("a limit of two bytes", 3, 2),
        ("another padding", 5, 5),
        ("padding of no byte", 6, 0),
        ("padding over the end", 6, 2),
        ("padding with something in it", 7, 1),
    ):
        yield what, frame[: OPTIONS + at] + bytes((value,)) + frame[OPTIONS + at + 1 :]
    again = bytes((_DESTINATION_OPTIONS,)) + LIMIT
    yield "two limits", _with_payload(frame, again + frame[OPTIONS:])
    yield "a cut limit", _with_payload(frame, frame[OPTIONS : OPTIONS + 5])
    yield "nothing behind the limit", _with_payload(frame, frame[OPTIONS : OPTIONS + 8])


def _with_payload(frame: bytes, payload: bytes) -> bytes:
    return frame[:18] + len(payload).to_bytes(2, "big") + frame[20:OPTIONS] + payload


def _raw() -> socket.socket:
    """Sends frames to our uplink, from the other end of its link."""
    with inside(ROUTER):
        made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        made.bind(("ours", 0))
    return made


def _arrives(listening: socket.socket) -> bool:
    return bool(select.select([listening], [], [], ARRIVES)[0]) and listening.recv(2048) == _PAYLOAD
