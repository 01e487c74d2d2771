"""A hook is replaced in one step: under full traffic nothing is lost and nothing leaves unencapsulated."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest

from encap_compile.run.apply import apply
from encap_compile.run.loader.desired import Request
from tests.netns.loader_bundle import write
from tests.netns.loader_net import ATTACH, HAS_TCX, patient_backlog, wire

RATE = 100_000
REPLACES = 50


@pytest.mark.kernel
@pytest.mark.parametrize("attach", ATTACH)
def test_fifty_replaces_lose_nothing(tmp_path: Path, attach: str, record_property: pytest.RecordProperty) -> None:
    bundles = [write(tmp_path / salt, salt=salt) for salt in ("one", "two")]
    with wire() as net, patient_backlog(), net.here():
        requests = [Request(b, settings=("uplink=eth0",), attach=attach) for b in bundles]
        apply(requests[0])
        assert net.send(20) == (20, 0)
        before = net.arrived()
        with net.flood(RATE) as flood:
            for i in range(REPLACES):
                applied = apply(requests[(i + 1) % 2])
                assert {h.action for h in applied.plan.hooks} == {"replace"}
        encapsulated, unencapsulated = (after - b for after, b in zip(net.arrived(), before, strict=True))
    rate = flood["sent"] / flood["seconds"]
    record_property("packets_per_second", int(rate))
    assert unencapsulated == 0
    assert encapsulated == flood["sent"]
    if rate < 0.9 * RATE:
        warnings.warn(f"only {rate:.0f} packets a second: this machine is busy", stacklevel=1)


@pytest.mark.kernel
@pytest.mark.skipif(not HAS_TCX, reason="there is only clsact before 6.6")
def test_switching_the_attach_kind_loses_nothing(tmp_path: Path) -> None:
    bundle = write(tmp_path / "one")
    with wire() as net, patient_backlog(), net.here():
        net.ours.tc("qdisc add dev eth0 clsact")  # adding or deleting one stops the device's queues for a moment
        apply(Request(bundle, settings=("uplink=eth0",), attach="tcx"))
        before = net.arrived()
        with net.flood(20_000) as flood:
            for kind in ("clsact", "tcx") * 4:
                apply(Request(bundle, settings=("uplink=eth0",), attach=kind))
        encapsulated, unencapsulated = (after - b for after, b in zip(net.arrived(), before, strict=True))
        assert (encapsulated, unencapsulated) == (flood["sent"], 0)
