"""What becomes of GSO packets: there is an answer to every combination, and the docs have it. `test_model` asks the
program's model, and tests/anywhere the kernel."""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path

import pytest

from encap_compile.compile.headers.gso import Gso, Inner, Outer, Pushed, Refused, Transport, answer
from encap_compile.compile.headers.segmented import Brought, Fate, fate

ROOT = Path(__file__).resolve().parents[2]
KERNELS = ((5, 10), (6, 10), (6, 11), (6, 18), (7, 0))
BROUGHT = [
    Brought(*words)
    for words in product((Gso.TCP, Gso.UDP, Gso.OTHER), (4, 6), (True, False), (True, False), (True, False))
]


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize(("outer", "transport", "inner"), [*product(Outer, Transport, (Inner.IP, Inner.ETHERNET))])
def test_there_is_an_answer_to_everything(
    outer: Outer, transport: Transport, inner: Inner, kernel: tuple[int, int]
) -> None:
    for brought in BROUGHT:
        headers = answer(outer, transport, inner, brought.gso, kernel)
        found = fate(headers, "", brought, kernel)
        assert (found is Fate.SEGMENTED) <= isinstance(headers, Pushed)
        assert fate(headers, "udp_2.length", brought, kernel) in (Fate.PER_SEGMENT, Fate.REFUSED)
        if isinstance(headers, Refused):
            assert found is not Fate.SEGMENTED


def test_the_docs_name_every_fate() -> None:
    page = (ROOT / "docs" / "operations.md").read_text()
    table = page.partition("## Segmentation\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (.+?) \|", table, re.MULTILINE)
    assert [row.partition(" ")[0] for row in rows[1:]] == [
        "TCP",
        "UDP_SEGMENT",
        "UDP_SEGMENT,",
        "IPv4",
        "IPv6",
        "SCTP,",
    ]
    for found in Fate:
        assert found is Fate.SEGMENTED or f"`{found.value}`" in table
