"""More counters than one value of their map holds: each outcome counts in its own place, in whichever entry that is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import GRE
from scapy.packet import Raw

from encap_compile.run.loader.counters import read

from ..support.many_counters import ENCAPSULATIONS, RULES, many
from .datapath import OWN, Datapath, Outcome
from .inner import frame
from .specs import Compile

FIRST, MIDDLE, LAST = 0, RULES // 2, RULES - 1
LENGTH = 29  # bytes of the inner packets


@pytest.fixture(scope="module")
def datapath(compiled: Compile) -> Iterator[Datapath]:
    with Datapath(compiled(many())) as made:
        assert len(made.manifest.counters) > 2000
        yield made


def entry(datapath: Datapath, name: str) -> int:
    (offset,) = (c.offset for c in datapath.manifest.counters if c.name == name)
    return offset // datapath.manifest.counters_size


def inner(destination: str) -> Any:
    return IP(src="10.0.0.1", dst=destination) / UDP(sport=7, dport=7) / Raw(b"x")


def send(datapath: Datapath, rule: int, segments: int = 0) -> Outcome:
    packet = frame(inner(f"10.{rule // 250}.{rule % 250}.9"))
    return datapath.egress(packet, gso_size=1 if segments else 0, gso_segs=segments)


def arrive(datapath: Datapath, rule: int, key: int, **outer: int) -> Outcome:
    source = f"198.51.{rule // 250}.{rule % 250 + 1}"
    return datapath.ingress(
        frame(IP(src=source, dst=OWN[4], **outer) / GRE(key_present=1, key=key) / inner("10.0.0.2"))
    )


@pytest.mark.parametrize("rule", [FIRST, MIDDLE, LAST])
def test_a_rule_that_encapsulates(datapath: Datapath, rule: int) -> None:
    outcome = send(datapath, rule)
    assert outcome.counted == {f"egress_rule_r{rule}": (1, LENGTH)}
    sent = IP(outcome.frame[14:])
    assert (outcome.verdict, sent.dst, sent[GRE].key) == ("pass", "192.0.2.2", rule % ENCAPSULATIONS + 1)


def test_what_the_library_counts_stands_in_the_first_entry(datapath: Datapath) -> None:
    outcome = datapath.egress(frame(inner("172.16.0.1")))
    assert (outcome.verdict, outcome.counted) == ("pass", {"egress_default": (1, LENGTH)})
    outcome = datapath.egress(frame(b"\x65" + bytes(19), 0x0800))
    assert (outcome.verdict, outcome.counted) == ("drop", {"egress_malformed": (1, 20)})
    assert {entry(datapath, name) for name in ("egress_default", "egress_malformed", "egress_too_big")} == {0}


@pytest.mark.parametrize("rule", [FIRST, MIDDLE, LAST])
def test_a_rule_that_decapsulates(datapath: Datapath, rule: int) -> None:
    outcome = arrive(datapath, rule, rule % ENCAPSULATIONS + 1)
    assert (outcome.verdict, outcome.counted) == ("pass", {f"ingress_rule_i{rule}": (1, LENGTH)})
    assert outcome.frame[14:] == bytes(inner("10.0.0.2"))


@pytest.mark.parametrize("encapsulation", [0, ENCAPSULATIONS - 1])
def test_refusals_count_by_reason(datapath: Datapath, encapsulation: int) -> None:
    """What the library counts for an encapsulation is found by a place too, whichever entry that is in."""
    for outer, reason in (({"flags": "MF"}, "fragment"), ({"chksum": 1}, "header_checksum"), ({}, "source")):
        rule = encapsulation + (1 if reason == "source" else 0)  # another encapsulation's
        outcome = arrive(datapath, rule, encapsulation + 1, **outer)
        assert outcome.verdict == "drop"
        assert list(outcome.counted) == [f"refused_e{encapsulation}__{reason}"]


def test_every_entry_is_used(datapath: Datapath) -> None:
    """The packets of these tests count in the first entry, in the last one and between."""
    names = [f"egress_rule_r{n}" for n in (FIRST, MIDDLE, LAST)] + [f"ingress_rule_i{n}" for n in (FIRST, MIDDLE, LAST)]
    names += ["egress_default", f"refused_e{ENCAPSULATIONS - 1}__source"]
    used = {entry(datapath, name) for name in names}
    assert {0, datapath.manifest.counters_entries - 1} < used


def test_a_row_that_is_not_there(compiled: Compile) -> None:
    with Datapath(compiled(many())) as datapath:
        with datapath.map("table_ends") as rows:
            rows.delete(rows.entries().keys)
        for rule in (FIRST, LAST):
            for segments in (0, 3):
                outcome = send(datapath, rule, segments)
                counted = {f"egress_miss_r{rule}": (segments or 1, LENGTH)}
                assert (outcome.verdict, outcome.counted) == ("drop", counted)
        assert entry(datapath, f"egress_miss_r{LAST}") > entry(datapath, f"egress_miss_r{FIRST}")


def test_the_loader_reads_all_of_them(datapath: Datapath) -> None:
    """By the offsets of the manifest, as the state keeps them."""
    layout = {c.name: c.offset for c in datapath.manifest.counters}
    with datapath.map("counters") as counters:
        before = read(counters, layout)
        send(datapath, LAST)
        arrive(datapath, LAST, LAST % ENCAPSULATIONS + 1)
        after = read(counters, layout)
    assert before.keys() == after.keys() == layout.keys()
    moved = {name: after[name][0] - before[name][0] for name in layout if after[name] != before[name]}
    assert moved == {f"egress_rule_r{LAST}": 1, f"ingress_rule_i{LAST}": 1}
