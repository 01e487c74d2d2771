"""Boot: prefixes are closed before the network is up, the bundle is applied from its copy, and the routes come back."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.netns.loader_net import Wire, wire
from tests.netns.test_loader_watch_devices import again, watching
from tests.support import cli
from tests.support.sweep import sampled

pytestmark = pytest.mark.kernel
SPEC = """apiVersion: encap/v1alpha1
name: {name}
host: {{uplink: device, vtep: {{type: ip, default: uplink.address}}}}
attach: {{devices: [host.uplink]}}
encapsulations: {{tunnel: [{{ipv4: {{source: host.vtep, destination: endpoint.address}}}}]}}
endpoints:
  sites:
    key: destination
    fields: {{address: ipv4}}
    encapsulation: tunnel
    file: sites.csv
    capacity: 64
egress:
{boot}
  rules:
    - {{name: own, match: {{destination: 10.1.77.0/24}}, action: pass}}
    - {{name: web, match: {{destination: {prefixes}}}, to: sites}}
    - {{name: ports, match: {{protocol: tcp, destination_port: 7}}, to: sites}}
  default: pass
"""


def bundle(folder: Path, name: str = "closed", boot: str = "  boot: closed", prefixes: str = "10.1.0.0/16") -> Path:
    (folder / "sites.csv").write_text("destination,address\n10.1.0.0/16,192.0.2.2\n")
    spec = folder / f"{name}.yaml"
    spec.write_text(SPEC.format(name=name, boot=boot, prefixes=prefixes).replace("egress:\n\n", "egress:\n"))
    return cli.compile_spec(spec, folder / f"{name}.build")[0]


@contextmanager
def kept(folder: Path) -> Iterator[Path]:
    os.environ["ENCAP_KEPT"] = str(folder / "kept")
    try:
        yield folder / "kept"
    finally:
        del os.environ["ENCAP_KEPT"]


def to(net: Wire, address: str) -> str:
    """What the kernel says of the route to an address."""
    done = net.ours.run(["ip", "route", "get", address], check=False)
    return done.stdout + done.stderr


def rules(net: Wire) -> str:
    text = "".join(net.ours.run(["ip", family, "rule"]).stdout for family in ("-4", "-6"))
    return "".join(line for line in text.splitlines(True) if line.startswith("90:"))


def test_closed_then_applied_then_lifted(tmp_path: Path) -> None:
    planned = bundle(tmp_path)
    with wire() as net:
        net.ours.ip("link del eth0")
        with watching(net, planned, "--once") as watch:
            watch.until("encapctl: waiting for it, 1 prefix closed until then; tried again in 1 s")
            # A default route by another device is what such packets would leave by.
            net.ours.ip("link add other type veth peer name far", "link set other up", "link set far up")
            net.ours.ip("addr add 198.51.100.1/24 dev other", "route add default via 198.51.100.9")
            net.ours.ip("route add 10.1.3.0/24 via 198.51.100.9")  # and a better route than the rule's prefix
            for address in ("10.1.0.1", "10.1.3.1"):
                assert "No route to host" in to(net, address)
            for address in ("10.2.0.1", "10.1.77.1"):  # another prefix, and what a rule passes
                assert "198.51.100.9" in to(net, address)
            assert "closed  " not in net.ctl("status").stdout
            again(net)
            watch.until("2 programs changed." if "ingress" in planned.name else "programs changed.", 8)
            assert watch.process.wait(8) == 0
        assert rules(net) == "" and "dev eth0" in to(net, "10.1.0.1")
        assert net.ours.run(["ip", "route", "show", "table", "all"]).stdout.count("unreachable 10.1") == 0
        net.ctl("status", "closed", check=0)
        net.ctl("remove", "closed", check=0)


def test_closed_whatever_became_of_the_hashes_of_its_data(tmp_path: Path) -> None:
    """Neither closing nor removing asks for rows; only what applies them refuses the file."""
    planned = bundle(tmp_path)
    hashes = planned / "data.sha256"
    whole = hashes.read_bytes()
    with wire() as net:
        hashes.write_bytes(whole[:60])
        assert "error[B302]" in net.ctl("watch", planned, "--set", "uplink=eth0", "--once", check=1).stderr
        assert rules(net) and "No route to host" in to(net, "10.1.0.1")
        assert "routes that were closed until apply" in net.ctl("remove", planned, check=0).stdout
        assert rules(net) == ""
        hashes.write_bytes(whole)
        net.apply(planned)
        hashes.write_bytes(whole[:60])
        net.ctl("status", planned, check=0)  # it reads the data themselves
        net.ctl("status", "closed", check=0)
        net.ctl("remove", planned, check=0)
        assert net.left() == []


@sampled("rounds", some=4, all=12)
def test_killed_while_it_is_closed(tmp_path: Path, rounds: int) -> None:
    """Whatever is killed, it stays closed until the programs are in force."""
    planned = bundle(tmp_path)
    with wire() as net:
        command = [sys.executable, "-m", "encap_compile.ctl", "watch", str(planned), "--set", "uplink=eth0", "--once"]
        begun = time.monotonic()
        net.ours.popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).wait()
        took = time.monotonic() - begun
        net.ctl("remove", "closed", check=0)
        for i in range(rounds):
            net.ours.ip("addr flush dev eth0")
            waiting = net.ours.popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            deadline = time.monotonic() + 8
            while not rules(net):
                assert time.monotonic() < deadline
            waiting.kill()
            waiting.wait()
            assert rules(net)
            net.ours.ip("addr add 192.0.2.1/24 dev eth0", "route add 10.1.0.0/16 via 192.0.2.2")
            process = net.ours.popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(took * (0.4 + 0.7 * i / rounds))
            process.send_signal(signal.SIGKILL)
            process.wait()
            if rules(net):
                assert "No route to host" in to(net, "10.1.0.1")
            else:
                assert net.send(5) == (5, 0), f"round {i}"
            net.ctl("apply", planned, "--set", "uplink=eth0", check=0)
            assert rules(net) == "" and net.send(5) == (5, 0)
            net.ctl("status", "closed", check=0)
            net.ctl("remove", "closed", check=0)
        assert rules(net) == ""


def test_remove_opens(tmp_path: Path) -> None:
    planned = bundle(tmp_path)
    with wire() as net:
        net.ours.ip("addr flush dev eth0")
        with watching(net, planned) as watch:
            watch.until("1 prefix closed")
            assert watch.end() == 0
        assert rules(net)  # it stays closed: nothing is in force
        done = net.ctl("remove", "closed", check=0)
        assert "routes that were closed until apply" in done.stdout
        assert rules(net) == ""
        assert net.ctl("remove", "closed").returncode == 6


def test_a_device_that_goes_closes_again(tmp_path: Path) -> None:
    planned = bundle(tmp_path)
    with wire() as net, watching(net, planned) as watch:
        watch.until("changed.")
        assert rules(net) == ""
        net.ours.ip("link del eth0")
        watch.until("waiting for it, 1 prefix closed until then")
        assert rules(net)
        again(net)
        watch.until("closed: ", 8)
        deadline = time.monotonic() + 8
        while rules(net):
            assert time.monotonic() < deadline
        net.ctl("status", "closed", check=0)
        assert watch.end() == 0
        net.ctl("remove", "closed", check=0)


def test_open_is_the_default(tmp_path: Path) -> None:
    planned = bundle(tmp_path, "open", boot="")
    with wire() as net:
        text = net.ctl("plan", planned, "--set", "uplink=eth0", check=3).stdout
        assert "boot  not in force until apply, and on a re-created device: web, ports" in text
        closed = net.ctl("plan", bundle(tmp_path), "--set", "uplink=eth0", check=3).stdout
        assert "boot  closed until apply: 10.1.0.0/16" in closed
        assert "boot  not in force until apply, and on a re-created device: ports" in closed
        net.ours.ip("addr flush dev eth0")
        with watching(net, planned) as watch:
            watch.until("waiting for it; tried again")
            assert rules(net) == ""


def test_on_link_subnets_stay_open(tmp_path: Path) -> None:
    """The rule's prefix holds the host's own subnet: gateways there must be found, or no network comes up."""
    planned = bundle(tmp_path, prefixes="'192.0.0.0/16'")
    with wire() as net, kept(tmp_path):
        text = net.ctl("plan", planned, "--set", "uplink=eth0", check=3).stdout
        assert "boot  open for the network itself, on-link there: 192.0.2.0/24" in text
        net.ctl("unit", planned, "--set", "uplink=eth0", "--into", tmp_path / "units", check=0)
        net.ours.ip("addr flush dev eth0")
        with watching(net, Path("closed"), "--kept") as watch:
            watch.until("1 prefix closed")
            net.ours.ip("addr add 192.0.2.1/24 dev eth0", "route add default via 192.0.2.254")
            watch.until("changed.", 8)


def test_the_unit_and_its_copy(tmp_path: Path) -> None:
    planned = bundle(tmp_path)
    host = tmp_path / "host.yaml"
    host.write_text("vtep: 192.0.2.1\n")
    rows = tmp_path / "rows.csv"
    rows.write_text("destination,address\n10.1.0.0/16,192.0.2.2\n")
    units = tmp_path / "units"
    given = ("--set", "uplink=eth0", "--host", host, "--rows", f"sites={rows}")
    with wire() as net, kept(tmp_path) as copies:
        shown = net.ctl("unit", planned, *given, "--print", check=0).stdout
        assert "Before=network-pre.target" in shown and not copies.exists()
        done = net.ctl("unit", planned, *given, "--into", units, check=0)
        assert "systemctl enable --now encap-closed.service" in done.stdout
        unit = units / "encap-closed.service"
        assert unit.read_text() == shown
        for gone in (planned.parent, host, rows):
            shutil.rmtree(gone) if gone.is_dir() else gone.unlink()
        assert {oct(p.stat().st_mode & 0o77) for p in copies.rglob("*") if "current" not in p.parts[-1:]} <= {
            "0o0",
            "0o55",
        }
        with watching(net, Path("closed"), "--kept", "--once") as watch:
            watch.until("changed.")
            assert watch.process.wait(8) == 0
        net.ctl("status", "closed", check=0)
        assert net.send(5) == (5, 0)
        # A later apply is what the next boot applies.
        host.write_text("vtep: 192.0.2.1\n")
        net.ctl("apply", bundle(tmp_path, boot=""), "--set", "uplink=eth0", "--host", host, check=0)
        assert "--rows" not in net.ctl("plan", "closed", "--kept", check=0).stdout
        manifest = json.loads((copies / "closed" / "current" / "bundle" / "manifest.json").read_text())
        assert "boot" not in manifest
        assert len(list((copies / "closed").iterdir())) == 2
        done = net.ctl("remove", "closed", check=0)
        assert str(unit) in done.stdout and not unit.exists() and not (copies / "closed").exists()
        assert "H146" in net.ctl("apply", "closed", "--kept", check=6).stderr


def test_watch_follows_its_copy(tmp_path: Path) -> None:
    """What is applied by hand while the service runs is what the service keeps in force from then on."""
    one = bundle(tmp_path)
    with wire() as net, kept(tmp_path):
        net.ctl("unit", one, "--set", "uplink=eth0", "--into", tmp_path / "units", "--watch", check=0)
        assert "closed  not applied, but this machine boots with it" in net.ctl("status", check=3).stdout
        with watching(net, Path("closed"), "--kept") as watch:
            watch.until("changed.")
            two = bundle(tmp_path, boot="", prefixes="'10.1.0.0/17'")
            net.ctl("apply", two, "--set", "uplink=eth0", check=0)
            net.ours.ip("link set eth0 mtu 1400")
            watch.until("eth0 changed")
            time.sleep(1)
            done = net.ctl("status", two, check=0)
            assert "10.1.0.0/17" in done.stdout and watch.process.poll() is None
            assert watch.end() == 0
            assert not any("error" in line for line in watch.lines), watch.lines
        assert net.ctl("status", check=0).stdout.count("closed") == 1
        net.ctl("remove", "closed", check=0)


def test_watch_says_what_its_apply_read(tmp_path: Path) -> None:
    """The MTU changes after watch looked at the device and before its apply does: the line names the device, too."""
    late = """import subprocess
real = watch.apply
def apply(request):
    if "10.1.0.0/17" in open(request.bundle / "manifest.json").read():
        subprocess.run(["ip", "link", "set", "eth0", "mtu", "1400"], check=True)
    return real(request)
watch.apply = apply
"""
    one = bundle(tmp_path)
    with wire() as net, kept(tmp_path):
        net.ctl("unit", one, "--set", "uplink=eth0", "--into", tmp_path / "units", "--watch", check=0)
        with watching(net, Path("closed"), "--kept", before=late) as watch:
            watch.until("changed.")
            two = bundle(tmp_path, boot="", prefixes="'10.1.0.0/17'")
            net.ctl("apply", two, "--set", "uplink=eth0", check=0)
            line = watch.until("2 programs changed")
            assert "current, eth0 changed: " in line
            net.ctl("status", two, check=0)
            assert watch.end() == 0
        net.ctl("remove", "closed", check=0)


def test_a_replaced_bundle_that_is_booted(tmp_path: Path) -> None:
    old, new = bundle(tmp_path, "old"), bundle(tmp_path, "new")
    with wire() as net, kept(tmp_path) as copies:
        net.apply(old)
        net.ctl("unit", old, "--set", "uplink=eth0", "--into", tmp_path / "units", check=0)
        assert "warning[H148]" in net.apply(new, "--replace", "old").stderr
        assert (copies / "old").exists()
        net.ctl("unit", new, "--set", "uplink=eth0", "--into", tmp_path / "units", check=0)
        net.ctl("remove", "old", check=0)
        assert [p.name for p in (tmp_path / "units").iterdir()] == ["encap-new.service"]
        assert [p.name for p in copies.iterdir()] == ["new"]
        net.ctl("status", "new", check=0)
        net.ctl("remove", "new", check=0)


def test_a_copy_that_is_broken(tmp_path: Path) -> None:
    planned = bundle(tmp_path)
    with wire() as net, kept(tmp_path) as copies:
        net.ctl("unit", planned, "--set", "uplink=eth0", "--into", tmp_path / "units", check=0)
        request = copies / "closed" / "current" / "request.json"
        good = request.read_text()
        for text in ("", "[]", "{}", '{"format_version": 2}', good.replace('"rows": {}', '"rows": [1]'), good[:40]):
            request.write_text(text)
            for verb in ("plan", "apply", "watch"):
                assert "H146" in net.ctl(verb, "closed", "--kept", check=6).stderr, text
        assert "H146" in net.ctl("apply", "../x", "--kept", check=6).stderr
        request.write_text(good)
        (copies / "closed" / "current" / "bundle" / "sites.csv").write_text("changed\n")
        assert "B305" in net.ctl("apply", "closed", "--kept", check=1).stderr
        net.ctl("remove", "closed", check=0)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
@pytest.mark.parametrize("words", [(), ("--watch",)])
def test_systemd_understands_the_unit(tmp_path: Path, words: tuple[str, ...]) -> None:
    planned = bundle(tmp_path)
    with wire() as net, kept(tmp_path / "with space"):
        net.ctl("unit", planned, "--set", "uplink=eth0", "--into", tmp_path / "units", *words, check=0)
        unit = tmp_path / "units" / "encap-closed.service"
        done = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True)
        ours = [line for line in (done.stdout + done.stderr).splitlines() if "encap-closed" in line]
        assert done.returncode == 0 and ours == [], done.stderr
        text = unit.read_text()
        assert ("--once" in text) == (not words) and ("Restart=always" in text) == bool(words)
