"""The bytes of `struct host` for one attached device, and the reading of them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address

from ..kernel.devices import Device
from ..kernel.machine import secret_of_this_boot
from ..machine import Addresses, Machine, Plain
from ..manifest import HostMember, Layout, Manifest

IDENTITY = "identity"
FLOW_SEED = "flow_seed"
_NUMBERS = {"u8", "u16", "u32"}


@dataclass(frozen=True)
class Instance:
    """A program instance: its device, its `struct host`, and the members that no host value filled."""

    device: Device
    host: bytes
    missing: tuple[HostMember, ...]


def compose(manifest: Manifest, machine: Machine, device: Device) -> Instance:
    """Fill `struct host` for a device. A member whose address family the host has not stays zero and is listed."""
    host = bytearray(manifest.host_layout.size)
    missing = []
    for member in manifest.host_members:
        value = member_value(manifest, machine, device, member)
        encoded = _encode(member, value) if value is not None else b""
        if not encoded:
            missing.append(member)
            continue
        at = member.member.offset
        host[at : at + member.member.size] = encoded
    return Instance(device, bytes(host), tuple(missing))


def member_value(manifest: Manifest, machine: Machine, device: Device, member: HostMember) -> Plain | None:
    """The value that fills a member on one device; None if there is none."""
    if member.source == IDENTITY:
        return bytes.fromhex(manifest.identity)
    if member.source == FLOW_SEED:
        return secret_of_this_boot()
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
    """Which bundle's code a `struct host` belongs to, if it is laid out as this manifest says."""
    at = next((m.member for m in manifest.host_members if m.source == IDENTITY), None)
    if at is None or len(data) != manifest.host_layout.size:
        return ""
    return data[at.offset : at.offset + at.size].hex()


def decode(members: Sequence[HostMember], data: bytes) -> dict[str, str]:
    """Each member as text, by its source (and family), for status and drift."""
    found = {}
    for m in members:
        if m.source in (IDENTITY, FLOW_SEED):
            continue
        raw = data[m.member.offset : m.member.offset + m.member.size]
        label = f"{m.source} ({m.family})" if m.family and m.member.type in ("ipv4", "ipv6", "ip") else m.source
        found[label] = _text(m.member.type, raw)
    return found


def _text(kind: str, raw: bytes) -> str:
    if not any(raw) and kind in ("ipv4", "ipv6", "ip"):
        return "none"
    if kind in ("ipv4", "ipv6", "ip"):
        address = ip_address(raw)
        mapped = address.ipv4_mapped if isinstance(address, IPv6Address) and kind == "ip" else None
        return str(mapped or address)
    if kind in _NUMBERS:
        return str(int.from_bytes(raw, sys.byteorder))
    if kind.startswith("be"):
        return str(int.from_bytes(raw, "big"))
    return raw.hex(":")
