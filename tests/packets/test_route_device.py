"""The instance of the route device: it encapsulates as at the uplink, lets nothing else go on, and nothing in."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import ARP, Ether
from scapy.packet import Raw

from encap_compile.compile.pipeline import compile_spec

from .datapath import Datapath
from .inner import frame

SPEC = Path(__file__).parents[1] / "cases" / "ok" / "route-device.yaml"
NUMBER = 9  # the route device's


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("bundle")
    compile_spec(str(SPEC), out)
    return out / "route-device"


@pytest.fixture(scope="module")
def uplink(bundle: Path) -> Iterator[Datapath]:
    with Datapath(bundle) as found:
        yield found


@pytest.fixture(scope="module")
def device(bundle: Path) -> Iterator[Datapath]:
    with Datapath(bundle, route=NUMBER) as found:
        yield found


def mark_of(datapath: Datapath) -> int:
    member = next(m for m in datapath.manifest.host_layout.members if m.name == "redirect_mark")
    found: int = struct.unpack_from("=I", datapath.host, member.offset)[0]
    return found


def to(destination: str, size: int = 100) -> bytes:
    head = (
        IPv6(src="fd00:10::5", dst=destination)
        if ":" in destination
        else IP(src="10.0.0.5", dst=destination, flags="DF")
    )
    return frame(bytes(head / UDP(sport=1000, dport=9000) / Raw(bytes(size))))


def test_the_same_headers_as_at_the_uplink(uplink: Datapath, device: Datapath) -> None:
    """The uplink keeps the inner next hop; here there is none, and the route of the outer packet decides."""
    kept, routed = uplink.egress(to("10.1.2.3")), device.egress(to("10.1.2.3"))
    assert (kept.verdict, routed.verdict) == ("pass", "redirect")
    assert kept.frame == routed.frame
    assert routed.counted == {**kept.counted, "egress_next_hop_fallback": (1, len(kept.frame) - 14)}


@pytest.mark.parametrize(
    ("destination", "passed"),
    [
        ("10.9.0.1", ["egress_rule_printers"]),
        ("172.16.0.1", ["egress_miss_rest"]),
        ("169.254.1.1", ["egress_link_local"]),
        ("fe80::1", ["egress_link_local"]),
    ],
)
def test_what_passes_at_the_uplink_is_dropped_here(
    uplink: Datapath, device: Datapath, destination: str, passed: list[str]
) -> None:
    given = to(destination)
    at_uplink, here = uplink.egress(given), device.egress(given)
    assert (at_uplink.verdict, list(at_uplink.counted)) == ("pass", passed)
    also = [name for name in passed if "miss" in name]  # a row that was looked for in vain
    assert (here.verdict, sorted(here.counted)) == ("drop", sorted([*also, "egress_unrouted"]))
    assert here.frame == given


def test_what_is_encapsulated_already_or_no_ip(uplink: Datapath, device: Datapath) -> None:
    own = uplink.egress(to("10.1.2.3")).frame
    assert (uplink.egress(own).verdict, device.egress(own).verdict) == ("pass", "drop")
    assert list(device.egress(own).counted) == ["egress_unrouted"]
    arp = bytes(Ether() / ARP())
    assert (uplink.egress(arp).verdict, device.egress(arp).verdict) == ("pass", "drop")


def test_the_guard_lets_in_what_has_the_mark(device: Datapath) -> None:
    given, mark = to("10.0.0.5"), mark_of(device)
    assert mark
    admitted = device.guard(given, mark)
    assert (admitted.verdict, admitted.mark, admitted.frame, admitted.counted) == ("pass", 0, given, {})
    for other in (0, 1, mark ^ 1, mark ^ 1 << 31, 0xFFFFFFFF):
        refused = device.guard(given, other)
        assert (refused.verdict, list(refused.counted)) == ("drop", ["ingress_injected"])


@pytest.mark.parametrize("destination", ["10.1.2.3", "10.1.200.3"])
def test_an_answer_passes_the_guard(uplink: Datapath, device: Datapath, destination: str) -> None:
    """What is too big is answered to the sender, who is behind the device's own ingress."""
    big = to(destination, 1440)
    here, at_uplink = device.egress(big), uplink.egress(big)
    assert (here.verdict, at_uplink.verdict) == ("redirect", "redirect")
    assert sorted(here.counted) == ["egress_answered", "egress_too_big"]
    assert here.frame == at_uplink.frame and (here.mark, at_uplink.mark) == (mark_of(device), 0)
    admitted = device.guard(here.frame, here.mark)
    assert (admitted.verdict, admitted.mark) == ("pass", 0)


def test_without_a_mark_of_ours_the_guard_lets_nothing_in(bundle: Path) -> None:
    """An instance whose loader did not know the mark: it is 0, as of most packets."""
    from encap_compile.run.loader import compose

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compose, "_redirect_mark", lambda: 0)
        with Datapath(bundle, route=NUMBER) as unset:
            assert unset.guard(to("10.0.0.5")).verdict == "drop"
