"""watch: a bundle follows its devices, addresses, MAC and MTU, and waits for what is late."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.netns.loader_bundle import write
from tests.netns.loader_net import Wire, wire

pytestmark = pytest.mark.kernel
PATIENCE = 6.0  # seconds: below the time after which watch looks without being told
STARTING = 60.0  # seconds: nothing but the first apply ends that wait, however busy the machine is


class Watching:
    """A running `encapctl watch`, and what it says."""

    def __init__(self, net: Wire, bundle: Path, *words: str, before: str = "") -> None:
        self.net = net
        self.told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        # A socket without a name belongs to a network namespace, and the name of one has room for 107 bytes.
        self.folder = tempfile.TemporaryDirectory(prefix="encap-")
        path = f"{self.folder.name}/notify"
        self.told.bind(path)
        self.told.settimeout(PATIENCE)
        os.environ["NOTIFY_SOCKET"] = path
        program = f"from encap_compile import ctl; from encap_compile.run import watch\n{before}\nctl.main()"
        command = [sys.executable, "-c", program, "watch", str(bundle), "--set", "uplink=eth0", *words]
        self.process = net.ours.popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        del os.environ["NOTIFY_SOCKET"]
        self.unread = ""
        self.lines: list[str] = []

    def until(self, words: str, patience: float = PATIENCE) -> str:
        assert self.process.stdout
        end = time.monotonic() + (patience if self.lines else STARTING)
        while time.monotonic() < end:
            while "\n" in self.unread:
                line, _, self.unread = self.unread.partition("\n")
                self.lines.append(line)
                if words in line:
                    return line
            if select.select([self.process.stdout], [], [], 0.1)[0]:
                read = os.read(self.process.stdout.fileno(), 1 << 16)
                if not read:
                    break  # it has ended
                self.unread += read.decode()
        raise AssertionError(f"no `{words}` in {self.lines}")

    def notified(self) -> str:
        return self.told.recv(4096).decode()

    def end(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        out, _ = self.process.communicate(timeout=PATIENCE)
        self.lines += (self.unread + out).splitlines()
        return self.process.returncode


@contextmanager
def watching(net: Wire, bundle: Path, *words: str, before: str = "") -> Iterator[Watching]:
    made = Watching(net, bundle, *words, before=before)
    try:
        yield made
    finally:
        made.process.kill()
        made.process.communicate()
        made.told.close()
        made.folder.cleanup()
    assert not any("Traceback" in line for line in made.lines), made.lines


def again(net: Wire, mac: str = "02:00:00:00:00:77") -> None:
    """The device once more, with another number, and what a network manager gives it."""
    peer = f"peer name eth0 netns {net.peer.name}"
    net.ours.ip(f"link add eth0 address {mac} type veth {peer}", "link set eth0 up", "addr add 192.0.2.1/24 dev eth0")
    net.peer.ip("link set eth0 address 02:00:00:00:00:99", "link set eth0 up", "addr add 192.0.2.2/24 dev eth0")
    net.ours.ip("neigh replace 192.0.2.2 lladdr 02:00:00:00:00:99 dev eth0", "route add 10.1.0.0/16 via 192.0.2.2")


def test_mac_mtu_and_address(tmp_path: Path) -> None:
    with wire() as net, watching(net, write(tmp_path / "one")) as watch:
        watch.until("2 programs changed.")
        assert "READY=1" in watch.notified()
        for change, fact in (
            ("link set eth0 address 02:00:00:00:00:01", "uplink.mac"),
            ("link set eth0 mtu 1400", "uplink.mtu"),
        ):
            net.ours.ip(change)
            line = watch.until("hand: eth0 changed")
            assert "2 programs changed" in line, fact
            net.ctl("status", "hand", check=0)
        assert net.send(5) == (5, 0)
        net.ours.ip("addr add 192.0.2.9/24 dev eth0", "addr del 192.0.2.1/24 dev eth0")
        net.ours.ip("addr replace 192.0.2.9/24 dev eth0", "route replace 10.1.0.0/16 via 192.0.2.2")
        deadline = time.monotonic() + PATIENCE
        while "192.0.2.9" not in net.ctl("status", "hand").stdout.partition("vtep")[2][:40]:
            assert time.monotonic() < deadline
        net.ctl("status", "hand", check=0)
        assert watch.end() == 0
        net.ctl("remove", "hand", check=0)


def test_a_mac_changed_under_traffic(tmp_path: Path) -> None:
    """What arrives between the change and the apply is all that may be lost; nothing leaves unencapsulated."""
    with wire() as net, watching(net, write(tmp_path / "one")) as watch:
        watch.until("2 programs changed.")
        with net.flood(2000):
            for i in range(3):
                net.ours.ip(f"link set eth0 address 02:00:00:00:01:0{i}")
                watch.until("hand: eth0 changed")
        assert net.arrived()[1] == 0
        net.ctl("status", "hand", check=0)
        assert watch.end() == 0
        net.ctl("remove", "hand", check=0)


def test_a_device_that_is_made_anew(tmp_path: Path) -> None:
    with wire() as net, watching(net, write(tmp_path / "one")) as watch:
        watch.until("2 programs changed.")
        for _ in range(2):
            net.ours.ip("link del eth0")
            watch.until("error[H105]")
            watch.until("encapctl: waiting for it; tried again in 1 s")
            assert "DRIFT  device eth0 is gone" in net.ctl("status", "hand", check=3).stdout
            again(net)
            watch.until("hand: ")
            deadline = time.monotonic() + PATIENCE
            while net.ctl("status", "hand").returncode != 0:
                assert time.monotonic() < deadline
        assert watch.end() == 0
        net.ctl("remove", "hand", check=0)
        assert [p for p in net.ours.bpffs().rglob("*") if not p.name.endswith(".debug")] == []


def test_status_names_a_device_that_is_another_one(tmp_path: Path) -> None:
    with wire() as net:
        net.apply(write(tmp_path / "one"))
        net.ours.ip("link del eth0")
        again(net)
        text = net.ctl("status", "hand", check=3).stdout
        assert "DRIFT  device eth0 was re-created (2 -> " in text
        net.apply(tmp_path / "one")
        net.ctl("status", "hand", check=0)
        net.ours.ip("link set eth0 down", "link set eth0 name up7")
        assert "DRIFT  device eth0 is called up7 now" in net.ctl("status", "hand", check=3).stdout
        net.ctl("remove", "hand", check=0)


def test_a_device_that_is_late(tmp_path: Path) -> None:
    with wire() as net:
        net.ours.ip("link del eth0")
        with watching(net, write(tmp_path / "one")) as watch:
            watch.until("error[H105]")
            first = watch.notified()
            assert "READY=1" in first and "STATUS=waiting: " in first and "eth0" in first
            time.sleep(2.5)  # it is tried again, and stays
            assert watch.process.poll() is None
            again(net)
            watch.until("2 programs changed.")
            assert "STATUS=hand " in [watch.notified() for _ in range(watch_messages(watch))][-1]
            net.ctl("status", "hand", check=0)
            assert watch.end() == 0
        net.ctl("remove", "hand", check=0)


def watch_messages(watch: Watching) -> int:
    """How many messages wait to be read, and one at least."""
    count = 0
    poll = select.poll()
    poll.register(watch.told, select.POLLIN)
    time.sleep(0.3)
    while poll.poll(0):
        message = watch.told.recv(4096, socket.MSG_PEEK)
        count += 1
        if b"STATUS=hand" in message:
            return 1
        watch.told.recv(4096)
    return max(count, 1)


def test_once(tmp_path: Path) -> None:
    with wire() as net:
        net.ours.ip("link set eth0 down", "addr flush dev eth0")
        with watching(net, write(tmp_path / "one"), "--once") as watch:
            watch.until("error[H104]")
            net.ours.ip("link set eth0 up", "addr add 192.0.2.1/24 dev eth0")
            watch.until("2 programs changed.")
            assert watch.process.wait(PATIENCE) == 0
        net.ctl("status", "hand", check=0)
        net.ctl("remove", "hand", check=0)


def test_what_waiting_does_not_help(tmp_path: Path) -> None:
    bundle = write(tmp_path / "one")
    with wire() as net:
        assert "H104" in net.ctl("watch", bundle, check=6).stderr  # uplink is not given
        done = net.ctl("watch", bundle, "--set", "uplink=eth0", "--set", "vtep=224.0.0.1", check=6)
        assert "H103" in done.stderr


def test_a_host_file_that_changes(tmp_path: Path) -> None:
    host = tmp_path / "host.yaml"
    host.write_text("vtep: 192.0.2.1\n")
    with wire() as net, watching(net, write(tmp_path / "one"), "--host", str(host)) as watch:
        watch.until("2 programs changed.")
        fresh = tmp_path / "fresh"
        fresh.write_text("vtep: 192.0.2.44\n")
        fresh.replace(host)
        watch.until(f"hand: {host} changed: ")
        assert "192.0.2.44" in net.ctl("status", "hand", check=0).stdout
        assert watch.end() == 0
        net.ctl("remove", "hand", check=0)


def test_messages_that_are_dropped(tmp_path: Path) -> None:
    """More changes than the netlink socket holds: everything is looked at, nothing is missed."""
    slow = "import encap_compile.run.kernel.changes as c; real = c.socket.socket.recv\n"
    with wire() as net, watching(net, write(tmp_path / "one"), before=slow) as watch:
        watch.until("2 programs changed.")
        watch.process.send_signal(signal.SIGSTOP)
        net.ours.ip("link add many type veth peer name many2")
        net.ours.ip(*[f"addr add 198.51.{i // 200}.{i % 200 + 1}/32 dev many" for i in range(2000)])
        net.ours.ip("link set eth0 mtu 1380")
        watch.process.send_signal(signal.SIGCONT)
        watch.until("hand: eth0 changed", patience=20)
        net.ctl("status", "hand", check=0)
        assert watch.end() == 0
        net.ctl("remove", "hand", check=0)
