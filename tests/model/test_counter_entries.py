"""The same where the counters stand in several entries of their map, and rules reach theirs by place."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from encap_compile.compile import ir
from encap_compile.compile.lower import counter_layout, program

from ..packets.ways import MORE_ROWS
from ..support.many_counters import many
from .pair import SETTINGS, load_pair
from .test_differential import EXAMPLES, ROOT, SEED, differences

FRAMES = 500  # of each example
APART = 300  # counters that nothing counts in: more than an entry holds


def apart(counters: Sequence[ir.CounterMember]) -> counter_layout.CounterLayout:
    """In place of `lay_out`: the counters that rules reach by their place stand in entries of their own."""
    first = [c for c in counters if not c.counts.rule and not c.counts.encapsulation]
    others = [c for c in counters if c not in first]
    head, rest = counter_layout.placed(first), counter_layout.placed(others)
    begin = head.size + counter_layout.SIZE * APART
    moved = tuple(c._replace(offset=c.offset + begin) for c in rest.counters)
    slots = (*head.slots, ir.CounterSlot("counter", f"unused[{APART}]", ""), *rest.slots)
    entries = -(-(begin + rest.size) // counter_layout.ENTRY)
    return counter_layout.CounterLayout((*head.counters, *moved), slots, counter_layout.ENTRY, entries)


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, example: str) -> None:
    monkeypatch.setattr(program, "lay_out", apart)
    spec = ROOT / "examples" / f"{example}.yaml"
    counted: set[str] = set()
    with (pair := load_pair(spec, tmp_path, SETTINGS.get(example, ()), MORE_ROWS.get(example))).datapath:
        manifest = pair.datapath.manifest
        assert manifest.counters_entries > 1 and "counter-entries" in manifest.requires
        beyond = {c.name for c in manifest.counters if c.offset >= manifest.counters_size}
        found = differences(pair, SEED, FRAMES, counted=counted)
    assert not found, "\n".join(found)
    assert counted - beyond
    # Rules by cgroup have no packets here: a frame's socket is this process's.
    assert counted & beyond or example == "tenants-by-cgroup"


def test_more_counters_than_one_value_holds(tmp_path: Path) -> None:
    path = tmp_path / "many.yaml"
    path.write_text(many())
    counted: set[str] = set()
    with (pair := load_pair(path, tmp_path)).datapath:
        manifest = pair.datapath.manifest
        found = differences(pair, SEED, 4 * FRAMES, counted=counted)
    assert not found, "\n".join(found)
    entries = {c.offset // manifest.counters_size for c in manifest.counters if c.name in counted}
    assert len(manifest.counters) > 2000
    assert entries == set(range(manifest.counters_entries)), "counters of every entry"
