"""plan's answer for whole prefixes against `ip route get` for addresses of every interval, over random tables."""

from __future__ import annotations

import json
from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from encap_compile.run.kernel.devices import devices
from encap_compile.run.kernel.routes import Kind
from encap_compile.run.loader.routing.device_states import Attachment
from encap_compile.run.loader.routing.network import Network
from encap_compile.run.loader.routing.table import RoutingTable, routing_table
from tests.support.netns import Namespace

pytestmark = pytest.mark.kernel

TYPES = ("unicast", "unicast", "unicast", "blackhole", "unreachable", "prohibit")
SENT = {Kind.UNICAST: "unicast", Kind.MULTICAST: "multicast", Kind.LOCAL: "local", Kind.BROADCAST: "broadcast"}


@pytest.fixture(scope="module")
def net() -> Iterator[Namespace]:
    with Namespace("routes") as made:
        for n in (0, 1):
            made.ip(
                f"link add e{n} type veth peer name p{n}",
                f"link set p{n} up",
                f"link set e{n} up",
                f"addr add 10.{n}.0.1/24 dev e{n}",
                f"addr add fd00:{n}::1/64 dev e{n} nodad",
            )
        yield made


def prefixes(version: int) -> st.SearchStrategy[str]:
    """Near each other, so that they nest."""
    if version == 4:
        return st.builds(
            lambda bits, length: str(ip_network((0x0A000000 | bits << 4, length), strict=False)),
            st.integers(0, (1 << 18) - 1),
            st.integers(8, 32),
        )
    return st.builds(
        lambda bits, length: str(ip_network((0xFD00 << 112 | bits << 60, length), strict=False)),
        st.integers(0, (1 << 40) - 1),
        st.integers(16, 128),
    )


def gateways(version: int, n: int) -> st.SearchStrategy[str]:
    last = st.integers(2, 9)
    return last.map(lambda i: f"10.{n}.0.{i}" if version == 4 else f"fd00:{n}::{i}")


@st.composite
def routes(draw: st.DrawFn, version: int) -> str:
    """The rest of an `ip route replace` line."""
    kind = draw(st.sampled_from(TYPES))
    prefix, table = draw(prefixes(version)), draw(st.sampled_from(("main", "main", "100", "101")))
    metric = f"metric {draw(st.integers(1, 3))} table {table}"
    if kind != "unicast":
        return f"{kind} {prefix} {metric}"
    hops = draw(st.lists(st.integers(0, 1), min_size=1, max_size=2))
    ways = [f"via {draw(gateways(version, n))} dev e{n}" for n in hops]
    if len(ways) == 1:
        return f"{prefix} {ways[0]} {metric} mtu {draw(st.sampled_from((1300, 1400)))}"
    return f"{prefix} {metric} {' '.join(f'nexthop {w}' for w in ways)}"


@st.composite
def rules(draw: st.DrawFn, version: int) -> str:
    destination = draw(st.one_of(st.just(""), prefixes(version).map(lambda p: f"to {p} ")))
    other = draw(
        st.sampled_from(("", "", "fwmark 7 ", "from 192.0.2.0/24 " if version == 4 else "from 2001:db8::/32 "))
    )
    action = draw(st.sampled_from(("table 100", "table 101 suppress_prefixlength 9", "unreachable", "blackhole")))
    if not destination and not other:
        action = "table 100"
    return f"{other}{destination}{action} pref {draw(st.integers(1000, 1010))}"


def edges(line: str) -> list[int]:
    """The first and last address of the prefix in a line, and those beside them."""
    text = next((word for word in line.split() if "/" in word and not word.startswith(("192.", "2001:"))), None)
    if text is None:
        return []
    low, high = int(ip_network(text)[0]), int(ip_network(text)[-1])
    return [low, high, low - 1, high + 1]


@pytest.mark.parametrize("version", [4, 6])
@settings(
    max_examples=25, deadline=None, suppress_health_check=list(HealthCheck), phases=(Phase.explicit, Phase.generate)
)
@given(data=st.data())
def test_an_interval_is_what_the_kernel_says_of_each_of_its_addresses(
    net: Namespace, version: int, data: st.DataObject
) -> None:
    family = f"-{version}"
    try:
        lines = data.draw(st.lists(routes(version), max_size=12))
        default = "default via 10.0.0.9 dev e0" if version == 4 else "default via fd00::9 dev e0"
        for line in [default, *lines]:
            net.run(["ip", family, "route", "replace", *line.split()], check=False)
        chosen = data.draw(st.lists(rules(version), max_size=3))
        for line in chosen:
            net.run(["ip", family, "rule", "add", *line.split()], check=False)
        with net.entered():
            table, _ = routing_table(version)
            table.find(range(len(table.starts)))
        ends = [n for line in [*lines, *chosen, *chosen] for n in edges(line)]
        picked = data.draw(st.lists(st.integers(0, len(table.starts) - 1), min_size=4, max_size=8))
        numbers = [data.draw(st.integers(*table.bounds(index))) for index in picked]
        if ends:
            numbers += data.draw(st.lists(st.sampled_from(ends), min_size=4, max_size=8))
        for number in numbers:
            if number:  # 0.0.0.0 and :: are no destinations
                compare(net, table, table.at(number), number)
    finally:
        for name in ("main", "100", "101"):
            net.run(["ip", family, "route", "flush", "table", name, "proto", "boot"], check=False)
        for preference in range(1000, 1011):
            while net.run(["ip", family, "rule", "del", "pref", str(preference)], check=False).returncode == 0:
                pass


def compare(net: Namespace, table: RoutingTable, index: int, number: int) -> None:
    address = ip_address(number.to_bytes(4 if table.version == 4 else 16, "big"))
    done = net.run(["ip", "-d", "-j", f"-{table.version}", "route", "get", str(address)], check=False)
    ours, context = table.route(index), (str(address), table.route(index), done.stdout, done.stderr)
    assert ours is not None
    answer: dict[str, Any] = json.loads(done.stdout)[0] if done.returncode == 0 and done.stdout.strip() else {}
    if not ours.hops:
        refused = {
            Kind.BLACKHOLE: "Invalid argument",
            Kind.PROHIBIT: "Permission denied",
            Kind.UNREACHABLE: "No route to",
        }
        # What a reject route answers to an IPv6 look-up is a route over lo with that error.
        said = done.stderr + answer.get("type", "") + answer.get("dev", "")
        words = refused.get(ours.kind, "unreachable")
        assert words in said or ours.kind in said or (table.version == 6 and "lo" in said), context
        return
    with net.entered():
        names = {d.index: d.name for d in devices().values()}
    if ours.own:
        assert answer["type"] == "local" or answer.get("dev") == "lo", context
        return
    assert answer.get("type", "unicast") == SENT[ours.kind], context
    if ours.kind is Kind.UNICAST:
        hops = {(names[h.ifindex], str(h.gateway) if h.gateway else None) for h in ours.hops}
        assert (answer["dev"], answer.get("gateway")) in hops, context


@pytest.mark.parametrize("compat", [0, 1])
def test_nexthop_objects(net: Namespace, compat: int) -> None:
    net.sysctl("net.ipv4.nexthop_compat_mode", compat)
    try:
        net.ip(
            "nexthop add id 1 via 10.0.0.2 dev e0",
            "nexthop add id 2 via 10.1.0.2 dev e1",
            "nexthop add id 3 group 1/2",
            "nexthop add id 4 blackhole",
            "route add 10.64.0.0/16 nhid 1",
            "route add 10.65.0.0/16 nhid 3",
            "route add 10.66.0.0/16 nhid 4",
        )
        with net.entered():
            table, _ = routing_table(4)
            found = {n: table.route(table.at(int(ip_address(f"10.{n}.1.1")))) for n in (64, 65, 66)}
            attached = [devices()["e0"]]
            network = Network(Attachment(attached, devices().values()), {4: table})
            both = network.way(4, table.at(int(ip_address("10.65.1.1"))))
        assert [str(h.gateway) for h in found[64].hops] == ["10.0.0.2"]  # type: ignore[union-attr]
        assert [str(h.gateway) for h in found[65].hops] == ["10.0.0.2", "10.1.0.2"]  # type: ignore[union-attr]
        assert found[66].kind is Kind.BLACKHOLE  # type: ignore[union-attr]
        assert both is not None and both.reached and [str(h.gateway) for h in both.missed] == ["10.1.0.2"]
    finally:
        net.sysctl("net.ipv4.nexthop_compat_mode", 1)
        net.run(["ip", "nexthop", "flush"], check=False)
