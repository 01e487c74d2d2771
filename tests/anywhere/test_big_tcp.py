"""GSO packets of more than 64 KB (BIG TCP) that rules encapsulate: refused by `plan`, or counted, or cut rightly."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

from encap_compile.run.kernel.system import kernel_version
from tests.support import cli
from tests.support.gso_sizes import set_gso_sizes
from tests.support.topology import Topology
from tests.support.traffic import bulk_tcp

from .bundles import SEGMENTATION, bundle
from .test_segmentation import ENCAPSULATIONS, Network, turn_off

pytestmark = pytest.mark.kernel

BIG, LARGEST = 150_000, 65_536
SINCE = {4: (6, 3), 6: (5, 19)}
NO_JUMBO_HEADER = kernel_version() >= (7, 0)
SIZE = 3_000_000
CUT_BY_THE_KERNEL = ("tx-",)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    with Topology() as topology:
        network = Network(topology, bundle(SEGMENTATION, tmp_path_factory.mktemp("segmentation")))
        turn_off(topology.ours, "eth0", CUT_BY_THE_KERNEL)
        cli.apply(topology.ours, network.made, uplink="eth0")
        yield network


@pytest.fixture
def network(shared: Network) -> Iterator[Network]:
    yield shared
    turn_off(shared.topology.ours, "eth0", CUT_BY_THE_KERNEL)
    limit(shared, {version: LARGEST for version, since in SINCE.items() if kernel_version() >= since})


def limit(network: Network, sizes: dict[int, int]) -> None:
    names = {4: "gso_ipv4_max_size", 6: "gso_max_size"}
    if sizes:
        set_gso_sizes(network.topology.ours, "eth0", **{names[version]: size for version, size in sizes.items()})


def plan(network: Network) -> tuple[int, str]:
    done = cli.encapctl(network.topology.ours, "plan", network.made, "--set", "uplink=eth0", check=False)
    return done.returncode, done.stdout + done.stderr


def send(
    network: Network, inner: int, encapsulations: tuple[str, ...] = ENCAPSULATIONS, size: int = SIZE
) -> tuple[list[bool], Counter[str]]:
    """Bulk by encapsulations over each outer family: what arrived, and what was counted."""
    before = network.counted("ours")
    ours = network.topology.host("ours", inner)
    found = [
        bool(bulk_tcp(ours, network.peer(encapsulation, outer, inner), size, timeout=30))
        for encapsulation in encapsulations
        for outer in (4, 6)
    ]
    return found, network.counted("ours") - before


def test_ipv6_is_refused_or_cut(network: Network) -> None:
    """Before 7.0 `plan` and `apply` refuse it for IPv6, and such packets are counted"""
    if kernel_version() < SINCE[6]:
        return  # this kernel makes none
    limit(network, {6: BIG})
    code, said = plan(network)
    assert ((code, "H172" in said) == (6, True)) == (not NO_JUMBO_HEADER), said
    # What is dropped is sent again segment by segment, which takes its time.
    arrived, counted = send(network, 6) if NO_JUMBO_HEADER else send(network, 6, ("vxlan",), SIZE // 2)
    assert all(arrived)
    assert (counted["egress_gso_jumbo"] > 0) == (not NO_JUMBO_HEADER)
    limit(network, {6: LARGEST})
    assert "H172" not in plan(network)[1]
    arrived, counted = send(network, inner=6)
    assert all(arrived)
    assert counted["egress_gso_jumbo"] == 0


def test_ipv4_is_cut_by_the_kernel(network: Network) -> None:
    """IPv4's are cut by the kernel, and `plan` warns where a device would be given them whole"""
    if kernel_version() < SINCE[4]:
        return
    limit(network, {4: BIG})
    assert "H173" not in plan(network)[1]
    arrived, counted = send(network, inner=4)
    assert all(arrived)
    assert counted["egress_rule_sites"] > 0
    turn_off(network.topology.ours, "eth0", ())
    assert "H173" in plan(network)[1]
