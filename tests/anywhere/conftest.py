"""One network for all tests of a module that use the same tunnels, and what each of them must leave as it was.

The tests of a module share the server's programs and its table of flows. They are independent by their flows: each has
ports of its own (the kernel chooses them), and checks counters by how far they moved.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.balancers import BALANCERS, VIP, Server
from tests.support.topology import PLAN, Topology
from tests.support.traffic import send_datagrams

from .bundles import RETURN, bundle


@pytest.fixture(scope="module")
def topology() -> Iterator[Topology]:
    with Topology(offloads="off") as topology:
        yield topology


@pytest.fixture(scope="module")
def network(
    topology: Topology, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """A server that reflects, behind balancers with (encapsulation, outer family)."""
    encapsulation, outer = request.param
    server = Server(topology, outer, encapsulation)
    _would_be_seen(server)
    server.apply(bundle(RETURN[encapsulation], tmp_path_factory.mktemp(encapsulation)))
    yield server
    server.close()


def _would_be_seen(server: Server) -> None:
    """Before the program is there, what a VIP sends is unencapsulated, and counted: what the tests count can be seen.

    The router has no way to answer a VIP. A balancer would, by its tunnel, learn that there is no end of it yet, and
    fail what it sends next (IPTUNNEL_ERR_TIMEO in if_tunnel.h).
    """
    before = server.wire()["unencapsulated"]
    for version in (4, 6):
        send_datagrams(server.vip(version), str(PLAN["ours"].gateway[version]), 1)
    assert server.wire()["unencapsulated"] == before + 2


@pytest.fixture
def server(network: Server) -> Iterator[Server]:
    """The network for a test in which every answer is to reach its client, and none leaves unencapsulated."""
    before, unlearned = network.wire(), network.counters()["egress_rule_vip_unlearned"]
    yield network
    after = network.wire()
    assert after["unencapsulated"] == before["unencapsulated"]
    assert sum(after[role] - before[role] for role in BALANCERS) > 0
    assert network.counters()["egress_rule_vip_unlearned"] == unlearned


@pytest.fixture
def other_way_in(network: Server) -> Iterator[Server]:
    """The network, with a way from `far` to the VIPs past the balancers."""
    topology = network.topology
    plan = PLAN["far"]
    topology.router.ip(*(f"route add {VIP[v]} via {PLAN['ours'].underlay[v]}" for v in (4, 6)))
    topology.far.ip(*(f"route add {VIP[v]} via {plan.gateway[v]} src {plan.underlay[v]}" for v in (4, 6)))
    yield network
    for namespace in (topology.router, topology.far):
        namespace.ip(*(f"route del {VIP[v]}" for v in (4, 6)))
