"""rtnetlink (man 7 rtnetlink): requests, dumps and attributes. Traffic control is changed through pyroute2.

Every `plan` and `status` reads, and most change nothing. Importing pyroute2 0.9 takes 100 ms (284 modules), as much
as the rest of a plan, and it decodes every attribute of every message: a dump of 200 000 routes takes 17 s, here 1.3 s,
and routers have a million; 10 000 look-ups take 2.1 s, here 0.1 s. (CPU time, Python 3.11.)

Integers are in host byte order, as netlink has them; addresses are in network byte order.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Self

from .errors import KernelError, kernel_error

RTM_NEWLINK, RTM_DELLINK, RTM_GETLINK, RTM_SETLINK = 16, 17, 18, 19
RTM_NEWADDR, RTM_GETADDR = 20, 22
RTM_NEWROUTE, RTM_DELROUTE, RTM_GETROUTE = 24, 25, 26
RTM_GETNEIGH = 30
RTM_NEWRULE, RTM_DELRULE, RTM_GETRULE = 32, 33, 34
RTM_GETQDISC, RTM_GETTFILTER = 38, 46
RTM_GETNEXTHOP = 106

_NLMSG_ERROR, _NLMSG_DONE = 2, 3
_NLM_F_REQUEST, _NLM_F_ACK, _NLM_F_DUMP = 0x1, 0x4, 0x300
NLM_F_REPLACE, NLM_F_EXCL, NLM_F_CREATE = 0x100, 0x200, 0x400
_SOL_NETLINK, _NETLINK_GET_STRICT_CHK = 270, 12
_HEADER = struct.Struct("=IHHII")  # struct nlmsghdr: length, type, flags, sequence, port
_ATTRIBUTE = struct.Struct("=HH")  # struct nlattr: length, type
_TYPE_MASK = 0x3FFF  # without NLA_F_NESTED and NLA_F_NET_BYTEORDER

Attributes = dict[int, bytes]


def attribute(kind: int, payload: bytes) -> bytes:
    """One attribute, padded to 4 bytes."""
    length = _ATTRIBUTE.size + len(payload)
    return _ATTRIBUTE.pack(length, kind) + payload + bytes(-length % 4)


def attributes(data: bytes) -> Attributes:
    """The attributes in a payload, by type; of two of one type the last."""
    found: Attributes = {}
    at = 0
    while at + _ATTRIBUTE.size <= len(data):
        length, kind = _ATTRIBUTE.unpack_from(data, at)
        if length < _ATTRIBUTE.size:
            break
        found[kind & _TYPE_MASK] = data[at + _ATTRIBUTE.size : at + length]
        at += (length + 3) & ~3
    return found


class RouteSocket:
    """A NETLINK_ROUTE socket in this thread's network namespace; a context manager.

    With `strict` a dump's body is a filter (NETLINK_GET_STRICT_CHK, Linux 4.20): of a million routes, one table's.
    """

    def __init__(self, strict: bool = False) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 21)
        if strict:
            self._socket.setsockopt(_SOL_NETLINK, _NETLINK_GET_STRICT_CHK, 1)
        self._socket.bind((0, 0))
        self._sequence = 0

    def dump(self, kind: int, body: bytes) -> Iterator[bytes]:
        """Every message's payload of a dump. Raises KernelError."""
        self._send(kind, body, _NLM_F_DUMP)
        while True:
            for received, sequence, payload in self._receive():
                if sequence != self._sequence:
                    continue
                if received == _NLMSG_DONE:
                    return
                if received == _NLMSG_ERROR:
                    raise _error(payload, kind)
                yield payload

    def requests(
        self, kind: int, bodies: Iterable[bytes], window: int = 128, flags: int = 0
    ) -> Iterator[bytes | KernelError]:
        """Many requests of one kind, `window` at a time under way: each one's answer, or its error, in order."""
        batch: list[bytes] = []
        for body in bodies:
            batch.append(body)
            if len(batch) == window:
                yield from self._burst(kind, batch, flags)
                batch.clear()
        if batch:
            yield from self._burst(kind, batch, flags)

    def change(self, kind: int, body: bytes, flags: int = 0) -> None:
        """Ask for a change, and wait until it is done. Raises KernelError."""
        self._send(kind, body, _NLM_F_ACK | flags)
        while True:
            for received, sequence, payload in self._receive():
                if sequence == self._sequence and received == _NLMSG_ERROR:
                    if payload[:4] != bytes(4):  # 0 is the acknowledgement
                        raise _error(payload, kind)
                    return

    def changes(self, kind: int, bodies: Iterable[bytes], flags: int = 0) -> Iterator[KernelError | None]:
        """Ask for many changes: why each was refused, None if it was not, in order."""
        for answer in self.requests(kind, bodies, flags=flags | _NLM_F_ACK):
            yield answer if isinstance(answer, KernelError) else None

    def _burst(self, kind: int, bodies: list[bytes], flags: int) -> Iterator[bytes | KernelError]:
        first = self._sequence + 1
        self._sequence += len(bodies)
        # The kernel takes several messages from one datagram (netlink_rcv_skb).
        self._socket.send(b"".join(_message(kind, body, flags, first + i) for i, body in enumerate(bodies)))
        answers: dict[int, bytes | KernelError] = {}
        while len(answers) < len(bodies):
            for received, sequence, payload in self._receive():
                if sequence < first:
                    continue
                refused = received == _NLMSG_ERROR and payload[:4] != bytes(4)  # 0 is the acknowledgement
                answers[sequence] = _error(payload, kind) if refused else payload
        for sequence in range(first, first + len(bodies)):
            yield answers[sequence]

    def _send(self, kind: int, body: bytes, flags: int) -> None:
        self._sequence += 1
        self._socket.send(_message(kind, body, flags, self._sequence))

    def _receive(self) -> Iterator[tuple[int, int, bytes]]:
        data = self._socket.recv(1 << 17)
        at = 0
        while at + _HEADER.size <= len(data):
            length, kind, _, sequence, _ = _HEADER.unpack_from(data, at)
            yield kind, sequence, data[at + _HEADER.size : at + length]
            at += (length + 3) & ~3

    def close(self) -> None:
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _message(kind: int, body: bytes, flags: int, sequence: int) -> bytes:
    length = _HEADER.size + len(body)
    return _HEADER.pack(length, kind, _NLM_F_REQUEST | flags, sequence, 0) + body + bytes(-length % 4)


def _error(payload: bytes, kind: int) -> KernelError:
    (code,) = struct.unpack_from("=i", payload)
    return kernel_error(-code, f"rtnetlink message {kind}")


def text(value: bytes) -> str:
    """A zero-terminated string attribute."""
    return os.fsdecode(value.split(b"\0", 1)[0])
