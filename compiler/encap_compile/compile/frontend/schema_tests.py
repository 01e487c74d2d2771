"""The part of the schema about tests of a spec."""

from __future__ import annotations

from typing import Any

from .schema_parts import closed, described, one_of

Schema = dict[str, Any]
VERDICTS = ["encapsulate", "decapsulate", "pass", "drop", "answer", "choose"]
WAYS = ("leaves", "arrives", "connects")
_FIELD = r"^[a-z][a-z0-9_]*\.[a-z][a-z0-9_-]*$"


def test_definitions() -> Schema:
    """All `$defs` of tests."""
    number = ["string", "integer"]
    packet: Schema = {
        "source": described("packet.source", type="string", examples=["10.0.0.5"]),
        "destination": described("packet.destination", type="string", examples=["10.1.0.9"]),
        "protocol": described("packet.protocol", type=number, examples=["tcp"]),
        "source_port": described("packet.source_port", type="integer", minimum=0, maximum=65535),
        "destination_port": described("packet.destination_port", type="integer", minimum=0, maximum=65535),
        "dscp": described("packet.dscp", type=number, examples=["ef"]),
        "ecn": described("packet.ecn", type="integer", minimum=0, maximum=3, default=0),
        "ttl": described("packet.ttl", type="integer", minimum=0, maximum=255, default=64),
        "df": described("packet.df", type="integer", minimum=0, maximum=1, default=0),
        "mark": described("packet.mark", type=number, default=0),
        "length": described("packet.length", type="integer", minimum=20, maximum=9000),
        "fragment": described("packet.fragment", enum=["first", "later"]),
    }
    fields: Schema = {
        "type": "object",
        "propertyNames": {"pattern": _FIELD},
        "additionalProperties": {"type": number},
        "minProperties": 1,
    }
    socket: Schema = {
        "cgroup": described("packet.cgroup", type="string", examples=["team-a.slice"]),
        "chose": described("packet.chose", type="string", examples=["exits/fra"]),
    }
    connecting: Schema = {
        "destination": described("connecting.destination", type="string", examples=["198.51.100.25"]),
        "protocol": described("connecting.protocol", type=number, examples=["tcp"]),
        "destination_port": packet["destination_port"],
        "mark": described("connecting.mark", type=number, default=0),
        "cgroup": socket["cgroup"],
    }
    outer: Schema = {
        "encapsulation": described("packet.encapsulation", type="string", examples=["vxlan"]),
        "received": described("packet.received", **fields, examples=[{"ip.source": "192.0.2.9", "vxlan.vni": 42}]),
    }
    return {
        "tests": closed(
            "tests",
            {
                "host": described(
                    "tests.host",
                    type="object",
                    additionalProperties={
                        "type": [*number, "array"],
                        "if": {"type": "array"},
                        "then": {"items": {"type": number}, "minItems": 1},
                    },
                    examples=[{"vtep": "192.0.2.1", "uplink.mtu": 1500}],
                ),
                "packets": described("tests.packets", type="array", items={"$ref": "#/$defs/test"}, minItems=1),
            },
            ["packets"],
        ),
        "test": closed(
            "test",
            {
                "name": described("test.name", **{"$ref": "#/$defs/name"}),
                "leaves": described("test.leaves", **{"$ref": "#/$defs/leaving"}),
                "arrives": described("test.arrives", **{"$ref": "#/$defs/arriving"}),
                "connects": described("test.connects", **{"$ref": "#/$defs/connecting"}),
                "after": described(
                    "test.after",
                    **{"type": ["string", "array"], "if": {"type": "array"}},
                    then={"items": {"type": "string"}, "minItems": 1},
                    examples=["request", ["first", "second"]],
                ),
                "expect": described("test.expect", **{"$ref": "#/$defs/expectation"}),
            },
            ["name", "expect"],
            allOf=one_of(
                WAYS, "E206", "a packet leaves this machine or arrives from the network, or a socket connects"
            ),
        ),
        "leaving": closed("leaving", {**packet, **socket}, ["source", "destination"]),
        "arriving": closed("arriving", {**packet, **outer}, ["source", "destination"]),
        "connecting": closed("connecting", connecting, ["destination"]),
        "expectation": closed(
            "expectation",
            {
                "verdict": described("expect.verdict", enum=VERDICTS),
                "rule": described("expect.rule", type="string", examples=["web"]),
                "row": described("expect.row", type="string", examples=["fra"]),
                "sent": described("expect.sent", **fields, examples=[{"ip.destination": "192.0.2.9", "vxlan.vni": 42}]),
                "mark": described("expect.mark", type=number, examples=[7]),
                "counter": described("expect.counter", type="string", examples=["refused_vxlan__vni"]),
            },
            ["verdict"],
        ),
    }
