"""Pins stay, or apply refuses: what decides is the bpf filesystem, in whichever mount namespace encapctl runs."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.netns.loader_bundle import write
from tests.netns.loader_net import ATTACH, Wire, wire
from tests.support import netns, syscalls

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif(not netns._SHARES_MOUNTS, reason="the machine's PID 1 cannot be seen from within a container"),
]
CTL = (sys.executable, "-m", "encap_compile.ctl")
PRIVATE = ("unshare", "--mount", "--propagation", "private")
CONTAINER = (*PRIVATE, "--pid", "--fork", "--mount-proc")


@pytest.fixture
def net() -> Iterator[Wire]:
    with wire() as made:
        yield made


def verbs(bundle: Path) -> list[list[str]]:
    named = [str(bundle), "--set", "uplink=eth0"]
    return [["plan", *named], ["apply", *named], ["watch", *named], ["status", "hand"], ["status"], ["stats", "hand"],
            ["remove", "hand"], ["sweep"]]  # fmt: skip


def script(net: Wire, prefix: tuple[str, ...], before: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run encapctl after a line of shell in other namespaces."""
    return net.ours.run([*prefix, "sh", "-c", f'{before}; exec "$@"', "sh", *CTL, *words], check=False)


def runs(net: Wire) -> bool:
    return net.send() == (20, 0)


@pytest.mark.parametrize("attach", ATTACH)
def test_a_bpf_filesystem_of_this_process_alone(net: Wire, tmp_path: Path, attach: str) -> None:
    """A new one over the machine's: every verb refuses, and nothing is attached or lost."""
    bundle = write(tmp_path / "one")
    net.ours.bpffs()
    over = f"mount -t bpf bpf {net.ours.bpffs()}"
    for applied in (False, True):
        before = net.left()
        for words in verbs(bundle):
            done = script(net, PRIVATE, over, *words)
            assert (done.returncode, "error[H130]" in done.stderr) == (6, True), (words, done.stdout, done.stderr)
            assert "nsenter" in done.stderr
            # The flag is for what cannot be seen, and this can.
            assert script(net, PRIVATE, over, *words, "--pins-persist").returncode == 6, words
        assert net.left() == before
        assert runs(net) is applied
        net.apply(bundle, "--attach", attach)
    net.ctl("remove", "hand", check=0)


def test_under_ip_netns_exec(net: Wire, tmp_path: Path) -> None:
    """It hides /sys/fs/bpf, and whoever mounts one there has it for himself."""
    bundle = write(tmp_path / "one")
    usual = "mount -t bpf bpf /sys/fs/bpf"
    for before, code in (("true", "H102"), (usual, "H130")):
        for words in verbs(bundle):
            command = f"unset ENCAP_BPFFS; {before}; exec {shlex.join([*CTL, *map(str, words)])}"
            own = f"ENCAP_STATE={net.ours.environment()['ENCAP_STATE']}"
            done = subprocess.run(
                ["env", own, "ip", "netns", "exec", net.ours.name, "sh", "-c", command], capture_output=True, text=True
            )
            assert (done.returncode, f"error[{code}]" in done.stderr) == (6, True), (words, done.stdout, done.stderr)
            assert "nsenter" in done.stderr
    assert net.left() == []
    assert not runs(net)


@pytest.mark.parametrize("how", ["private", "bound", "read-only system", "part of it", "a tree of its own"])
def test_private_mounts_that_share_the_filesystem(net: Wire, tmp_path: Path, how: str) -> None:
    """As a unit with PrivateMounts=, a DaemonSet with a hostPath: the pins are the machine's."""
    bundle, elsewhere, pins = write(tmp_path / "one"), tmp_path / "elsewhere", net.ours.bpffs()
    elsewhere.mkdir()
    (pins / "part").mkdir()
    before, bpffs = {
        "private": ("true", pins),
        "bound": (f"mount --bind {pins} {elsewhere}", elsewhere),
        "read-only system": (f"mount --bind {pins} {pins} && mount -o remount,bind,ro /", pins),
        "part of it": (f"mount --bind {pins}/part {elsewhere}", elsewhere),
        "a tree of its own": (f"mount -t tmpfs none /mnt; mkdir /mnt/bpf; mount --bind {pins} /mnt/bpf", "/mnt/bpf"),
    }[how]
    if how == "read-only system":
        state = Path(net.ours.environment()["ENCAP_STATE"])
        state.mkdir(parents=True)
        before = f"mount --bind {state} {state} && {before}"
    named = [str(bundle), "--set", "uplink=eth0", "--bpffs", str(bpffs)]
    done = script(net, PRIVATE, before, "apply", *named)
    assert done.returncode == 0, done.stderr
    assert runs(net)
    machine = str(pins / "part" if how == "part of it" else pins)
    net.ctl("status", "hand", "--bpffs", machine, check=0)
    assert script(net, PRIVATE, before, "plan", *named).returncode == 0
    assert script(net, PRIVATE, before, "status", "hand", "--bpffs", str(bpffs)).returncode == 0
    done = script(net, PRIVATE, before, "remove", "hand", "--bpffs", str(bpffs))
    assert done.returncode == 0, done.stderr
    assert not runs(net)


def test_within_a_container(net: Wire, tmp_path: Path) -> None:
    """A PID namespace of its own: what is the machine's cannot be seen, and has to be said."""
    bundle = write(tmp_path / "one")
    net.ours.bpffs()
    for words in verbs(bundle):
        if words[0] != "sweep":  # it refuses there for another reason
            done = script(net, CONTAINER, "true", *words)
            assert (done.returncode, "error[H130]" in done.stderr) == (6, True), (words, done.stderr)
            assert "--pins-persist" in done.stderr
    assert not runs(net)
    assert script(net, CONTAINER, "true", *verbs(bundle)[1], "--pins-persist").returncode == 0
    assert runs(net)
    assert script(net, CONTAINER, "export ENCAP_PINS_PERSIST=1", "status", "hand").returncode == 0
    assert script(net, CONTAINER, "export ENCAP_PINS_PERSIST=0", "status", "hand").returncode == 6
    net.ctl("status", "hand", check=0)
    assert script(net, CONTAINER, "true", "remove", "hand", "--pins-persist").returncode == 0
    assert not runs(net)


def test_within_the_pid_namespace_of_the_machine(net: Wire, tmp_path: Path) -> None:
    """A container with `hostPID` sees the machine's PID 1, and needs no word."""
    bundle, root = write(tmp_path / "one"), tmp_path / "root"
    root.mkdir()
    before = f"mount --rbind / {root} && exec chroot {root} {shlex.join(CTL)} apply {bundle} --set uplink=eth0"
    assert script(net, PRIVATE, before).returncode == 0
    assert runs(net)
    net.ctl("remove", "hand", check=0)


@contextmanager
def mounted(path: Path) -> Iterator[None]:
    syscalls.mount("bpf", str(path), "bpf")
    try:
        yield
    finally:
        syscalls.umount(str(path))


@pytest.mark.parametrize("attach", ATTACH)
def test_a_second_one_mounted_over_the_first(net: Wire, tmp_path: Path, attach: str) -> None:
    """The pins are hidden while the programs run on: another apply would put a second set beside them."""
    bundle = write(tmp_path / "one")
    net.apply(bundle, "--attach", attach)
    programs = [line for line in net.left() if line.startswith("program")]
    with mounted(net.ours.bpffs()):
        for words in verbs(bundle)[:-1]:
            done = net.ctl(*words)
            assert (done.returncode, "error[H131]" in done.stderr) == (6, True), (words, done.stdout, done.stderr)
        assert [line for line in net.left() if line.startswith("program")] == programs
        assert runs(net)
    net.ctl("status", "hand", check=0)
    net.ctl("remove", "hand", check=0)
    assert net.left() == []


@pytest.mark.parametrize("attach", ATTACH)
def test_another_directory_than_it_was_applied_with(net: Wire, tmp_path: Path, attach: str) -> None:
    bundle, elsewhere = write(tmp_path / "one"), tmp_path / "elsewhere"
    elsewhere.mkdir()
    with mounted(elsewhere):
        net.apply(bundle, "--attach", attach, "--bpffs", elsewhere)
        for words in verbs(bundle)[:-1]:
            done = net.ctl(*words)
            assert (done.returncode, "error[H131]" in done.stderr) == (6, True), (words, done.stdout, done.stderr)
            assert f"--bpffs {elsewhere}" in done.stderr
        net.ctl("status", "hand", "--bpffs", elsewhere, check=0)
        net.ctl("remove", "hand", "--bpffs", elsewhere, check=0)
    assert net.left() == []


@pytest.mark.parametrize("attach", ATTACH)
def test_a_filesystem_that_is_gone_hinders_nobody(net: Wire, tmp_path: Path, attach: str) -> None:
    bundle, elsewhere = write(tmp_path / "one"), tmp_path / "elsewhere"
    elsewhere.mkdir()
    with mounted(elsewhere):
        net.apply(bundle, "--attach", attach, "--bpffs", elsewhere)
    net.ctl("status", "hand", check=3)
    net.apply(bundle, "--attach", attach)
    assert runs(net)
    net.ctl("status", "hand", check=0)
    net.ctl("remove", "hand", check=0)
    assert net.left() == []
