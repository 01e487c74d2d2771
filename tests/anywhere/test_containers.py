"""Network namespaces with programs of their own inside: the same addresses in each, and another policy."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from encap_compile.run.kernel.system import kernel_version
from tests.support import cli, kernel_vxlan
from tests.support.cgroups import Tree, mount
from tests.support.exits import APPLICATION, ARRIVES, CHOOSE, FAMILY, PORT, SERVICE, Exits, ask, level
from tests.support.links import mac_of, neighbour, veth
from tests.support.netns import Namespace
from tests.support.topology import PLAN, Topology

from .bundles import EXITS, bundle

pytestmark = pytest.mark.kernel
INNER = pytest.mark.parametrize("inner", [4, 6], ids=["ipv4 inside", "ipv6 inside"])
# A container for each exit.
UNDERLAY = {
    "far": {4: "192.0.2.27/28", 6: "2001:db8:1::27/64"},
    "near": {4: "192.0.2.28/28", 6: "2001:db8:1::28/64"},
}
TENANT = {"far": 101, "near": 102}


class Container:
    """A network namespace on the segment of `near`, with a cgroup, whose sockets may choose one exit."""

    def __init__(self, topology: Topology, tree: Tree, role: str, bundle: Path, rows: Path) -> None:
        self.role, self.tree = role, tree
        self.namespace = Namespace(f"c-{role}")
        tree.make(role)
        namespace, router = self.namespace, topology.router
        veth(namespace, "eth0", router, f"to-c-{role}")
        router.ip(f"link set to-c-{role} master lan")
        for version in (4, 6):
            gateway = PLAN["ours"].gateway[version]
            namespace.ip(f"addr add {UNDERLAY[role][version]} dev eth0 nodad")
            neighbour(namespace, "eth0", gateway, mac_of(router, "lan"))
            namespace.ip(
                f"addr add {APPLICATION[version]} dev lo nodad",
                f"route add default via {gateway} dev eth0 src {APPLICATION[version]}",
            )
        neighbour(namespace, "eth0", PLAN["near"].underlay[4], topology.mac("near"))
        self._behind(topology, role)
        self.bundle = bundle
        own = {"uplink": "eth0", "vni": str(TENANT[role]), "container": f"{tree.path}/{role}"}
        cli.apply(namespace, bundle, "--rows", f"exits={rows}", **own)

    def _behind(self, topology: Topology, role: str) -> None:
        """The exit's tunnel endpoint: a network of this tenant's."""
        exit_ = topology.namespaces[role]
        device, mac = f"vx{TENANT[role]}", mac_of(self.namespace, "eth0")
        address = UNDERLAY[role][4].partition("/")[0]
        exit_.ip(f"link del {kernel_vxlan.DEVICE}")
        kernel_vxlan.vxlan_device(
            exit_, device, kernel_vxlan.OVERLAY_MACS[role], TENANT[role], PLAN[role].underlay[4], []
        )
        kernel_vxlan.forward(exit_, device, mac, address)
        neighbour(topology.router, "lan", address, mac)
        if role == "near":
            neighbour(exit_, "eth0", address, mac)
        exit_.sysctl(f"net.ipv4.conf.{device}.rp_filter", 0)
        for version in (4, 6):
            exit_.ip(f"route replace {APPLICATION[version]} dev {device}")
            neighbour(exit_, device, APPLICATION[version], mac)

    @contextmanager
    def socket(self, version: int) -> Iterator[socket.socket]:
        """Made inside: in the namespace and in the cgroup."""
        self.tree.join(self.role, os.getpid())
        try:
            made = self.namespace.socket(FAMILY[version], socket.SOCK_STREAM)
        finally:
            (mount() / "cgroup.procs").write_text(f"{os.getpid()}\n")
        with made:
            made.settimeout(ARRIVES)
            yield made


@pytest.fixture(scope="module")
def containers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Container]]:
    folder = tmp_path_factory.mktemp("containers")
    made = bundle(EXITS["containers"], folder)
    header, *rows = (made / "exits.csv").read_text().splitlines()
    with ExitStack() as stack:
        tree = stack.enter_context(Tree())
        topology = stack.enter_context(Topology(offloads="off"))
        exits = Exits(topology, tree)
        stack.callback(exits.close)
        found = {}
        for role in ("far", "near"):
            own = folder / f"{role}.csv"
            own.write_text("\n".join([header, *(row for row in rows if row.startswith(role))]) + "\n")
            found[role] = Container(topology, tree, role, made, own)
            stack.callback(found[role].namespace.destroy)
        yield found


@INNER
def test_same_addresses(containers: dict[str, Container], inner: int) -> None:
    """Two namespaces with the same inner addresses, each with its exits"""
    for role, other in (("far", "near"), ("near", "far")):
        container = containers[role]
        with container.socket(inner) as client:
            with pytest.raises(OSError):
                client.setsockopt(level("containers"), CHOOSE, f"exits/{other}".encode())
            client.setsockopt(level("containers"), CHOOSE, f"exits/{role}".encode())
            client.bind((APPLICATION[inner], 45000))  # the very same connection in both
            client.connect((SERVICE[inner], PORT))
            assert ask(client) == role
    for role in containers:
        counted = {
            row["name"]: row["packets"] for row in cli.stats(containers[role].namespace, containers[role].bundle)
        }
        assert counted["egress_rule_chosen"] > 3
        assert counted["egress_rule_tenant"] == 0


@INNER
def test_who_has_not_chosen(containers: dict[str, Container], inner: int) -> None:
    """In a namespace whose policy says so, nothing leaves without a choice"""
    container = containers["far"]
    with container.socket(inner) as client:
        client.settimeout(0.3)
        with pytest.raises(TimeoutError):
            client.connect((SERVICE[inner], PORT))
    counted = {row["name"]: row["packets"] for row in cli.stats(container.namespace, container.bundle)}
    assert counted["egress_rule_tenant"] > 0


def test_of_one_namespace_in_the_cgroup_of_another(containers: dict[str, Container]) -> None:
    """A namespace's socket in the cgroup of another: not managed, where the kernel can tell (5.15)"""
    one, other = containers["far"], containers["near"]
    one.tree.join("far", os.getpid())
    try:
        made = other.namespace.socket(socket.AF_INET, socket.SOCK_STREAM)
    finally:
        (mount() / "cgroup.procs").write_text(f"{os.getpid()}\n")
    with made:
        if kernel_version() < (5, 15):
            made.setsockopt(level("containers"), CHOOSE, b"exits/far")
            return
        with pytest.raises(OSError) as caught:
            made.setsockopt(level("containers"), CHOOSE, b"exits/far")
    assert caught.value.errno == errno.ENOPROTOOPT
