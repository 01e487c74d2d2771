"""State, pins and files that somebody has spoilt: a diagnostic or a repair, bounded time, never a traceback."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.netns.loader_bundle import write
from tests.netns.loader_net import Wire, wire
from tests.support.netns import STATE

pytestmark = pytest.mark.kernel
KNOWN = (0, 1, 3, 5, 6)


@pytest.fixture
def net() -> Iterator[Wire]:
    with wire() as made:
        yield made
        assert made.left() == []


def ran(net: Wire, *words: str | Path) -> Any:
    """A command under a time limit."""
    done = net.ctl(*words, prefix=("timeout", "20"))
    assert done.returncode in KNOWN, f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    assert "Traceback" not in done.stderr and "this is a bug" not in done.stderr
    return done


def state_file(net: Wire) -> Path:
    (found,) = (STATE / net.ours.name).rglob("state.json")
    return found


def edited(**changes: Any) -> Callable[[Path], None]:
    def edit(path: Path) -> None:
        path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))

    return edit


def fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def device(path: Path) -> None:
    path.unlink()
    path.symlink_to("/dev/zero")


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


SPOILT: dict[str, Callable[[Path], None]] = {
    "empty": lambda p: p.write_text("") and None,
    "no JSON": lambda p: p.write_text("{") and None,
    "a list": lambda p: p.write_text("[1]") and None,
    "deep": lambda p: p.write_text("[" * 200_000) and None,
    "a number of 5000 digits": lambda p: (
        p.write_text('{"format_version": 1, "applied_at": ' + "9" * 5000 + "}") and None
    ),
    "no manifest": edited(manifest=None),
    "an ifindex out of range": edited(devices={"eth0": 1 << 40}),
    "an ifindex that is a text": edited(devices={"eth0": "2"}),
    "a device that never was": edited(devices={"nope": 77}),
    "offsets beyond the map": edited(counter_layouts={"00000000": {"web": 32767}}),
    "offsets of 2^31": edited(counter_layouts={"00000000": {"web": 1 << 31}}),
    "a time beyond calendars": edited(applied_at=1e300),
    "settings that cannot be read": edited(settings={"": "", "uplink": ""}),
    "a host file that is a FIFO": edited(host_file="/dev/zero"),
    "pins elsewhere": edited(pins={"sites": "../../../../etc/passwd"}),
    "filled from a device": edited(
        filled={
            "sites": {
                "kind": "rows",
                "table": "sites",
                "count": 1,
                "digest": "",
                "file": "/dev/zero",
                "origin": "--rows",
            }
        }
    ),
    "cgroups that are none": edited(cgroup="/../..", cgroups={"../../x": 7}, former={"x": [1]}),
    "a bundle to replace that has an odd name": edited(replaces="../x"),
    "a FIFO": fifo,
    "a device": device,
    "a folder": folder,
}


@pytest.mark.parametrize("spoil", SPOILT.values(), ids=SPOILT)
def test_a_spoilt_state(net: Wire, tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    bundle = write(tmp_path / "one")
    net.apply(bundle)
    spoil(state_file(net))
    for words in (
        ("status", "hand"),
        ("status", bundle, "--deep"),
        ("stats", "hand"),
        ("plan", bundle, "--set", "uplink=eth0"),
    ):
        ran(net, *words)
    assert net.send() == (20, 0)  # what runs does not care
    ran(net, "apply", bundle, "--set", "uplink=eth0")
    assert net.send() == (20, 0)
    ran(net, "status", "hand")
    net.ctl("remove", "hand", check=0)


def test_a_folder_among_the_pins(net: Wire, tmp_path: Path) -> None:
    bundle = write(tmp_path / "one")
    net.apply(bundle)
    (maps,) = (p for p in net.ours.bpffs().rglob("maps"))
    odd = [maps / "sites-00000000-7", maps / "x", maps.parent / "y"]
    odd += [maps.parent / "links/z"] if (maps.parent / "links").is_dir() else []
    for path in odd:
        path.mkdir()
    ran(net, "status", "hand")
    ran(net, "plan", bundle, "--set", "uplink=eth0")
    net.apply(write(tmp_path / "two", salt="two"))
    assert net.send() == (20, 0)
    net.ctl("remove", "hand", check=0)
    for path in odd:
        path.rmdir()  # not ours: left where they were
    for path in (maps.parent / "links", maps, maps.parent, *maps.parents[1:3]):
        if path.is_dir() and not any(path.iterdir()) and path != net.ours.bpffs():
            path.rmdir()


@pytest.mark.parametrize("name", ["manifest.json", "sites.csv", "hand.bpf.o", "hand.bpf.c"])
@pytest.mark.parametrize("spoil", [fifo, device, folder])
def test_spoilt_files_of_a_bundle(net: Wire, tmp_path: Path, name: str, spoil: Callable[[Path], None]) -> None:
    bundle = write(tmp_path / "one")
    spoil(bundle / name)
    for verb in ("plan", "apply"):
        assert ran(net, verb, bundle, "--set", "uplink=eth0").returncode == 1


def test_files_named_on_the_command_line(net: Wire, tmp_path: Path) -> None:
    bundle, pipe = write(tmp_path / "one"), tmp_path / "pipe"
    os.mkfifo(pipe)
    for odd in (pipe, "/dev/zero", tmp_path, tmp_path / "none", "x" * 5000, "\udcff"):
        assert ran(net, "plan", bundle, "--set", "uplink=eth0", "--rows", f"sites={odd}").returncode == 1
        assert ran(net, "plan", bundle, "--host", str(odd)).returncode == 6
        assert ran(net, "plan", str(odd)).returncode == 1


@pytest.mark.parametrize("name", ["..", ".", "", "../victim", "../../victim", "hand/../../victim", "x" * 64])
def test_a_bundle_whose_name_is_a_path_touches_nothing(net: Wire, tmp_path: Path, name: str) -> None:
    net.apply(write(tmp_path / "one"))
    state = state_file(net)
    victims = [state.parents[1] / "victim", state.parents[2] / "victim"]
    for victim in victims:
        victim.mkdir(exist_ok=True)
        (victim / "file").write_text("kept\n")
    hostile = write(tmp_path / "two")
    edited(name=name)(hostile / "manifest.json")
    for verb in ("plan", "apply", "status", "stats", "remove"):
        done = net.ctl(verb, hostile, check=1)
        assert "B302" in done.stderr and "no name of a bundle" in done.stderr
    assert state.exists() and all((victim / "file").exists() for victim in victims)
    for victim in victims:
        (victim / "file").unlink()
        victim.rmdir()
    net.ctl("status", "hand", check=0)
    net.ctl("remove", "hand", check=0)


@pytest.mark.parametrize("most", (8, 9, 10, 11, 12, 13, 16, 20))
def test_too_few_file_descriptors_are_no_bug_of_the_compiler(net: Wire, tmp_path: Path, most: int) -> None:
    bundle = write(tmp_path / "one")
    done = net.ctl(
        "apply", bundle, "--set", "uplink=eth0", prefix=("bash", "-c", f'ulimit -n {most}; exec "$@"', "bash"), check=6
    )
    assert "error[H114]: the system refused a call: Too many open files" in done.stderr and "ulimit -n" in done.stderr
    assert net.ctl("status", check=0).stdout.startswith("0 bundles")
