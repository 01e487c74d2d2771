"""Features of devices by their names, as `ethtool -k` shows them. Any user may ask."""

from __future__ import annotations

import array
import fcntl
import socket
import struct
from types import TracebackType
from typing import Self

_SIOCETHTOOL = 0x8946
# include/uapi/linux/ethtool.h: commands, and ETH_SS_FEATURES
_GET_STRINGS, _GET_STRING_SETS, _GET_FEATURES, _FEATURE_STRINGS = 0x1B, 0x37, 0x3A, 4
_NAME = 32  # ETH_GSTRING_LEN
_BLOCK = struct.Struct("=IIII")  # struct ethtool_get_features_block: available, requested, active, never changed
_TUNNELS = frozenset(
    f"tx-{kind}-segmentation" for kind in ("udp_tnl", "udp_tnl-csum", "gre", "gre-csum", "ipxip4", "ipxip6")
)
_IPV4, _IPV6, _BOTH = "tx-checksum-ipv4", "tx-checksum-ipv6", "tx-checksum-ip-generic"


class Features:
    """Asks devices of this network namespace. Use it as a context manager."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._names: dict[str, int] = {}  # the bit of each: the same for all devices of a kernel

    def tx_checksum(self, device: str) -> frozenset[int]:
        """The IP versions of which it fills in TCP's and UDP's checksum. Both, if it does not say."""
        try:
            active = self._active(device)
        except (OSError, struct.error):
            return frozenset((4, 6))
        return frozenset(
            v for v, names in {4: (_IPV4, _BOTH), 6: (_IPV6, _BOTH)}.items() if not active.isdisjoint(names)
        )

    def segments_tunnels(self, device: str) -> bool:
        """Whether it may be given GSO packets in a tunnel as they are. No, if it does not say."""
        try:
            return not self._active(device).isdisjoint(_TUNNELS)
        except (OSError, struct.error):
            return False

    def on(self, device: str) -> frozenset[str]:
        """The names of what is switched on; none, if it does not say."""
        try:
            return self._active(device)
        except (OSError, struct.error):
            return frozenset()

    def _active(self, device: str) -> frozenset[str]:
        if not self._names:
            self._names = self._read_names(device)
        blocks = (len(self._names) + 31) // 32
        head = struct.pack("=II", _GET_FEATURES, blocks)
        answer = self._call(device, head + bytes(blocks * _BLOCK.size))[len(head) :]
        words = [active for _, _, active, _ in _BLOCK.iter_unpack(answer)]
        return frozenset(name for name, at in self._names.items() if words[at // 32] >> at % 32 & 1)

    def _read_names(self, device: str) -> dict[str, int]:
        sets = self._call(device, struct.pack("=IIQI", _GET_STRING_SETS, 0, 1 << _FEATURE_STRINGS, 0))
        (count,) = struct.unpack_from("=I", sets, 16)
        head = struct.pack("=III", _GET_STRINGS, _FEATURE_STRINGS, count)
        raw = self._call(device, head + bytes(count * _NAME))[len(head) :]
        return {raw[at * _NAME :][:_NAME].split(b"\0")[0].decode(errors="replace"): at for at in range(count)}

    def _call(self, device: str, command: bytes) -> bytes:
        buffer = array.array("B", command)
        request = struct.pack("16sP16x", device.encode(), buffer.buffer_info()[0])
        fcntl.ioctl(self._socket, _SIOCETHTOOL, request)
        return buffer.tobytes()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()
