"""The presets and their parameters: what each is for, and where in the preset's spec its value stands.

The specs themselves are `schemas/presets/NAME.yaml`, each one that can be compiled as it is. A parameter's default is
what stands there; it is said here once more for the schema, and a test holds the two together.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

Schema = dict[str, Any]
SET: Schema = {"$ref": "#/$defs/set"}


class Parameter(NamedTuple):
    """`at` are the places of its value in the preset's spec, as keys and positions with dots between them."""

    text: str
    schema: Schema
    at: tuple[str, ...]

    @property
    def required(self) -> bool:
        return "default" not in self.schema


class Preset(NamedTuple):
    text: str
    parameters: Mapping[str, Parameter]


def definitions(most_flows: int, table: Schema) -> Schema:
    """The `$defs` of presets: `preset`, and `preset_NAME` for each. `table` has the schemas of a table's keys."""
    examples = {name: _example(preset) for name, preset in PRESETS.items()}
    found: Schema = {
        "preset": {
            "description": "One preset and its parameters: [presets.md](presets.md) has them with what they stand for.",
            "type": "object",
            "properties": {
                name: {"description": preset.text, "$ref": f"#/$defs/preset_{name}", "examples": [examples[name]]}
                for name, preset in PRESETS.items()
            },
            "additionalProperties": False,
            "minProperties": 1,
            "maxProperties": 1,
            "examples": [{"gue-return": examples["gue-return"]}],
        },
        "preset_rows": {
            "description": "A list of rows, or a file that has them.",
            "type": ["array", "object"],
            "if": {"type": "object"},
            "then": {
                "properties": {"file": table["file"], "capacity": table["capacity"]},
                "required": ["file", "capacity"],
                "additionalProperties": False,
            },
            "else": {"items": {"$ref": "#/$defs/row"}, "minItems": 1},
        },
    }
    for name, preset in PRESETS.items():
        found[f"preset_{name}"] = {
            "description": preset.text,
            "type": "object",
            "properties": {
                key: {"description": p.text, **p.schema, **({"maximum": most_flows} if key == "capacity" else {})}
                for key, p in preset.parameters.items()
            },
            "required": [key for key, p in preset.parameters.items() if p.required],
            "additionalProperties": False,
        }
    return found


def _example(preset: Preset) -> Schema:
    """What must be given, as it may be."""
    return {key: p.schema["examples"][0] for key, p in preset.parameters.items() if p.required}


_BALANCERS = Parameter(
    "The load balancers, by outer source address: who may send, and whom the server trusts.",
    {**SET, "examples": [["192.0.2.0/28", "2001:db8:1::/64"], {"file": "balancers.txt"}]},
    ("sets.balancers",),
)
_VIPS = Parameter(
    "The virtual addresses that the balancers announce and the server answers for.",
    {**SET, "examples": [["203.0.113.0/24", "2001:db8:ff::/48"], {"file": "vips.txt"}]},
    ("sets.vips",),
)
_CAPACITY = Parameter(
    "For how many flows it is made; some more are kept. Its memory is taken at load.",
    {"type": "integer", "minimum": 1, "default": 200000},
    ("ingress.rules.0.learn.capacity",),
)
_IDLE = Parameter(
    "After how long without a packet a flow is forgotten: a number with `s`, `m` or `h`.",
    {"type": ["string", "integer"], "default": "350s"},
    ("ingress.rules.0.learn.idle",),
)
_LEARNING = {"capacity": _CAPACITY, "idle": _IDLE}


def _port(encapsulation: str, number: int) -> Parameter:
    return Parameter(
        "The UDP destination port, of what comes in and of what goes back.",
        {"type": "integer", "minimum": 1, "maximum": 65535, "default": number},
        (f"encapsulations.{encapsulation}.1.udp.destination_port",),
    )


_SERVER = {"balancers": _BALANCERS, "vips": _VIPS}
_GUE = {**_SERVER, "port": _port("gue", 6080)}
PRESETS: Mapping[str, Preset] = {
    "gue-dsr": Preset("A server behind GUE balancers that answers its clients directly, unencapsulated.", _GUE),
    "gue-return": Preset(
        "A server behind GUE balancers that answers through the balancer that each packet came from.",
        {**_GUE, **_LEARNING},
    ),
    "gue-edge": Preset(
        "A server behind GUE balancers that answers to a gateway, `gateway` of each machine.", {**_GUE, **_LEARNING}
    ),
    "aws-gwlb": Preset(
        "An appliance behind an AWS Gateway Load Balancer: what it forwards goes back as it came.",
        {
            "balancers": Parameter(
                "The subnets of the load balancer, by outer source address.",
                {**SET, "examples": [["10.0.1.0/24"], {"file": "balancers.txt"}]},
                ("sets.balancers",),
            ),
            "enis": Parameter(
                "The endpoints that may send, each with the mark that its packets get here.",
                {
                    "$ref": "#/$defs/preset_rows",
                    "examples": [
                        [{"received.geneve.eni": "0x0a1b2c3d4e5f6071", "mark": "0x6000"}],
                        {"file": "enis.csv", "capacity": 256},
                    ],
                },
                ("endpoints.enis",),
            ),
            "marks": Parameter(
                "The marks of all endpoints: what has one of them leaves only to the balancer.",
                {"type": ["string", "integer"], "default": "0x6000-0x60ff"},
                ("egress.rules.0.match.mark", "egress.rules.1.match.mark"),
            ),
            "for": Parameter(
                "`forwarded`: what the appliance sends on. `both`: also what it answers itself, such as RST or ICMP.",
                {"enum": ["forwarded", "both"], "default": "forwarded"},
                ("ingress.rules.0.learn.for",),
            ),
            "capacity": _CAPACITY._replace(schema={**_CAPACITY.schema, "default": 1000000}),
            "idle": _IDLE,
        },
    ),
    "vxlan-return": Preset(
        "A server behind VXLAN balancers that answers through the balancer that each packet came from.",
        {**_SERVER, "port": _port("vxlan", 4789), **_LEARNING},
    ),
}
