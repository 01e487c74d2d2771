"""Typed values as a person writes them, in a spec or in a row: parse to bytes or integers, and back to text.

Addresses become bytes in network byte order (`ip` is always 16 bytes: IPv6, or IPv4 mapped), numbers become Python
integers. Every parser raises `ValueProblem`, which knows the code, the words and the way out, but no place.
"""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Network, IPv6Network
from re import compile as pattern
from socket import AF_INET, AF_INET6, inet_ntop, inet_pton

from .value_names import DSCP, DSCP_NAMES, PROTOCOL_NAMES, PROTOCOLS

MAPPED = bytes(10) + b"\xff\xff"  # ::ffff:0:0/96, RFC 4291 section 2.5.5.2
BITS = {"bit": 1, **{f"u{bits}": bits for bits in range(1, 33)}, "u64": 64}  # of numbers
WIDTHS = {**BITS, "port": 16, "dscp": 6, "ipv4": 32, "ipv6": 128, "mac": 48}  # bits of all types that a field can have
LIMITS = {name: (0, (1 << bits) - 1) for name, bits in BITS.items()} | {"port": (1, 65535)}
_UNUSABLE4 = frozenset((bytes(4), b"\xff" * 4))
_NOT_RESOLVED = "names are not resolved: a spec means the same everywhere"
_EITHER = "type `ip` takes addresses of either family"
_LIKE = {"ip": "like 192.0.2.1 or 2001:db8::1", "ipv4": "like 192.0.2.1", "ipv6": "like 2001:db8::1"}
_DECIMAL = pattern(r"0|[1-9][0-9]*")
_NUMBER = pattern(r"0|[1-9][0-9]*|0x[0-9a-fA-F]+|0o[0-7]+")
_MAC = pattern(r"[0-9a-fA-F]{2}(?::[0-9a-fA-F]{2}){5}")
_DURATION = pattern(r"(0|[1-9][0-9]{0,8})([smh])")
_SECONDS = {"s": 1, "m": 60, "h": 3600}
_LONGEST = 168 * 3600
_LONGEST_NAME = 255  # bytes of a directory's name (NAME_MAX)
DEEPEST_CGROUP = 8  # levels below the attached cgroup: CGROUP_DEPTH of encap_socket.h, as far as a program looks
_RANGE = pattern(r"([^-\s]+)\s*(?:-|\.\.)\s*([^-\s]+)")

Plain = int | str | bool
Prefix = IPv4Network | IPv6Network


class ValueProblem(Exception):  # noqa: N818 - a finding without its place, raised and caught here
    """A value that is not what it should be: `code` of `codes.CODES`, what is wrong, what to do."""

    def __init__(self, code: str, message: str, help: str = "") -> None:
        self.code, self.message, self.help = code, message, help
        super().__init__(message)


def integer(value: Plain, minimum: int, maximum: int, what: str) -> int:
    """A number in decimal, 0x or 0o, within bounds. `what` names the type in messages: "u24", "port"."""
    if isinstance(value, bool):
        raise ValueProblem("E411", f"`{str(value).lower()}` is not a number, and {what} is one")
    if isinstance(value, str):
        if len(value) > 64:
            raise ValueProblem("E411", f"`{value[:20]}...` is too long for {what}")
        if not _NUMBER.fullmatch(value):
            raise _not_a_number(value, what)
        value = int(value, 0)
    if not minimum <= value <= maximum:
        raise ValueProblem("E412", f"{value} is out of range for {what}", f"it can be {minimum} to {maximum}")
    return value


def duration(value: Plain) -> int:
    """A time with its unit, in nanoseconds: 350s, 5m, 1h; from a second to a week (E428)."""
    found = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        text = str(value)[:20]
        help = f"write {text}s" if text.isdecimal() else "a number and `s`, `m` or `h`, like 350s or 5m"
        raise ValueProblem("E428", f"`{text}` is not a time with a unit", help)
    seconds = int(found[1]) * _SECONDS[found[2]]
    if not 1 <= seconds <= _LONGEST:
        raise ValueProblem("E428", f"{value} is out of range for a timeout", "it can be 1s to 168h")
    return seconds * 1_000_000_000


def port(value: Plain) -> int:
    """A transport port that a header can carry; 0 is reserved (RFC 6335, section 6)."""
    return integer(value, *LIMITS["port"], "port")


def dscp(value: Plain) -> int:
    """A six-bit code point, by name or number."""
    if isinstance(value, str) and value.lower() in DSCP:
        return DSCP[value.lower()]
    if isinstance(value, str) and not value[:1].isdigit():
        raise ValueProblem("E411", f"`{value}` is not a DSCP name", f"names: {', '.join(DSCP)}; or a number 0 to 63")
    return integer(value, 0, 63, "dscp")


def protocol(value: Plain) -> int:
    """An IP protocol number, by name or number."""
    if isinstance(value, str) and value.lower() in PROTOCOLS:
        return PROTOCOLS[value.lower()]
    if isinstance(value, str) and not value[:1].isdigit():
        from .suggest import did_you_mean

        raise ValueProblem(
            "E411",
            f"`{value}` is not a protocol name",
            did_you_mean(value, PROTOCOLS, f"names: {', '.join(PROTOCOLS)}; or a number 0 to 255"),
        )
    return integer(value, 0, 255, "protocol")


def number_range(value: Plain, maximum: int, what: str) -> tuple[int, int]:
    """One number, or FIRST-LAST with both ends included."""
    if isinstance(value, str):
        ends = _RANGE.fullmatch(value)
        if ends and value[0].isdigit():
            first, last = (integer(end, 0, maximum, what) for end in ends.groups())
            if first > last:
                raise ValueProblem("E422", f"the range {value} ends before it begins", f"write {last}-{first}")
            return first, last
    only = integer(value, 0, maximum, what)
    return only, only


def _not_a_number(text: str, what: str) -> ValueProblem:
    bare = text.strip().replace("_", "")
    if text.strip().lstrip("+-").isdecimal() and text.isascii():
        plain = str(int(text))
        why = "has a sign" if text.strip()[0] in "+-" else "has leading zeros" if text == text.strip() else "has spaces"
        return ValueProblem(
            "E414", f"`{text}` {why}, so it is not taken for a number", f"write {plain}" if plain[0] != "-" else ""
        )
    if "," in text:
        return ValueProblem("E411", f"`{text}` is not one number", f"write a list: [{', '.join(text.split(','))}]")
    if bare != text and _DECIMAL.fullmatch(bare):
        return ValueProblem("E414", f"`{text}` is not taken for a number", f"write {bare}")
    return ValueProblem("E411", f"`{text}` is not a number, and {what} is one", "decimal, or hexadecimal after 0x")


def ipv4(value: Plain) -> bytes:
    """Four bytes, network byte order."""
    try:
        packed = inet_pton(AF_INET, value)  # type: ignore[arg-type]
    except (OSError, ValueError, TypeError):
        raise _not_an_address(value, "ipv4") from None
    if packed in _UNUSABLE4:
        raise _unusable(str(value))
    return packed


def ipv6(value: Plain) -> bytes:
    """Sixteen bytes, network byte order; IPv4-mapped addresses are refused."""
    try:
        packed = inet_pton(AF_INET6, value)  # type: ignore[arg-type]
    except (OSError, ValueError, TypeError):
        raise _not_an_address(value, "ipv6") from None
    if packed.startswith(MAPPED):
        raise ValueProblem("E416", f"{value} is an IPv4-mapped address", f"write {inet_ntop(AF_INET, packed[12:])}")
    if packed == bytes(16):
        raise _unusable(str(value))
    return packed


def ip(value: Plain) -> bytes:
    """Sixteen bytes, network byte order: IPv6, or IPv4 mapped."""
    if isinstance(value, str) and ":" in value:
        return ipv6(value)
    try:
        return MAPPED + ipv4(value)
    except ValueProblem as problem:
        raise _not_an_address(value, "ip") if problem.code == "E411" else problem from None


def mac(value: Plain) -> bytes:
    """Six bytes as on the wire."""
    text = str(value)
    if _MAC.fullmatch(text):
        return bytes.fromhex(text.replace(":", ""))
    digits = text.replace("-", "").replace(".", "").replace(":", "")
    help = "six pairs of hexadecimal digits with colons, like 02:00:5e:10:00:01"
    if len(digits) == 12 and all(c in "0123456789abcdefABCDEF" for c in digits):
        help = "write " + ":".join(digits[i : i + 2] for i in range(0, 12, 2)).lower()
    raise ValueProblem("E411", f"`{text}` is not a MAC address", help)


def cgroup(value: Plain) -> bytes:
    """A path below the attached cgroup, as `system.slice/nginx.service`, in UTF-8 (E630)."""
    text = str(value)
    parts = text.split("/")
    if text.startswith("/"):
        help = "leave out the first `/`: paths are below the attached cgroup"
        raise ValueProblem("E630", f"`{text}` is not below the attached cgroup", help)
    if any(part in ("", ".", "..") for part in parts):
        words = f"`{text}` is not a cgroup's path"
        raise ValueProblem("E630", words, "names and `/` between them, like system.slice/nginx.service")
    if not text.isprintable() or any(len(part.encode()) > _LONGEST_NAME for part in parts):
        raise ValueProblem("E630", f"`{text[:40]}` cannot be a cgroup's path", "a directory of that name cannot be")
    if len(parts) > DEEPEST_CGROUP:
        raise ValueProblem("E630", f"`{text[:40]}` is {len(parts)} levels deep", f"{DEEPEST_CGROUP} is the most")
    return text.encode()


def _unusable(text: str) -> ValueProblem:
    return ValueProblem(
        "E418", f"{text} is not the address of a machine", "give a unicast address of the remote tunnel endpoint"
    )


def _not_an_address(value: Plain, wanted: str) -> ValueProblem:
    text = str(value)
    names = {"ip": "an IP address", "ipv4": "an IPv4 address", "ipv6": "an IPv6 address"}
    if "/" in text:
        return ValueProblem(
            "E424", f"`{text}` is a prefix, and one address is needed here", f"write {text.split('/', 1)[0]}"
        )
    if "%" in text:
        return ValueProblem(
            "E417", f"`{text}` has a scope id", "leave out what follows `%`: an interface's name is another everywhere"
        )
    parts = text.split(".")
    if len(parts) == 4 and all(p.isdecimal() and p.isascii() and len(p) < 10 for p in parts):
        if any(len(p) > 1 and p[0] == "0" for p in parts):
            return ValueProblem(
                "E414",
                f"`{text}` has leading zeros, which some programs read as octal",
                "write " + ".".join(str(int(p)) for p in parts),
            )
        if wanted == "ipv6":
            return ValueProblem("E425", f"{text} is an IPv4 address, and an IPv6 address is needed here", _EITHER)
    if wanted == "ipv4" and ":" in text:
        return ValueProblem("E425", f"{text} is an IPv6 address, and an IPv4 address is needed here", _EITHER)
    help = _NOT_RESOLVED if text[:1].isalpha() and "." in text else _LIKE[wanted]
    return ValueProblem("E411", f"`{text}` is not {names[wanted]}", help)


def prefix_bytes(text: str) -> tuple[bytes, int]:
    """(address in network byte order, 4 or 16 bytes; length in bits). An address alone is a full-length prefix."""
    address, slash, length_text = text.partition("/")
    try:
        packed = inet_pton(AF_INET6 if ":" in address else AF_INET, address)
    except (OSError, ValueError):
        raise _not_a_prefix(text, address) from None
    bits = len(packed) * 8
    if len(packed) == 16 and packed.startswith(MAPPED):
        raise ValueProblem("E416", f"{text} is an IPv4-mapped prefix", "write the IPv4 prefix")
    if not slash:
        return packed, bits
    if not (_DECIMAL.fullmatch(length_text) and len(length_text) < 4 and int(length_text) <= bits):
        raise _not_a_length(text, address, length_text, bits)
    length = int(length_text)
    whole = int.from_bytes(packed, "big")
    host_bits = bits - length
    if whole & ((1 << host_bits) - 1):
        masked = (whole >> host_bits << host_bits).to_bytes(len(packed), "big")
        raise ValueProblem(
            "E415",
            f"{text} has bits set beyond its {length} prefix bits",
            f"write {address_text(masked)}/{length} for the network, or {address} for the one address",
        )
    return packed, length


def prefix(value: Plain) -> Prefix:
    """A network, without host bits."""
    return network(prefix_bytes(value if isinstance(value, str) else str(value)))


def network(parsed: tuple[bytes, int]) -> Prefix:
    """What `prefix_bytes` found, as a network."""
    return IPv4Network(parsed) if len(parsed[0]) == 4 else IPv6Network(parsed)


def _not_a_prefix(text: str, address: str) -> ValueProblem:
    if text in ("any", "all", "default", "*"):
        return ValueProblem("E411", f"`{text}` is not a prefix", "every address is [0.0.0.0/0, ::/0]")
    parts = address.split(".")
    if len(parts) < 4 and "/" in text and all(p.isdecimal() and p.isascii() and len(p) < 4 for p in parts):
        return ValueProblem(
            "E411", f"`{text}` is not a prefix", f"write {'.'.join((parts + ['0'] * 4)[:4])}/{text.split('/', 1)[1]}"
        )
    problem = _not_an_address(address, "ip")
    if problem.code != "E411":
        return problem
    help = _NOT_RESOLVED if problem.help == _NOT_RESOLVED else "like 10.0.0.0/8 or 2001:db8::/32"
    return ValueProblem("E411", f"`{text}` is not a prefix", help)


def _not_a_length(text: str, address: str, length: str, bits: int) -> ValueProblem:
    if "." in length:
        try:
            mask = int.from_bytes(inet_pton(AF_INET, length), "big")
        except (OSError, ValueError):
            mask = 1
        inverted = mask ^ 0xFFFFFFFF
        if not inverted & (inverted + 1):
            return ValueProblem("E411", f"`{text}` has a netmask", f"write {address}/{32 - inverted.bit_length()}")
    return ValueProblem("E412", f"`{text}`: `{length}` is not a prefix length", f"it can be 0 to {bits}")


def _octets(value: Plain, size: int) -> int:
    """`size` bytes as one number, the first the most significant: what hexadecimal digits say anyway."""
    if isinstance(value, str) and len(value) > 64 and pattern(f"0x[0-9a-fA-F]{{1,{2 * size}}}").fullmatch(value):
        return int(value, 16)
    return integer(value, 0, (1 << 8 * size) - 1, f"an option of {size} bytes")


def _sized(bits: int, name: str) -> Callable[[Plain], int]:
    return lambda value: integer(value, 0, (1 << bits) - 1, name)


PARSERS: dict[str, Callable[[Plain], int | bytes]] = {
    "ip": ip,
    "ipv4": ipv4,
    "ipv6": ipv6,
    "mac": mac,
    "port": port,
    "dscp": dscp,
    "protocol": protocol,
    "cgroup": cgroup,
    **{name: _sized(bits, name) for name, bits in BITS.items()},
}


def parse(type_: str, value: Plain) -> int | bytes:
    """The value of a type: bytes for ip (16, mapped), ipv4, ipv6, mac; an integer for all others."""
    if type_.startswith("bytes"):
        return _octets(value, int(type_.removeprefix("bytes")))
    return PARSERS[type_](value)


def address_text(packed: bytes) -> str:
    """4 or 16 bytes as text; an IPv4-mapped address as IPv4."""
    if len(packed) == 16 and packed.startswith(MAPPED):
        packed = packed[12:]
    return inet_ntop(AF_INET6 if len(packed) == 16 else AF_INET, packed)


def format_value(type_: str, value: int | bytes) -> str:
    """The canonical text of a parsed value."""
    if isinstance(value, bytes):
        return value.hex(":") if type_ == "mac" else address_text(value)
    if type_ == "dscp":
        return DSCP_NAMES.get(value, str(value))
    if type_ == "protocol":
        return PROTOCOL_NAMES.get(value, str(value))
    return str(value)
