"""The reference encoder: outer headers as bytes, out of the catalogue's description and nothing else.

It says in Python what the generated C must send, without sharing a line with the generator: tests hold the two against
each other. It also makes wrong packets, because every field may be given a value.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from ipaddress import ip_address
from struct import pack
from typing import assert_never

from .catalogue import FAMILIES, IP_FIELDS, headers
from .model import (
    DYNAMIC_PORTS,
    Constant,
    Critical,
    Ecn,
    Field,
    FromSpec,
    Header,
    InternetChecksum,
    Length,
    NextProtocol,
    Opaque,
    Options,
    Presence,
    Scope,
    Space,
    Word,
)

Option = tuple[int, int, bytes]  # class, type, data
FieldValue = int | str | bytes | Sequence[Option]
Use = tuple[str, Mapping[str, FieldValue]]  # a header of a stack, and the values given to it


def encode(stack: Sequence[Use], inner: bytes, flow: int = 0) -> bytes:
    """The headers of `stack`, outermost first, in front of `inner`, an IP packet.

    Fields that are not given follow from their roles; a given one stands as it is, also where a spec could not set it.
    Addresses may be text or bytes. `flow` is the 32-bit hash that `flow` stands for in ports and labels.
    KeyError for an unknown header or field, ValueError for a value that is missing or does not fit.
    """
    encoded = inner
    following = ""
    for position, (name, given) in reversed(list(enumerate(stack))):
        header = headers()[name]
        unknown = set(given) - {f.name for f in header.everything()}
        if unknown:
            raise KeyError(f"{name} has no field {', '.join(sorted(unknown))}")
        over = next((u for u in reversed(stack[:position]) if u[0] in FAMILIES), None)
        encoded = _Encoder(header, given, following, inner, encoded, flow, over).header() + encoded
        following = name
    return encoded


def checksum(data: bytes) -> int:
    """RFC 1071."""
    total = sum(int.from_bytes(data[i : i + 2].ljust(2, b"\0"), "big") for i in range(0, len(data), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def family(packet: bytes) -> Header:
    """The header that an IP packet begins with, by its version. ValueError if it is none."""
    for name in FAMILIES:
        header = headers()[name]
        version = next(header.fields())
        assert isinstance(version.role, Constant)
        if packet and packet[0] >> 8 - version.bits == version.role.value:
            return header
    raise ValueError("the inner packet is neither IPv4 nor IPv6")


def read(packet: bytes, header: Header, name: str) -> int:
    """The value of a field of the header that `packet` begins with, which has no optional words."""
    position = 0
    for field in header.fields():
        if field.name == name:
            end = position + field.bits
            whole = int.from_bytes(packet[: (end + 7) // 8], "big")
            return whole >> -end % 8 & (1 << field.bits) - 1
        position += field.bits
    raise KeyError(f"{header.name}.{name}")


def _variable(header: Header, given: Mapping[str, FieldValue]) -> bytes:
    found = given.get(header.variable.name, b"") if header.variable is not None else b""
    if isinstance(found, bytes):  # options too, so that wrong ones can be made
        return found
    if isinstance(found, (int, str)) or header.variable is None or not isinstance(header.variable.role, Options):
        raise ValueError(f"{header.name}: no such variable-length part")
    head = Header(header.name, "", "", (header.variable.role.head,), variable=Field("data", 0, Opaque(124), ""))
    return b"".join(
        _Encoder(head, {"class": class_, "type": type_, "data": data}, "", b"", b"", 0).header()
        for class_, type_, data in found
    )


class _Encoder:
    def __init__(
        self,
        header: Header,
        given: Mapping[str, FieldValue],
        following: str,
        inner: bytes,
        payload: bytes,
        flow: int,
        over: Use | None = None,
    ) -> None:
        self.over = over  # the IP header before it
        self.given, self.following, self.inner, self.flow = given, following, inner, flow
        self.described = header
        self.variable = _variable(header, given)
        self.payload = self.variable + payload
        self.name = header.name
        self.words: tuple[Word, ...] = header.layout(given)
        self.size = sum(word.size for word in self.words)

    def header(self) -> bytes:
        encoded = b"".join(self.word(word, 0) for word in self.words)
        role = next((f.role for w in self.words for f in w.fields if isinstance(f.role, InternetChecksum)), None)
        if role is not None:
            sum_ = checksum(self.covered(role.scope, encoded))
            sum_ = 0xFFFF if role.zero_is_none and not sum_ else sum_
            encoded = b"".join(self.word(word, sum_) for word in self.words)
        return encoded + self.variable

    def covered(self, scope: Scope, encoded: bytes) -> bytes:
        """The bytes that a checksum is over, whose own field is still zero."""
        match scope:
            case Scope.HEADER:
                return encoded + self.variable
            case Scope.PAYLOAD:
                return encoded + self.payload
            case Scope.PSEUDO_HEADER:
                return self.pseudo_header(len(encoded + self.payload)) + encoded + self.payload
            case _:
                assert_never(scope)

    def pseudo_header(self, length: int) -> bytes:
        """RFC 768, RFC 8200 section 8.1."""
        if self.over is None:
            raise ValueError(f"{self.name}: no IP header is before it, of which a pseudo-header could be")
        header, given = headers()[self.over[0]], self.over[1]
        before = _Encoder(header, given, self.name, self.inner, b"", self.flow)
        addresses = b"".join(before.word(word, 0) for word in header.words if word.name in ("saddr", "daddr"))
        number = self.described.announced_as[Space.IP_PROTOCOL]
        return addresses + (pack(">xBH", number, length) if header.name == "ipv4" else pack(">I3xB", length, number))

    def word(self, word: Word, sum_: int) -> bytes:
        number = 0
        for field in word.fields:
            value = self.value(field, sum_)
            if not 0 <= value < 1 << field.bits:
                raise ValueError(f"{self.name}.{field.name}: {value} does not fit into {field.bits} bits")
            number = number << field.bits | value
        return number.to_bytes(word.size, "big")

    def value(self, field: Field, sum_: int) -> int:
        role = field.role
        if field.name in self.given:
            return self.of(field, self.given[field.name])
        if isinstance(role, Constant):
            return role.value
        if isinstance(role, Presence):
            return int(role.of in self.given)
        if isinstance(role, Critical):
            return int(self.has_critical_option())
        if isinstance(role, InternetChecksum):
            return sum_
        if isinstance(role, Ecn):
            return self.from_inner(Ecn)
        if isinstance(role, Length):
            sizes = {"header": self.size + len(self.variable), "variable": len(self.variable)}
            sizes |= {"payload": len(self.payload), "datagram": self.size + len(self.payload)}
            return sizes[role.extent] // role.unit
        if isinstance(role, NextProtocol):
            following = headers()[self.following] if self.following else family(self.inner)
            return following.announced_as[role.space]
        if isinstance(role, FromSpec):
            default: FieldValue | None = role.default
            if default is None and len(role.keywords) == 1:
                default = role.keywords[0]
            if default is None:
                raise ValueError(f"{self.name}.{field.name} must be given")
            return self.of(field, default)
        return 0  # reserved

    def has_critical_option(self) -> bool:
        variable = self.described.variable
        found = self.given.get(variable.name, b"") if variable else b""
        if variable is None or not isinstance(variable.role, Options) or isinstance(found, (int, str, bytes)):
            return False
        return any(type_ & variable.role.critical for _, type_, _ in found)

    def of(self, field: Field, value: FieldValue) -> int:
        """A value as it was given, or a keyword of the field."""
        if isinstance(value, int):
            return value
        if isinstance(value, bytes):
            return int.from_bytes(value, "big")
        if not isinstance(value, str):
            raise ValueError(f"{self.name}.{field.name} is no list")
        if value in field.keywords:
            return self.keyword(field, value)
        if field.type == "mac":
            return int(value.replace(":", ""), 16)
        return int(ip_address(value))

    def keyword(self, field: Field, word: str) -> int:
        if word == "zero":
            return 0
        if word == "inherit":
            return self.inherited(field.name)
        first, last = DYNAMIC_PORTS
        if field.type == "port":
            return first + (self.flow * (last - first + 1) >> 32)
        return self.flow >> 32 - field.bits

    def inherited(self, name: str) -> int:
        """The inner header's field that is called what the outer one is, whatever each family calls it."""
        header = family(self.inner)
        common = next(names for names in IP_FIELDS.values() if name in names.values())
        return read(self.inner, header, common[header.name])

    def from_inner(self, role: type) -> int:
        header = family(self.inner)
        return read(self.inner, header, next(f.name for f in header.fields() if isinstance(f.role, role)))
