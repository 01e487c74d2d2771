"""RFC 6040, figure 4: what the two ECN fields of a tunnel packet become, and the checksum that guards one of them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.ecn import FIGURE_4

from .arriving import OVERLAY, arriving, decapsulated_counter
from .datapath import Datapath
from .inner import packet
from .test_decapsulate import ACCEPTED
from .ways import Way


@pytest.mark.parametrize("way", ACCEPTED, ids=str)
@pytest.mark.parametrize("shape", ["tcp", "udp-odd", "first-fragment"])
def test_all_sixteen(loaded: Callable[[str], Datapath], way: Way, shape: str) -> None:
    for inner_ecn, by_outer in FIGURE_4.items():
        for outer_ecn, result in by_outer.items():
            for dscp in (0, 46, 63):
                inner = packet(shape, *OVERLAY[way.inner], tos=dscp << 2 | inner_ecn)
                given = arriving(way, inner, tos=(63 - dscp) << 2 | outer_ecn)
                outcome = loaded(way.example).ingress(given)
                if result is None:
                    assert (outcome.verdict, outcome.frame) == ("drop", given)
                    assert list(outcome.counted) == [f"refused_{way.kind}__ecn"]
                    continue
                # Scapy computes the inner header's checksum again.
                expected = packet(shape, *OVERLAY[way.inner], tos=dscp << 2 | result)
                assert outcome.frame[14:].hex() == expected.hex()
                assert list(outcome.counted) == [decapsulated_counter(way)]
