"""The bytes of `struct host` for one attached device or one cgroup with hooks, and the reading of them."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address, ip_address

from ...common.manifest import Cgroup, Hooked, HostMember, Layout, Manifest
from ...common.record import Record
from ..host_values import Addresses, Machine, Plain
from ..kernel.devices import Device
from ..kernel.hooks.base import DEVICE_POINTS, Point
from ..kernel.netns import in_first_network_namespace, namespace_cookie
from ..kernel.system import kernel_version, secret_of_this_boot
from .cgroups import PACKET_COOKIE_SINCE, mask, needed_points

IDENTITY = "identity"
FLOW_SEED = "flow_seed"
CGROUPS, CGROUP_LEVEL, CGROUP_LEVELS = "cgroups", "cgroup_level", "cgroup_levels"
NETNS_COOKIE, PACKET_NETNS, SOCKET_NETNS = "netns_cookie", "packet_netns_cookie", "socket_netns_cookie"
ATTACHED, INITIAL_NETNS = "attached", "initial_netns"
LOOKUP_IFINDEX, UPLINK_IFINDEX, REDIRECT_MARK = "lookup_ifindex", "uplink_ifindex", "redirect_mark"
LOOPBACK = 1  # the ifindex of lo, in every network namespace
ROUTE_DEVICE = "route_device"
_OF_CGROUPS = {CGROUPS, CGROUP_LEVEL, CGROUP_LEVELS}
_OF_NAMESPACES = {NETNS_COOKIE, PACKET_NETNS, SOCKET_NETNS, INITIAL_NETNS}
NO_TX_CHECKSUM = "no_tx_checksum"
WORDS = frozenset(
    {IDENTITY, FLOW_SEED, ATTACHED, ROUTE_DEVICE, LOOKUP_IFINDEX, UPLINK_IFINDEX, REDIRECT_MARK, NO_TX_CHECKSUM}
    | _OF_CGROUPS
    | _OF_NAMESPACES
)  # that are no host values
COOKIE_SINCE = (5, 15)  # bpf_get_netns_cookie for programs of socket options
_BITS = {4: 1, 6: 2}  # of NO_TX_CHECKSUM
_NUMBERS = {"u8", "u16", "u32", "u64"}


class Target(Record):
    """What a program instance is for: a device, or a cgroup by its path below the attached one and its number.

    `route` says that it is the route device, which has programs of its own.
    """

    name: str
    number: int
    points: frozenset[Point]
    route: bool = False

    @classmethod
    def of(cls, device: Device) -> Target:
        return cls(device.name, device.index, DEVICE_POINTS)


class Instance(Record):
    """A program instance: its target, its `struct host`, and the members that no host value filled."""

    target: Target
    host: bytes
    missing: tuple[HostMember, ...] = ()

    def programs(self, manifest: Manifest) -> list[Hooked]:
        """Those of the object's programs that run on this target."""
        if self.target.route:
            return list(route_device_programs(manifest))
        return [p for p in manifest.programs if p.hook in self.target.points]


class Context(Record):
    """What instances are told of cgroups: how deep the attached one lies, and a bit for each level that rows name.

    `attached` are the ifindexes of the devices whose packets come to our programs.
    """

    level: int = 0
    levels: int = 0
    attached: tuple[int, ...] = ()


NO_CGROUPS = Context()


def word_of(member: HostMember) -> str:
    """Which word of the loader fills a member; empty for a host value, which may be called like one.

    The members of host values begin with `value_`: see `encap_compile.compile.identifiers`.
    """
    return member.source if member.source in WORDS and not member.member.name.startswith("value_") else ""


def compose(
    manifest: Manifest, machine: Machine, device: Device, context: Context = NO_CGROUPS, route: int = 0
) -> Instance:
    """Fill `struct host` for a device. A member whose address family the host has not stays zero and is listed.

    `route` is the number of the route device, if it is for that one.
    """
    device = replace(device, mtu=min(d.mtu for d in sent_by(manifest, machine.attached, device)))
    known = {
        **_known(manifest, context),
        ROUTE_DEVICE: route,
        UPLINK_IFINDEX: device.index,
        LOOKUP_IFINDEX: _lookup_ifindex(device),
        NO_TX_CHECKSUM: _lacking(device),
    }
    host, missing = bytearray(manifest.host_layout.size), []
    for member in manifest.host_members:
        word = word_of(member)
        value = known[word] if word else member_value(manifest, machine, device, member)
        if not _put(host, member, value):
            missing.append(member)
    return Instance(Target.of(device), bytes(host), tuple(missing))


def sent_by(manifest: Manifest, attached: Iterable[Device], device: Device) -> list[Device]:
    """The attached devices by which a packet may leave that is encapsulated on one of them."""
    if manifest.next_hop != "route":
        return [device]
    return [device, *(d for d in attached if _lookup_ifindex(d) == _lookup_ifindex(device))]


def _lookup_ifindex(device: Device) -> int:
    """From where routes are looked up for what leaves by a device."""
    return device.master if device.master_kind == "vrf" else LOOPBACK


def route_device_programs(manifest: Manifest) -> tuple[Hooked, ...]:
    """Those of the route device, which has one at ingress also where the bundle receives nothing."""
    device = manifest.route_device
    if device is None:
        return ()
    section = next((p.section for p in manifest.programs if p.program == device.egress), "tc")
    return tuple(
        Hooked(program, point, section)
        for program, point in ((device.egress, Point.EGRESS), (device.ingress, Point.INGRESS))
    )


def compose_route_device(manifest: Manifest, machine: Machine, device: Device, context: Context) -> Instance:
    """Fill `struct host` for the route device: as of the first attached device, by which it mostly sends, but with its
    own number and checksum offload, and with the smallest MTU of all."""
    first = machine.attached[0]
    smallest = min(d.mtu for d in machine.attached)
    made = compose(
        manifest, machine, replace(first, mtu=smallest, tx_checksum=device.tx_checksum), context, device.index
    )
    return replace(made, target=Target(device.name, device.index, DEVICE_POINTS, route=True))


def compose_cgroup(manifest: Manifest, machine: Machine, cgroup: Cgroup, number: int, context: Context) -> Instance:
    """Fill `struct host` for a cgroup with hooks: what belongs to a device is zero, but for the smallest MTU of all."""
    attached = b"".join(index.to_bytes(4, sys.byteorder) for index in context.attached)
    known = {**_known(manifest, context), CGROUPS: mask(manifest.cgroups, cgroup.path), ATTACHED: attached}
    host = bytearray(manifest.host_layout.size)
    for member in manifest.host_members:
        word = word_of(member)
        value = known[word] if word else _anywhere(manifest, machine, member)
        _put(host, member, value)
    return Instance(Target(cgroup.path, number, needed_points(cgroup)), bytes(host))


def member_value(manifest: Manifest, machine: Machine, device: Device, member: HostMember) -> Plain | None:
    """The value that fills a member on one device; None if there is none."""
    name, _, attribute = member.source.partition(".")
    if name not in machine.values:
        return None
    value = machine.values[name].value_on(device)
    if isinstance(value, Device) and name in manifest.attach:
        value = device  # each instance has the attributes of its own device
    if isinstance(value, Device) and attribute == "address":
        return machine.addresses.get(value.name)
    if isinstance(value, Device):
        attributes: dict[str, Plain] = {"mac": value.mac, "mtu": value.mtu, "ifindex": value.index, "": value.index}
        return attributes[attribute] or None
    return value


def _known(manifest: Manifest, context: Context) -> dict[str, Plain]:
    """The members that are no host values."""
    return {
        IDENTITY: bytes.fromhex(manifest.runs),
        FLOW_SEED: secret_of_this_boot(),
        CGROUPS: 0,  # a device is in none
        CGROUP_LEVEL: context.level,
        CGROUP_LEVELS: context.levels,
        NETNS_COOKIE: namespace_cookie() if kernel_version() >= COOKIE_SINCE else 0,
        PACKET_NETNS: namespace_cookie() if kernel_version() >= PACKET_COOKIE_SINCE else 0,
        SOCKET_NETNS: namespace_cookie(),
        INITIAL_NETNS: int(in_first_network_namespace()),
        ATTACHED: b"\0",  # a device tells itself
        LOOKUP_IFINDEX: 0,
        UPLINK_IFINDEX: 0,
        REDIRECT_MARK: _redirect_mark(),
        ROUTE_DEVICE: 0,
        NO_TX_CHECKSUM: 0,  # a cgroup's programs encapsulate nothing
    }


def _lacking(device: Device) -> int:
    """The families whose checksums a device does not fill in, as bits."""
    return sum(bit for version, bit in _BITS.items() if version not in device.tx_checksum)


def _redirect_mark() -> int:
    """The mark by which the route device knows its own packets. It tells nothing of the secret that it is made of."""
    made = hashlib.sha256(b"redirect" + secret_of_this_boot()).digest()
    return int.from_bytes(made[:4], "big") or 1


def _anywhere(manifest: Manifest, machine: Machine, member: HostMember) -> Plain | None:
    """A member's value that is the same on all devices, or the smallest MTU; else None."""
    name, _, attribute = member.source.partition(".")
    if attribute == "mtu" and name in manifest.attach:
        return min((d.mtu for d in machine.attached), default=None)
    found = machine.values.get(name)
    if found is None or name in manifest.attach or found.by_device is not None:
        return None
    value = found.values[0]
    return None if isinstance(value, Device) else value


def _put(host: bytearray, member: HostMember, value: Plain | None) -> bool:
    """Write a member; whether there was something to write."""
    encoded = _encode(member, value) if value is not None else b""
    at = member.member.offset
    host[at : at + len(encoded)] = encoded
    return bool(encoded)


def _encode(member: HostMember, value: Plain) -> bytes:
    size, kind = member.member.size, member.member.type
    if isinstance(value, Addresses):
        family = member.family or ("ipv4" if value.ipv4 is not None and kind != "ipv6" else "ipv6")
        address = value.ipv4 if family == "ipv4" else value.ipv6
        return _address(address, size) if address is not None else b""
    if isinstance(value, int):
        return value.to_bytes(size, "big" if kind.startswith("be") else sys.byteorder)
    if isinstance(value, bytes):
        return value.ljust(size, b"\0")[:size]
    raise TypeError(kind)


def _address(address: IPv4Address | IPv6Address, size: int) -> bytes:
    packed = address.packed
    return bytes(10) + b"\xff\xff" + packed if size == 16 and len(packed) == 4 else packed


def member_bytes(layout: Layout, name: str, data: bytes) -> bytes:
    """One member's bytes; empty if the struct has no such member."""
    return next((data[m.offset : m.offset + m.size] for m in layout.members if m.name == name), b"")


def identity_of(manifest: Manifest, data: bytes) -> str:
    """What a `struct host` says that runs, see `Manifest.runs`, if it is laid out as this manifest says."""
    at = next((m.member for m in manifest.host_members if word_of(m) == IDENTITY), None)
    if at is None or len(data) != manifest.host_layout.size:
        return ""
    return data[at.offset : at.offset + at.size].hex()


def decode(members: Sequence[HostMember], data: bytes) -> dict[str, str]:
    """Each member as text, by its source (and family), for status and drift; `host.NAME` if called like a word."""
    found = {}
    for m in members:
        if word_of(m) in (IDENTITY, FLOW_SEED, REDIRECT_MARK):
            continue
        raw = data[m.member.offset : m.member.offset + m.member.size]
        name = m.source if word_of(m) or m.source not in WORDS else f"host.{m.source}"
        if word_of(m) == NO_TX_CHECKSUM:
            found["families without tx checksum"] = _families(int.from_bytes(raw, sys.byteorder))
            continue
        label = f"{name} ({m.family})" if m.family and m.member.type in ("ipv4", "ipv6", "ip") else name
        found[label] = _text(m.member.type, raw)
    return found


def _families(lacking: int) -> str:
    return ", ".join(f"ipv{version}" for version, bit in _BITS.items() if lacking & bit) or "none"


def _text(kind: str, raw: bytes) -> str:
    if not any(raw) and kind in ("ipv4", "ipv6", "ip"):
        return "none"
    if kind in ("ipv4", "ipv6", "ip"):
        address = ip_address(raw)
        mapped = address.ipv4_mapped if isinstance(address, IPv6Address) and kind == "ip" else None
        return str(mapped or address)
    if kind == "u32s":
        numbers = (int.from_bytes(raw[at : at + 4], sys.byteorder) for at in range(0, len(raw), 4))
        return " ".join(str(n) for n in numbers if n) or "none"
    if kind in _NUMBERS:
        return str(int.from_bytes(raw, sys.byteorder))
    if kind.startswith("be"):
        return str(int.from_bytes(raw, "big"))
    return raw.hex(":")
