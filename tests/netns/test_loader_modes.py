"""Modes of what is written do not depend on the umask that encapctl was started with."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from stat import S_IMODE

import pytest

from tests.netns.loader_bundle import write
from tests.netns.loader_net import Wire, wire
from tests.support.netns import STATE

pytestmark = pytest.mark.kernel


@pytest.fixture
def net() -> Iterator[Wire]:
    with wire() as made:
        yield made


def modes(root: Path) -> dict[str, set[int]]:
    """The modes of folders and of files below a folder, without it."""
    found: dict[str, set[int]] = {"folders": set(), "files": set()}
    for folder, folders, files in os.walk(root):
        found["folders"] |= {S_IMODE(Path(folder, name).stat().st_mode) for name in folders}
        found["files"] |= {S_IMODE(Path(folder, name).stat().st_mode) for name in files if not name.endswith(".debug")}
    return found


@pytest.mark.parametrize("umask", ["0000", "0022", "0077", "0777"])
@pytest.mark.parametrize("attach", ["auto", "clsact"])
def test_modes_under_any_umask(net: Wire, tmp_path: Path, umask: str, attach: str) -> None:
    prefix = ("sh", "-c", f'umask {umask}; exec "$@"', "sh")
    for bundle in (write(tmp_path / "one"), write(tmp_path / "two", wide=True)):
        words = ("apply", bundle, "--set", "uplink=eth0", "--attach", attach)
        net.ctl(*words, prefix=prefix, check=0)
    pins, state = net.ours.bpffs() / "encap", STATE / net.ours.name / "state"
    assert S_IMODE(pins.stat().st_mode) == 0o700
    assert modes(pins)["folders"] == {0o700}
    assert all(not mode & 0o077 for mode in modes(pins)["files"])
    assert S_IMODE(state.stat().st_mode) == 0o755
    # The lock is the only file that nobody else may open, since whoever opens it can hold it.
    assert modes(state) == {"folders": {0o755}, "files": {0o600, 0o644}}
    net.ctl("remove", "hand", prefix=prefix, check=0)
    assert net.left() == []
