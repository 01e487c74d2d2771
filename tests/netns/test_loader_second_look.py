"""apply says "done" only of what a second look shows: somebody who undoes it meanwhile is told of."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from encap_compile.common.diagnostics import DiagnosedError, Exit
from encap_compile.run import apply as applying
from encap_compile.run.apply import apply
from encap_compile.run.kernel.pins import open_link
from encap_compile.run.loader.desired import Request
from tests.netns.loader_bundle import write
from tests.netns.loader_net import ATTACH, HAS_TCX, Wire, wire

pytestmark = pytest.mark.kernel


@pytest.fixture
def net() -> Iterator[Wire]:
    with wire() as made:
        yield made


@pytest.fixture
def afterwards(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], None]], None]:
    """Let something happen when all is done and not yet looked at again, as another process would do it."""

    def arrange(event: Callable[[], None]) -> None:
        look = applying._look_again

        def late(planned: object) -> None:
            event()
            look(planned)  # type: ignore[arg-type]

        monkeypatch.setattr(applying, "_look_again", late)

    return arrange


def refused(net: Wire, bundle: Path, attach: str = "") -> str:
    with net.here(), pytest.raises(DiagnosedError) as told:
        apply(Request(bundle, settings=("uplink=eth0",), attach=attach))
    assert told.value.exit_code == Exit.KERNEL
    return " ".join(f"{d.code} {d.message}" for d in told.value.diagnostics)


@pytest.mark.parametrize("direction", ["ingress", "egress"])
def test_a_filter_that_is_taken_off(net: Wire, tmp_path: Path, afterwards, direction: str) -> None:  # type: ignore[no-untyped-def]
    afterwards(lambda: net.ours.tc(f"filter del dev eth0 {direction}"))
    assert f"K210 eth0 {direction}: our program was attached (clsact)" in refused(
        net, write(tmp_path / "one"), "clsact"
    )


def test_the_qdisc_that_is_taken_off(net: Wire, tmp_path: Path, afterwards) -> None:  # type: ignore[no-untyped-def]
    afterwards(lambda: net.ours.tc("qdisc del dev eth0 clsact"))
    assert refused(net, write(tmp_path / "one"), "clsact").count("K210") == 2


@pytest.mark.skipif(not HAS_TCX, reason="there is only clsact before 6.6")
def test_a_link_that_is_detached(net: Wire, tmp_path: Path, afterwards) -> None:  # type: ignore[no-untyped-def]
    def detach() -> None:
        link = open_link(next(net.ours.bpffs().glob("encap/*/hand/links/egress_*")))
        assert link is not None
        with link:
            link.detach()

    afterwards(detach)
    assert "K210 eth0 egress: our program was attached (tcx)" in refused(net, write(tmp_path / "one"))


@pytest.mark.skipif(not HAS_TCX, reason="there is only clsact before 6.6")
def test_pins_of_links_that_are_deleted(net: Wire, tmp_path: Path, afterwards) -> None:  # type: ignore[no-untyped-def]
    afterwards(lambda: [pin.unlink() for pin in net.ours.bpffs().glob("encap/*/hand/links/*")] and None)
    assert refused(net, write(tmp_path / "one")).count("K210") == 2


@pytest.mark.parametrize("attach", ATTACH)
def test_pins_of_maps_that_are_deleted(net: Wire, tmp_path: Path, afterwards, attach: str) -> None:  # type: ignore[no-untyped-def]
    afterwards(lambda: [pin.unlink() for pin in net.ours.bpffs().glob("encap/*/hand/maps/sites-*")] and None)
    assert "K211 map sites" in refused(net, write(tmp_path / "one"), attach)


@pytest.mark.parametrize("attach", ATTACH)
def test_a_device_that_goes(net: Wire, tmp_path: Path, afterwards, attach: str) -> None:  # type: ignore[no-untyped-def]
    afterwards(lambda: net.ours.ip("link del eth0"))
    assert refused(net, write(tmp_path / "one"), attach).count("K210") == 2


@contextmanager
def another_agent(net: Wire, undo: Callable[[], None]) -> Iterator[None]:
    """A thread that undoes what it finds, all the time."""
    ended = threading.Event()

    def run() -> None:
        while not ended.is_set():
            with suppress(Exception):
                undo()
            time.sleep(0.001)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


@pytest.mark.skipif(not HAS_TCX, reason="there is only clsact before 6.6")
def test_another_process_that_deletes_pins_as_they_come(net: Wire, tmp_path: Path) -> None:
    """The whole program: never exit 0 with nothing in force."""
    bundle, pins = write(tmp_path / "one"), net.ours.bpffs()

    def undo() -> None:
        for pin in pins.glob("encap/*/hand/links/*"):
            pin.unlink()

    with another_agent(net, undo):
        for _ in range(5):
            done = net.apply(bundle, check=None)
            assert done.returncode == 0 or "K21" in done.stderr or "K20" in done.stderr, done.stderr
            if done.returncode == 0:
                continue
            assert done.returncode == 5
            break
        else:
            pytest.fail("pins were deleted, and apply said that it is done")


@pytest.mark.parametrize("attach", ATTACH)
def test_nothing_to_change_is_looked_at_too(net: Wire, tmp_path: Path, afterwards, attach: str) -> None:  # type: ignore[no-untyped-def]
    bundle = write(tmp_path / "one")
    net.apply(bundle, "--attach", attach)
    afterwards(lambda: net.ours.ip("link del eth0"))
    assert "K210" in refused(net, bundle, attach)
