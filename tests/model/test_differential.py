"""Random frames through the model and the program: one verdict, the same bytes, the same counters.

20 000 frames over all examples, or as many as ENCAP_MODEL_PACKETS says; ENCAP_MODEL_SEED gives others.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from scapy.layers.inet import UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from scapy.packet import Raw

from encap_compile.compile.model import Frame, Machine

from ..packets.datapath import Outcome as Ran
from .generate import Generator
from .pair import SETTINGS, Pair

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = sorted(p.stem for p in (ROOT / "examples").glob("*.yaml"))
PACKETS = int(os.environ.get("ENCAP_MODEL_PACKETS", "20000"))
SEED = int(os.environ.get("ENCAP_MODEL_SEED", "1"))
UNTIL_FORGET = 500  # frames until what the kernel may give up early is emptied


def differences(
    pair: Pair,
    seed: int,
    count: int,
    most: int = 1,
    suspect: Machine | None = None,
    counted: set[str] | None = None,
) -> list[str]:
    """What differs, in words; as many as `most` are looked for.

    `suspect` is asked in the model's place. The names of counters that moved are added to `counted`.
    """
    generator, found = Generator(seed, pair.program, pair.facts), []
    for number in range(count):
        if number % UNTIL_FORGET == 0:
            pair.forget(suspect)
        hook, frame = generator.draw()
        expected, ran = pair.expect(hook, frame), pair.run(hook, frame)
        if suspect is not None:
            expected = _suspected(pair, hook, frame, suspect)
        if any(name.startswith("ingress_rule_") for name in ran.counted):
            generator.accepted(ran.mark)
        if counted is not None:
            counted |= set(ran.counted)
        if expected == ran:
            continue
        found.append(
            f"{pair.name}, seed {seed}, frame {number}, {hook}: mark {frame.mark:#x} gso {frame.gso_size} "
            f"{frame.gso_segs}\n  {frame.data.hex()}\n"
            f"  model   {expected.verdict} mark {expected.mark:#x} {expected.counted}\n    {expected.frame.hex()}\n"
            f"  program {ran.verdict} mark {ran.mark:#x} {ran.counted}\n    {ran.frame.hex()}\n"
            + "".join(f"    {step}\n" for step in pair.steps)
        )
        if len(found) == most:
            break
    return found


def _suspected(pair: Pair, hook: str, frame: Frame, suspect: Machine) -> Ran:
    try:
        return pair.expect(hook, frame, suspect)
    except (
        AssertionError,
        KeyError,
        TypeError,
        ValueError,
        AttributeError,
        StopIteration,
    ) as error:  # no program at all
        return Ran(f"{type(error).__name__}", b"", 0, {})


@pytest.mark.parametrize("example", [*EXAMPLES, *(name for name in SETTINGS if name not in EXAMPLES)])
def test_no_difference(pairs: Callable[[str], Pair], example: str) -> None:
    pair, counted = pairs(example), set[str]()
    found = differences(pair, SEED, PACKETS // len(EXAMPLES), counted=counted)
    assert not found, "\n".join(found)
    if pair.program.egress.paths:
        assert {"ingress_path_learned", "ingress_path_ignored"} <= counted


@pytest.mark.parametrize("example", ["gre-tenants", "vxlan-overlay", "two-by-row"])
def test_ipv6_to_mapped_addresses(pairs: Callable[[str], Pair], example: str) -> None:
    """A trie takes an address for what it is mapped from; a hash by promised lengths, and rows compiled in, do not."""
    pair = pairs(example)
    for mark in (0, 0x1002):
        for destination in ("::ffff:10.1.2.27", "::ffff:10.3.7.9", "::ffff:10.200.0.1"):
            packet = IPv6(src="fd00:2::1", dst=destination) / UDP(sport=1, dport=9000) / Raw(bytes(64))
            frame = Frame(bytes(Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / packet), mark)
            assert pair.expect("egress", frame) == pair.run("egress", frame), destination
