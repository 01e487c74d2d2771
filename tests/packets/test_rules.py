"""Random rules and packets: the programs check as a plain reading of the spec does."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any

import pytest
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6, IPv6ExtHdrFragment
from scapy.packet import Raw

from encap_compile.common.diagnostics import DiagnosedError

from .datapath import Datapath
from .inner import frame
from .specs import HEAD, Compile

Network = IPv4Network | IPv6Network
# Few enough addresses that rules and packets meet often.
POOL_4 = [
    "10.0.0.0/8",
    "10.1.0.0/16",
    "10.1.2.0/24",
    "10.1.2.3/32",
    "10.1.2.0/25",
    "172.16.0.0/12",
    "0.0.0.0/0",
    "10.1.2.2/31",
]
POOL_6 = [
    "fd00::/8",
    "fd00:10::/32",
    "fd00:10:1::/48",
    "fd00:10:1:8000::/49",
    "fd00:10:1::9/128",
    "2000::/3",
    "::/0",
    "fd00:10:1::8/127",
]
PROTOCOLS = {"tcp": 6, "udp": 17, "icmp": 1, "sctp": 132, "esp": 50}
PORTS = [0, 1, 53, 54, 80, 443, 8000, 8500, 8999, 65535]


@dataclass
class Rule:
    """A rule as written, and read back by itself."""

    name: str
    drops: bool
    destination: list[Network] = field(default_factory=list)
    source: list[Network] = field(default_factory=list)
    protocol: list[str] = field(default_factory=list)
    ports: dict[str, list[tuple[int, int]]] = field(default_factory=dict)
    dscp: list[int] = field(default_factory=list)
    mark: list[tuple[int, int]] = field(default_factory=list)

    def text(self) -> str:
        match: list[str] = []
        for word, networks in (("destination", self.destination), ("source", self.source)):
            if networks:
                match.append(f"{word}: [{', '.join(repr(str(n)) for n in networks)}]")
        if self.protocol:
            match.append(f"protocol: [{', '.join(self.protocol)}]")
        for word, ranges in (*self.ports.items(), ("mark", self.mark)):
            if ranges:
                match.append(f"{word}: [{', '.join(str(a) if a == b else f'{a}-{b}' for a, b in ranges)}]")
        if self.dscp:
            match.append(f"dscp: [{', '.join(map(str, self.dscp))}]")
        action = "drop" if self.drops else "pass"
        return f"    - {{name: {self.name}, match: {{{', '.join(match)}}}, action: {action}}}\n"

    def takes(self, packet: Packet) -> bool:
        return (
            (not self.destination or any(packet.destination in n for n in self.destination))
            and (not self.source or any(packet.source in n for n in self.source))
            and (not self.protocol or self._protocol(packet))
            and all(self._port(packet, word, ranges) for word, ranges in self.ports.items())
            and (not self.dscp or packet.dscp in self.dscp)
            and (not self.mark or any(a <= packet.mark <= b for a, b in self.mark))
        )

    def _protocol(self, packet: Packet) -> bool:
        # In IPv6 only the first fragment says what it is.
        hidden = packet.later and packet.destination.version == 6
        return self.drops if hidden else packet.protocol in [PROTOCOLS[p] for p in self.protocol]

    def _port(self, packet: Packet, word: str, ranges: list[tuple[int, int]]) -> bool:
        port = packet.ports.get(word)
        # What hides its ports is taken to have them by a rule that does not let it pass unencapsulated.
        if ranges == [(0, 65535)]:
            return True  # says nothing
        return self.drops if port is None else any(a <= port <= b for a, b in ranges)


@dataclass
class Packet:
    source: Any
    destination: Any
    protocol: int
    dscp: int
    mark: int
    ports: dict[str, int]

    @property
    def later(self) -> bool:
        """A later fragment, whose first one was not seen."""
        return not self.ports and self.protocol in (6, 17, 132)

    def bytes(self) -> bytes:
        transport: Any = Raw(bytes(24))
        if not self.ports:
            transport = Raw(bytes(range(24)))
        elif self.protocol in (6, 17):
            kind = TCP if self.protocol == 6 else UDP
            transport = kind(sport=self.ports["source_port"], dport=self.ports["destination_port"])
        elif self.protocol == 132:
            transport = Raw(
                b"".join(self.ports[w].to_bytes(2, "big") for w in ("source_port", "destination_port")) + bytes(8)
            )
        addresses = {"src": str(self.source), "dst": str(self.destination)}
        if self.source.version == 4:
            return bytes(IP(**addresses, tos=self.dscp << 2 | 1, proto=self.protocol, frag=7 * self.later) / transport)
        head = IPv6(**addresses, tc=self.dscp << 2 | 2, nh=self.protocol)
        if self.later:
            head = IPv6(**addresses, tc=self.dscp << 2) / IPv6ExtHdrFragment(nh=self.protocol, offset=7)
        return bytes(head / transport)


def some(pick: random.Random, pool: list[Any], chance: float = 0.5, most: int = 3) -> list[Any]:
    return pick.sample(pool, pick.randint(1, most)) if pick.random() < chance else []


def random_ranges(pick: random.Random, pool: list[int], chance: float) -> list[tuple[int, int]]:
    pairs = (
        [tuple(sorted(pick.choices(pool, k=2))) for _ in range(pick.randint(1, 2))] if pick.random() < chance else []
    )
    found: list[tuple[int, int]] = []
    for first, last in sorted(pairs):
        if not found or first > found[-1][1]:
            found.append((first, last))
    return found


def _counter(rule: str) -> str:
    return "egress_default" if rule == "default" else f"egress_rule_{rule}"


def random_rule(pick: random.Random, name: str, families: tuple[int, ...]) -> Rule:
    rule = Rule(name, pick.random() < 0.6)
    family = pick.choice(families)
    pools = {4: [ip_network(n) for n in POOL_4], 6: [ip_network(n) for n in POOL_6]}
    # Addresses of one family in a rule, or destinations of both.
    rule.destination = some(pick, pools[family], 0.7)
    if rule.destination and len(families) == 2 and pick.random() < 0.3:
        rule.destination += some(pick, pools[10 - family], 1)
    else:
        rule.source = some(pick, pools[family], 0.4)
    if pick.random() < 0.5:
        rule.protocol = pick.sample(["tcp", "udp", "sctp"], pick.randint(1, 2))
        rule.ports["destination_port"] = random_ranges(pick, PORTS, 0.6)
        rule.ports["source_port"] = random_ranges(pick, PORTS, 0.3)
        rule.ports = {word: ranges for word, ranges in rule.ports.items() if ranges}
    elif pick.random() < 0.3:
        rule.protocol = ["esp"]
    rule.dscp = some(pick, [0, 8, 46, 63], 0.2)
    rule.mark = random_ranges(pick, [0, 1, 7, 0x1000, 0xFFFFFFFF], 0.2)
    return rule


def random_packet(pick: random.Random, family: int) -> Packet:
    def address() -> Any:
        network: Network = ip_network(pick.choice(POOL_4 if family == 4 else POOL_6))
        inside = [
            network.network_address,
            network.broadcast_address,
            network.network_address + 1 % network.num_addresses,
        ]
        return pick.choice([*inside, ip_address("10.1.2.3" if family == 4 else "fd00:10:1::9")])

    protocol = pick.choice(list(PROTOCOLS.values()))
    ports = {word: pick.choice([*PORTS, 7]) for word in ("source_port", "destination_port")}
    if protocol not in (6, 17, 132) or pick.random() < 0.15:
        ports = {}
    return Packet(
        address(), address(), protocol, pick.choice([0, 1, 8, 46, 63]), pick.choice([0, 1, 7, 9, 0xFFFFFFFF]), ports
    )


def seen(rules: list[Rule], packet: Packet) -> str:
    """The rule that takes the packet, as a reader of the spec would say."""
    for rule in rules:
        if rule.takes(packet):
            return rule.name
    return "default"


STAYS = [
    ip_network(n)
    for n in ("169.254.0.0/16", "224.0.0.0/24", "255.255.255.255/32", "fe80::/10", "ff01::/16", "ff02::/16")
]


@pytest.mark.parametrize("seed", range(9))
def test_rules_are_read_as_written(compiled: Compile, seed: int) -> None:
    pick = random.Random(seed)
    families = ((4, 6), (4,), (6,))[seed % 3]
    rules: list[Rule] = []
    while len(rules) < 6:
        rule = random_rule(pick, f"r{len(rules)}", families)
        if rule.destination or rule.source or (len(families) == 2 and rule.text().count(":") > 4):
            rules.append(rule)
    spec = HEAD + "egress:\n  rules:\n" + "".join(r.text() for r in rules) + "  default: pass\n"
    try:
        bundle = compiled(spec)
    except DiagnosedError as error:
        assert {d.code for d in error.diagnostics} <= {"E501", "W502"}, error  # a rule that never applies
        return
    with Datapath(bundle) as datapath:
        for _ in range(300):
            packet = random_packet(pick, pick.choice(families))
            outcome = datapath.egress(frame(packet.bytes()), mark=packet.mark)
            expected = seen(rules, packet)
            outcome.counted.pop("egress_no_first_fragment", None)
            if any(packet.destination in n for n in STAYS if n.version == packet.destination.version):
                assert list(outcome.counted) in (["egress_link_local"], [_counter(expected)]), packet
                continue
            assert list(outcome.counted) == [_counter(expected)], (packet, spec)
            drops = expected != "default" and next(r for r in rules if r.name == expected).drops
            assert outcome.verdict == ("drop" if drops else "pass")
