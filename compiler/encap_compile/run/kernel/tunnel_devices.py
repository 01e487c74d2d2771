"""vxlan and geneve devices of ours: made, found and deleted by rtnetlink.

A device is created with a MAC of ours in one message, so that a run that is killed right behind it leaves nothing that
cannot be recognised. Its alias says for people, and for the next run, whose it is. It is created down and quiet: no ARP,
no IPv6 address of its own, so it sends nothing unasked.

An older kernel ignores `vnifilter` (Linux 5.18) in silence, and the device then receives what its port is sent: read
back what was made, and have a program on its ingress before it is up.
"""

from __future__ import annotations

import struct
from pathlib import Path

from ...common.fnv import fnv1a
from ...common.record import Record
from .errors import KernelError
from .rtnetlink import (
    CREATE,
    NEW_ONLY,
    RTM_DELLINK,
    RTM_GETLINK,
    RTM_NEWLINK,
    RouteSocket,
    attribute,
    attributes,
    text,
)

VXLAN, GENEVE = "vxlan", "geneve"
MAC_PREFIX = b"\x02\xec"  # locally administered; behind it a hash of the device's name
_IPV6 = Path("/proc/net/if_inet6")
_NO_SUCH_DEVICE = 19
_IFINFO = struct.Struct("=BxHiII")  # struct ifinfomsg: family, type, index, flags, change
_IFLA_ADDRESS, _IFLA_IFNAME, _IFLA_MTU, _IFLA_LINKINFO, _IFLA_IFALIAS, _IFLA_AF_SPEC = 1, 3, 4, 18, 20, 26
_IFLA_INFO_KIND, _IFLA_INFO_DATA = 1, 2
_IFF_UP, _IFF_NOARP = 0x1, 0x80
_AF_INET6, _INET6_ADDR_GEN_MODE, _ADDR_GEN_MODE_NONE = 10, 8, 1


class _Kind(Record):
    """Numbers of IFLA_VXLAN_* and IFLA_GENEVE_* (include/uapi/linux/if_link.h)."""

    identifier: int
    port: int
    external: int
    zero_checksum6: int


_KINDS = {VXLAN: _Kind(1, 15, 25, 20), GENEVE: _Kind(1, 5, 6, 10)}
_VXLAN_LEARNING, _VXLAN_VNIFILTER = 7, 30


class TunnelDevice(Record):
    """A vxlan or geneve device. `identifier` is its VNI, None if it is `external` and so takes every one.

    `alias` is what its owner wrote on it, `mac` 6 bytes. A filter of VNIs that nothing was added to receives nothing.
    """

    name: str
    kind: str
    port: int
    identifier: int | None = None
    vnifilter: bool = False
    zero_checksum6: bool = False  # receives IPv6 without a UDP checksum (RFC 6935)
    mtu: int = 0
    alias: str = ""
    mac: bytes = b""
    index: int = 0
    up: bool = False

    @property
    def made_by_us(self) -> bool:
        """Whether `make` has created it, under this name or another."""
        return self.mac[:2] == MAC_PREFIX


def mac_of(name: str) -> bytes:
    """The MAC that a device of ours is created with."""
    return MAC_PREFIX + fnv1a(name).to_bytes(4, "big")


def tunnel_devices() -> dict[str, TunnelDevice]:
    """Every vxlan and geneve device of this network namespace, by name. Raises KernelError."""
    found = {}
    with RouteSocket() as route:
        for payload in route.dump(RTM_GETLINK, _IFINFO.pack(0, 0, 0, 0, 0)):
            device = _device(payload)
            if device is not None:
                found[device.name] = device
    return found


def make(wanted: TunnelDevice) -> TunnelDevice:
    """Create a device, down and quiet; what the kernel made of it. Its MAC and index are ours and the kernel's to say.

    Raises KernelError: EEXIST where the name, or the port and VNI, are taken; EOPNOTSUPP where the kernel has no such
    devices.
    """
    kind = _KINDS[wanted.kind]
    data = attribute(kind.port, struct.pack(">H", wanted.port))
    if wanted.identifier is None:
        data += attribute(kind.external, b"\1" if wanted.kind == VXLAN else b"")
    else:
        data += attribute(kind.identifier, struct.pack("=I", wanted.identifier))
    data += attribute(kind.zero_checksum6, b"\1" if wanted.zero_checksum6 else b"\0")
    if wanted.kind == VXLAN:
        data += attribute(_VXLAN_LEARNING, b"\0") + (attribute(_VXLAN_VNIFILTER, b"\1") if wanted.vnifilter else b"")
    about = attribute(_IFLA_INFO_KIND, wanted.kind.encode()) + attribute(_IFLA_INFO_DATA, data)
    body = _IFINFO.pack(0, 0, 0, _IFF_NOARP, _IFF_UP | _IFF_NOARP)
    body += attribute(_IFLA_IFNAME, wanted.name.encode() + b"\0") + attribute(_IFLA_ADDRESS, mac_of(wanted.name))
    if wanted.mtu:
        body += attribute(_IFLA_MTU, struct.pack("=I", wanted.mtu))
    with RouteSocket() as route:
        route.change(RTM_NEWLINK, body + attribute(_IFLA_LINKINFO, about), CREATE | NEW_ONLY)
    made = tunnel_devices()[wanted.name]
    quieten(made.index)
    mark(made.index, wanted.alias)
    return tunnel_devices()[wanted.name]


def quieten(index: int) -> None:
    """No ARP, and no IPv6 address of its own making. Raises KernelError."""
    body = _IFINFO.pack(0, 0, index, _IFF_NOARP, _IFF_NOARP)
    if _IPV6.exists():
        mode = attribute(_INET6_ADDR_GEN_MODE, bytes([_ADDR_GEN_MODE_NONE]))
        body += attribute(_IFLA_AF_SPEC, attribute(_AF_INET6, mode))
    _change(body)


def mark(index: int, alias: str) -> None:
    """Write on a device whose it is. Raises KernelError."""
    _change(_IFINFO.pack(0, 0, index, 0, 0) + attribute(_IFLA_IFALIAS, alias.encode()))


def set_mtu(index: int, mtu: int) -> None:
    """Raises KernelError."""
    _change(_IFINFO.pack(0, 0, index, 0, 0) + attribute(_IFLA_MTU, struct.pack("=I", mtu)))


def set_up(index: int) -> None:
    """Raises KernelError; EADDRINUSE where another socket has the port."""
    _change(_IFINFO.pack(0, 0, index, _IFF_UP, _IFF_UP))


def delete(index: int) -> None:
    """Delete a device; nothing happens if it is gone. Raises KernelError."""
    try:
        with RouteSocket() as route:
            route.change(RTM_DELLINK, _IFINFO.pack(0, 0, index, 0, 0))
    except KernelError as error:
        if error.errno != _NO_SUCH_DEVICE:
            raise


def _change(body: bytes) -> None:
    with RouteSocket() as route:
        route.change(RTM_NEWLINK, body)


def _device(payload: bytes) -> TunnelDevice | None:
    _, _, index, flags, _ = _IFINFO.unpack_from(payload)
    more = attributes(payload[_IFINFO.size :])
    info = attributes(more.get(_IFLA_LINKINFO, b""))
    word = text(info.get(_IFLA_INFO_KIND, b""))
    kind = _KINDS.get(word)
    if kind is None:
        return None
    data = attributes(info.get(_IFLA_INFO_DATA, b""))
    (port,) = struct.unpack(">H", data.get(kind.port, bytes(2)))
    # A flag of geneve is there or not, one of vxlan has a value; an external device shows a VNI of 0 beside it.
    external = kind.external in data and data[kind.external] != b"\0"
    number = int.from_bytes(data.get(kind.identifier, bytes(4)), "little" if struct.pack("=H", 1)[0] else "big")
    return TunnelDevice(
        text(more.get(_IFLA_IFNAME, b"")),
        word,
        port,
        None if external else number,
        any(data.get(_VXLAN_VNIFILTER, b"")) if word == VXLAN else False,
        any(data.get(kind.zero_checksum6, b"")),
        struct.unpack("=I", more.get(_IFLA_MTU, bytes(4)))[0],
        text(more.get(_IFLA_IFALIAS, b"")),
        more.get(_IFLA_ADDRESS, b""),
        index,
        bool(flags & _IFF_UP),
    )
