"""The hand-written `$defs` of the schema: everything but headers.

Style: closed objects; a `type` list with if/then instead of oneOf, so that a wrong value gives one precise error.
`x-problem` is ours: the diagnostic to give when the `not` beside it fails (editors do not get it).
"""

from __future__ import annotations

from typing import Any

from .preset_words import definitions as preset_definitions
from .schema_headers import number_types
from .schema_text import TEXT

Schema = dict[str, Any]
NAME_PATTERN = "^[a-z][a-z0-9_-]*$"
LONGEST_NAME = 32
ADDRESS_TYPES = ["ip", "ipv4", "ipv6", "mac"]
KEY_WORDS = ["destination", "source", "protocol", "destination_port", "source_port", "dscp", "mark", "cgroup"]
MOST_ROWS = 10_000_000
REMEMBERED = 65536  # flows
REMEMBERED_FOR = "30m"  # a peer that knows of no end sends for 15 minutes (RFC 1122, section 4.2.3.5)
MOST_FLOWS = 4_000_000  # some 200 bytes each and what is learned, taken when loading


def described(key: str, **schema: Any) -> Schema:
    """A schema with the text of `key`."""
    return {"description": TEXT[key], **schema}


def closed(text: str, properties: Schema, required: list[str], **more: Any) -> Schema:
    """An object that has these keys and no others."""
    return described(text, type="object", properties=properties, required=required, additionalProperties=False, **more)


def _one_or_many(kinds: list[str], **item: Any) -> Schema:
    """A scalar, or a list of such scalars."""
    element: Schema = {"type": kinds if len(kinds) > 1 else kinds[0], **item}
    return {
        "type": [*kinds, "array"],
        "if": {"type": "array"},
        "then": {"items": element, "minItems": 1},
        "else": item,
    }


def either(first: str, second: str, code: str, help: str) -> Schema:
    """Exactly one of two keys."""
    both = {"message": f"`{first}` and `{second}` exclude each other", "code": code, "help": help, "key": second}
    neither = {"message": f"neither `{first}` nor `{second}` is given", "code": code, "help": help}
    return {
        "if": {"required": [first]},
        "then": {"not": {"required": [second]}, "x-problem": both},
        "else": {"required": [second], "x-problem": neither},
    }


def one_of(keys: tuple[str, ...], code: str, help: str) -> list[Schema]:
    """Exactly one of several keys."""
    found: list[Schema] = []
    for i, first in enumerate(keys):
        for second in keys[i + 1 :]:
            both = {
                "message": f"`{first}` and `{second}` exclude each other",
                "code": code,
                "help": help,
                "key": second,
            }
            found.append({"if": {"required": [first]}, "then": {"not": {"required": [second]}, "x-problem": both}})
    names = " nor ".join(f"`{key}`" for key in keys)
    last: Schema = {
        "required": [keys[-1]],
        "x-problem": {"message": f"neither {names} is given", "code": code, "help": help},
    }
    for key in reversed(keys[:-1]):
        last = {"if": {"required": [key]}, "else": last}
    return [*found, last]


def _needs(key: str, others: tuple[str, ...], help: str) -> Schema:
    """`key` has no meaning without one of `others`."""
    words = " or ".join(f"`{other}`" for other in others)
    problem = {"message": f"`{key}` is only valid with {words}", "code": "E211", "help": help, "key": key}
    last: Schema = {"required": [others[-1]], "x-problem": problem}
    for other in reversed(others[:-1]):
        last = {"if": {"required": [other]}, "else": last}
    return {"if": {"required": [key]}, "then": last}


def definitions() -> Schema:
    """All `$defs` but those of headers."""
    return {
        "name": {
            "description": "Lower-case letters, digits, `-` and `_`, beginning with a letter; at most 32 characters.",
            "type": "string",
            "pattern": NAME_PATTERN,
            "maxLength": LONGEST_NAME,
        },
        **_values(),
        **_tables(),
        **_rules(),
        **preset_definitions(MOST_FLOWS, _tables()["table"]["properties"]),
    }


def _values() -> Schema:
    host_type = {"enum": ["device", "devices", "cgroup", *ADDRESS_TYPES, *number_types()]}
    attribute = r"^[a-z][a-z0-9_-]*\.(address|mac|mtu|ifindex)$"
    return {
        "host_value": described(
            "host_value",
            **{
                "type": ["string", "object"],
                "if": {"type": "object"},
                "then": {
                    "properties": {
                        "type": described("host_value.type", type="string", **host_type),
                        "default": described(
                            "host_value.default", type="string", pattern=attribute, examples=["uplink.address"]
                        ),
                    },
                    "required": ["type"],
                    "additionalProperties": False,
                },
                "else": host_type,
            },
            examples=["device", {"type": "ip", "default": "uplink.address"}],
        ),
        "attach": closed(
            "attach",
            {
                "devices": described(
                    "attach.devices", **_one_or_many(["string"]), examples=[["host.uplink"], "host.uplinks"]
                ),
                "cgroup": described(
                    "attach.cgroup", type="string", pattern=r"^(/|host\.[a-z])", examples=["/", "host.container"]
                ),
                "route_device": described("attach.route_device", **{"$ref": "#/$defs/route_device"}),
            },
            ["devices"],
        ),
        "route_device": closed(
            "route_device",
            {
                "name": described(
                    "route_device.name",
                    type="string",
                    pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,14}$",
                    examples=["encap0"],
                )
            },
            ["name"],
        ),
        "set": described(
            "set",
            **{
                "type": ["array", "object"],
                "if": {"type": "object"},
                "then": {
                    "properties": {"file": described("set.file", type="string", minLength=1, examples=["vips.txt"])},
                    "required": ["file"],
                    "additionalProperties": False,
                },
                "else": {"items": {"type": "string"}, "minItems": 1},
            },
        ),
        "encapsulation": described(
            "encapsulation", type="array", items={"$ref": "#/$defs/header"}, minItems=1, maxItems=8
        ),
    }


def _tables() -> Schema:
    cell = {"type": ["string", "integer"]}
    lengths = {"type": "integer", "minimum": 0, "maximum": 128}
    field_types = [*ADDRESS_TYPES, *number_types(), "u64", "port", "dscp"]
    return {
        "field_type": {"description": "The type of a field.", "type": "string", "enum": field_types},
        "row": {"description": "Columns by name.", "type": "object", "additionalProperties": cell, "minProperties": 1},
        "shape": closed(
            "table.shape",
            {
                "prefix_lengths": described(
                    "shape.prefix_lengths", type="array", items=lengths, minItems=1, examples=[[24, 32]]
                )
            },
            ["prefix_lengths"],
        ),
        "table": closed(
            "table",
            {
                "key": described(
                    "table.key",
                    **_one_or_many(["string"]),
                    examples=["destination", ["mark", "destination"], "received.vxlan.vni"],
                ),
                "fields": described(
                    "table.fields",
                    type="object",
                    propertyNames={"$ref": "#/$defs/name"},
                    additionalProperties={"$ref": "#/$defs/field_type"},
                    minProperties=1,
                    examples=[{"address": "ip", "mac": "mac", "vni": "u24"}],
                ),
                "encapsulation": described(
                    "table.encapsulation", **_one_or_many(["string"]), examples=["vxlan", ["gre", "ipip"]]
                ),
                "rows": described(
                    "table.rows", type="array", items={"$ref": "#/$defs/row"}, minItems=1, examples=[[{"name": "fra"}]]
                ),
                "file": described("table.file", type="string", minLength=1, examples=["sites.csv"]),
                "capacity": described(
                    "table.capacity", type="integer", minimum=1, maximum=MOST_ROWS, examples=[100000]
                ),
                "fixed": described("table.fixed", type="boolean", default=False),
                "shape": described("table.shape", **{"$ref": "#/$defs/shape"}),
                "owner": described("table.owner", const="git", default="git"),
            },
            ["fields"],
            allOf=[either("rows", "file", "E206", "give the rows in the spec, or name a CSV file that has them")],
        ),
    }


def _rules() -> Schema:
    def words(key: str, examples: list[Any], kinds: list[str]) -> Schema:
        return described(f"match.{key}", **_one_or_many(kinds), examples=examples)

    def reference(name: str) -> Schema:
        return {"$ref": f"#/$defs/{name}"}

    ports = [443, "8000-8999", [80, 443]]
    number = ["string", "integer"]
    match = {
        "destination": words("destination", ["10.0.0.0/8", ["vips", "2001:db8::/32"]], ["string"]),
        "source": words("source", ["10.9.0.0/16", "vips"], ["string"]),
        "protocol": words("protocol", ["tcp", ["tcp", "udp"], 47], number),
        "destination_port": words("destination_port", ports, number),
        "source_port": words("source_port", ports, number),
        "dscp": words("dscp", ["ef", ["af41", 46]], number),
        "mark": words("mark", ["0x1000-0x1fff", 7], number),
        "cgroup": words("cgroup", ["team-a.slice", ["system.slice/nginx.service"]], ["string"]),
    }
    egress_rule = {
        "name": described("egress_rule.name", **reference("name")),
        "was": described("egress_rule.was", **reference("name")),
        "match": described("egress_rule.match", **reference("match")),
        "to": described("egress_rule.to", type="string", examples=["sites", "exits/fra"]),
        "socket": described("egress_rule.socket", **_one_or_many(["string"]), examples=["exits", ["exits/fra"]]),
        "action": described("egress_rule.action", enum=["pass", "drop"]),
        "reflect": described("egress_rule.reflect", type="string", examples=["from-lb"]),
        "with": described("egress_rule.with", type="string", examples=["gre"]),
        "on_miss": described("egress_rule.on_miss", enum=["drop", "next", "pass"], default="drop"),
    }
    ingress_rule = {
        "name": described("ingress_rule.name", **reference("name")),
        "was": described("ingress_rule.was", **reference("name")),
        "decapsulate": described("ingress_rule.decapsulate", type="string", examples=["vxlan"]),
        "from": described(
            "ingress_rule.from", **_one_or_many(["string"]), examples=["sites.address", ["192.0.2.0/24"], "any"]
        ),
        "match": described("ingress_rule.match", **reference("match")),
        "lookup": described("ingress_rule.lookup", type="string", examples=["vnis"]),
        "set_mark": described("ingress_rule.set_mark", type=number, examples=[7, "endpoint.mark"]),
        "learn": described("ingress_rule.learn", **reference("learn")),
    }
    learn = {
        "for": described("learn.for", enum=["replies", "forwarded", "both"]),
        "capacity": described("learn.capacity", type="integer", minimum=1, maximum=MOST_FLOWS, examples=[200000]),
        "idle": described("learn.idle", type=number, examples=["350s", "5m"]),
    }
    return {
        "match": closed("match", match, []),
        "egress_rule": closed(
            "egress_rule",
            egress_rule,
            ["name"],
            allOf=[
                *one_of(
                    ("to", "socket", "reflect", "action"),
                    "E206",
                    "a rule encapsulates (`to`), lets sockets choose (`socket`), reflects received headers "
                    "(`reflect`), or passes or drops (`action`)",
                ),
                _needs("on_miss", ("to", "socket"), "a rule without `to` or `socket` looks nothing up"),
                _needs("with", ("reflect",), "the rows that `to` finds name their encapsulation themselves"),
            ],
        ),
        "egress": closed(
            "egress",
            {
                "rules": described("egress.rules", type="array", items=reference("egress_rule")),
                "default": described("egress.default", enum=["pass", "drop"]),
                "next_hop": described("egress.next_hop", enum=["keep", "route"], default="keep"),
                "segmentation": described("egress.segmentation", enum=["off"]),
                "boot": described("egress.boot", enum=["open", "closed"], default="open"),
                "remember": described("egress.remember", **reference("remember")),
                "unattached": described("egress.unattached", enum=["drop", "pass"], default="drop"),
            },
            ["default"],
        ),
        "connect": closed(
            "connect",
            {"rules": described("connect.rules", type="array", items=reference("connect_rule"), minItems=1)},
            ["rules"],
        ),
        "connect_rule": closed(
            "connect_rule",
            {
                "name": described("connect_rule.name", **reference("name")),
                "was": described("connect_rule.was", **reference("name")),
                "match": described("connect_rule.match", **reference("match")),
                "choose": described("connect_rule.choose", type="string", examples=["exits/fra"]),
                "action": described("connect_rule.action", enum=["pass"]),
            },
            ["name"],
            allOf=[
                either("choose", "action", "E206", "a rule chooses a row (`choose`), or nothing (`action: pass`)"),
            ],
        ),
        "remember": closed(
            "egress.remember",
            {
                "capacity": described(
                    "remember.capacity", type="integer", minimum=1, maximum=MOST_FLOWS, default=REMEMBERED
                ),
                "idle": described("remember.idle", type=number, default=REMEMBERED_FOR, examples=["30m"]),
            },
            [],
        ),
        "mtu": closed(
            "mtu",
            {
                "clamp_mss": described("mtu.clamp_mss", type="boolean", default=True),
                "too_big": described("mtu.too_big", enum=["icmp", "drop"], default="icmp"),
                "path": described("mtu.path", enum=["learn", "ignore"], default="learn"),
            },
            [],
        ),
        "receive": closed("receive", {"gro": described("receive.gro", enum=["device", "off"], default="off")}, []),
        "learn": closed("learn", learn, ["for", "capacity", "idle"]),
        "ingress_rule": closed("ingress_rule", ingress_rule, ["name", "decapsulate", "from"]),
        "ingress": closed(
            "ingress",
            {
                "rules": described("ingress.rules", type="array", items=reference("ingress_rule"), minItems=1),
                "refuse": described("ingress.refuse", enum=["drop", "pass"], default="drop"),
            },
            ["rules"],
        ),
    }
