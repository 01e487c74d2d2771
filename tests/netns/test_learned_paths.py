"""What programs have learned of paths is shown: by `status`, by `plan` in the MTU budget, and as a metric."""

from __future__ import annotations

import json

import pytest

from tests.support import cli, kernel_vxlan
from tests.support.documents import validate
from tests.support.lone_segments import SEGMENTS, network_without_route_mtu, write_arrives
from tests.support.overlay import sites, write_rows
from tests.support.topology import PLAN, Topology

from .conftest import Compiled

pytestmark = pytest.mark.kernel

NARROW = 1400
UNCLAMPED = ("egress:\n", "mtu: {clamp_mss: false}\negress:\n")


@pytest.mark.parametrize("outer", [4, 6], ids="outer{}".format)
def test_what_is_learned_is_shown(compiled: Compiled, outer: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    with Topology(offloads="off") as topology:
        overlay = network_without_route_mtu(topology, outer)
        bundle = compiled(UNCLAMPED)
        overlay.apply(bundle)
        ours = topology.ours

        def asked(*words: str) -> list[dict[str, object]]:
            document = json.loads(cli.encapctl(ours, *words, "--format", "json", check=False).stdout)
            validate(words[0], document)
            found = document["learned_paths"] if words[0] == "status" else document["mtu"]["learned_paths"]
            return list(found)

        rows = write_rows(tmp_path_factory.mktemp("rows"), sites(outer))
        plan = ("plan", str(bundle), "--rows", f"sites={rows}", "--set", "uplink=eth0")
        plan = (*plan, "--set", f"vtep_mac={topology.mac('ours')}")
        assert asked("status", bundle.name) == asked(*plan) == []
        metric = "encap_paths_learned{"
        line = next(
            li
            for li in cli.encapctl(ours, "stats", bundle.name, "--format", "prometheus").stdout.splitlines()
            if li.startswith(metric)
        )
        assert line.endswith(" 0")
        topology.far.ip(f"link set {kernel_vxlan.DEVICE} mtu {NARROW - kernel_vxlan.OVERHEAD[outer]}")
        topology.router.ip(f"link set wan mtu {NARROW}")
        topology.far.ip(f"link set eth0 mtu {NARROW}")
        assert write_arrives(topology.host("ours", 4), topology.host("far", 4), SEGMENTS[4] - 12, timeout=10)
        endpoint = str(PLAN["far"].underlay[outer])
        for words in (("status", bundle.name), plan):
            (path,) = asked(*words)
            assert (path["endpoint"], path["mtu"]) == (endpoint, NARROW)
            assert isinstance(path["seconds"], int) and 500 < path["seconds"] <= 600
            text = cli.encapctl(ours, *words, check=False).stdout
            assert f"path to {endpoint}: {NARROW}, learned, for " in text
        assert f"{metric}" in (said := cli.encapctl(ours, "stats", bundle.name, "--format", "prometheus").stdout)
        assert next(li for li in said.splitlines() if li.startswith(metric)).endswith(" 1")
        overlay.remove()
