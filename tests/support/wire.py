"""Bytes on a wire: capturing and sending whole Ethernet frames."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from .netns import Namespace
from .polling import until

ETH_P_ALL = 3
SO_RCVBUFFORCE = 33
PACKET_OUTGOING = 4


@dataclass(frozen=True)
class Frame:
    """An Ethernet frame as seen at a device. `outgoing`: the device's own host sent it."""

    data: bytes
    outgoing: bool


class Capture:
    """Keeps every frame that passes a device, seen between the device's TC hooks and the wire, in both directions."""

    def __init__(self, namespace: Namespace, device: str) -> None:
        self._socket = namespace.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        self._socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20)
        self._socket.bind((device, ETH_P_ALL))
        self._socket.setblocking(False)
        self._frames: list[Frame] = []
        # Frames of other devices, caught between socket() and bind().
        while self._receive():
            pass
        self._frames.clear()

    def __enter__(self) -> Capture:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._socket.close()

    def _receive(self) -> bool:
        try:
            data, (_, _, kind, *_) = self._socket.recvfrom(1 << 17)
        except BlockingIOError:
            return False
        self._frames.append(Frame(data, kind == PACKET_OUTGOING))
        return True

    def frames(self, wanted: Callable[[Frame], bool] | None = None) -> list[Frame]:
        """What was seen so far, oldest first."""
        while self._receive():
            pass
        return [frame for frame in self._frames if wanted is None or wanted(frame)]

    def first(self, wanted: Callable[[Frame], bool], what: str = "a frame", timeout: float = 2.0) -> Frame:
        """The first frame that fits, waiting for it if need be."""
        return until(lambda: self.frames(wanted), what, timeout)[0]

    def clear(self) -> None:
        self.frames()
        self._frames.clear()


def send_frames(namespace: Namespace, device: str, frames: Iterable[bytes]) -> int:
    """Put frames on a device as they are; returns how many."""
    count = 0
    with namespace.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as raw:
        raw.bind((device, 0))
        for frame in frames:
            raw.send(frame)
            count += 1
    return count


def carries(needle: bytes) -> Callable[[Frame], bool]:
    """Frames that hold these bytes anywhere: unencapsulated or within an encapsulation."""
    return lambda frame: needle in frame.data


def quiet(capture: Capture, for_seconds: float = 0.05) -> None:
    """Wait until a capture has seen nothing new for a while."""
    seen, since = -1, time.monotonic()
    while time.monotonic() - since < for_seconds:
        now = len(capture.frames())
        if now != seen:
            seen, since = now, time.monotonic()
        time.sleep(0.002)
