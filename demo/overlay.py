"""The first story, told in steps: compile, look at the packet before and after, send traffic, read the counters."""

from __future__ import annotations

import time
from pathlib import Path

from tests.support import cli, overlay
from tests.support.topology import Topology

from . import checks
from .dissect import dissect
from .screen import Screen
from .stage import PICTURE, Stage

SEGMENTATION = {
    "off": "offloads off: every packet is made small before the program sees it",
    "software": "segmentation off: the program sees GSO packets, the kernel cuts them after it",
    "on": "offloads on: GSO packets go all the way",
}


def show(screen: Screen, folder: Path) -> None:
    screen.title("encap-compile", "one reviewed spec becomes a BPF program that carries real traffic")

    screen.step("Compile the spec")
    with screen.busy("compiling"):
        started = time.monotonic()
        bundle, said = cli.compile_spec(overlay.EXAMPLE, folder)
    screen.command(f"encap-compile {overlay.EXAMPLE.relative_to(cli.ROOT)}", time.monotonic() - started)
    screen.output(said.replace(str(folder), "build"))

    screen.step("Four hosts in network namespaces")
    with screen.busy("building the network"):
        topology = Topology(offloads="off")  # finished checksums in the captured bytes
    with topology:
        stage = Stage(topology)
        screen.output(PICTURE)
        play(screen, stage, bundle)


def play(screen: Screen, stage: Stage, bundle: Path) -> None:
    """Everything that needs the network."""
    topology = stage.topology
    screen.step("A datagram without the program: it leaves unencapsulated")
    before = checks.say_hello(stage)
    screen.picture("before, on the wire", dissect(before.data), added=0)

    screen.step("Load the program")
    started = time.monotonic()
    said = cli.apply(topology.ours, bundle, uplink="eth0", vtep_mac=topology.mac("ours"))
    screen.command(
        f"encapctl apply build/{bundle.name} --set uplink=eth0 --set vtep_mac=...", time.monotonic() - started
    )
    screen.output(said)

    screen.step("The same datagram with the program")
    after = checks.say_hello(stage)
    added = len(after.data) - len(before.data)
    screen.picture("after, on the wire", dissect(after.data), added)
    plain = checks.without_identity(before.data[14:])
    same = added > 0 and checks.without_identity(after.data[added + 14 :]) == plain
    words = f"but for its IPv4 identification; {added} bytes were put before it"
    screen.check(same, "the IP packet inside is untouched", words)

    for mode, words in SEGMENTATION.items():
        screen.step(f"Traffic both ways, {words}")
        topology.set_offloads(mode)
        checks.traffic(screen, stage)

    screen.step("What must not pass")
    checks.missing_row(screen, stage, bundle)
    checks.wrong_vni(screen, stage, bundle)

    screen.step("What the program counted")
    started = time.monotonic()
    counters = cli.stats(topology.ours, bundle)
    screen.command(f"encapctl stats {bundle.name} --format json", time.monotonic() - started)
    screen.counters([row for row in counters if row["packets"]])

    screen.step("Remove it again")
    topology.set_offloads("off")
    started = time.monotonic()
    said = cli.remove(topology.ours, bundle)
    screen.command(f"encapctl remove {bundle.name}", time.monotonic() - started)
    screen.output(said)
    restored = checks.without_identity(checks.say_hello(stage).data[14:]) == plain
    screen.check(restored, "nothing is left behind", "the datagram leaves as it did before")
