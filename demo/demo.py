"""The demo's story, told in steps: compile, look at the packet before and after, send traffic, read the counters.

Everything happens in network namespaces that are gone afterwards, also after Ctrl-C; the machine's own network, its
bpf filesystem and this checkout are not touched.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

from tests.support import cli, netns, overlay
from tests.support.links import OFFLOADS
from tests.support.netns import CommandError
from tests.support.topology import Topology
from tests.support.traffic import Bulk, Echoed, Host, bulk_tcp, ping, udp_echo
from tests.support.wire import Capture, Frame, carries

from .dissect import dissect
from .screen import Screen
from .stage import PICTURE, VNI, Stage

MESSAGE = b"hello from a plain socket"
BULK = 4 << 20
PORT = 9001
OFFLOAD_NAMES = {
    "off": "off: packets of one segment",
    "software": "by the kernel, after the program",
    "on": "on: whole super-packets cross",
}


def main() -> int:
    screen = Screen()
    netns.clean_up_when_told_to_stop()
    if os.geteuid() != 0:
        screen.line("The demo makes network namespaces and loads BPF programs: run it as root.")
        return 6
    netns.sweep()
    try:
        with tempfile.TemporaryDirectory(prefix="encap-demo-") as folder:
            tell(screen, Path(folder))
    except KeyboardInterrupt:
        screen.line("\nInterrupted. Everything was cleaned up.")
        return 130
    except (CommandError, TimeoutError) as error:
        screen.check(False, "the demo could not go on", str(error))
    return 0 if screen.verdict() else 1


def tell(screen: Screen, folder: Path) -> None:
    screen.title("encap-compile", "one reviewed spec, compiled to a BPF program, carrying real traffic")

    screen.step("Compile the spec")
    with screen.busy("compiling"):
        started = time.monotonic()
        bundle, said = cli.compile_spec(overlay.EXAMPLE, folder)
    screen.command(f"encap-compile {overlay.EXAMPLE.relative_to(cli.ROOT)}", time.monotonic() - started)
    screen.output(said)

    screen.step("Four hosts in network namespaces")
    with screen.busy("building the network"), Topology() as topology:
        stage = Stage(topology)
        screen.plain(PICTURE)
        play(screen, stage, bundle)


def play(screen: Screen, stage: Stage, bundle: Path) -> None:
    """Everything that needs the network."""
    topology = stage.topology
    topology.set_offloads("off")  # finished checksums in the captured bytes

    screen.step("A datagram without the program: it leaves in the clear")
    before = _say_hello(stage)
    screen.picture("before, on the wire", dissect(before.data), added=0)

    screen.step("Load the program")
    started = time.monotonic()
    said = cli.apply(topology.ours, bundle, uplink="eth0")
    screen.command(f"encapctl apply build/{bundle.name} --set uplink=eth0", time.monotonic() - started)
    screen.output(said)

    screen.step("The same datagram with the program")
    after = _say_hello(stage)
    added = len(after.data) - len(before.data)
    screen.picture("after, on the wire", dissect(after.data), added)
    screen.check(
        added == 50 and after.data[added + 14 :] == before.data[14:],
        "the packet inside is untouched",
        f"{len(before.data) - 14} bytes from the inner IP header on are the same, {added} were put before them",
    )

    for mode in ("off", "software", "on"):
        screen.step(f"Traffic both ways, segmentation {OFFLOAD_NAMES[mode]}")
        assert mode in OFFLOADS
        topology.set_offloads(mode)
        for name, ours, theirs in stage.paths():
            with screen.busy(name):
                results = _exchange(ours, theirs)
            screen.check(all(results), name, _in_words(results))

    screen.step("What must not pass")
    _missing_row(screen, stage, bundle)
    _wrong_vni(screen, stage, bundle)

    screen.step("What the program counted")
    screen.command(f"encapctl stats {bundle.name}", 0)
    screen.counters([row for row in cli.stats(topology.ours, bundle) if row["packets"]])

    screen.step("Take it off again")
    started = time.monotonic()
    said = cli.remove(topology.ours, bundle)
    screen.command(f"encapctl remove {bundle.name}", time.monotonic() - started)
    screen.output(said)
    screen.check(_say_hello(stage).data[14:] == before.data[14:], "nothing is left behind", "the datagram is plain again")


def _say_hello(stage: Stage) -> Frame:
    """Send one datagram from ours to far and return the frame that the router received."""
    import socket

    topology = stage.topology
    ours, far = topology.host("ours", 4), topology.host("far", 4)
    with Capture(topology.router, "to-ours") as wire, ours.namespace.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.bind((ours.address, PORT))
        sender.sendto(MESSAGE, (far.address, PORT))
        return wire.first(lambda frame: not frame.outgoing and MESSAGE in frame.data, "the datagram at the router")


def _exchange(ours: Host, theirs: Host) -> tuple[Echoed, Echoed, Bulk]:
    pings, echoes = [ping(ours, theirs), ping(theirs, ours)], [udp_echo(ours, theirs), udp_echo(theirs, ours)]
    both = [Echoed(sum(r.sent for r in results), sum(r.good for r in results)) for results in (pings, echoes)]
    return both[0], both[1], bulk_tcp(ours, theirs, BULK, port=8080)


def _in_words(results: tuple[Echoed, Echoed, Bulk]) -> str:
    pings, echoes, bulk = results
    words = f"ping {pings.good}/{pings.sent}  udp {echoes.good}/{echoes.sent}  "
    if bulk:
        rate = 2 * bulk.size * 8 / bulk.seconds / 1e6
        return words + f"tcp {bulk.size >> 20} MiB each way, sha256 {bulk.there[1][:6]} {bulk.back[1][:6]}, {rate:.0f} Mbit/s"
    return words + f"tcp: {bulk.problem or 'the hashes differ'}"


def _missing_row(screen: Screen, stage: Stage, bundle: Path) -> None:
    """A destination that a rule sends to the table, and the table has no row for."""
    import socket

    topology = stage.topology
    before = _dropped(stage, bundle, "dropped")
    with Capture(topology.router, "to-ours") as wire, topology.ours.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for _ in range(5):
            sender.sendto(MESSAGE, ("10.99.0.1", PORT))
        ping(topology.underlay_host("ours", 4), topology.underlay_host("far", 4), count=1)  # has overtaken nothing
        leaked = wire.frames(carries(MESSAGE))
    counted = _dropped(stage, bundle, "dropped") - before
    screen.check(
        not leaked and counted == 5, "a destination without a row", f"{counted} of 5 dropped and counted, {len(leaked)} leaked"
    )


def _wrong_vni(screen: Screen, stage: Stage, bundle: Path) -> None:
    """The far end sends with another VNI than the table allows."""
    topology = stage.topology
    before = _dropped(stage, bundle, "refused")
    topology.far.ip("link set vx0 down", f"link set vx0 type vxlan id {VNI + 1}") if False else None
    far = topology.host("far", 4)
    result = ping(far, topology.host("ours", 4), count=3, timeout=0.3)
    counted = _dropped(stage, bundle, "refused") - before
    screen.check(result.good == 0 and counted == 3, "a VNI that is not ours", f"{counted} of 3 refused and counted")


def _dropped(stage: Stage, bundle: Path, kind: str) -> int:
    return sum(row["packets"] for row in cli.stats(stage.topology.ours, bundle) if row["kind"] == kind)


if __name__ == "__main__":
    sys.exit(main())
