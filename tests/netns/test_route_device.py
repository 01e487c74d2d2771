"""The route device: made, opened, followed and taken away, with a look at the wire for what leaves unencapsulated."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.netns.loader_net import ATTACH
from tests.netns.route_bundle import RouteWire, route_wire, write

pytestmark = pytest.mark.kernel


@pytest.fixture
def net() -> Iterator[RouteWire]:
    with route_wire() as made:
        yield made


@pytest.mark.parametrize("attach", ATTACH)
def test_apply_and_remove(net: RouteWire, tmp_path: Path, attach: str) -> None:
    """Before and after, packets leave by the route that the machine has; in between, encapsulated by the uplink."""
    bundle = write(tmp_path / "one")
    assert net.try_to_send() == (0, 0, 20)
    planned = net.ctl("plan", bundle, "--set", "uplink=eth0", "--attach", attach, check=3).stdout
    assert "+ device encap0 (vxlan, MTU 1480)" in planned and "routes to encap0: 10.1.0.0/16   +2 -0" in planned
    net.apply(bundle, "--attach", attach)
    assert net.try_to_send() == (0, 20, 0)
    net.ctl("status", "hand", check=0)
    again = net.apply(bundle)
    assert "nothing" in again.stdout
    done = net.ctl("remove", "hand", check=0)
    assert "device encap0" in done.stdout
    assert net.try_to_send() == (0, 0, 20)
    assert net.left() == []
