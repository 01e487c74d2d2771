"""A device that no longer fills in checksums, or does so again: drift until the next apply, and watch applies it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.support import cli, ethtool
from tests.support.netns import Namespace
from tests.support.overlay import Overlay
from tests.support.topology import Topology

from .conftest import Compiled
from .test_loader_watch_devices import watching

pytestmark = pytest.mark.kernel
CHECKSUM = "tx-checksum-ip-generic"


def fill_in(namespace: Namespace, on: bool) -> None:
    names = ethtool.feature_names(namespace, "eth0")
    ethtool.set_features(namespace, "eth0", names, {CHECKSUM: on})


def test_a_changed_offload_is_drift(compiled: Compiled) -> None:
    with Topology() as topology:
        overlay = Overlay(topology, outer=4)
        overlay.apply(compiled())
        fill_in(topology.ours, False)
        found = cli.encapctl(topology.ours, "status", "vxlan-overlay", check=False)
        assert found.returncode == 3
        assert "families without tx checksum: none in force, ipv4, ipv6 on the machine (eth0)" in found.stdout
        overlay.apply(compiled())
        assert cli.encapctl(topology.ours, "status", "vxlan-overlay").returncode == 0


def test_watch_follows_it(compiled: Compiled, tmp_path: Path) -> None:
    with Topology() as topology:
        net: Any = SimpleNamespace(ours=topology.ours)
        with watching(net, compiled(), "--set", f"vtep_mac={topology.mac('ours')}") as watched:
            watched.until("applied")
            fill_in(topology.ours, False)
            assert "2 programs changed" in watched.until("eth0 changed")
            assert cli.encapctl(topology.ours, "status", "vxlan-overlay").returncode == 0
