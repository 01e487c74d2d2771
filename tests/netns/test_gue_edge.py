"""A server of other people's making behind a GUE balancer: its answers go to the gateway, with the private data."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support import cli
from tests.support.gue_edge import EXAMPLE, VIP, Edge
from tests.support.polling import until
from tests.support.topology import PLAN, Topology
from tests.support.traffic import bulk_tcp, ping, udp_echo

pytestmark = pytest.mark.kernel


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return cli.compile_spec(EXAMPLE, tmp_path_factory.mktemp("build"))[0]


@contextmanager
def serving(bundle: Path, gateway: int = 4) -> Iterator[Edge]:
    """At the end nothing has left unencapsulated, or to the balancer, and the gateway refused nothing."""
    with Topology(offloads="off") as topology:
        edge = Edge(topology, gateway)
        try:
            edge.apply(bundle)
            with edge.balancing() as balancer:
                yield edge
                report = balancer.stop()
            assert report.refused == []
            assert report.accepted > 0
            wire = edge.wire()
            assert (wire["unencapsulated"], wire["balancer"]) == (0, 0) and wire["gateway"] >= report.accepted
        finally:
            edge.close()


@pytest.mark.parametrize("inner", [4, 6])
@pytest.mark.parametrize("gateway", [4, 6])
def test_every_kind_of_traffic(bundle: Path, gateway: int, inner: int) -> None:
    """Questions come over IPv4; a gateway that has IPv6 only gets the answers over IPv6."""
    with serving(bundle, gateway) as edge:
        client, vip = edge.client(inner), edge.vip(inner)
        assert ping(client, vip)
        assert ping(client, vip, options=["-Q", "0xb8"])  # the DSCP of the answer is the outer one too
        assert udp_echo(client, vip, sizes=(1, 512, 1200))
        assert bulk_tcp(client, vip, size=100_000, timeout=30)
        assert edge.counters()["egress_rule_vip_unlearned"] == 0


def test_nginx_and_curl(bundle: Path, tmp_path: Path) -> None:
    content = os.urandom(200_000)
    for folder in (tmp_path, *tmp_path.parents[:3]):  # nginx does not read as root
        folder.chmod(0o755)
    (tmp_path / "file").write_bytes(content)
    config = tmp_path / "nginx.conf"
    config.write_text(
        f"daemon off; master_process off; pid {tmp_path}/pid; error_log /dev/null;\nevents {{}}\n"
        f"http {{ access_log off; server {{ listen {VIP[4]}:80; listen [{VIP[6]}]:80; root {tmp_path}; }} }}\n"
    )
    with serving(bundle) as edge:
        nginx = edge.topology.ours.popen(["nginx", "-c", str(config)], stderr=subprocess.DEVNULL)
        try:
            until(lambda: edge.topology.ours.run(["ss", "-Hlnt", "sport = :80"]).stdout, "nginx listens", 10)
            for host in (VIP[4], f"[{VIP[6]}]"):
                command = f"curl -sS -m 30 http://{host}/file http://{host}/file | sha256sum"
                said = edge.topology.near.run(["sh", "-c", command]).stdout
                assert said.split()[0] == hashlib.sha256(content * 2).hexdigest()
        finally:
            nginx.kill()
            nginx.wait()
        assert edge.counters()["egress_rule_vip_unlearned"] == 0


def test_past_the_balancer(bundle: Path) -> None:
    """A VIP that is reached unencapsulated does not answer: neither unencapsulated nor to the gateway."""
    with Topology(offloads="off") as topology:
        edge = Edge(topology, 4)
        try:
            edge.apply(bundle)
            topology.router.ip(f"route add {VIP[4]} via {PLAN['ours'].underlay[4]}")
            assert not ping(topology.underlay_host("far", 4), edge.vip(4), count=2, timeout=0.5)
            assert edge.counters()["egress_rule_vip_unlearned"] == 2
            assert sum(edge.wire().values()) == 0
        finally:
            edge.close()


@pytest.mark.parametrize("gateway", ["2001:db8:1::20", "192.0.2.20"])
def test_a_host_that_cannot_answer(bundle: Path, gateway: str) -> None:
    """No address of the gateway's family of its own: it is not loaded, and nothing is left behind."""
    with Topology() as topology:
        own = PLAN["ours"].underlay[4 if ":" in gateway else 6]
        settings = ["--set", "uplink=eth0", "--set", f"gateway={gateway}", "--set", f"address={own}"]
        done = cli.encapctl(topology.ours, "apply", bundle, *settings, check=False)
        assert done.returncode == 6
        assert "H109" in done.stderr and "cannot be answered" in done.stderr
        assert cli.encapctl(topology.ours, "status", bundle.name, check=False).returncode != 0


def test_without_the_program_it_answers_in_the_clear() -> None:
    """What the other tests measure can be seen."""
    with Topology(offloads="off") as topology:
        edge = Edge(topology, 4)
        try:
            topology.router.ip(f"route add {VIP[4]} via {PLAN['ours'].underlay[4]}")
            topology.far.ip(f"route add {VIP[4]} via {PLAN['far'].gateway[4]}")
            assert ping(topology.underlay_host("far", 4), edge.vip(4), count=2, timeout=0.5)
            assert edge.wire()["unencapsulated"] == 2
        finally:
            edge.close()
