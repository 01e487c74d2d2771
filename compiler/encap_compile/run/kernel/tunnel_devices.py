"""Tunnel devices of the kernel: those that are there, and making ones of our own.

An own one is made down, and says whose it is (`owner`, its ifalias) before it can be set up. What a run has made that
was killed before it could write an owner is known by its MAC. It is quiet: no ARP, no IPv6 address.
All of it by messages of our own, since pyroute2 0.9 does not know `vnifilter`.

A VXLAN device with `vnifilter` (Linux 5.18) and no VNI receives nothing: vxlan_vs_find_vni() finds none. Any other one
delivers what comes to its port, of any sender, as received from it: it must be guarded before it goes up.
"""

from __future__ import annotations

import struct
from dataclasses import replace

from ...common.fnv import fnv1a
from ...common.record import Record
from .errors import KernelError
from .rtnetlink import (
    NLM_F_CREATE,
    NLM_F_EXCL,
    RTM_DELLINK,
    RTM_GETLINK,
    RTM_NEWLINK,
    RTM_SETLINK,
    Attributes,
    RouteSocket,
    attribute,
    attributes,
    text,
)
from .system import kernel_version

VXLAN, GENEVE = "vxlan", "geneve"
VNIFILTER_SINCE = (5, 18)

_IFINFO = struct.Struct("=BxHiII")  # struct ifinfomsg: family, type, index, flags, change
_IFF_UP, _IFF_NOARP = 0x1, 0x80
_IFLA_ADDRESS, _IFLA_IFNAME, _IFLA_MTU, _IFLA_LINKINFO, _IFLA_IFALIAS, _IFLA_AF_SPEC = 1, 3, 4, 18, 20, 26
_IFLA_INFO_KIND, _IFLA_INFO_DATA = 1, 2
_AF_INET6, _IFLA_INET6_ADDR_GEN_MODE, _ADDR_GEN_MODE_NONE = 10, 8, 1
_EAFNOSUPPORT = 97
# include/uapi/linux/if_link.h
_VXLAN_ID, _VXLAN_LOCAL6, _VXLAN_GROUP6, _VXLAN_LEARNING, _VXLAN_PORT = 1, 17, 16, 7, 15
_VXLAN_ZERO_CSUM6_RX, _VXLAN_COLLECT_METADATA, _VXLAN_GPE, _VXLAN_VNIFILTER = 20, 25, 27, 30
_GENEVE_ID, _GENEVE_REMOTE6, _GENEVE_PORT, _GENEVE_COLLECT_METADATA, _GENEVE_ZERO_CSUM6_RX = 1, 7, 5, 6, 10


class TunnelDevice(Record):
    """A VXLAN or Geneve device. `families` are those of the UDP sockets that it has while it is up.

    `external` says that it takes the packets of all VNIs, but with `vnifilter` those of its list alone.
    """

    name: str
    index: int
    kind: str
    port: int
    up: bool
    external: bool
    vnifilter: bool
    gpe: bool
    families: tuple[int, ...]  # 4, 6
    owner: str
    mtu: int = 0
    mac: bytes = b""

    @property
    def orphan(self) -> bool:
        """Whether it was made by us, and nobody has written whose it is."""
        return not self.owner and self.mac == _mac(self.name)


def tunnel_devices() -> list[TunnelDevice]:
    """All of this network namespace. Raises KernelError."""
    found = []
    with RouteSocket() as route:
        for payload in route.dump(RTM_GETLINK, _IFINFO.pack(0, 0, 0, 0, 0)):
            _, _, index, flags, _ = _IFINFO.unpack_from(payload)
            more = attributes(payload[_IFINFO.size :])
            info = attributes(more.get(_IFLA_LINKINFO, b""))
            kind = text(info.get(_IFLA_INFO_KIND, b""))
            if kind in (VXLAN, GENEVE):
                data = attributes(info.get(_IFLA_INFO_DATA, b""))
                name, owner = (text(more.get(a, b"")) for a in (_IFLA_IFNAME, _IFLA_IFALIAS))
                made = _device(name, index, kind, bool(flags & _IFF_UP), owner, data)
                (mtu,) = struct.unpack("=I", more.get(_IFLA_MTU, bytes(4)))
                found.append(replace(made, mtu=mtu, mac=more.get(_IFLA_ADDRESS, b"")))
    return found


def _device(name: str, index: int, kind: str, up: bool, owner: str, data: Attributes) -> TunnelDevice:
    vxlan = kind == VXLAN
    external = _GENEVE_COLLECT_METADATA in data
    over_ipv6 = _GENEVE_REMOTE6 in data
    if vxlan:
        external = data.get(_VXLAN_COLLECT_METADATA, b"\0") != b"\0"
        over_ipv6 = bool({_VXLAN_LOCAL6, _VXLAN_GROUP6} & data.keys())
    port = int.from_bytes(data.get(_VXLAN_PORT if vxlan else _GENEVE_PORT, b""), "big")
    families = (4, 6) if external else (6,) if over_ipv6 else (4,)
    vnifilter = vxlan and data.get(_VXLAN_VNIFILTER, b"\0") != b"\0"
    return TunnelDevice(name, index, kind, port, up, external, vnifilter, vxlan and _VXLAN_GPE in data, families, owner)


def make_external(name: str, kind: str, port: int, owner: str) -> TunnelDevice:
    """Make a device that is down, for all outer families; VXLAN with `vnifilter` where the kernel has it.

    Raises KernelError: EEXIST if the name is taken, EOPNOTSUPP if the kernel has no such devices.
    """
    with RouteSocket() as route:
        vnifilter = kind == VXLAN and kernel_version() >= VNIFILTER_SINCE
        new = attribute(_IFLA_IFNAME, name.encode() + b"\0") + attribute(_IFLA_ADDRESS, _mac(name))
        new += _link_info(kind, port, vnifilter)
        # An Ethernet device without ARP: what has no route must not be asked for either.
        route.change(RTM_NEWLINK, _IFINFO.pack(0, 0, 0, _IFF_NOARP, _IFF_NOARP) + new, NLM_F_CREATE | NLM_F_EXCL)
        (made,) = (d for d in tunnel_devices() if d.name == name)
    own(made.index, owner)
    return made


def own(index: int, owner: str) -> None:
    """Write on a device of ours whose it is, and keep IPv6 from giving it addresses. Raises KernelError."""
    this = _IFINFO.pack(0, 0, index, 0, 0)
    with RouteSocket() as route:
        route.change(RTM_SETLINK, this + attribute(_IFLA_IFALIAS, owner.encode()))
        try:
            route.change(RTM_SETLINK, this + _no_ipv6_addresses())
        except KernelError as error:
            if error.errno != _EAFNOSUPPORT:  # IPv6 is off
                raise


def _mac(name: str) -> bytes:
    """Locally administered, a prefix of ours, and a hash of the name that the device is made with."""
    return b"\x02\xec" + fnv1a(name).to_bytes(4, "big")


def _link_info(kind: str, port: int, vnifilter: bool) -> bytes:
    yes, number = b"\1", port.to_bytes(2, "big")
    if kind == VXLAN:
        data = attribute(_VXLAN_PORT, number) + attribute(_VXLAN_COLLECT_METADATA, yes)
        data += attribute(_VXLAN_LEARNING, b"\0") + attribute(_VXLAN_ZERO_CSUM6_RX, yes)
        data += attribute(_VXLAN_VNIFILTER, yes) if vnifilter else b""
    else:
        data = attribute(_GENEVE_PORT, number) + attribute(_GENEVE_COLLECT_METADATA, b"")
        data += attribute(_GENEVE_ZERO_CSUM6_RX, yes)
    return attribute(_IFLA_LINKINFO, attribute(_IFLA_INFO_KIND, kind.encode()) + attribute(_IFLA_INFO_DATA, data))


def _no_ipv6_addresses() -> bytes:
    mode = attribute(_IFLA_INET6_ADDR_GEN_MODE, bytes([_ADDR_GEN_MODE_NONE]))
    return attribute(_IFLA_AF_SPEC, attribute(_AF_INET6, mode))


def set_up(index: int, up: bool = True) -> None:
    """Raises KernelError: EADDRINUSE if its port is another's."""
    with RouteSocket() as route:
        route.change(RTM_SETLINK, _IFINFO.pack(0, 0, index, _IFF_UP if up else 0, _IFF_UP))


def set_mtu(index: int, mtu: int) -> None:
    """Raises KernelError."""
    with RouteSocket() as route:
        route.change(RTM_SETLINK, _IFINFO.pack(0, 0, index, 0, 0) + attribute(_IFLA_MTU, struct.pack("=I", mtu)))


def delete(index: int) -> None:
    """Nothing happens if it is gone. Raises KernelError."""
    with RouteSocket() as route:
        try:
            route.change(RTM_DELLINK, _IFINFO.pack(0, 0, index, 0, 0))
        except KernelError as error:
            if error.errno != 19:  # ENODEV
                raise
