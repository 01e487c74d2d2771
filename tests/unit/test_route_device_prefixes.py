"""Few routes say the same as many: every address goes where the longest of all prefixes would lead it."""

from __future__ import annotations

import random
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest

from encap_compile.run.kernel.table_routes import THROW, UNICAST, UNREACHABLE, Entry, Network
from encap_compile.run.loader.route_device.prefixes import Routed, routing, within

BASE = {4: int(IPv4Address("10.0.0.0")), 6: int(IPv6Address("2001:db8::"))}


def net(text: str) -> Network:
    return ip_network(text)


def nets(*texts: str) -> tuple[Network, ...]:
    return tuple(map(ip_network, texts))


def leads(routes: list[Entry], address: IPv4Address | IPv6Address) -> bool:
    """As the kernel looks a table up: the longest prefix, and of one prefix the smallest metric."""
    found = [e for e in routes if e.network.version == address.version and address in e.network]
    best = min(found, key=lambda e: (-e.network.prefixlen, e.metric), default=None)
    return best is not None and best.kind == UNICAST


def expected(
    rules: list[Routed], links: list[Network], ends: list[Network], address: IPv4Address | IPv6Address
) -> bool:
    """By all prefixes, none merged."""
    kept = {p for r in rules for p in r.prefixes if not any(_covers(w, p) for w in r.passed)}
    thrown = {*(p for r in rules for p in r.passed), *(s for s in links if s not in kept), *ends}
    inside = [(n.prefixlen, n in thrown) for n in {*kept, *thrown} if n.version == address.version and address in n]
    return bool(inside) and not max(inside)[1]


def _covers(wide: Network, narrow: Network) -> bool:
    return wide.version == narrow.version and narrow.subnet_of(wide)  # type: ignore[arg-type]


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("seed", range(40))
def test_every_address_goes_where_it_would(version: int, seed: int) -> None:
    """Drawn within 64 addresses, all of which are looked up."""
    chance, bits = random.Random(seed * 10 + version), 32 if version == 4 else 128

    def draw(most: int, narrowest: int = 6) -> list[Network]:
        found = []
        for _ in range(chance.randrange(most + 1)):
            length = bits - chance.randrange(narrowest + 1)
            number = BASE[version] + (chance.randrange(64) >> (bits - length) << (bits - length))
            found.append(ip_network(f"{ip_address(number)}/{length}"))
        return found

    rules = [Routed(tuple(draw(6)), tuple(draw(1, 4))) for _ in range(chance.randrange(1, 4))]
    links, ends = draw(2, 5), draw(3, 0)
    routes = routing(rules, links, ends).entries(7)
    for number in range(BASE[version], BASE[version] + 64):
        address = ip_address(number)
        assert leads(routes, address) == expected(rules, links, ends, address), (address, rules, links, ends, routes)


def test_neighbours_become_one() -> None:
    rows = [ip_network(f"10.1.{i // 256}.{i % 256}/32") for i in range(1024)]
    found = routing([Routed(tuple(rows))], [], [])
    assert found.routed == nets("10.1.0.0/22") and found.thrown == ()


def test_behind_each_route_one_is_unreachable() -> None:
    found = routing(
        [Routed(nets("10.0.0.0/8", "2001:db8::/32"))], nets("10.1.0.0/24"), nets("10.2.0.1/32", "192.0.2.1/32")
    )
    kinds = {(str(e.network), e.kind, e.device) for e in found.entries(7)}
    assert kinds == {
        ("10.0.0.0/8", UNICAST, 7),
        ("10.0.0.0/8", UNREACHABLE, 0),
        ("2001:db8::/32", UNICAST, 7),
        ("2001:db8::/32", UNREACHABLE, 0),
        ("10.1.0.0/24", THROW, 0),
        ("10.2.0.1/32", THROW, 0),  # a tunnel endpoint outside of what is routed needs no route
    }
    assert found.versions == {4, 6}


def test_a_row_for_what_is_on_link_is_meant_for_the_tunnel() -> None:
    """But a subnet within a wider prefix is left to the device that is on it, and a row within that one is not."""
    rules = [Routed(nets("10.1.0.0/24", "10.2.0.0/16", "10.2.3.4/32"))]
    found = routing(rules, nets("10.1.0.0/24", "10.2.3.0/24"), [])
    assert found.routed == nets("10.1.0.0/24", "10.2.0.0/16", "10.2.3.4/32")
    assert found.thrown == nets("10.2.3.0/24")


def test_what_an_earlier_rule_passes_is_no_row_s() -> None:
    rules = [Routed(nets("10.9.1.0/24")), Routed(nets("10.0.0.0/8", "10.9.2.0/24"), nets("10.9.0.0/16"))]
    found = routing(rules, [], [])
    assert found.routed == nets("10.0.0.0/8", "10.9.1.0/24") and found.thrown == nets("10.9.0.0/16")


@pytest.mark.parametrize("version", [4, 6])
def test_what_lies_within(version: int) -> None:
    """As compared one by one, which for thousands of routes and rows takes minutes."""
    bits, draw = {4: 32, 6: 128}[version], random.Random(7)
    address = {4: IPv4Address, 6: IPv6Address}[version]

    def drawn() -> Network:
        length = draw.randint(bits - 8, bits)
        return ip_network((address(BASE[version] + draw.randrange(256)), length), strict=False)

    for _ in range(200):
        some, wide = [drawn() for _ in range(12)], [drawn() for _ in range(draw.randrange(6))]
        assert within(some, wide) == [n for n in some if any(_covers(w, n) for w in wide)]
