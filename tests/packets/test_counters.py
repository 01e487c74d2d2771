"""Every counter of every example moves for some packet, and `stats` can trust its name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from encap_compile.run.kernel.maps import Packed

from . import test_egress_rules
from .arriving import OVERLAY, arriving
from .datapath import Datapath, Outcome
from .inner import SOURCES, frame, ip, packet
from .test_path_mtu import error as path_error
from .ways import EXAMPLES, MORE_ROWS, SETTINGS, WAYS, Way
from .wrong import WRONG

# Of GSO packets that a device which fills in no checksums is given, and of such that BPF_PROG_TEST_RUN cannot make.
OF_DEVICES = {"egress_gso_checksum", "egress_gso_jumbo"}
# What no packet can reach in these examples, and why.
OUT_OF_REACH = {
    "vxlan-overlay": set(),
    "ipip-sites": set(),
    "gre-tenants": set(),
    # All its rows are there, so no rule misses one; test_missing_rows takes them away.
    "two-by-row": {"egress_miss_voice", "egress_miss_bulk", "egress_miss_lab"},
}

# No row of the example sends GRE over IPv6, but its rule would receive it.
ONLY_RECEIVED = Way("two-by-row", "gre", "10.200.0.1", "2001:db8::4", "voice", 7)


def provoke(datapath: Datapath, example: str) -> list[Outcome]:
    """Packets of every kind that the other tests know."""
    outcomes = []
    for way in (w for w in (*WAYS, ONLY_RECEIVED) if w.example == example):
        sent = frame(way.packet("udp-long" if not way.protocols else "tcp"))
        outcomes.append(datapath.egress(sent, mark=way.mark))
        outcomes.append(datapath.egress(sent, mark=way.mark, gso_size=100, gso_segs=3))
        outcomes += until_limited(datapath, way)
        outcomes.append(datapath.egress(frame(way.sized(1600)), mark=way.mark))
        inner = packet("udp-long", *OVERLAY[way.inner])
        given = arriving(way, inner)
        outcomes.append(datapath.ingress(given))
        outcomes.append(datapath.ingress(given[:-1], gso_size=10))
        outcomes.append(datapath.ingress(given + bytes(7), gso_size=10))
        outcomes.append(datapath.ingress(given, gso_size=10))
        segments = arriving(way, packet("tcp", *OVERLAY[way.inner]))
        outcomes.append(datapath.ingress(segments, gso_size=10))
        outcomes.append(datapath.ingress(given[: 14 + way.overhead + 19]))
        outcomes.append(datapath.ingress(arriving(way, inner, tos=3)))
        outcomes += [datapath.ingress(arriving(way, inner, w.change)) for w in WRONG if w.applies(way)]
    for case in (c for c in test_egress_rules.CASES if c.example == example):
        outcomes.append(datapath.egress(frame(case.packet, case.type), mark=case.mark))
    if example == "vxlan-overlay":
        outcomes.append(datapath.egress(frame(packet_to_web())))
    outcomes.append(datapath.egress(frame(LOST)))
    for way in (w for w in WAYS if w.example == example):
        source, destination = way.source or SOURCES[way.inner], way.destination
        outcomes.append(datapath.egress(frame(authenticated(source, destination, way.dscp)), mark=way.mark))
        outcomes.append(datapath.ingress(frame(authenticated(destination, source, way.dscp))))
    for way in (w for w in WAYS if w.example == example):
        outcomes += behind_a_router(datapath, way)
    break_stacks(datapath)
    for way in (w for w in WAYS if w.example == example):
        sent = frame(way.packet("udp-long" if not way.protocols else "tcp"))
        outcomes.append(datapath.egress(sent, mark=way.mark))
    return outcomes


def until_limited(datapath: Datapath, way: Way) -> list[Outcome]:
    """What is too big, until its sender is not told again."""
    outcomes = []
    for _ in range(5000):
        outcomes.append(datapath.egress(too_big(way), mark=way.mark))
        if "egress_answers_limited" in outcomes[-1].counted:
            break
    return outcomes


def behind_a_router(datapath: Datapath, way: Way) -> list[Outcome]:
    """A packet that a router says is too big, what cannot be true, and the same packet again."""
    outer = 6 if ":" in way.remote else 4
    sent = frame(way.sized(1300))
    outcomes = [datapath.egress(sent, mark=way.mark)]
    quote = outcomes[0].frame[14:]
    outcomes += [datapath.ingress(frame(path_error(outer, quote, mtu))) for mtu in (1400, 1290)]
    return [*outcomes, datapath.egress(sent, mark=way.mark)]


def too_big(way: Way) -> bytes:
    """A packet that may not be fragmented."""
    inner = bytearray(way.sized(1600))
    if way.inner == 4:
        inner[6] |= 0x40  # DF
    return frame(bytes(inner))


def packet_to_web() -> bytes:
    from scapy.layers.inet import TCP

    return bytes(ip("10.0.0.1", "10.1.2.3") / TCP(dport=443))


LOST = bytes.fromhex(
    "4500001c 00070004 40110000 c0000263 c0000264 0000000000000000".replace(" ", "")
)  # a later fragment


def authenticated(source: str, destination: str, dscp: int) -> bytes:
    """A SYN with TCP-AO."""
    from scapy.layers.inet import TCP

    return bytes(ip(source, destination, dscp << 2) / TCP(flags="S", options=[("MSS", 1460), (29, bytes(14))]))


def break_stacks(datapath: Datapath) -> None:
    """Rows as a newer program would write them: of a kind that this one does not know."""
    for table in datapath.manifest.tables:
        member = next((m for m in table.value.members if m.type == "stack"), None)
        if member is None:
            continue
        with datapath.map(table.map) as rows:
            found = rows.entries()
            values = bytearray(found.values)
            for at in range(member.offset, len(values), table.value.size):
                values[at : at + member.size] = b"\xee" * member.size
            rows.update(Packed(found.count, found.keys, bytes(values)))


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_counter_can_move(examples: dict[str, Path], example: str) -> None:
    with Datapath(examples[example], settings=SETTINGS.get(example, ()), more=MORE_ROWS.get(example)) as datapath:
        outcomes = provoke(datapath, example)
        moved = {name for outcome in outcomes for name in outcome.counted}
        assert set(datapath.names) - moved == OUT_OF_REACH[example] | OF_DEVICES
        beside = {c.name for c in datapath.manifest.counters if c.outcome == "noted"}  # say more of what is counted
    assert all(len(set(outcome.counted) - beside) <= 1 for outcome in outcomes), "one packet, one reason"


def test_missing_rows(examples: dict[str, Path]) -> None:
    """Without its row, `voice` lets the next rule have the packet, `bulk` lets it pass, `lab` drops it."""
    voice, _, bulk, _, lab, _ = (w for w in WAYS if w.example == "two-by-row")
    with Datapath(examples["two-by-row"]) as datapath:
        with datapath.map("table_exits") as rows:
            rows.delete(rows.entries().keys)
        sent = frame(voice.packet("tcp"))
        outcome = datapath.egress(sent)
        assert (outcome.verdict, outcome.frame) == ("pass", sent)
        assert set(outcome.counted) == {"egress_miss_voice", "egress_default"}
        sent = frame(bulk.packet("tcp"))
        outcome = datapath.egress(sent)
        assert (outcome.verdict, outcome.frame, list(outcome.counted)) == ("pass", sent, ["egress_miss_bulk"])
        sent = frame(lab.packet("tcp"))
        outcome = datapath.egress(sent)
        assert (outcome.verdict, outcome.frame, list(outcome.counted)) == ("drop", sent, ["egress_miss_lab"])


def test_segments_are_counted(loaded: Callable[[str], Datapath]) -> None:
    """A GSO packet counts as the packets it becomes; this one has no type, so the kernel makes no room in it."""
    sent = frame(WAYS[0].sized(1400))
    outcome = loaded("vxlan-overlay").egress(sent, gso_size=100, gso_segs=14)
    assert outcome.counted == {"egress_no_headroom": (14, 1400)}
    assert (outcome.verdict, outcome.frame) == ("drop", sent)


def test_datagrams_of_a_super_packet_keep_their_size(loaded: Callable[[str], Datapath]) -> None:
    way = WAYS[0]
    for gso_size, counter in (
        (1500 - way.overhead - 28, "egress_no_headroom"),
        (1500 - way.overhead - 27, "egress_too_big"),
    ):
        outcome = loaded(way.example).egress(frame(way.sized(1600)), gso_size=gso_size, gso_segs=2)
        assert outcome.counted[counter] == (2, 1600)
        assert set(outcome.counted) <= {counter, "egress_without_df"}


def test_datagrams_whose_checksum_no_device_fills_in(examples: dict[str, Path]) -> None:
    """They are counted by name if the machine itself sends them; forwarded ones have what the kernel needs."""
    for way in (w for w in WAYS if w.example == "ipip-sites"):
        given = frame(way.packet("udp-long"))
        for offloaded in ((4, 6), (4,), (6,), ()):
            with Datapath(examples[way.example], more=MORE_ROWS.get(way.example), tx_checksum=offloaded) as datapath:
                counter = "egress_no_headroom" if way.inner in offloaded else "egress_gso_checksum"
                found = datapath.egress(given, gso_size=600, gso_segs=2)
                assert (found.verdict, set(found.counted)) == ("drop", {counter})
                found = datapath.egress(given, gso_size=600, gso_segs=2, forwarded=True)
                assert set(found.counted) == {"egress_no_headroom"}
                assert datapath.egress(given).verdict == "pass"
