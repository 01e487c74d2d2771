"""Network devices and their addresses, read by rtnetlink."""

from __future__ import annotations

import struct
from ipaddress import IPv4Address, IPv6Address, ip_address

from ...common.record import Record
from .device_features import Features
from .rtnetlink import RTM_GETADDR, RTM_GETLINK, RouteSocket, attributes, text
from .uapi import ARPHRD_ETHER

_IFINFO = struct.Struct("=BxHiII")  # struct ifinfomsg: family, type, index, flags, change
_IFADDR = struct.Struct("=BBBBI")  # struct ifaddrmsg: family, prefix length, flags, scope, index
_IFLA_ADDRESS, _IFLA_IFNAME, _IFLA_MTU, _IFLA_LINK, _IFLA_MASTER, _IFLA_LINKINFO = 1, 3, 4, 5, 10, 18
_IFLA_LINK_NETNSID, _IFLA_GSO_MAX_SEGS, _IFLA_GSO_MAX_SIZE, _IFLA_GSO_IPV4_MAX_SIZE = 37, 40, 41, 63
_IFLA_INFO_KIND, _IFLA_INFO_SLAVE_KIND = 1, 4
_IFA_ADDRESS, _IFA_LOCAL, _IFA_FLAGS = 1, 2, 8
_IFF_UP, _IFF_LOWER_UP = 0x1, 0x10000

# include/uapi/linux/if_addr.h; SECONDARY is called TEMPORARY for IPv6
_SECONDARY, _DADFAILED, _DEPRECATED, _TENTATIVE = 0x01, 0x08, 0x20, 0x40
_SCOPE_UNIVERSE = 0


class Address(Record):
    """An address of a device that can be an outer source; `global_primary` says whether it may be chosen unasked."""

    address: IPv4Address | IPv6Address
    prefix_length: int
    global_primary: bool


class Device(Record):
    """A network device. `mac` is 6 bytes as on the wire, empty if it has none; `mtu` in bytes.

    `carrier` is the link's, meaningful while it is up. `kind` is rtnetlink's word (vlan, bond, bridge, vrf ...), empty
    for hardware. `master` is the index of the bridge, bond, team or VRF that it belongs to, which is of `master_kind`;
    `lower` that of the device of this namespace which it lies over. 0 and "" where there is none.
    """

    name: str
    index: int
    mac: bytes
    mtu: int
    ethernet: bool
    up: bool
    addresses: tuple[Address, ...] = ()
    carrier: bool = True
    kind: str = ""
    master: int = 0
    master_kind: str = ""
    lower: int = 0
    gso_max_segs: int = 65535  # segments in a GSO packet that local connections may send by it
    gso_max_size: int = 65536  # bytes of one; before 6.3 of IPv4's too
    gso_ipv4_max_size: int = 65536
    tx_checksum: frozenset[int] = frozenset((4, 6))  # the IP versions of which it fills in checksums
    segments_tunnels: bool = False  # it may be given GSO packets in a tunnel as they are

    @property
    def mac_text(self) -> str:
        return self.mac.hex(":")


def devices() -> dict[str, Device]:
    """Every device of this network namespace, by name, with its addresses. Raises KernelError."""
    with RouteSocket() as route, Features() as features:
        found: dict[int, list[Address]] = {}
        for payload in route.dump(RTM_GETADDR, _IFADDR.pack(0, 0, 0, 0, 0)):
            _, length, flags, scope, index = _IFADDR.unpack_from(payload)
            more = attributes(payload[_IFADDR.size :])
            # IFA_LOCAL is ours, IFA_ADDRESS the peer's on point-to-point IPv4; IPv6 may have only the latter.
            raw = more.get(_IFA_LOCAL, more.get(_IFA_ADDRESS))
            if raw is None or len(raw) not in (4, 16):
                continue
            if _IFA_FLAGS in more:
                (flags,) = struct.unpack("=I", more[_IFA_FLAGS])
            unfit = flags & (_SECONDARY | _DADFAILED | _DEPRECATED | _TENTATIVE)
            usable = scope == _SCOPE_UNIVERSE and not unfit
            found.setdefault(index, []).append(Address(ip_address(raw), length, usable))
        answer = {}
        for payload in route.dump(RTM_GETLINK, _IFINFO.pack(0, 0, 0, 0, 0)):
            _, kind, index, flags, _ = _IFINFO.unpack_from(payload)
            more = attributes(payload[_IFINFO.size :])
            name = text(more.get(_IFLA_IFNAME, b""))
            mac = more.get(_IFLA_ADDRESS, b"")
            mtu, master, lower, segments, size, ipv4_size = (
                struct.unpack("=I", more.get(a, bytes(4)))[0]
                for a in (
                    _IFLA_MTU,
                    _IFLA_MASTER,
                    _IFLA_LINK,
                    _IFLA_GSO_MAX_SEGS,
                    _IFLA_GSO_MAX_SIZE,
                    _IFLA_GSO_IPV4_MAX_SIZE,
                )
            )
            info = attributes(more.get(_IFLA_LINKINFO, b""))
            answer[name] = Device(
                name,
                index,
                mac if len(mac) == 6 else b"",
                mtu,
                kind == ARPHRD_ETHER,
                bool(flags & _IFF_UP),
                tuple(found.get(index, ())),
                bool(flags & _IFF_LOWER_UP),
                text(info.get(_IFLA_INFO_KIND, b"")),
                master,
                text(info.get(_IFLA_INFO_SLAVE_KIND, b"")),
                0 if _IFLA_LINK_NETNSID in more or lower == index else lower,
                segments,
                size,
                ipv4_size or size,
                features.tx_checksum(name),
                features.segments_tunnels(name),
            )
        return answer
