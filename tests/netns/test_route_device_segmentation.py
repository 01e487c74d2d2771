"""What the uplink cannot encapsulate, a route device can: datagrams of UDP_SEGMENT where the uplink fills in no
checksums, and IPv4 without DF in every mode."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.anywhere.bundles import SEGMENTATION
from tests.anywhere.test_segmentation import COUNT, ENCAPSULATIONS, OFF, Network, send_segments, turn_off
from tests.support import cli
from tests.support.topology import PLAN, Topology

from .test_without_df import ANSWER, DONT, OMIT, send

pytestmark = pytest.mark.kernel


def compiled(folder: Path, attach: str) -> Path:
    folder.mkdir()
    rows = SEGMENTATION.with_name("segmentation-sites.csv")
    (folder / rows.name).write_bytes(rows.read_bytes())
    text = SEGMENTATION.read_text()
    assert text.count("attach: {devices: [host.uplink]}") == 1
    (folder / SEGMENTATION.name).write_text(text.replace("attach: {devices: [host.uplink]}", attach))
    return cli.compile_spec(folder / SEGMENTATION.name, folder / "build")[0]


def test_datagrams_of_one_call_and_without_df(tmp_path: Path) -> None:
    peers = compiled(tmp_path / "peers", "attach: {devices: [host.uplink]}")
    ours = compiled(tmp_path / "ours", "attach: {devices: [host.uplink], route_device: {name: encap0}}")
    with Topology() as topology:
        network = Network(topology, peers)
        topology.ours.ip(*(f"route del {PLAN['far'].prefix[version]}" for version in (4, 6)))
        turn_off(topology.ours, "eth0", OFF["tx off"])
        said = cli.encapctl(topology.ours, "apply", ours, "--set", "uplink=eth0").stderr
        assert "rules that send by eth0 itself" in said
        for encapsulation in ENCAPSULATIONS:
            for outer in (4, 6):
                for inner in (4, 6):
                    far = network.peer(encapsulation, outer, inner)
                    what = f"{encapsulation} over IPv{outer}, IPv{inner} inside"
                    assert send_segments(topology.host("ours", inner), far) == (COUNT, ""), what
        for discover in (DONT, OMIT):
            assert send(topology.host("ours", 4), network.peer("vxlan", 4, 4), ANSWER, discover)
        counted = Counter({c["name"]: c["packets"] for c in cli.stats(topology.ours, ours)})
        assert counted["egress_gso_checksum"] == counted["egress_too_big"] == 0
        cli.remove(topology.ours, ours)
