"""Every kind of table finds the row that Python's ipaddress says is the longest prefix."""

from __future__ import annotations

import random
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any

import pytest

from .datapath import Datapath
from .inner import frame, packet
from .specs import HEAD, Compile

Network = IPv4Network | IPv6Network
SPEC = """
encapsulations:
  gre: [{{ipv4: {{source: host.address, destination: 192.0.2.1}}}}, {{gre: {{key: endpoint.number}}}}]
endpoints:
  rows:
    key: {key}
    fields: {{number: u32}}
    encapsulation: gre
{options}
egress:
  rules: [{{name: all, match: {{destination: [{families}]}}, to: rows}}]
  default: pass
"""
LENGTHS = {4: (32, 24, 16, 8), 6: (128, 64, 48, 32)}


def random_networks(pick: random.Random, versions: tuple[int, ...], count: int, lengths: bool) -> list[Network]:
    found: dict[Network, None] = {}
    while len(found) < count:
        version = pick.choice(versions)
        length = pick.choice(LENGTHS[version]) if lengths else pick.randint(0, 32 if version == 4 else 128)
        address = near(pick, version)
        found[ip_network(f"{address}/{length}", strict=False)] = None
    return list(found)


def near(pick: random.Random, version: int) -> Any:
    """An address that shares its first bits with many others."""
    if version == 4:
        return ip_address(
            bytes([10, pick.choice([0, 1, 255]), pick.choice([0, 128, 2]), pick.choice([0, 1, 254, 255])])
        )
    words = [
        0xFD00,
        pick.choice([0, 0x10, 0xFFFF]),
        pick.choice([0, 1]),
        pick.choice([0, 0x8000]),
        0,
        0,
        0,
        pick.choice([0, 1, 0xFFFF]),
    ]
    return ip_address(b"".join(w.to_bytes(2, "big") for w in words))


def spec(kind: str, key: str, networks: list[Network], versions: tuple[int, ...]) -> tuple[str, dict[str, str]]:
    families = ", ".join({4: "0.0.0.0/0", 6: "'::/0'"}[v] for v in versions)
    if kind == "fixed":
        rows = ", ".join(f"{{destination: '{n}', number: {i + 1}}}" for i, n in enumerate(networks))
        return HEAD + SPEC.format(key=key, options=f"    fixed: true\n    rows: [{rows}]", families=families), {}
    options = "    file: rows.csv\n    capacity: 1000"
    if kind == "hash":
        lengths = sorted({n.prefixlen for n in networks}, reverse=True)
        options += f"\n    shape: {{prefix_lengths: {lengths}}}"
    lines = "".join(f"{n},{i + 1}\n" for i, n in enumerate(networks))
    return HEAD + SPEC.format(key=key, options=options, families=families), {"rows": "destination,number\n" + lines}


def found_key(datapath: Datapath, destination: Any) -> int:
    """The GRE key of the row that was found, 0 for none."""
    source = "10.200.200.200" if destination.version == 4 else "2001:db8::1"
    outcome = datapath.egress(frame(packet("udp-odd", source, str(destination))))
    if outcome.verdict == "drop":
        assert list(outcome.counted) == ["egress_miss_all"]
        return 0
    assert list(outcome.counted) == ["egress_rule_all"]
    return int.from_bytes(outcome.frame[14 + 24 : 14 + 28], "big")


@pytest.mark.parametrize("versions", [(4,), (6,), (4, 6)], ids=str)
@pytest.mark.parametrize("kind", ["lpm", "hash", "fixed"])
def test_longest_prefix(compiled: Compile, kind: str, versions: tuple[int, ...]) -> None:
    pick = random.Random(f"{kind}{versions}")
    networks = random_networks(pick, versions, 40, lengths=kind == "hash")
    text, files = spec(kind, "destination", networks, versions)
    with Datapath(compiled(text, **files)) as datapath:
        assert datapath.manifest.tables[0].kind == kind
        for _ in range(300):
            destination = near(pick, pick.choice(versions))
            inside = [n for n in networks if n.version == destination.version and destination in n]
            best = max(inside, key=lambda n: n.prefixlen, default=None)
            assert found_key(datapath, destination) == (networks.index(best) + 1 if best else 0), destination


def test_a_long_prefix_list_is_a_trie(compiled: Compile) -> None:
    pick = random.Random(7)
    listed = random_networks(pick, (4, 6), 30, lengths=False)
    listed = [n for n in listed if n.prefixlen > 9]
    prefixes = ", ".join(f"'{n}'" for n in listed)
    text = (
        HEAD
        + f"""
sets: {{many: [{prefixes}]}}
egress:
  rules:
    - {{name: to, match: {{destination: many}}, action: drop}}
    - {{name: by, match: {{source: many}}, action: drop}}
  default: pass
"""
    )
    with Datapath(compiled(text)) as datapath:
        for _ in range(400):
            version = pick.choice((4, 6))
            source, destination = near(pick, version), near(pick, version)
            outcome = datapath.egress(frame(packet("udp-odd", str(source), str(destination))))
            expected = "egress_default"
            if any(source in n for n in listed if n.version == version):
                expected = "egress_rule_by"
            if any(destination in n for n in listed if n.version == version):
                expected = "egress_rule_to"
            assert list(outcome.counted) == [expected], (source, destination)


def test_several_words_in_a_key(compiled: Compile) -> None:
    text = (
        HEAD
        + """
encapsulations: {gre: [{ipv4: {source: host.address, destination: 192.0.2.1}}, {gre: {key: endpoint.number}}]}
endpoints:
  rows:
    key: [mark, protocol, destination_port, dscp, destination]
    fields: {number: u32}
    encapsulation: gre
    rows:
      - {mark: 1, protocol: tcp, destination_port: 7000, dscp: 0, destination: 10.0.0.0/8, number: 1}
      - {mark: 1, protocol: udp, destination_port: 7000, dscp: 0, destination: 10.0.0.0/8, number: 2}
      - {mark: 1, protocol: udp, destination_port: 7000, dscp: 0, destination: 10.1.0.0/16, number: 3}
      - {mark: 2, protocol: udp, destination_port: 7000, dscp: 46, destination: "fd00::/16", number: 4}
egress:
  rules: [{name: all, match: {protocol: [tcp, udp]}, to: rows}]
  default: pass
"""
    )
    cases = [
        ("tcp", "10.0.0.1", 1, 0, 1), ("udp-odd", "10.0.0.1", 1, 0, 2), ("udp-odd", "10.1.0.1", 1, 0, 3),
        ("tcp", "10.1.0.1", 1, 0, 1), ("udp-odd", "10.1.0.1", 2, 0, 0), ("udp-odd", "10.1.0.1", 1, 46, 0),
        ("udp-odd", "11.1.0.1", 1, 0, 0), ("udp-odd", "fd00::1", 2, 46, 4), ("tcp", "fd00::1", 2, 46, 0),
        ("udp-odd", "fd01::1", 2, 46, 0), ("udp-odd", "fd00::1", 0x02000000, 46, 0),
    ]  # fmt: skip
    with Datapath(compiled(text)) as datapath:
        for shape, destination, mark, dscp, number in cases:
            source = "10.9.9.9" if "." in destination else "2001:db8::9"
            outcome = datapath.egress(frame(packet(shape, source, destination, dscp << 2)), mark=mark)
            key = int.from_bytes(outcome.frame[38:42], "big") if outcome.verdict == "pass" else 0
            assert key == number, (shape, destination, mark, dscp)


def test_fixed_rows_by_name_and_two_encapsulations(compiled: Compile) -> None:
    text = (
        HEAD
        + """
encapsulations:
  ipip: [{ip: {source: host.address, destination: endpoint.to}}]
  gre: [{ip: {source: host.address, destination: endpoint.to}}, {gre: {key: endpoint.number}}]
endpoints:
  rows:
    fields: {to: ip, number: u32}
    encapsulation: [ipip, gre]
    fixed: true
    rows:
      - {name: plain, encapsulation: ipip, to: 192.0.2.1, number: 0}
      - {name: keyed, encapsulation: gre, to: 192.0.2.2, number: 9}
      - {name: keyed-6, encapsulation: gre, to: "2001:db8::2", number: 10}
egress:
  rules:
    - {name: a, match: {dscp: 1}, to: rows/plain}
    - {name: b, match: {dscp: 2}, to: rows/keyed}
    - {name: c, match: {dscp: 3}, to: rows/keyed-6}
  default: drop
"""
    )
    with Datapath(compiled(text)) as datapath:
        for dscp, outer in ((1, "0454 c0000201"), (2, "2f5d c0000202"), (3, "2f40")):
            inner = packet("tcp", "10.0.0.1", "10.0.0.2", dscp << 2)
            outcome = datapath.egress(frame(inner))
            assert outcome.verdict == "pass" and outcome.frame.endswith(inner)
            added = outcome.frame[14 : -len(inner)]
            assert len(added) == {1: 20, 2: 28, 3: 48}[dscp]
            assert added[9 if dscp < 3 else 6] == int(outer[:2], 16)
            assert dscp == 3 or added[16:20].hex() == outer[5:]
        assert datapath.egress(frame(packet("tcp", "10.0.0.1", "10.0.0.2"))).counted == {"egress_default": (1, 44)}
