"""In which order maps change: a row's packets must be known for ours for as long as the row is there."""

from __future__ import annotations

from encap_compile.run.apply import _sets_first
from encap_compile.run.loader.contents import Content
from encap_compile.run.loader.rowdiff import NOTHING, whole
from encap_compile.run.plan import MapChange


def change(name: str, kind: str) -> MapChange:
    same = whole(NOTHING)
    return MapChange(name, None, Content(name, kind, 4, 4, NOTHING, 1) if kind else None, same, same)


def test_sets_come_before_rows_and_go_after_them() -> None:
    changes = [
        change("sites", "rows"),
        change("counters", ""),
        change("sites_address", "sources"),
        change("cgroups", "cgroups"),
    ]
    names = [c.map for c in _sets_first(changes)]
    assert names.index("sites_address") < names.index("sites")
    assert names.index("cgroups") < names.index("sites")
    assert set(names) == {"sites", "counters", "sites_address", "cgroups"}
