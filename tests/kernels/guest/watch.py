"""What is on the wire, seen through packet sockets."""

from __future__ import annotations

import ctypes
import socket
import struct
import time
from types import TracebackType

from .namespaces import inside

ETH_P_ALL = 3
SO_ATTACH_FILTER = 26
# tcpdump's `dst net 10.0.0.0/8 or ip6[24] = 0xfd`: inner addresses in an outer header. (code, jt, jf, k)
_CLEAR = (
    (0x28, 0, 0, 12),  # ldh ethertype
    (0x15, 0, 2, 0x0800),  # jeq IPv4
    (0x30, 0, 0, 30),  # ldb first byte of the IPv4 destination
    (0x15, 3, 4, 10),  # jeq 10
    (0x15, 0, 3, 0x86DD),  # jeq IPv6
    (0x30, 0, 0, 38),  # ldb first byte of the IPv6 destination
    (0x15, 0, 1, 0xFD),  # jeq fd00::/8
    (0x06, 0, 0, 0xFFFF),  # accept
    (0x06, 0, 0, 0),  # skip
)


def _packet_socket(namespace: str, device: str, unencapsulated_only: bool) -> socket.socket:
    with inside(namespace):
        made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    if unencapsulated_only:
        code = b"".join(struct.pack("HBBI", *line) for line in _CLEAR)
        buffer = ctypes.create_string_buffer(code)
        program = struct.pack("HP", len(_CLEAR), ctypes.addressof(buffer))
        made.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, program)
    with inside(namespace):  # a device's name is looked up in the thread's namespace
        made.bind((device, ETH_P_ALL))
    made.setblocking(False)
    return made


class Watch:
    """Frames on a device while the block runs. `unencapsulated_only` keeps those that carry inner addresses outside."""

    def __init__(self, namespace: str, device: str, unencapsulated_only: bool = False) -> None:
        self._socket = _packet_socket(namespace, device, unencapsulated_only)

    def __enter__(self) -> Watch:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def frames(self) -> list[bytes]:
        """What came since the last call."""
        got = []
        while True:
            try:
                got.append(self._socket.recv(65536))
            except BlockingIOError:
                return got

    def frame_with(self, payload: bytes, limit: float) -> bytes | None:
        """The first frame that holds these bytes, if one comes."""
        until = time.monotonic() + limit
        while time.monotonic() < until:
            for frame in self.frames():
                if payload in frame:
                    return frame
            time.sleep(0.02)
        return None

    @property
    def mac(self) -> str:
        """Of the device itself."""
        address: bytes = self._socket.getsockname()[4]
        return address.hex(":")

    def keys(self, encapsulation: str) -> set[int]:
        """The VNIs or GRE keys of the tunnel packets that came since the last call."""
        return {key for frame in self.frames() if (key := _key(frame, encapsulation)) is not None}

    def wait_for_key(self, encapsulation: str, key: int, limit: float) -> bool:
        until = time.monotonic() + limit
        while key not in self.keys(encapsulation):
            if time.monotonic() > until:
                return False
            time.sleep(0.02)
        return True


_PORTS = {"vxlan": b"\x12\xb5", "geneve": b"\x17\xc1"}  # both have the VNI at the same place


def _key(frame: bytes, encapsulation: str) -> int | None:
    ethertype = struct.unpack_from("!H", frame, 12)[0]
    if ethertype == 0x0800:
        protocol, start = frame[23], 34
    elif ethertype == 0x86DD:
        protocol, start = frame[20], 54
        if protocol == socket.IPPROTO_DSTOPTS:
            protocol, start = frame[54], 62
    else:
        return None
    port = _PORTS.get(encapsulation, b"")
    if port and protocol == socket.IPPROTO_UDP and frame[start + 2 : start + 4] == port:
        return int.from_bytes(frame[start + 12 : start + 15], "big")
    if encapsulation == "gre-in-gue" and protocol == socket.IPPROTO_UDP and frame[start + 2 : start + 4] == b"\x17\xc0":
        return _gre_key(frame, start + 8 + 4) if frame[start + 9] == socket.IPPROTO_GRE else None
    if encapsulation == "gre" and protocol == socket.IPPROTO_GRE:
        return _gre_key(frame, start)
    return None


def _gre_key(frame: bytes, at: int) -> int | None:
    return int(struct.unpack_from("!I", frame, at + 4)[0]) if frame[at] & 0x20 else None
