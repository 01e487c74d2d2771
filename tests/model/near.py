"""Values at the edges of what a spec says, and just beyond: addresses, ports, marks, identifiers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Network, IPv6Network
from random import Random

from encap_compile.compile import ir
from encap_compile.compile.model import Facts

Network = IPv4Network | IPv6Network
SIZES = {"ipv4": 4, "ipv6": 16}
PROTOCOLS = (6, 6, 6, 17, 17, 17, 1, 58, 132, 47, 4, 41, 50, 59, 255, 0, 43, 44, 60)
NUMBERS = {"destination_port": 65535, "source_port": 65535, "mark": 0xFFFFFFFF, "dscp": 63, "protocol": 255}
LINK_LOCAL: dict[str, list[Network]] = {
    "ipv4": [IPv4Network(n) for n in ("169.254.0.0/16", "224.0.0.0/24", "255.255.255.255/32")],
    "ipv6": [IPv6Network(n) for n in ("fe80::/10", "ff01::/16", "ff02::/16")],
}


class Near:
    """Pools of values of one program, and draws from them."""

    def __init__(self, random: Random, program: ir.Program, facts: Facts) -> None:
        self.random, self.program, self.facts = random, program, facts
        conditions = list(_conditions(program))
        self.prefixes = {family: [] for family in SIZES}  # type: dict[str, list[Network]]
        for network in _prefixes(program, facts, conditions):
            if network not in self.prefixes[f"ipv{network.version}"]:
                self.prefixes[f"ipv{network.version}"].append(network)
        self.sources = {f: [p for p in self.prefixes[f] if p in set(_of(conditions, "source"))] for f in SIZES}
        self.destinations = {f: [p for p in self.prefixes[f] if p not in self.sources[f]] for f in SIZES}
        self.numbers = {member: sorted(_edges(conditions, member, most)) for member, most in NUMBERS.items()}
        own = program.egress.own
        self.numbers["destination_port"] += [s.port.number for s in (own.signatures if own else ()) if s.port]
        self.numbers["mark"] += _marks(facts)
        self.senders = [*(a for s in facts.sets.values() for a in s)]

    def number(self, member: str) -> int:
        pool = self.numbers[member]
        if pool and self.random.random() < 0.8:
            return min(max(0, self.random.choice(pool) + self.random.choice((0, 0, 0, 0, 1, -1))), NUMBERS[member])
        return self.random.randint(0, NUMBERS[member])

    def address(self, family: str, member: str = "") -> bytes:
        """An address of the prefixes for `member` or of others that the spec has, sometimes just outside, or any."""
        pools = {"source": self.sources, "destination": self.destinations}
        pool = pools.get(member, self.prefixes)[family] or self.prefixes[family]
        draw = self.random.random()
        if draw < 0.05:
            pool = LINK_LOCAL[family]
        elif draw < 0.12:
            pool = self.prefixes[family]
        if draw < 0.01 and family == "ipv6" and self.prefixes["ipv4"]:  # which no IPv6 host should send
            return bytes(10) + b"\xff\xff" + self.within(self.random.choice(self.prefixes["ipv4"]))
        if draw > 0.95 or not pool:
            return self.random.randbytes(SIZES[family])
        return self.within(self.random.choice(pool))

    def within(self, network: Network) -> bytes:
        """One of a prefix's addresses, its first or last one, or the neighbour of these."""
        first, last = int(network.network_address), int(network.broadcast_address)
        most = (1 << network.max_prefixlen) - 1
        value = self.random.choice(
            (first, last, first - 1, last + 1, first + 1, *[self.random.randint(first, last)] * 6)
        )
        if self.random.random() < 0.05:
            value ^= 1 << self.random.randrange(network.max_prefixlen)
        return (value & most).to_bytes(network.max_prefixlen // 8, "big")

    def flipped(self, raw: bytes) -> bytes:
        """Another value, one bit apart or any."""
        if not raw:
            return raw
        number = int.from_bytes(raw, "big") ^ 1 << self.random.randrange(8 * len(raw))
        return number.to_bytes(len(raw), "big") if self.random.random() < 0.8 else self.random.randbytes(len(raw))


def _conditions(program: ir.Program) -> Iterator[ir.Condition]:
    for rule in program.egress.rules:
        yield from rule.conditions
    for table in program.tables:
        for row in table.rows:
            yield from row.conditions
    for received in program.ingress_rules:
        yield from received.match


def _of(conditions: Iterable[ir.Condition], member: str) -> Iterator[Network]:
    for condition in conditions:
        if isinstance(condition, ir.InPrefixes) and condition.member == member:
            yield from condition.prefixes


def _prefixes(program: ir.Program, facts: Facts, conditions: Iterable[ir.Condition]) -> Iterator[Network]:
    for condition in conditions:
        if isinstance(condition, ir.InPrefixes):
            yield from condition.prefixes
    for rows in facts.tables.values():
        for lengths in rows.by_key.values():
            for (size, length), found in lengths.items():
                for number in found if size else ():
                    yield (IPv4Network if size == 4 else IPv6Network)((number << 8 * size - length, length))
    for prefixes in facts.prefixes.values():
        yield from prefixes
    for address in (*facts.own, *(a for s in facts.sets.values() for a in s)):
        yield _host(address)
    for endpoint in program.egress.own.endpoints if program.egress.own else ():
        if isinstance(endpoint, ir.EndpointPrefixes):
            yield from endpoint.prefixes


def _host(address: bytes) -> Network:
    if address.startswith(bytes(10) + b"\xff\xff"):
        return IPv4Network(address[12:])
    return IPv6Network(address)


def _edges(conditions: Iterable[ir.Condition], member: str, most: int) -> set[int]:
    found = set()
    for condition in conditions:
        if isinstance(condition, ir.InRanges) and condition.member == member:
            for first, last in condition.ranges:
                found |= {first, last, max(0, first - 1), min(most, last + 1)}
    return found


def _marks(facts: Facts) -> list[int]:
    found = {0, 1}
    for rows in facts.tables.values():
        if "mark" in rows.exact:
            at = rows.exact.index("mark")
            found |= {number for key in rows.by_key if isinstance(number := key[at], int)}
        found |= {v for row in rows.all for n, v in row.fields.items() if n == "field_mark" and isinstance(v, int)}
    return sorted(found)
