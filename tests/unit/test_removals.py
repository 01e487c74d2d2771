"""How many rows may go at once."""

from __future__ import annotations

import pytest

from encap_compile.loader.removals import ALL, Limits, Removal, refused


@pytest.mark.parametrize(
    ("before", "removed", "refuse"),
    [
        (0, 0, False),  # a table that was empty
        (1, 1, True),  # emptied
        (100, 0, False),
        (100, 20, False),  # not more than 20 %
        (100, 21, True),
        (20, 10, False),  # half of it, but not more than 10
        (20, 11, True),
        (1_000_000, 200_000, False),
        (1_000_000, 200_001, True),
    ],
)
def test_limits(before: int, removed: int, refuse: bool) -> None:
    assert Limits().refuse(before, removed) is refuse


def test_what_was_allowed() -> None:
    removals = [Removal("table sites", "sites.csv", 100, 60), Removal("table peers", "peers.csv", 100, 10)]
    assert [d.code for d in refused(removals, Limits(), 0)] == ["B311"]
    assert "60 of 100 entries would be removed" in refused(removals, Limits(), 59)[0].message
    assert refused(removals, Limits(), 60) == refused(removals, Limits(), ALL) == []
    assert refused(removals, Limits(percent=60), 0) == []
