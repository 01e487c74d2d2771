"""Specs over the whole language: what is in them is drawn from the schema and the header catalogue.

Every key of an object is drawn by the method that has its name, `egress_rule_on_miss` for `on_miss` of an egress rule:
a word of the schema without one is an error, so that a new word cannot be forgotten. Header fields are drawn by their
types. Most of what is drawn is right; what is not, the checks refuse.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from encap_compile.compile.checks.references import fitting
from encap_compile.compile.frontend.schema_document import annotated_schema
from encap_compile.compile.frontend.schema_parts import KEY_WORDS
from encap_compile.compile.headers.catalogue import headers, resolve, settable
from encap_compile.compile.headers.model import Field, FromSpec, NextProtocol, Opaque, Options, Space

T = TypeVar("T")
NAMES = ["a", "b", "c", "default", "license", "packet", "stack", "int", "a-b", "x_y", "too-big", "flow"]
PORTS = [53, "80", "1000-1999", "0-65535", "65535"]
CGROUPS = ["team-a.slice", "team-b.slice/web", "system.slice/sshd.service"]
LITERALS: dict[str, list[Any]] = {
    "ip": ["192.0.2.1", "2001:db8::1", "198.51.100.7"],
    "ipv4": ["192.0.2.1", "203.0.113.9"],
    "ipv6": ["2001:db8::1", "2001:db8:1::2"],
    "mac": ["02:00:00:00:00:01", "02:00:00:00:00:02"],
    "bit": [0, 1],
    "u8": [1, 64, 255],
    "dscp": ["ef", 46, 0, "cs1"],
    "u16": [1, 65535],
    "port": [4789, 6080, 1],
    "u20": [0, 1048575],
    "u24": [1, 42, 16777215],
    "u32": [0, 7, 4294967295],
    "u64": [1, "0xffffffffffffffff"],
}
HOST = {
    kind: f"h-{kind}"
    for kind in annotated_schema()["$defs"]["host_value"]["else"]["enum"]
    if kind[:3] in ("ip", "ipv", "mac") or kind[0] == "u"
}


class SpecGenerator:
    """One spec. `pick` draws; `density` is how likely a word is that may be left out."""

    def __init__(self, pick: random.Random, density: float = 0.4) -> None:
        self.pick, self.density = pick, density
        self.host: dict[str, Any] = {"uplink": self.one(["device", "device", "devices"])}
        self.fields: dict[str, dict[str, str]] = {}  # encapsulation -> fields of rows that it reads
        self.encapsulations: dict[str, list[Any]] = {}
        self.reflecting: set[str] = set()  # encapsulations that say `received.`
        self.endpoints: dict[str, Any] = {}
        self.sets: dict[str, Any] = {}
        self.cgroup = False
        self.learning: list[str] = []
        self.connect: dict[str, Any] = {}
        self.names = 0
        self.prefixes = 0

    # ---- drawing

    def one(self, options: Sequence[T]) -> T:
        return self.pick.choice(options)

    def maybe(self, chance: float = 0.0) -> bool:
        return self.pick.random() < (chance or self.density)

    def some(self, options: Sequence[T], least: int = 1, most: int = 3) -> list[T]:
        return self.pick.sample(options, min(self.pick.randint(least, most), len(options)))

    def flat(self, options: Sequence[T], most: int = 3) -> Any:
        """One, or a list."""
        return self.one(options) if self.maybe(0.5) else self.some(options, most=most)

    def name(self) -> str:
        """One that is new, and often a word of the C."""
        self.names += 1
        plain = self.one(NAMES)
        return plain if self.names == 1 else f"{plain}{self.names}"

    def object(self, definition: str, **known: Any) -> dict[str, Any]:
        """A value for each key that is drawn by `DEFINITION_KEY`; `known` are decided, None leaves a key out."""
        made: dict[str, Any] = {}
        schema = annotated_schema()["$defs"][definition]
        for key in schema["properties"]:
            if key in known:
                if known[key] is not None:
                    made[key] = known[key]
                continue
            if key in schema["required"] or self.maybe():
                value = self.drawn(definition, key, schema["properties"][key])
                if value is not None:
                    made[key] = value
        return made

    def drawn(self, definition: str, key: str, schema: Mapping[str, Any]) -> Any:
        """By the method of that name, or one of the words that the schema lists."""
        method = getattr(self, f"{definition}_{key}", None)
        if method is not None:
            return method()
        if "$ref" in schema:
            return self.object(schema["$ref"].rpartition("/")[2])
        words = schema.get("enum", [schema["const"]] if "const" in schema else [])
        words = [True, False] if schema.get("type") == "boolean" else words
        assert words, f"nothing draws `{key}` of {definition}: give {type(self).__name__} a method {definition}_{key}"
        return self.one(words)

    # ---- the document

    def document(self) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for key, schema in annotated_schema()["properties"].items():
            if hasattr(self, f"spec_{key}") or self.maybe():
                made[key] = self.drawn("spec", key, schema)
        made = {key: value for key, value in made.items() if value is not None}
        routed = [rule for rule in made.get("egress", {}).get("rules", ()) if "to" in rule]
        if "attach" in made and any("destination" in rule.get("match", {}) for rule in routed) and self.maybe():
            made["attach"]["route_device"] = {"name": self.one(["encap0", "wire.7"])}
        return made

    def spec_apiVersion(self) -> str:  # noqa: N802
        return "encap/v1alpha1"

    def spec_name(self) -> str:
        return self.one(["made", "int", "a-b", "x__y", "packet"])

    def spec_kernel(self) -> str:
        return self.one(["5.10", "5.10", "5.13", "5.18", "5.19", "6.3"])

    def spec_tests(self) -> dict[str, Any] | None:
        """They change no byte, whatever they expect."""
        packet = {"source": "10.0.0.5", "destination": "10.1.2.3", "protocol": self.one(["tcp", "udp", 47])}
        expect = {"verdict": self.one(["encapsulate", "pass", "drop"])}
        return {"packets": [{"name": "one", "leaves": packet, "expect": expect}]} if self.maybe() else None

    def spec_preset(self) -> None:
        return None  # a preset is a spec of ours, and has tests of its own

    def spec_host(self) -> dict[str, Any]:
        return self.host  # what is drawn later adds to it

    def spec_attach(self) -> dict[str, Any]:
        self.cgroup = self.maybe()
        return self.object("attach", cgroup=self.attach_cgroup() if self.cgroup else None)

    def attach_devices(self) -> Any:
        return self.one(["host.uplink", ["host.uplink"]])

    def attach_route_device(self) -> None:
        """Only where there is something to route: `document`, which has the rules."""

    def attach_cgroup(self) -> str:
        if self.maybe(0.3):
            self.host["pod"] = "cgroup"
            return "host.pod"
        return "/"

    def route_device_name(self) -> str:
        return self.one(["encap0", "a.b-c_d", "fifteen-letters"])

    def spec_sets(self) -> dict[str, Any] | None:
        for _ in range(self.pick.randint(0, 2)):
            self.sets[f"set-{len(self.sets)}"] = [self.prefix() for _ in range(self.one([1, 3, 9]))]
        return self.sets  # emptied below if nothing names them

    def spec_encapsulations(self) -> dict[str, Any]:
        for _ in range(self.pick.randint(1, 3)):
            name = self.name()
            self.fields[name] = {}
            reflecting = self.maybe(0.3)
            if reflecting:
                self.reflecting.add(name)
            self.encapsulations[name] = self.stack(name, reflecting)
        return self.encapsulations

    # ---- headers

    def stack(self, name: str, reflecting: bool) -> list[Any]:
        found = [self.one(["ip", "ip", "ipv4", "ipv6"])]
        while len(found) < 4:
            last = resolve(found[-1], "ipv4")
            following = last.next_protocol()
            role = following.role if following else None
            space = role.space if isinstance(role, NextProtocol) else None
            may = [
                h.name
                for h in headers().values()
                if h.name in last.carries or (not last.carries and space in h.announced_as)
            ]
            may = [n for n in may if n not in ("ip", "ipv4", "ipv6") and (n not in found or self.maybe(0.1))]
            if not may or (not last.carries and space is not Space.UDP_PORT and self.maybe(0.4)):
                break
            found.append(self.one(may))
        return [{h: self.header(name, h, i == 0, reflecting)} for i, h in enumerate(found)]

    def header(self, encapsulation: str, name: str, outermost: bool, reflecting: bool) -> dict[str, Any]:
        made = {}
        for word, field in settable(name).items():
            if isinstance(field.role, Options):
                continue
            if not (field.required or self.maybe() or (reflecting and isinstance(field.role, Opaque))):
                continue
            value = self.field(encapsulation, name, word, field, outermost, reflecting)
            if value is not None:
                made[word] = value
        variable = headers()[name].variable if name != "ip" else None
        if variable is not None and isinstance(variable.role, Options) and self.maybe():
            made[variable.name] = [self.option(encapsulation, i, reflecting) for i in range(self.pick.randint(1, 3))]
        return made

    def field(self, encapsulation: str, header: str, word: str, field: Field, outermost: bool, reflecting: bool) -> Any:
        kind = "ip" if header == "ip" and field.type in ("ipv4", "ipv6") else field.type
        received = f"received.{header}.{word}"
        if isinstance(field.role, Opaque):
            return received if reflecting else None
        if outermost and word == "source":
            return self.host_value(kind)
        if kind in ("bit", "keyword", ""):
            return self.one(list(field.keywords) or [0, 1])
        if header == "ip" and word == "destination":
            if reflecting:
                return self.one(["received.ip.source", "received.ip.source", self.host_value(kind)])
            return self.row_field(encapsulation, kind)
        ways: list[Callable[[], Any]] = [lambda: self.one(LITERALS.get(kind, [1]))]
        if field.keywords:
            ways.append(lambda: self.one(list(field.keywords)))
        if isinstance(field.role, FromSpec):
            ways.append(lambda: self.host_value(kind))
            if kind == "dscp":
                ways.append(lambda: "packet.dscp")
            if word in ("ttl", "hop_limit"):
                ways.append(lambda: "packet.ttl")
            if kind == "u32":
                ways.append(lambda: "packet.mark")
            if reflecting:
                exchanged = {"source": "destination", "destination": "source"}
                ways += [lambda: f"received.{header}.{exchanged.get(word, word)}"] * 4
            else:
                ways += [lambda: self.row_field(encapsulation, kind)] * 3
        return self.one(ways)()

    def host_value(self, kind: str) -> Any:
        if kind == "mac" and self.maybe(0.5):
            return "host.uplink.mac"
        found = next((t for t in (kind, *fitting(kind)) if t in HOST), "")
        if not found:
            return self.one(LITERALS.get(kind, [1]))
        default = {"ip": "uplink.address", "mac": "uplink.mac"}.get(found)
        value: Any = found if default is None or self.maybe(0.3) else {"type": found, "default": default}
        self.host.setdefault(HOST[found], value)
        return f"host.{HOST[found]}"

    def row_field(self, encapsulation: str, kind: str) -> str:
        fits = [t for t in (kind, *fitting(kind)) if t in annotated_schema()["$defs"]["field_type"]["enum"]]
        if not fits:
            return str(self.one(LITERALS.get(kind, [1])))
        found = self.one(fits)
        field = f"f-{found}" if self.maybe(0.8) else self.one(["stack", "pad", "if"]) + f"-{found}"
        self.fields[encapsulation][field] = found
        return f"endpoint.{field}"

    def option(self, encapsulation: str, number: int, reflecting: bool) -> dict[str, Any]:
        length = self.one([4, 8, 8, 12])
        value: Any = f"0x{number + 1:0{2 * length}x}"
        if reflecting and self.maybe(0.6):
            value = "received"
        elif length <= 8 and self.maybe(0.6):
            value = self.row_field(encapsulation, f"bytes{length}") if not reflecting else self.host_value("u32")
        name = ["union", "a-b", "head"][number] + str(length)
        return {"class": 0x108, "type": number + self.one([0, 128]), "length": length, "name": name, "value": value}

    # ---- tables

    def spec_endpoints(self) -> dict[str, Any] | None:
        ways = [n for n in self.encapsulations if n not in self.reflecting]
        for _ in range(self.pick.randint(1, 3) if ways else 0):
            self.table(self.some(ways, most=2))
        return self.endpoints

    def table(self, encapsulations: list[str]) -> str:
        name = self.name()
        fields = {f: t for e in encapsulations for f, t in self.fields[e].items()}
        if not fields or self.maybe(0.2):
            fields[self.one(["mark", "spare", "sizeof"])] = self.one(annotated_schema()["$defs"]["field_type"]["enum"])
        key = self.some(KEYS, most=3) if self.maybe(0.7) else []
        if not self.cgroup and "cgroup" in key:
            key.remove("cgroup")
        if "mark" in key:
            fields.pop("mark", None)
        fields = fields or {"spare": "u64"}
        fixed = "cgroup" not in key and self.maybe()
        rows = [self.row(key, fields, encapsulations, i) for i in range(self.pick.randint(1, 3))]
        many = len(encapsulations) > 1
        shape = "destination" in key or "source" in key
        made = self.object(
            "table",
            fields=fields,
            encapsulation=encapsulations if many else encapsulations[0],
            key=(key[0] if len(key) == 1 and self.maybe(0.5) else key) or None,
            rows=rows,
            file=None,
            fixed=fixed or None,
            **({} if shape and not fixed else {"shape": None}),
            **({"capacity": None} if fixed else {}),
        )
        self.endpoints[name] = made
        return name

    def row(self, key: list[str], fields: dict[str, str], encapsulations: list[str], number: int) -> dict[str, Any]:
        made: dict[str, Any] = {}
        if not key or self.maybe(0.3):
            made["name"] = self.one(["fra", "a.b", "x_y", "A"]) + str(number)
        last = [w for w in key if w in ("destination", "source")][-1:]
        for word in key:
            if word in ("destination", "source"):
                made[word] = f"10.{number}.0.0/16" if [word] == last else f"10.9.{number}.1"
            else:
                made[word] = {"protocol": "tcp", "dscp": number, "cgroup": CGROUPS[number % 3]}.get(word, number + 1)
        if len(encapsulations) > 1:
            made["encapsulation"] = self.one(encapsulations)
        needed = self.fields.get(made.get("encapsulation", ""), fields)
        for field, kind in fields.items():
            if field in needed or len(encapsulations) < 2:
                made[field] = self.one(LITERALS.get(kind, [1]))
        return made

    def table_capacity(self) -> int:
        return self.one([3, 1000, 100000])

    def table_shape(self) -> dict[str, Any]:
        return {"prefix_lengths": self.one([[16], [16, 24], [32, 16, 8]])}

    # ---- matches

    def prefix(self) -> str:
        self.prefixes += 1
        if self.maybe(0.4):
            return f"fd00:{self.prefixes:x}::/{self.one([32, 48, 64, 128])}"
        return f"10.{self.prefixes % 256}.{self.prefixes // 256}.0/24"

    def addresses(self) -> Any:
        if self.sets and self.maybe(0.4):
            return self.one(list(self.sets))
        return self.prefix() if self.maybe(0.5) else [self.prefix() for _ in range(self.one([1, 2, 9]))]

    def match(self, egress: bool = True) -> dict[str, Any]:
        known: dict[str, Any] = {"destination": self.addresses()} if egress else {}
        if not (egress and self.cgroup):
            known["cgroup"] = None
        made = self.object("match", **known)
        if egress and self.maybe(0.9):
            made.pop("source", None)  # of the same family as the destination, by chance
        if ("destination_port" in made or "source_port" in made) and "protocol" not in made:
            made["protocol"] = self.one(["tcp", "udp", ["tcp", "udp"]])
        return made

    def match_destination(self) -> Any:
        return self.addresses()

    def match_source(self) -> Any:
        return self.addresses()

    def match_protocol(self) -> Any:
        return self.flat(["tcp", "udp", "sctp"])

    def match_destination_port(self) -> Any:
        return self.flat(PORTS)

    def match_source_port(self) -> Any:
        return self.flat(PORTS)

    def match_dscp(self) -> Any:
        return self.flat(["ef", 46, "cs1", 0])

    def match_mark(self) -> Any:
        return self.flat([7, "0x1000-0x1fff", "0"])

    def match_cgroup(self) -> Any:
        return self.flat(CGROUPS)

    # ---- rules

    def spec_connect(self) -> dict[str, Any] | None:
        self.egress = self._egress()
        self.ingress = self._ingress()
        rows = [t for r in self.egress["rules"] for t in self._list(r.get("socket", [])) for t in self._rows(t)]
        if not rows or not self.maybe():
            return None
        self.choices = rows
        self.connect = {"rules": [self._connect_rule() for _ in range(self.pick.randint(1, 2))]}
        return self.connect

    def _rows(self, target: str) -> list[str]:
        table, _, row = target.partition("/")
        return [f"{table}/{r['name']}" for r in self.endpoints[table]["rows"] if not row or r["name"] == row]

    @staticmethod
    def _list(value: Any) -> list[Any]:
        return value if isinstance(value, list) else [value]

    def _connect_rule(self) -> dict[str, Any]:
        match = {
            w: v for w, v in self.match().items() if w in ("destination", "protocol", "destination_port", "cgroup")
        }
        way = self.one(["choose", "choose", "action"])
        other = {"choose": "action", "action": "choose"}[way]
        value = self.one(self.choices) if way == "choose" else "pass"
        return self.object("connect_rule", **{"name": self.name(), "match": match, way: value, other: None})

    def spec_egress(self) -> dict[str, Any]:
        return self.egress

    def _egress(self) -> dict[str, Any]:
        receiving = [n for n in self.encapsulations if n in self.reflecting or self.maybe(0.6)]
        self.receiving = receiving
        self.learning = [self.name() for _ in receiving] if self.reflecting or self.maybe(0.3) else []
        self.learned_from = dict(zip(self.learning, receiving, strict=False))
        rules = [self._egress_rule() for _ in range(self.pick.randint(1, 4))]
        asks = any("socket" in r or "cgroup" in r.get("match", {}) for r in rules)
        more = {} if asks else {"remember": None}
        answered = {r["with"] if "with" in r else self.learned_from[r["reflect"]] for r in rules if "reflect" in r}
        for encapsulation in self.reflecting - answered if self.learning else ():
            learned = self.one(self.learning)
            rule = {"name": self.name(), "match": self.match(), "reflect": learned}
            rules.append(rule | ({"with": encapsulation} if self.learned_from[learned] != encapsulation else {}))
        return self.object("egress", rules=rules, **more)

    def egress_remember(self) -> dict[str, Any]:
        return self.object("remember")

    def remember_capacity(self) -> int:
        return self.one([100, 65536])

    def remember_idle(self) -> str:
        return self.one(["60s", "30m"])

    def _egress_rule(self) -> dict[str, Any]:
        ways = ["action"] + ["to"] * 3 * bool(self.endpoints)
        named = [n for n, t in self.endpoints.items() if "key" not in t]
        ways += ["socket"] * 3 * bool(named and self.cgroup) + ["reflect"] * 3 * bool(self.learning)
        way = self.one(ways)
        decided: dict[str, Any] = dict.fromkeys(("to", "socket", "reflect", "action"))
        if way == "to":
            table = self.one(list(self.endpoints))
            decided["to"] = table if "key" in self.endpoints[table] else self.one(self._rows(table))
        elif way == "socket":
            targets = [t for n in self.some(named, most=2) for t in self.one([[n], self._rows(n)])]
            decided["socket"] = targets[0] if len(targets) == 1 and self.maybe(0.5) else targets
        elif way == "reflect":
            decided["reflect"] = self.one(self.learning)
        else:
            decided["action"] = self.one(["pass", "drop"])
        if way not in ("to", "socket"):
            decided["on_miss"] = None
        if way != "reflect" or not self.reflecting:
            decided["with"] = None
        return self.object("egress_rule", name=self.name(), match=self.match(), **decided)

    def egress_rule_with(self) -> str:
        return self.one(sorted(self.reflecting))

    def egress_rule_was(self) -> str:
        self.names += 1
        return f"former-{self.names}"

    connect_rule_was = ingress_rule_was = egress_rule_was

    def spec_ingress(self) -> dict[str, Any] | None:
        self._tidy()
        return self.ingress

    def _ingress(self) -> dict[str, Any] | None:
        rules = [self._ingress_rule(e) for e in self.receiving]
        return self.object("ingress", rules=rules) if rules else None

    def _ingress_rule(self, encapsulation: str) -> dict[str, Any]:
        name = next((n for n, e in self.learned_from.items() if e == encapsulation), None)
        lookup = self._lookup(encapsulation)
        decided: dict[str, Any] = {"learn": self.object("learn") if name else None, "match": None, "lookup": lookup}
        if self.maybe(0.3):
            decided["match"] = self.match(egress=False)
        if lookup and self.maybe(0.5):
            decided["set_mark"] = "endpoint.mark"
        return self.object("ingress_rule", **{"name": name or self.name(), "decapsulate": encapsulation, **decided})

    def _lookup(self, encapsulation: str) -> str | None:
        for header in self.encapsulations[encapsulation]:
            ((name, values),) = header.items()
            for word, field in settable(name).items():
                given = str(values.get(word, ""))
                identifies = isinstance(field.role, FromSpec) and field.role.identifies
                if identifies and word in values and (given.startswith(("endpoint.", "received.")) or self.maybe(0.2)):
                    table = self.name()
                    key = f"received.{name}.{word}"
                    rows = [{key: n + 1, "mark": n} for n in range(self.pick.randint(1, 2))]
                    made = {"key": key, "fields": {"mark": "u32"}, "rows": rows}
                    self.endpoints[table] = made | ({"fixed": True} if self.maybe(0.3) else {})
                    return table
        return None

    def receive_gro(self) -> str:
        behind_udp = {name for e in self.receiving for header in self.encapsulations[e][2:3] for name in header}
        return self.one(["device", "off"]) if behind_udp & {"vxlan", "geneve"} else "off"

    def ingress_rule_from(self) -> Any:
        fields = [f"{n}.{f}" for n, t in self.endpoints.items() for f, k in t["fields"].items() if k.startswith("ip")]
        if fields and self.maybe(0.5):
            return self.one(fields)
        return self.one(["any", "192.0.2.0/24", ["192.0.2.0/24", "2001:db8::/32"], [self.prefix() for _ in range(9)]])

    def ingress_rule_set_mark(self) -> Any:
        return self.one([7, "0x10", self.host_value("u32")])

    def learn_capacity(self) -> int:
        return self.one([100, 20000])

    def learn_idle(self) -> str:
        return self.one(["60s", "5m"])

    def _tidy(self) -> None:
        """Leave out what nothing uses, which would only be warned of."""
        text = repr((self.connect, self.egress, self.ingress))
        for name in [n for n in self.sets if f"'{n}'" not in text]:
            del self.sets[name]


KEYS = list(KEY_WORDS)


def generate(pick: random.Random) -> dict[str, Any]:
    """A document: sparse or dense, as it is drawn."""
    made = SpecGenerator(pick, density=pick.choice([0.15, 0.4, 0.7])).document()
    return {key: value for key, value in made.items() if value not in ({}, [])}


def settings_for(document: dict[str, Any]) -> list[str]:
    """What a machine gives for the host values without a default: NAME=VALUE."""
    values = {
        "ip": "192.0.2.50",
        "ipv4": "192.0.2.51",
        "ipv6": "2001:db8::51",
        "mac": "02:00:00:00:00:51",
        "cgroup": "/",
    }
    kinds = {name: kind for name, kind in document["host"].items() if isinstance(kind, str)}
    return [f"{name}={values.get(kind, '5')}" for name, kind in kinds.items() if kind in values or kind[0] == "u"]
