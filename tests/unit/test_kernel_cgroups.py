"""Where the cgroup hierarchy is, read from mounts as they can be."""

from __future__ import annotations

from pathlib import Path

import pytest

from encap_compile.run.kernel import cgroups
from encap_compile.run.kernel.cgroups import Hierarchy, hierarchy

WHOLE = "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw"
VERSION_1 = "32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime shared:3 - cgroup cgroup rw,cpu"
PART = r"50 31 0:38 /a.slice/b /mnt/a\040part rw shared:7 master:2 - cgroup2 none rw"
OF_NAMESPACE = "60 31 0:38 / /run/inner rw - cgroup2 none rw"
OUTSIDE = "61 31 0:38 /../.. /sys/fs/cgroup/unified rw - cgroup2 none rw"
NUMBERS = {Path("/sys/fs/cgroup/unified"): 1, Path("/mnt/a part"): 77, Path("/run/inner"): 99}


@pytest.fixture(autouse=True)
def _numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cgroups, "_number", lambda path: NUMBERS.get(path, 0))
    monkeypatch.setattr(cgroups, "in_first_cgroup_namespace", lambda: True)


@pytest.mark.parametrize(
    ("mounts", "found"),
    [
        ([], None),
        ([VERSION_1], None),
        ([VERSION_1, WHOLE], Hierarchy(Path("/sys/fs/cgroup/unified"), "")),
        ([PART], Hierarchy(Path("/mnt/a part"), "/a.slice/b")),
        ([PART, WHOLE], Hierarchy(Path("/sys/fs/cgroup/unified"), "")),
        ([OF_NAMESPACE], None),  # `/`, and not the root of all
        ([OUTSIDE], Hierarchy(Path("/sys/fs/cgroup/unified"), "")),
    ],
)
def test_mounts(mounts: list[str], found: Hierarchy | None) -> None:
    assert hierarchy("\n".join(mounts) + "\n") == found


def test_a_part_cannot_be_placed_in_a_cgroup_namespace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cgroups, "in_first_cgroup_namespace", lambda: False)
    assert hierarchy(PART) is None
    assert hierarchy(OUTSIDE) == Hierarchy(Path("/sys/fs/cgroup/unified"), "")


@pytest.mark.parametrize(
    ("root", "path", "directory"),
    [
        ("", "/", "/m"),
        ("", "/a/b", "/m/a/b"),
        ("/a", "/a", "/m"),
        ("/a", "/a/b", "/m/b"),
        ("/a", "/ab", None),
        ("/a", "/b", None),
        ("/a", "/", None),
    ],
)
def test_directories(root: str, path: str, directory: str | None) -> None:
    assert Hierarchy(Path("/m"), root).directory(path) == (Path(directory) if directory else None)


def test_level_and_number(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "file").touch()
    whole = Hierarchy(tmp_path, "")
    assert [found.level for path in ("/", "/a", "/a/b") if (found := whole.find(path))] == [0, 1, 2]
    assert (found := whole.find("/a")) is not None and found.number == (tmp_path / "a").stat().st_ino
    assert whole.find("/file") is None and whole.find("/none") is None
    part = Hierarchy(tmp_path, "/x/y").find("/x/y/a")
    assert part is not None and part.level == 3
