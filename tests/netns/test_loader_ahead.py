"""What runs before ours and ends the chain: named from netlink, or seen by that ours runs no more."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from encap_compile.run.kernel.links import Link
from encap_compile.run.kernel.netlink import replace_filter
from encap_compile.run.kernel.objects import BpfObject
from encap_compile.run.kernel.uapi import BPF_TCX_EGRESS, TC_CLSACT_EGRESS
from encap_compile.run.loader import ahead
from encap_compile.run.status import status
from tests.netns.loader_bundle import compiled, write
from tests.netns.loader_net import ATTACH, COUNTING, HAS_TCX, Wire, wire
from tests.support.netns import CommandError

pytestmark = pytest.mark.kernel


@pytest.fixture
def net() -> Iterator[Wire]:
    with wire() as made:
        yield made


U32 = "u32 match ip dst 10.1.0.0/16"
ENDING = [
    ("protocol all", "matchall action pass", "matchall pref 10 protocol all", "pass"),
    ("protocol all", "matchall action drop", "matchall pref 10 protocol all", "drop"),
    ("protocol all", "matchall action trap", "matchall pref 10 protocol all", "trap"),
    ("protocol all", "matchall classid 1:1", "matchall pref 10 protocol all", "pass"),
    ("protocol ip", "flower dst_ip 10.1.0.0/16 action pass", "flower pref 10 protocol ip", "pass"),
    ("protocol ip", "flower dst_ip 10.1.0.0/16 action goto chain 7", "flower pref 10 protocol ip", "goto chain 7"),
    ("protocol ip", f"{U32} action drop", "u32 pref 10 protocol ip", "drop"),
    ("protocol ip", f"{U32} flowid 1:1", "u32 pref 10 protocol ip", "pass"),
    ("protocol ip", f"{U32} action skbedit mark 7", "u32 pref 10 protocol ip", "pass"),
    ("protocol ip", f"{U32} action skbedit mark 7 pipe action drop", "u32 pref 10 protocol ip", "drop"),
    ("protocol ip", f"{U32} action mirred egress redirect dev lo", "u32 pref 10 protocol ip", "redirect to lo"),
    ("protocol ip", f"{U32} action mirred egress mirror dev lo", "u32 pref 10 protocol ip", "mirror to lo, pass"),
    ("protocol ip", f"{U32} action police rate 1gbit burst 1m conform-exceed drop/ok", "u32 pref 10", "pass"),
    ("protocol ip", "basic match 'cmp(u8 at 9 layer network eq 17)' action ok", "basic pref 10 protocol ip", "pass"),
    ("protocol ip", "handle 7 fw action drop", "fw pref 10 protocol ip", "drop"),
]
HARMLESS = [
    f"pref 10 protocol ip {U32} action mirred egress mirror dev lo continue",
    f"pref 49001 protocol ip {U32} flowid 1:1",
    f"pref 10 protocol ip chain 7 {U32} flowid 1:1",
    "pref 10 protocol arp u32 match u32 0 0 flowid 1:1",
    "pref 10 protocol all matchall action continue",
    "pref 10 protocol ip matchall action skbedit mark 7 continue",
    "pref 10 protocol ip flower dst_ip 10.1.0.0/16 action mirred egress mirror dev lo continue",
    "pref 10 protocol arp matchall action drop",
    "pref 49001 protocol all matchall action drop",
    "pref 10 protocol all chain 7 matchall action drop",
    "pref 10 protocol ip handle 1: u32 divisor 1",
]


def add(net: Wire, *lines: str) -> None:
    """Add filters; kernels for one purpose alone lack many kinds, and the unit tests have those."""
    try:
        net.ours.tc("qdisc replace dev eth0 clsact", *lines)
    except CommandError as error:
        if "TC classifier not found" in str(error) or "Failed to load TC action module" in str(error):
            pytest.skip("this kernel does not have that filter or action")
        raise


def drift(net: Wire, check: int) -> list[str]:
    found: list[str] = json.loads(net.ctl("status", "hand", "--format", "json", check=check).stdout)["drift"]
    return found


@pytest.mark.parametrize("direction", ["egress", "ingress"])
@pytest.mark.parametrize(("protocol", "words", "place", "ends"), ENDING)
def test_filters_that_end_the_chain(
    net: Wire, tmp_path: Path, direction: str, protocol: str, words: str, place: str, ends: str
) -> None:
    bundle = write(tmp_path / "one")
    values = ("--set", "uplink=eth0")
    add(net, f"filter add dev eth0 {direction} pref 10 {protocol} {words}")
    for verb in ("plan", "apply", "plan"):
        done = net.ctl(verb, bundle, *values, "--attach", "clsact", check=3)
        assert "warning[H133]" in done.stderr
        assert f"eth0 {direction}: filter {place}" in done.stderr
        assert f"ends the chain: {ends}\n" in done.stderr
    (found,) = drift(net, 3)
    assert found.startswith(f"eth0 {direction}: filter {place}")
    assert found.endswith(f"ends the chain: {ends}")
    net.ours.tc(f"filter del dev eth0 {direction} pref 10")
    assert drift(net, 0) == []
    net.ctl("plan", bundle, *values, check=0)


@pytest.mark.parametrize("direction", ["egress", "ingress"])
@pytest.mark.parametrize("words", HARMLESS)
def test_filters_that_do_not(net: Wire, tmp_path: Path, direction: str, words: str) -> None:
    add(net, f"filter add dev eth0 {direction} {words}")
    net.apply(write(tmp_path / "one"), "--attach", "clsact")
    assert net.send() == (20, 0)
    assert drift(net, 0) == []
    net.ctl("plan", tmp_path / "one", "--set", "uplink=eth0", check=0)


def test_it_is_true(net: Wire, tmp_path: Path) -> None:
    """The kernel agrees: behind a filter that ends the chain ours sees nothing, behind `continue` everything."""
    net.ours.tc("qdisc add dev eth0 clsact")
    net.apply(write(tmp_path / "one"), "--attach", "clsact")
    for words, arrived in (
        ("flowid 1:1", (0, 20)),
        ("action mirred egress mirror dev lo", (0, 20)),
        ("action mirred egress redirect dev lo", (0, 0)),
        ("action mirred egress mirror dev lo continue", (20, 0)),
    ):
        net.ours.tc(f"filter add dev eth0 egress pref 10 protocol ip u32 match u32 0 0 {words}")
        assert net.send() == arrived, words
        assert bool(drift(net, 0 if "continue" in words else 3)) is ("continue" not in words)
        net.ours.tc("filter del dev eth0 egress pref 10")


@pytest.mark.skipif(not HAS_TCX, reason="TCX came with 6.6")
@pytest.mark.parametrize("block", [False, True])
def test_tcx_runs_before_all_filters(net: Wire, tmp_path: Path, block: bool) -> None:
    """Those of a block that devices share, too."""
    where = "block 21" if block else "dev eth0 egress"
    qdisc = "qdisc add dev eth0 egress_block 21 clsact" if block else "qdisc add dev eth0 clsact"
    net.ours.tc(qdisc, f"filter add {where} pref 1 protocol ip u32 match u32 0 0 flowid 1:1")
    net.apply(write(tmp_path / "one"), "--attach", "tcx")
    assert net.send() == (20, 0)
    assert drift(net, 0) == []
    done = net.ctl("plan", tmp_path / "one", "--set", "uplink=eth0", "--attach", "clsact", check=3)
    assert "H133" in done.stderr


@contextmanager
def agent(net: Wire, attach: str, verdict: int) -> Iterator[None]:
    """Somebody's program before ours, which returns this verdict for the packets that ours encapsulates."""
    text = COUNTING.replace("@VERDICT@", str(verdict)).lstrip()
    with BpfObject(compiled(text), "agent") as made:
        made.load()
        with net.ours.entered(), made.program("count") as program:
            if attach == "clsact":
                net.ours.tc("qdisc replace dev eth0 clsact")
                replace_filter(2, TC_CLSACT_EGRESS, 1, 1, program.fd, "agent")
                yield
                net.ours.tc("filter del dev eth0 egress pref 1")
            else:
                with Link.create(program.fd, 2, BPF_TCX_EGRESS):
                    yield


@pytest.mark.parametrize(
    ("agents", "ours"),
    [pair for pair in (("tcx", "clsact"), ("clsact", "clsact"), ("tcx", "tcx")) if {*pair} <= {*ATTACH}],
)
def test_a_program_that_ends_the_chain(net: Wire, tmp_path: Path, agents: str, ours: str) -> None:
    bundle = write(tmp_path / "one")
    with agent(net, agents, 0):
        net.apply(bundle, "--attach", ours)
        assert net.send() == (0, 20)
        assert drift(net, 0) == []  # an idle device proves nothing
        with net.flood(2000):
            begun = time.monotonic()
            (found,) = drift(net, 3)
            assert time.monotonic() - begun < 10
        assert found.startswith("eth0 egress: ")
        assert "runs before ours and ends the chain" in found
    with net.flood(2000):
        assert drift(net, 0) == []
    with agent(net, agents, -1), net.flood(2000):
        assert drift(net, 0) == []
    assert net.send() == (20, 0)


def test_what_it_lets_by_does_not_hide_the_rest(net: Wire, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While status looks, the program before ours passes one frame that is no IPv4: the drift is seen all the same."""
    kind, looked = ATTACH[0], 0
    with agent(net, kind, 0), net.ours.socket(socket.AF_PACKET, socket.SOCK_RAW) as other:
        net.apply(write(tmp_path / "one"), "--attach", kind)
        other.bind(("eth0", 0))
        moved = ahead._moved

        def one_frame_later(*where: object) -> int:
            nonlocal looked
            looked += 1
            if looked == 2:  # the first is what the others are compared with
                other.send(b"\xff" * 6 + b"\x02" * 6 + b"\x88\xb5" + bytes(46))
            return moved(*where)  # type: ignore[arg-type]

        monkeypatch.setattr(ahead, "_moved", one_frame_later)
        with net.flood(2000), net.here():
            (found,) = status("hand").drift
    assert looked > 2
    assert found.startswith("eth0 egress: ")
    assert "runs before ours and ends the chain" in found
