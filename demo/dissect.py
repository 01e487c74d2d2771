"""Taking a captured frame apart into headers, for showing it. Knows only what the demo's packets carry."""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Callable
from dataclasses import dataclass

VXLAN_PORT, GENEVE_PORT = 4789, 6081
ETHERTYPES = {0x0800: "IPv4", 0x86DD: "IPv6"}
PROTOCOLS = {1: "ICMP", 6: "TCP", 17: "UDP", 58: "ICMPv6"}


@dataclass(frozen=True)
class Layer:
    """One header: its name, its bytes and its key fields in words."""

    name: str
    data: bytes
    text: str


def dissect(frame: bytes) -> list[Layer]:
    """The headers of an Ethernet frame, outermost first, and the payload as the last layer."""
    layers: list[Layer] = []
    parse: Callable[[bytes], tuple[Layer, str]] | None = _ethernet
    rest = frame
    while parse is not None:
        layer, following = parse(rest)
        layers.append(layer)
        rest = rest[len(layer.data) :]
        parse = _PARSERS.get(following)
    if rest:
        layers.append(Layer("payload", rest, _readable(rest)))
    return layers


def _readable(data: bytes) -> str:
    text = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in data)
    return f'"{text}"' if len(text) <= 48 else f'"{text[:45]}..."'


def _mac(data: bytes) -> str:
    return data.hex(":")


def _ethernet(data: bytes) -> tuple[Layer, str]:
    (kind,) = struct.unpack_from("!H", data, 12)
    name = ETHERTYPES.get(kind, f"{kind:#06x}")
    return Layer("Ethernet", data[:14], f"{_mac(data[6:12])} > {_mac(data[:6])}, type {name}"), name


def _ipv4(data: bytes) -> tuple[Layer, str]:
    length = (data[0] & 15) * 4
    source, destination = (ipaddress.IPv4Address(data[at : at + 4]) for at in (12, 16))
    name = PROTOCOLS.get(data[9], str(data[9]))
    flags = ", DF" if data[6] & 0x40 else ""
    (total,) = struct.unpack_from("!H", data, 2)
    text = f"{source} > {destination}, {name}, length {total}, ttl {data[8]}{flags}"
    return Layer("IPv4", data[:length], text), name


def _ipv6(data: bytes) -> tuple[Layer, str]:
    source, destination = (ipaddress.IPv6Address(data[at : at + 16]) for at in (8, 24))
    name = PROTOCOLS.get(data[6], str(data[6]))
    (length,) = struct.unpack_from("!H", data, 4)
    return Layer("IPv6", data[:40], f"{source} > {destination}, {name}, length {length}, hop limit {data[7]}"), name


def _udp(data: bytes) -> tuple[Layer, str]:
    source, destination, length, checksum = struct.unpack_from("!4H", data)
    says = "none" if checksum == 0 else f"{checksum:#06x}"
    text = f"port {source} > {destination}, length {length}, checksum {says}"
    return Layer("UDP", data[:8], text), {VXLAN_PORT: "VXLAN", GENEVE_PORT: "Geneve"}.get(destination, "")


def _vxlan(data: bytes) -> tuple[Layer, str]:
    return Layer("VXLAN", data[:8], f"VNI {int.from_bytes(data[4:7])}, flags {data[0]:#04x}"), "Ethernet"


def _geneve(data: bytes) -> tuple[Layer, str]:
    length = 8 + (data[0] & 0x3F) * 4
    (kind,) = struct.unpack_from("!H", data, 2)
    options, at = [], 8
    while at < length:
        size = 4 + (data[at + 3] & 0x1F) * 4
        options.append(f"{data[at + 2]}: {data[at + 4 : at + size].hex()}")
        at += size
    said = f"VNI {int.from_bytes(data[4:7])}, options {', '.join(options)}" if options else "no options"
    return Layer("Geneve", data[:length], said), ETHERTYPES.get(kind, "")


def _tcp(data: bytes) -> tuple[Layer, str]:
    source, destination = struct.unpack_from("!2H", data)
    names = [name for bit, name in enumerate(("FIN", "SYN", "RST", "PSH", "ACK")) if data[13] & 1 << bit]
    length = (data[12] >> 4) * 4
    return Layer("TCP", data[:length], f"port {source} > {destination}, {' '.join(names)}"), ""


def _icmp(data: bytes) -> tuple[Layer, str]:
    kind = {0: "echo reply", 8: "echo request", 128: "echo request", 129: "echo reply"}.get(data[0], f"type {data[0]}")
    identifier, sequence = struct.unpack_from("!HH", data, 4)
    return Layer("ICMP", data[:8], f"{kind}, id {identifier}, sequence {sequence}"), ""


_PARSERS: dict[str, Callable[[bytes], tuple[Layer, str]]] = {
    "Ethernet": _ethernet,
    "IPv4": _ipv4,
    "IPv6": _ipv6,
    "UDP": _udp,
    "VXLAN": _vxlan,
    "Geneve": _geneve,
    "TCP": _tcp,
    "ICMP": _icmp,
    "ICMPv6": _icmp,
}
