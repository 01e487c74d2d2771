"""The schema of headers in an encapsulation, from the header catalogue."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...common.values import BITS
from ..headers.catalogue import headers, settable
from ..headers.model import Field, FromSpec, Header, NextProtocol, Options, Word

Schema = dict[str, Any]
EXAMPLES: Mapping[str, list[Any]] = {
    "ipv4": ["endpoint.address", "host.vtep"],
    "ipv6": ["endpoint.address", "host.vtep"],
    "ip": ["endpoint.address", "host.vtep"],
    "mac": ["endpoint.mac", "host.uplink.mac", "02:00:5e:10:00:01"],
    "port": [4789, "endpoint.port"],
    "dscp": ["ef", "af41", 46],
    "bit": [1],
    "u8": [64],
    "u20": [0],
    "u24": ["endpoint.vni", 1001],
    "u32": ["endpoint.key", 7],
}
USUAL = {8, 16, 24, 32}  # widths of numbers that every spec may use, whatever its headers have
WHAT: Mapping[str, str] = {
    "ip": "an IP address",
    "ipv4": "an IPv4 address",
    "ipv6": "an IPv6 address",
    "mac": "a MAC address",
    "port": "a port, 1 to 65535",
    "dscp": "a DSCP name or number, 0 to 63",
    "bit": "0 or 1",
    **{name: f"0 to {(1 << bits) - 1}" for name, bits in BITS.items() if name.startswith("u")},
}
IP_DOC = "IPv4 or IPv6, whichever the row's address is: the fields that both have"


def number_types() -> list[str]:
    """The types of numbers that rows and hosts may have: the usual widths, and those of headers' fields."""
    types = {field.type for header in headers().values() for field in header.settable().values()}
    widths = {BITS[t] for t in types if t.startswith("u")} | USUAL
    return [f"u{bits}" for bits in sorted(widths)]


def header_definitions() -> Schema:
    """`$defs`: `header` (one element of an encapsulation) and `header_NAME` of every header."""
    names = ["ip", *headers()]
    made: Schema = {
        "header": {
            "description": "One header: a mapping of one key, the header's name.",
            "type": "object",
            "minProperties": 1,
            "maxProperties": 1,
            "properties": {name: {"description": _title(name), "$ref": f"#/$defs/header_{name}"} for name in names},
            "additionalProperties": False,
        }
    }
    for name in names:
        fields = settable(name)
        properties = {field: _field(name, f) for field, f in fields.items()}
        variable = headers()[name].variable if name != "ip" else None
        if variable is not None and isinstance(variable.role, Options):
            made[f"option_{name}"] = _option(name, variable.role.head)
            properties[variable.name] = {
                "description": f"{variable.doc[:1].upper()}{variable.doc[1:]}. On receive they may be in any order.",
                "type": "array",
                "items": {"$ref": f"#/$defs/option_{name}"},
                "minItems": 1,
            }
        made[f"header_{name}"] = {
            "description": _title(name),
            "type": "object",
            "properties": properties,
            "required": sorted(field for field, f in fields.items() if f.required),
            "additionalProperties": False,
        }
    return made


def _title(name: str) -> str:
    if name == "ip":
        return IP_DOC + "."
    header: Header = headers()[name]
    doc = f" {header.doc}" if header.doc else ""
    return f"{header.title} ({header.reference}).{doc}"


def field_type(field: Field, ip: bool) -> str:
    """The value type of a field; under `ip`, addresses are of either family."""
    return "ip" if ip and field.type in ("ipv4", "ipv6") else field.type


LONGEST_OPTION = 124  # bytes: five bits of length, in 32-bit words


def _option(header: str, head: Word) -> Schema:
    """An option of a header: what its head says, a name for the spec, and the data."""
    said = {f.name: f for f in head.fields if isinstance(f.role, FromSpec)}
    numbers: Schema = {
        name: {
            "description": f"{f.doc[:1].upper()}{f.doc[1:]}.",
            "type": "integer",
            "minimum": 0,
            "maximum": (1 << f.bits) - 1,
        }
        for name, f in said.items()
    }
    value = (
        "The data: a number or hexadecimal digits after 0x, a reference, or `received`, what came in with the option "
        f"of that name. The rest of the spec refers to it as `received.{header}.NAME`."
    )
    return {
        "description": f"An option of {header}. On receive it must be there.",
        "type": "object",
        "properties": {
            **numbers,
            "length": {
                "description": "Bytes of the data, a multiple of 4.",
                "type": "integer",
                "minimum": 4,
                "maximum": LONGEST_OPTION,
            },
            "name": {"description": "A name for the spec.", "$ref": "#/$defs/name"},
            "value": {"description": value, "type": ["string", "integer"], "examples": ["received", "0x00000001"]},
        },
        "required": [*said, "length", "name", "value"],
        "additionalProperties": False,
    }


def _field(header: str, field: Field) -> Schema:
    kind = field_type(field, header == "ip")
    doc = field.doc[:1].upper() + field.doc[1:]
    values = [f"`{k}`" for k in field.keywords]
    if kind == "bytes":
        came = f"received.{header}.{field.name}"
        return {
            "description": f"{doc}. Value: `{came}`, as it came.",
            "type": ["string", "integer"],
            "examples": [came],
        }
    values += [f"{WHAT[kind]}{'' if kind == 'bit' else ', or a reference'}"] if kind in WHAT else []
    schema: Schema = {"description": f"{doc}. Value: {' or '.join(values)}.", "type": ["string", "integer"]}
    if kind not in WHAT:
        schema = {"description": f"{doc}.", "type": "string", "enum": list(field.keywords)}
    if isinstance(field.role, FromSpec) and field.role.default is not None:
        schema["default"] = field.role.default
    if isinstance(field.role, NextProtocol):
        schema["examples"] = EXAMPLES["port"]
    elif kind in EXAMPLES:
        schema["examples"] = [*field.keywords, *EXAMPLES[kind]]
    else:
        schema["examples"] = list(field.keywords)
    return schema
