"""The story of sockets that choose: an application says by a name which exit the packets of its connection leave by."""

from __future__ import annotations

import errno
import re
import socket
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from tests.support import cli
from tests.support.cgroups import Tree
from tests.support.exits import ARRIVES, CLEAR, EXITS, PORT, SERVICE, VNI, Exits
from tests.support.polling import until
from tests.support.topology import PLAN, Topology
from tests.support.wire import Capture, Frame, quiet

from .balancer import is_vxlan, outer
from .dissect import dissect
from .screen import Screen
from .visitor import PYTHON, Visitor, build, packets

SPEC = Path(__file__).with_name("sockets.yaml")
PICTURE = """\
team-a: exits/far, exits/near  --+                                           +-- far  192.0.2.10
team-b: exits/near             --+-- ours 192.0.2.30 ---- wire ---- router --+
elsewhere                      --+   (10.200.0.1)                            +-- near 192.0.2.20

one service, 198.51.100.7 and 2001:db8:5::7, three times: behind each exit, and unencapsulated at the router.
Who answers says which way the question took. far, near: the kernel's own vxlan devices. ours: the program
at eth0, no tunnel device"""
TEAM_A, TEAM_B, ELSEWHERE = "team-a.slice", "team-b.slice", "elsewhere"
MANAGEMENT = {4: "10.255.0.7"}
PLAYED = 7001  # the port of a service that the story plays itself
ADDED = 50  # bytes of VXLAN over IPv4
WIDTH = 28


@dataclass
class Stage:
    screen: Screen
    exits: Exits
    bundle: Path
    c: tuple[str, ...]  # the application in C
    meant: int = 0  # packets that left unencapsulated because nobody chose for them, or a rule says so

    def command(self, cgroup: str, program: tuple[str, ...], *words: str) -> None:
        self.screen.line("   ", (f"{cgroup} $ ", "dim"), _command(program, *words))

    @contextmanager
    def watched(self) -> Iterator[Watched]:
        """The application's packets on the wire in the block, and what of them the nftables of the router counted."""
        with Capture(self.exits.topology.router, "to-ours") as capture:
            yield Watched(self.exits, capture, self.exits.wire())


@dataclass
class Watched:
    exits: Exits
    capture: Capture
    before: Counter[str]

    def counted(self) -> Counter[str]:
        """When nothing comes any more."""
        quiet(self.capture, 0.1)
        return self.exits.wire() - self.before

    def first(self, flag: str, timeout: float = 2.0) -> Frame:
        return self.capture.first(lambda f: not f.outgoing and flag in _flags(f), f"a packet with {flag}", timeout)


def show(screen: Screen, folder: Path) -> None:
    screen.title("encap-compile", "an application picks the exit of each of its connections, by setsockopt and a name")

    screen.step("Compile the spec, and an application in C against the header that came out of it")
    with screen.busy("compiling"):
        started = time.monotonic()
        bundle, said = cli.compile_spec(SPEC, folder)
    screen.command(f"encap-compile demo/{SPEC.name}", time.monotonic() - started)
    screen.output(said.replace(str(folder), "build"))
    with screen.busy("building"):
        started = time.monotonic()
        words = build(bundle, folder / "visit")
    screen.command(words, time.monotonic() - started)

    screen.step("A host with three cgroups, two exits and a router, in network namespaces")
    # Checksums are finished and segments cut in what is captured, so that the wire counts what the status does.
    with Tree() as tree, Topology(offloads="off") as topology:
        with screen.busy("building the network"):
            exits = _network(topology, tree)
        try:
            screen.output(PICTURE)
            play(Stage(screen, exits, bundle, (str(folder / "visit"),)))
        finally:
            exits.close()


def _network(topology: Topology, tree: Tree) -> Exits:
    exits = Exits(topology, tree)
    for cgroup in (TEAM_A, TEAM_B):
        tree.make(cgroup)
    # The management's address is there three times too: a choice that outranked the rule would be seen.
    for role in (*EXITS, CLEAR):
        topology.namespaces[role].ip(f"addr add {MANAGEMENT[4]} dev lo")
        exits.serve(topology.namespaces[role], role, MANAGEMENT)
    return exits


def play(stage: Stage) -> None:
    """Everything that needs the network."""
    screen, exits = stage.screen, stage.exits
    screen.step("Load the program")
    started = time.monotonic()
    said = exits.apply(stage.bundle)
    screen.command(
        f"encapctl apply build/{stage.bundle.name} --set uplink=eth0 --set tree=/...", time.monotonic() - started
    )
    screen.output(said.replace(exits.tree.path, "/..."))

    begin = exits.wire()["unencapsulated"]
    screen.step("team-a: the same application in Python chooses far, near, nothing")
    visit(stage, TEAM_A, PYTHON, 4, "exits/far", "far", picture=True)
    visit(stage, TEAM_A, PYTHON, 4, "exits/near", "near")
    visit(stage, TEAM_A, PYTHON, 4, "", CLEAR)

    screen.step("team-b, which may choose near alone: an application in C, over IPv6")
    visit(stage, TEAM_B, stage.c, 6, "exits/near", "near")
    visit(stage, TEAM_B, stage.c, 6, "", CLEAR)

    refusals(stage)

    screen.step("The rule of the management stands first: no choice outranks it")
    visit(stage, TEAM_A, PYTHON, 4, "exits/far", CLEAR, address=MANAGEMENT[4])

    accepted(stage)
    without_its_row(stage)
    after_the_end(stage)

    screen.step("What left unencapsulated, all in all, counted at the wire")
    unencapsulated = exits.wire()["unencapsulated"] - begin
    words = f"{unencapsulated} packets, {stage.meant} of them of who chose nothing, or to the management"
    screen.check(unencapsulated == stage.meant > 0, "unencapsulated", words, WIDTH)

    screen.step("What the program counted")
    started = time.monotonic()
    counters = cli.stats(exits.topology.ours, stage.bundle)
    screen.command(f"encapctl stats {stage.bundle.name} --format json", time.monotonic() - started)
    screen.counters([row for row in counters if row["packets"]])

    screen.step("Remove it again")
    started = time.monotonic()
    said = cli.remove(exits.topology.ours, stage.bundle)
    screen.command(f"encapctl remove {stage.bundle.name}", time.monotonic() - started)
    screen.output(said.replace(exits.tree.path, "/..."))
    refused(stage, TEAM_A, PYTHON, "exits/far", errno.ENOPROTOOPT, "whoever needs a choice stops")


def visit(
    stage: Stage,
    cgroup: str,
    program: tuple[str, ...],
    version: int,
    name: str,
    expected: str,
    address: str = "",
    picture: bool = False,
) -> None:
    """One connection: who answers, what its status says, and what the wire saw of it, to its very end."""
    words = (name, address or SERVICE[version], str(PORT))
    stage.command(cgroup, program, *words)
    with stage.watched() as watched, Visitor(stage.exits, cgroup, program, *words) as visitor:
        said = visitor.line()
        counted = watched.counted()
        status = visitor.status()
        stage.screen.output(f"{said}\n{status}")
        visitor.end()
        total = watched.counted()
        syn = watched.first("SYN")
    if picture:
        stage.screen.picture("its first packet, on the wire", dissect(syn.data), ADDED if is_vxlan(syn) else 0)
    way = "unencapsulated" if expected == CLEAR else expected
    if expected == CLEAR:
        stage.meant += total["unencapsulated"]
    right = said == f"answered by {expected}" and set(total) == {way} and _header(syn) == _wanted(expected)
    # The kernel's status and the router's nftables have counted the same packets.
    agree = packets(status) == (0 if expected == CLEAR else counted[way]) and (name or "nothing chosen") in status
    words = f"{_header(syn)}; {total[way]} packets so, {sum(total.values()) - total[way]} otherwise"
    stage.screen.check(right and agree, f"{name or 'nothing'} to {expected}", words, WIDTH)


def refusals(stage: Stage) -> None:
    stage.screen.step("What is refused, and with which error: then there is no connection")
    refused(stage, TEAM_B, stage.c, "exits/far", errno.EPERM, "no rule lets team-b", version=6)
    refused(stage, TEAM_A, PYTHON, "exits/mars", errno.ENOENT, "no such row")
    refused(stage, TEAM_A, PYTHON, "far", errno.EINVAL, "not TABLE/ROW")
    refused(stage, ELSEWHERE, PYTHON, "exits/far", errno.ENOPROTOOPT, "made outside of the cgroups")
    refused(stage, ELSEWHERE, stage.c, "exits/near", errno.ENOPROTOOPT, "made outside of the cgroups", version=6)


def refused(
    stage: Stage, cgroup: str, program: tuple[str, ...], name: str, number: int, why: str, version: int = 4
) -> None:
    words = (name, SERVICE[version], str(PORT))
    stage.command(cgroup, program, *words)
    with stage.watched() as watched, Visitor(stage.exits, cgroup, program, *words) as visitor:
        said = visitor.line()
        code = visitor.end()
        sent = sum(watched.counted().values())
    stage.screen.output(said)
    found = re.search(r"refused: errno (\d+)", said)
    error = errno.errorcode.get(int(found[1]), found[1]) if found else "not refused"
    right = error == errno.errorcode[number] and code == 1 and sent == 0
    stage.screen.check(right, f"{error} for {name}", f"{why}; {sent} packets", WIDTH)


def accepted(stage: Stage) -> None:
    """A connection that comes in: its answers leave as its listener has chosen, the SYN-ACK first."""
    stage.screen.step("team-a listens: what the listener chose holds for what it accepts")
    here, there = PLAN["ours"].overlay[4], PLAN["far"].overlay[4]
    words = ("exits/far", "listen", str(here), "8080")
    stage.command(TEAM_A, PYTHON, *words)
    with (
        stage.watched() as watched,
        Visitor(stage.exits, TEAM_A, PYTHON, *words) as visitor,
        stage.exits.topology.far.socket(socket.AF_INET, socket.SOCK_STREAM) as peer,
    ):
        said = visitor.line()
        peer.bind((str(there), 0))
        greeting = _greeted(peer, (str(here), 8080))
        said += f"\n{visitor.line()}" if greeting else ""
        counted = watched.counted()
        status = visitor.status() if greeting else ""
        visitor.end()
        total = watched.counted()
        stage.screen.output(f"{said}\n{status}")
        answer = watched.first("SYN")
    stage.screen.picture("the answer to its peer's SYN, on the wire", dissect(answer.data), ADDED * is_vxlan(answer))
    right = greeting == b"welcome" and set(total) == {"far"} and _header(answer) == _wanted("far")
    agree = "chosen exits/far" in status and 0 < packets(status) <= counted["far"]
    words = f"{_header(answer)}; {total['far']} packets so, {sum(total.values()) - total['far']} otherwise"
    stage.screen.check(right and agree, "accepted, and chosen", words, WIDTH)


def without_its_row(stage: Stage) -> None:
    """The row of a connection goes: its FIN waits for the row, and does not leave unencapsulated."""
    stage.screen.step("far is taken out of the table, under a connection, and comes back")
    fewer = stage.bundle.parent / "fewer.csv"
    rows = (stage.bundle / "exits.csv").read_text().splitlines(keepends=True)
    fewer.write_text("".join(row for row in rows if not row.startswith("far,")))
    # By default TCP gives up a closed connection after 8 tries, half a second apart: loading rows may take longer.
    stage.exits.topology.ours.sysctl("net.ipv4.tcp_orphan_retries", 100)
    words = ("exits/far", SERVICE[4], str(PORT))
    stage.command(TEAM_A, PYTHON, *words)
    with stage.watched() as watched, Visitor(stage.exits, TEAM_A, PYTHON, *words) as visitor:
        stage.screen.output(visitor.line())
        watched.counted()
        _rows(stage, "fewer.csv", fewer)
        status, before = visitor.status(), stage.exits.wire()
        stage.screen.output(status)
        visitor.end()
        dropped = until(lambda: dict(stage.exits.counters())["egress_miss_chosen_a"], "a FIN that is dropped", ARRIVES)
        sent = sum((stage.exits.wire() - before).values())
        _rows(stage, "exits.csv", stage.bundle / "exits.csv")
        fin = watched.first("FIN", ARRIVES)
        total = watched.counted()
    words_ = f"{dropped} dropped and counted, {sent} sent"
    stage.screen.check("gone exits/far" in status and dropped > 0 == sent, "its FIN, without the row", words_, WIDTH)
    right = _header(fin) == _wanted("far") and set(total) == {"far"}
    words_ = f"{_header(fin)}; {total['unencapsulated']} packets unencapsulated"
    stage.screen.check(right, "its FIN again, with the row", words_, WIDTH)


def _rows(stage: Stage, name: str, file: Path) -> None:
    started = time.monotonic()
    stage.exits.apply(stage.bundle, "--rows", f"exits={file}")
    stage.screen.command(
        f"encapctl apply build/{stage.bundle.name} --rows exits={name} ...", time.monotonic() - started
    )


def after_the_end(stage: Stage) -> None:
    """Packets of a connection whose socket is gone, or going, with data that nobody has read."""
    stage.screen.step("After the end: the application is gone, and its peer has more to say")
    with _service(stage) as service:
        for what in ("killed with data unread", "data after its close"):
            with stage.watched() as watched:
                with _connected(stage, service) as (visitor, connection):
                    if "unread" in what:
                        connection.sendall(b"nobody reads this")
                        quiet(watched.capture)
                        visitor.kill()
                    else:
                        visitor.end()
                        quiet(watched.capture)
                        connection.sendall(b"too late")
                    total = watched.counted()
                resets = watched.capture.frames(lambda f: not f.outgoing and "RST" in _flags(f))
            headers = {_header(f) for f in resets}
            leaked = total["unencapsulated"]
            words = f"{len(resets)} RST {' and '.join(sorted(headers))}; {leaked} packets unencapsulated"
            right = headers == {_wanted("far")} and set(total) == {"far"}
            stage.screen.check(right, what, words, WIDTH)


@contextmanager
def _service(stage: Stage) -> Iterator[socket.socket]:
    """Behind far, a service that the story plays itself."""
    with stage.exits.topology.far.socket(socket.AF_INET, socket.SOCK_STREAM) as service:
        service.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        service.bind((SERVICE[4], PLAYED))
        service.listen()
        service.settimeout(ARRIVES)
        yield service


@contextmanager
def _connected(stage: Stage, service: socket.socket) -> Iterator[tuple[Visitor, socket.socket]]:
    """An application that has chosen far and got its answer, and the service's end of its connection."""
    words = ("exits/far", SERVICE[4], str(PLAYED))
    stage.command(TEAM_A, PYTHON, *words)
    with Visitor(stage.exits, TEAM_A, PYTHON, *words) as visitor:
        connection, _ = service.accept()
        with connection:
            connection.recv(64)
            connection.sendall(b"far")
            stage.screen.output(visitor.line())
            yield visitor, connection


def _greeted(peer: socket.socket, address: tuple[str, int]) -> bytes:
    """What a peer hears when it connects; empty if it cannot."""
    peer.settimeout(3)
    try:
        peer.connect(address)
        return peer.recv(64)
    except OSError:
        return b""


def _command(program: tuple[str, ...], *words: str) -> str:
    return " ".join([Path(program[-1]).name, *(word or '""' for word in words)])


def _flags(frame: Frame) -> str:
    """Of its TCP header, unencapsulated or within VXLAN."""
    return next((layer.text.rpartition(", ")[2] for layer in dissect(frame.data) if layer.name == "TCP"), "")


def _header(frame: Frame) -> str:
    """The outer header in words."""
    if not is_vxlan(frame):
        return "unencapsulated"
    address, vni = outer(frame.data)
    return f"{ip_address(frame.data[26:30])} > {address} VNI {vni}"


def _wanted(way: str) -> str:
    return "unencapsulated" if way == CLEAR else f"{PLAN['ours'].underlay[4]} > {PLAN[way].underlay[4]} VNI {VNI}"
