"""Interleaved rounds: every way once per round, so that a slow moment of the machine falls on all of them."""

from __future__ import annotations

import random
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from .ways import INNER, Network

INNER_PACKET = 64  # bytes, IP and UDP headers included
SENDING_CPU = 0


@dataclass(frozen=True)
class Cost:
    """Nanoseconds per packet: medians over the rounds. `added` is against the plain send of the same round."""

    name: str
    text: str
    total: float
    added: float
    spread: float  # half of what the middle half of `added` spans
    ratio: float  # of `added` to that of the vxlan device


def measure(
    networks: Sequence[Network], sender: Path, rounds: int, packets: int, progress: Callable[[int], None]
) -> list[Cost]:
    """Run all rounds; the first network is the plain send, the second the vxlan device."""
    samples: dict[str, list[float]] = {network.way.name: [] for network in networks}
    order = list(networks)
    for number in range(rounds + 1):
        random.Random(number).shuffle(order)
        for network in order:
            nanoseconds = _send(network, sender, packets if number else packets // 10)
            if number:  # round 0 warms up
                samples[network.way.name].append(nanoseconds)
        progress(number)
    plain = samples[networks[0].way.name]
    added = {name: [a - b for a, b in zip(values, plain, strict=True)] for name, values in samples.items()}
    device = statistics.median(added[networks[1].way.name])
    costs = []
    for network in networks:
        name = network.way.name
        middle = statistics.median(added[name])
        low, _, high = statistics.quantiles(added[name], n=4) if rounds > 1 else (middle, middle, middle)
        total = statistics.median(samples[name])
        costs.append(Cost(name, network.way.text, total, middle, (high - low) / 2, middle / device))
    return costs


def _send(network: Network, sender: Path, packets: int) -> float:
    before = network.received()
    words = (INNER, "9", str(INNER_PACKET - 28), str(packets), str(SENDING_CPU))
    said = network.sender.run(network.command(sender, *words)).stdout
    arrived = network.received() - before
    if arrived < packets:  # a way that loses its packets would look fast
        raise SystemExit(f"bench: {network.way.name}: only {arrived} of {packets} packets reached the peer")
    return float(said)
