"""`encapctl status` without a name: every bundle that runs here, and what is left of one."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.netns.loader_bundle import write
from tests.netns.loader_net import ATTACH, wire
from tests.support.netns import STATE

pytestmark = pytest.mark.kernel


@pytest.mark.parametrize("attach", ATTACH)
def test_all_that_runs_here(tmp_path: Path, attach: str) -> None:
    with wire() as net:
        empty = net.ctl("status", check=0)
        assert empty.stdout.startswith("0 bundles in this network namespace")
        for name in ("one", "two"):
            net.apply(write(tmp_path / name, name=name, rows={"10.1.0.7": "192.0.2.2"}), "--attach", attach)
        text = net.ctl("status", check=0).stdout
        assert [line.split()[0] for line in text.splitlines()[1:]] == ["one", "two"]
        assert text.count(" ok since ") == 2 and text.count("on eth0") == 2
        document = json.loads(net.ctl("status", "--format", "json", check=0).stdout)
        assert [b["name"] for b in document["bundles"]] == ["one", "two"] and document["drift"] is False
        net.ours.ip("link set eth0 mtu 1300")
        text = net.ctl("status", check=3).stdout
        assert text.count("DRIFT  uplink.mtu: 1500 in force, 1300 on the machine (eth0)") == 2
        assert json.loads(net.ctl("status", "--format", "json", check=3).stdout)["drift"] is True
        assert net.ctl("status", "--format", "prometheus").returncode == 2
        for name in ("one", "two"):
            net.ctl("remove", name, check=0)


@pytest.mark.parametrize("attach", ATTACH)
def test_what_has_no_state(tmp_path: Path, attach: str) -> None:
    with wire() as net:
        net.apply(write(tmp_path / "one", name="one"), "--attach", attach)
        shutil.rmtree(STATE / net.ours.name / "state")
        text = net.ctl("status", check=3).stdout
        assert "one  no state" in text and "on eth0" in text
        if attach == "clsact":  # and no pins: the filter alone tells the name
            shutil.rmtree(net.ours.bpffs() / "encap")
            assert "one  no state" in net.ctl("status", check=3).stdout
        net.ctl("remove", "one", check=0)
        # Without its state nothing tells that apply added the qdisc, which others may use by now.
        assert [left for left in net.left() if not left.startswith("qdisc clsact")] == []


def test_another_namespace(tmp_path: Path) -> None:
    with wire() as net:
        (net.ours.bpffs() / "encap" / "4026530000" / "far" / "maps").mkdir(parents=True)
        document = json.loads(net.ctl("status", "--format", "json", check=0).stdout)
        assert document["elsewhere"] == [{"network_namespace": "4026530000", "bundles": ["far"]}]
        assert "in network namespace 4026530000: far" in net.ctl("status", check=0).stdout
