"""How many rows may go at once."""

from __future__ import annotations

import pytest

from encap_compile.run.loader.removals import ALL, Limits, Removal, refused


@pytest.mark.parametrize(
    ("before", "removed", "left", "refuse"),
    [
        (0, 0, 0, False),  # a table that was empty
        (1, 1, 0, True),  # emptied
        (1, 1, 1, False),  # another row in place of the only one
        (16, 16, 16, True),  # others in place of all
        (100, 0, 100, False),
        (100, 20, 80, False),  # not more than 20 %
        (100, 21, 79, True),
        (20, 10, 10, False),  # half of it, but not more than 10
        (20, 11, 9, True),
        (1_000_000, 200_000, 800_000, False),
        (1_000_000, 200_001, 900_000, True),
    ],
)
def test_limits(before: int, removed: int, left: int, refuse: bool) -> None:
    assert Limits().refuse(before, removed, left) is refuse


def test_what_was_allowed() -> None:
    removals = [Removal("table sites", "sites.csv", 100, 60, 40), Removal("table peers", "peers.csv", 100, 10, 90)]
    assert [d.code for d in refused(removals, Limits(), 0)] == ["B311"]
    assert "60 of 100 entries would be removed" in refused(removals, Limits(), 59)[0].message
    assert refused(removals, Limits(), 60) == refused(removals, Limits(), ALL) == []
    assert refused(removals, Limits(percent=60), 0) == []
