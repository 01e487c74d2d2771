"""The device that switches the kernel's GRO on for received tunnel packets: that it merges, and lets nothing in."""

from __future__ import annotations

import json
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from encap_compile.run.kernel import tunnel_devices
from encap_compile.run.kernel.guard import is_guarded
from tests.support import cli, kernel_vxlan
from tests.support.merged import bytes_per_packet
from tests.support.overlay import EXAMPLE, ROWS, Overlay
from tests.support.polling import until
from tests.support.topology import PLAN, Topology

from .conftest import Compiled

pytestmark = pytest.mark.kernel
GRO = ("ingress:\n", "receive: {gro: device}\ningress:\n")
SET = ("--set", "uplink=eth0", "--set", "vtep_mac=02:00:00:00:00:01")
STARTING = 60.0  # seconds, on a busy machine
LEAST = 0.9  # of what the kernel's own device delivers in one packet


@pytest.fixture(params=[4, 6], ids="outer{}".format)
def topology(request: pytest.FixtureRequest) -> Iterator[tuple[Topology, int]]:
    with Topology(offloads="software") as made:
        yield made, request.param


def devices(topology: Topology) -> list[tunnel_devices.TunnelDevice]:
    with topology.ours.entered():
        return tunnel_devices.tunnel_devices()


def test_merges_as_the_kernels_device(topology: tuple[Topology, int], compiled: Compiled) -> None:
    network, outer = topology
    inner = 10 - outer
    near, ours = network.host("near", inner), network.host("ours", inner)
    kernel_vxlan.connect(network, "near", "ours", 42, outer)
    device = bytes_per_packet(near, ours, outer)
    network.ours.ip(f"link del {kernel_vxlan.DEVICE}")
    network.near.ip(f"link del {kernel_vxlan.DEVICE}")
    overlay = Overlay(network, outer)
    overlay.apply(compiled())
    alone = bytes_per_packet(near, ours, outer)
    overlay.apply(compiled(GRO))
    merged = bytes_per_packet(near, ours, outer)
    assert alone < 1500
    assert merged > LEAST * device


@pytest.fixture(scope="module")
def reflecting(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("reflecting")
    text = (cli.ROOT / "examples" / "vxlan-return.yaml").read_text()
    spec = folder / "vxlan-return.yaml"
    inside = "vips: [10.0.0.0/8, 'fd00::/16'] #"
    spec.write_text(text.replace("vips: [", inside, 1).partition("tests:\n")[0] + "receive: {gro: device}\n")
    return cli.compile_spec(spec, folder / "build")[0]


def test_merges_what_is_reflected(topology: tuple[Topology, int], reflecting: Path) -> None:
    network, outer = topology
    inner = 10 - outer
    Overlay(network, outer)
    addresses = ",".join(str(PLAN["ours"].underlay[version]) for version in (4, 6))
    cli.apply(network.ours, reflecting, uplink="eth0", address=addresses)
    received = bytes_per_packet(network.host("near", inner), network.host("ours", inner), outer)
    assert received > 40000


def test_it_is_quiet_guarded_and_goes_with_the_bundle(compiled: Compiled) -> None:
    with Topology() as network:
        overlay = Overlay(network, 4)
        said = overlay.apply(compiled(GRO))
        assert "device gro4789-" in said
        (made,) = devices(network)
        assert made.up and made.owner == "encap: GRO of vxlan-overlay"
        with network.ours.entered():
            assert is_guarded(made.index)
        (link,) = json.loads(network.ours.run(["ip", "-j", "-s", "addr", "show", made.name]).stdout)
        assert link["addr_info"] == [] and "NOARP" in link["flags"]
        assert "nothing changed" in overlay.apply(compiled(GRO)).lower()
        assert [d.index for d in devices(network)] == [made.index]
        status = cli.encapctl(network.ours, "status", "vxlan-overlay").stdout
        assert f"device {made.name}: vxlan on UDP port 4789" in status and "DRIFT" not in status
        assert f"- device {made.name}" in cli.remove(network.ours, compiled(GRO))
        assert devices(network) == []


@pytest.mark.parametrize("harm", ["link del {}", "link set {} down", "qdisc"])
def test_what_is_missing_is_drift_and_made_again(compiled: Compiled, harm: str) -> None:
    with Topology() as network:
        overlay = Overlay(network, 4)
        overlay.apply(compiled(GRO))
        (made,) = devices(network)
        if harm == "qdisc":
            network.ours.run(["tc", "qdisc", "del", "dev", made.name, "clsact"])
        else:
            network.ours.ip(harm.format(made.name))
        status = cli.encapctl(network.ours, "status", "vxlan-overlay", check=False)
        assert status.returncode == 3 and f"GRO device {made.name}" in status.stdout
        plan = cli.encapctl(network.ours, "plan", compiled(GRO), *SET, check=False)
        assert plan.returncode == 3
        overlay.apply(compiled(GRO))
        (again,) = devices(network)
        with network.ours.entered():
            assert again.up and is_guarded(again.index)
        assert "DRIFT" not in cli.encapctl(network.ours, "status", "vxlan-overlay").stdout


def test_a_device_of_the_user_serves(compiled: Compiled) -> None:
    """None of ours beside it, and not in its way either: it can be set up."""
    with Topology() as network:
        overlay = Overlay(network, 4)
        network.ours.ip("link add theirs type vxlan external dstport 4789", "link set theirs up")
        said = cli.encapctl(network.ours, "plan", compiled(GRO), *SET, check=False)
        assert "vxlan on UDP port 4789 is merged by theirs" in said.stdout and "H190" not in said.stderr
        overlay.apply(compiled(GRO))
        assert [d.name for d in devices(network)] == ["theirs"]
        network.ours.ip("link del theirs", "link add theirs type vxlan id 7 local 192.0.2.30 dstport 4789")
        said = cli.encapctl(network.ours, "plan", compiled(GRO), *SET, check=False)
        assert "H190" in said.stderr and "theirs has the port, but is down" in said.stderr
        overlay.apply(compiled(GRO))
        assert [d.name for d in devices(network)] == ["theirs"]
        network.ours.ip("link set theirs up")
        network.ours.ip("link del theirs")
        overlay.apply(compiled(GRO))
        assert [d.name[:8] for d in devices(network)] == ["gro4789-"]
        cli.remove(network.ours, compiled(GRO))
        assert devices(network) == []


def test_a_port_that_is_taken_costs_no_packet(compiled: Compiled) -> None:
    with Topology() as network:
        Overlay(network, 4)
        with network.ours.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
            taken.bind(("0.0.0.0", 4789))
            done = cli.encapctl(network.ours, "apply", compiled(GRO), *SET)
            assert "H191" in done.stderr and "something else has the port" in done.stderr
            assert devices(network) == []
            # Known, and no change that is pending for ever.
            plan = cli.encapctl(network.ours, "plan", compiled(GRO), *SET)
            assert "H191" in plan.stderr and "Nothing to change" in plan.stdout
            assert "GRO device" not in cli.encapctl(network.ours, "status", "vxlan-overlay").stdout
            assert "H191" in cli.encapctl(network.ours, "apply", compiled(GRO), *SET).stderr
        cli.encapctl(network.ours, "apply", compiled(GRO), *SET)
        assert len(devices(network)) == 1
        assert "H191" not in cli.encapctl(network.ours, "plan", compiled(GRO), *SET).stderr


def test_without_the_word_the_plan_names_the_port(compiled: Compiled) -> None:
    with Topology() as network:
        Overlay(network, 4)
        said = cli.encapctl(network.ours, "plan", compiled(), *SET, check=False)
        assert "H190" in said.stderr and "UDP port 4789" in said.stderr
        cli.encapctl(network.ours, "apply", compiled(), *SET)
        assert devices(network) == []
        cli.encapctl(network.ours, "apply", compiled(GRO), *SET)
        assert len(devices(network)) == 1
        said = cli.encapctl(network.ours, "apply", compiled(), *SET)
        assert "(deleted; no longer in the spec)" in said.stdout
        assert devices(network) == []


def test_watch_makes_it_again(compiled: Compiled) -> None:
    """Deleted or set down, without anything else that changes."""
    with Topology() as network:
        Overlay(network, 4)
        command = [*cli.CTL, "watch", str(compiled(GRO)), *SET]
        process = network.ours.popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        try:
            (first,) = until(lambda: [d for d in devices(network) if d.up], "a device is up", STARTING)
            network.ours.ip(f"link del {first.name}")
            (second,) = until(lambda: [d for d in devices(network) if d.up], "it is there again", STARTING)
            assert (second.name, second.index != first.index) == (first.name, True)
            network.ours.ip(f"link set {second.name} down")
            (third,) = until(lambda: [d for d in devices(network) if d.up], "it is up again", STARTING)
            assert third.index == second.index
        finally:
            process.terminate()
            said, _ = process.communicate(timeout=STARTING)
        assert "device for GRO changed" in said and "Traceback" not in said, said


def test_a_bundle_that_takes_over(compiled: Compiled, tmp_path: Path) -> None:
    """Of the one that it replaces no device stays."""
    with Topology() as network:
        overlay = Overlay(network, 4)
        overlay.apply(compiled(GRO))
        (former,) = devices(network)
        text = EXAMPLE.read_text().replace("name: vxlan-overlay", "name: renamed").replace(*GRO)
        (tmp_path / ROWS.name).write_bytes(ROWS.read_bytes())
        spec = tmp_path / EXAMPLE.name
        spec.write_text(text)
        renamed, _ = cli.compile_spec(spec, tmp_path / "build")
        cli.encapctl(network.ours, "apply", renamed, *SET, "--replace", "vxlan-overlay", check=True)
        (made,) = devices(network)
        assert made.up and made.name != former.name and made.owner == "encap: GRO of renamed"
        cli.encapctl(network.ours, "remove", "renamed")
        assert devices(network) == []
