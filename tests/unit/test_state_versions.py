"""What is written down of an apply, as each release wrote it and as the next one may."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from threading import Thread
from typing import Any
from unittest import mock

import pytest
from tests.releases import NAME, Release, releases

from encap_compile.common.folders import write_file
from encap_compile.run.loader import state_files
from encap_compile.run.loader.state import State
from encap_compile.run.loader.state_files import NAME as APPLIED
from encap_compile.run.loader.state_files import Unreadable, load, look, save
from encap_compile.run.loader.state_of_0_1 import document_of_0_1

ALL = releases()


def state_of(release: Release) -> State:
    found = look(release.folder)
    assert isinstance(found, State)
    return found


@pytest.mark.parametrize("release", ALL, ids=lambda r: r.name)
def test_what_each_release_wrote_is_read(release: Release) -> None:
    state = state_of(release)
    assert state.manifest is not None and state.manifest.name == NAME
    assert list(state.devices) == ["eth0"] and state.settings == {"uplink": "eth0"}
    (layout,) = state.counter_layouts.values()
    assert layout == {c.name: c.offset for c in state.manifest.counters}


@pytest.mark.parametrize("release", ALL, ids=lambda r: r.name)
def test_the_same_is_written_for_the_release_before(release: Release, tmp_path: Path) -> None:
    """All that it had written, unless it did not know a member yet."""
    state = state_of(release)
    save(tmp_path, state)
    assert load(tmp_path) == state
    written = json.loads((tmp_path / "state.json").read_text())
    for name, value in json.loads((release.folder / "state.json").read_text()).items():
        if name == "manifest":
            assert contains(written[name], value), name
        else:
            assert written[name] == value, name


def test_counters_have_the_names_that_the_release_before_knows(tmp_path: Path) -> None:
    """Going back to it loses no total, and coming up again finds what it has counted in the meantime."""
    earlier = state_of(ALL[-1])
    assert earlier.manifest is not None
    renamed = {"egress_no_room": "egress_no_headroom", "refused_ipip__room": "refused_ipip__pull_failed"}
    counters = tuple(replace(c, name=renamed.get(c.name, c.name)) for c in earlier.manifest.counters)
    assert len({c.name for c in counters} - {c.name for c in earlier.manifest.counters}) == 2
    carried = {"7": {"egress_no_room": (1, 10), "egress_no_headroom": (2, 20), "refused_ipip__pull_failed": (3, 30)}}
    now = replace(earlier, manifest=replace(earlier.manifest, counters=counters), carried=carried)
    save(tmp_path, now.with_counters("layout", counters))
    written = json.loads((tmp_path / "state.json").read_text())
    assert written["carried"] == {"7": {"egress_no_room": [3, 30], "refused_ipip__room": [3, 30]}}
    before = {c.name: c.offset for c in earlier.manifest.counters}
    assert written["counter_layouts"]["layout"] == before
    assert {c["name"]: c["offset"] for c in written["manifest"]["counters"]} == before
    assert load(tmp_path) == now.with_counters("layout", counters)


def test_a_former_name_that_is_the_name_again_is_counted_once(tmp_path: Path) -> None:
    """0.1.0 adds up what a counter has under its name and its former one."""
    earlier = state_of(ALL[-1])
    assert earlier.manifest is not None
    counters = tuple(
        replace(c, name="egress_no_headroom", formerly="egress_no_room") if c.name == "egress_no_room" else c
        for c in earlier.manifest.counters
    )
    document = document_of_0_1(replace(earlier, manifest=replace(earlier.manifest, counters=counters)))
    assert [c["formerly"] for c in document["manifest"]["counters"] if c["name"] == "egress_no_room"] == [""]


def contains(now: Any, before: Any) -> bool:
    """Whether a document has all of another one."""
    if isinstance(before, dict):
        return isinstance(now, dict) and all(k in now and contains(now[k], v) for k, v in before.items())
    if isinstance(before, list):
        return isinstance(now, list) and len(now) == len(before) and all(map(contains, now, before))
    return bool(now == before)


def test_what_the_next_release_adds_is_ignored(tmp_path: Path) -> None:
    state = state_of(ALL[-1])
    save(tmp_path, state)
    document = json.loads((tmp_path / APPLIED).read_text())
    document["format_version"] = "1.99"
    document["colour"] = ["of", {"the": "wire"}]
    document["manifest"]["format_version"] = "1.42"
    document["manifest"]["counters"][0]["unit"] = None
    next(iter(document["filled"].values()))["weight"] = 1
    (tmp_path / APPLIED).write_text(json.dumps(document))
    found = look(tmp_path)
    assert isinstance(found, State) and found.manifest is not None and found.manifest.format_version == "1.42"
    assert document_of_0_1(found) == document_of_0_1(state)


def test_which_of_the_two_files_counts(tmp_path: Path) -> None:
    """That of this release, unless another one has written the other since."""
    state = State(manifest=None, attach="tcx", settings={"a": "1"})
    save(tmp_path, state)
    other = json.loads((tmp_path / "state.json").read_text())
    (tmp_path / "state.json").write_text(json.dumps({**other, "settings": {"a": "2"}}))
    found = look(tmp_path)
    assert isinstance(found, State) and found.settings == {"a": "2"}
    (tmp_path / "state.json").unlink()
    assert look(tmp_path) is None


def test_a_reader_between_the_two_writes_waits_for_the_second(tmp_path: Path) -> None:
    """Alone, the first file has not all that the state has: what is in force would look like another program."""
    before = state_of(ALL[-1])
    assert before.manifest is not None
    now = replace(before, applied_at=1.5, manifest=replace(before.manifest, program="5" * 64))
    save(tmp_path, before)
    found: list[object] = []
    reader = Thread(target=lambda: found.append(look(tmp_path)))

    def slowly(path: Path, content: bytes, mode: int) -> None:
        if path.name == APPLIED:
            reader.start()
            reader.join(0.02)
        write_file(path, content, mode)

    with mock.patch.object(state_files, "write_file", slowly):
        save(tmp_path, now)
    reader.join()
    assert found == [now]


def test_nothing_is_written_before_all_that_is_to_be_written_is_known(tmp_path: Path) -> None:
    state = state_of(ALL[-1])
    save(tmp_path, state)
    with mock.patch.object(state_files, "asdict", side_effect=MemoryError), pytest.raises(MemoryError):
        save(tmp_path, replace(state, settings={"uplink": "eth1"}))
    assert look(tmp_path) == state


@pytest.mark.parametrize(
    ("version", "later"),
    [("2.0", True), (2, True), ("0.9", True), ("1", False), (1.0, False), ("1.x", False), (-1, False), (None, False)],
)
def test_another_major_version_is_told_from_one_that_is_none(tmp_path: Path, version: object, later: bool) -> None:
    save(tmp_path, State())
    for name in (APPLIED, "state.json"):
        (tmp_path / name).write_text(json.dumps({"format_version": version, "release": "7.0.0\x1b"}))
    found = look(tmp_path)
    assert isinstance(found, Unreadable) and found.later is later and found.release == ""
    assert found.diagnostic("x").code == ("H152" if later else "H153")


def test_a_state_that_may_not_be_read_is_not_none(tmp_path: Path) -> None:
    (tmp_path / "state.json").mkdir()
    found = look(tmp_path)
    assert isinstance(found, Unreadable) and found.why == "Is a directory"
    assert look(tmp_path / "nowhere") is None
