"""One encapsulation between our side and every kind of kernel device that speaks it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby

from .. import cells
from ..cells import Cell, Kind
from . import options, plan, traffic
from .devices import End, ends_towards_us
from .ours import OurSide
from .plan import Tunnel
from .results import Results
from .traffic import FailedError, Silence
from .underlay import ROUTER, set_offloads
from .watch import Watch

_TESTS = {"UDP": traffic.udp, "UDP_SEGMENT": traffic.udp_segments, "TCP": traffic.tcp}
QUIET = 0.5  # seconds in which anything that is on its way arrives; only for the cases without any control packet


def run(encapsulation: str, side: OurSide, results: Results) -> None:
    """Every cell of one encapsulation."""
    kinds = [kind for kind in cells.KINDS if kind.encapsulation == encapsulation]
    applied, removed = cells.our_side(encapsulation)
    set_offloads("hardware")
    for kind in kinds:
        with tunnel(*ends_towards_us(kind)):
            _absent(kind, "before apply", results)
    if not results.check(applied, lambda: side.up(encapsulation)):
        for kind in kinds:
            for cell in (*cells.traffic(kind), *cells.negatives(kind)):
                results.fail(cell, "apply failed")
    else:
        for kind in kinds:
            with tunnel(*ends_towards_us(kind)), _met(side, kind):
                _refusals(kind, side, results)
                _carries(kind, results)
    results.check(removed, lambda: side.down(encapsulation))
    set_offloads("hardware")
    for kind in kinds:
        if kind is cells.first_of(encapsulation, kind.outer):
            with tunnel(*ends_towards_us(kind)):
                _absent(kind, "after remove", results)


@contextmanager
def tunnel(*ends: End) -> Iterator[None]:
    """The kernel's devices at the far ends, while the block runs."""
    for end in ends:
        end.create()
    try:
        yield
    finally:
        for end in ends:
            end.delete()


@contextmanager
def _met(side: OurSide, kind: Kind) -> Iterator[None]:
    side.meet(kind)
    try:
        yield
    finally:
        side.part(kind)


def _pair(kind: Kind, family: str, tunnel: Tunnel = Tunnel.GOOD) -> tuple[str, str]:
    """Our and the peer's inner address of a tunnel."""
    return plan.inner(plan.OURS, kind.outer, family, tunnel), plan.inner(plan.PEER, kind.outer, family, tunnel)


def _absent(kind: Kind, when: str, results: Results) -> None:
    """Nothing arrives in either direction while our side has no program."""
    sent: list[tuple[Cell, Sequence[Silence]]] = []
    for family in kind.inner:
        us, peer = _pair(kind, family)
        both = (Silence("ours", us, "peer", peer), Silence("peer", peer, "ours", us))
        sent.append((cells.absent(kind, family, when), both))
    time.sleep(QUIET)
    for cell, silences in sent:
        results.check(cell, lambda silences=silences: [silence.validate() for silence in silences])  # type: ignore[misc]


def _refusals(kind: Kind, side: OurSide, results: Results) -> None:
    for family in kind.inner:
        if kind.keyed:
            results.check(
                cells.refusal(kind, family, "wrong key to the kernel"),
                lambda family=family: _wrong_key(kind, family, "out"),  # type: ignore[misc]
            )
            results.check(
                cells.refusal(kind, family, "wrong key to us"),
                lambda family=family: _wrong_key(kind, family, "in"),  # type: ignore[misc]
            )
        if side.checks_source or kind.encapsulation != "vxlan":
            stranger = cells.refusal(kind, family, "unlisted source to us")
            results.check(stranger, lambda family=family: _stranger(kind, family))  # type: ignore[misc]
        if kind.limited and side.checks_options:
            other = cells.refusal(kind, family, "other options to us")
            results.check(other, lambda family=family: _other_options(kind, family))  # type: ignore[misc]


def _wrong_key(kind: Kind, family: str, direction: str) -> None:
    """A tunnel packet whose key the receiver does not have reaches the receiver's host and no socket there."""
    us, peer = _pair(kind, family)
    our_wrong, peer_wrong = _pair(kind, family, Tunnel.WRONG)
    sender, receiver, key = (
        ("ours", "peer", plan.KEY_TO_PEER) if direction == "out" else ("peer", "ours", plan.KEY_TO_US)
    )
    source, destination = (our_wrong, peer_wrong) if direction == "out" else (peer_wrong, our_wrong)
    # One exchange first: the neighbours on the way are known, and the good key is known to work.
    traffic.ping("ours", us, peer)
    with Watch(receiver, "eth0") as wire:
        silence = Silence(sender, source, receiver, destination)
        if not wire.wait_for_key(kind.encapsulation, key, traffic.ARRIVES):
            raise FailedError(f"no packet with key {key} left {sender}, so nothing was proven")
    traffic.ping("ours", us, peer)  # sent later on the same path: what it overtook was not delivered
    silence.validate()


def _stranger(kind: Kind, family: str) -> None:
    """A tunnel packet with the right key from an outer address that our side does not list reaches no socket."""
    us, peer = _pair(kind, family)
    our_end, their_end = _pair(kind, family, Tunnel.STRANGER)
    traffic.ping("ours", us, peer)
    outer = plan.HOSTS["stranger"].outer[kind.outer]
    with Watch("ours", "eth0") as wire:
        silence = Silence("stranger", their_end, "ours", our_end)
        if not _source_seen(wire, outer):
            raise FailedError(f"no packet of {outer} reached our uplink, so nothing was proven")
    traffic.ping("ours", us, peer)
    silence.validate()


def _other_options(kind: Kind, family: str) -> None:
    us, peer = _pair(kind, family)
    traffic.ping("ours", us, peer)
    set_offloads("none")  # a captured packet can be sent again only if its checksums are finished
    try:
        options.only_the_limit(peer, us)
    finally:
        set_offloads("hardware")


def _source_seen(wire: Watch, outer: str) -> bool:
    import ipaddress

    address = ipaddress.ip_address(outer).packed
    start = 26 if len(address) == 4 else 22
    until = time.monotonic() + traffic.ARRIVES
    while time.monotonic() < until:
        if any(frame[start : start + len(address)] == address for frame in wire.frames()):
            return True
        time.sleep(0.02)
    return False


def _carries(kind: Kind, results: Results) -> None:
    """Ping, UDP and bulk TCP in both directions under every kind of segmentation, and nothing unencapsulated."""
    with Watch(ROUTER, "ours", unencapsulated_only=True) as unencapsulated:
        seen: dict[str, list[bytes]] = {family: [] for family in kind.inner}
        for offload in cells.CHECKS:
            set_offloads(offload)
            for family in kind.inner:
                for direction in ("out", "in"):
                    _one_way(kind, family, direction, offload, results)
                seen[family] += unencapsulated.frames()
        set_offloads("hardware")
    for family, frames in seen.items():
        cell = Cell("unencapsulated", cells.unencapsulated_row(kind, family))
        results.check(cell, lambda frames=frames: _none(frames))  # type: ignore[misc]


def _one_way(kind: Kind, family: str, direction: str, offload: str, results: Results) -> None:
    us, peer = _pair(kind, family)
    source, destination = (("ours", us), ("peer", peer)) if direction == "out" else (("peer", peer), ("ours", us))
    send_all(cells.one_way(kind, family, direction, offload), source, destination, results)


def send_all(found: Iterable[Cell], source: tuple[str, str], destination: tuple[str, str], results: Results) -> None:
    """The traffic of some cells, from one (namespace, address) to another; the first cell is a ping."""
    ping, *others = found
    if results.check(ping, lambda: traffic.ping(*source, destination[1])):
        for cell in others:
            test = _TESTS[cell.check.split(",")[0]]
            results.check(cell, lambda test=test: test(*source, *destination))  # type: ignore[misc]
    else:  # each would wait for its time limit, and a kernel with one broken feature would take the whole run's time
        for cell in others:
            results.fail(cell, "not tried: no ping either")


def send_under_every_mode(
    found: Iterable[Cell], source: tuple[str, str], destination: tuple[str, str], results: Results
) -> None:
    """The same for cells of several kinds of segmentation, which their names tell."""
    for offload, alike in groupby(found, lambda cell: cell.check.split()[1]):
        set_offloads(offload)
        send_all(alike, source, destination, results)
    set_offloads("hardware")


def _none(frames: Sequence[bytes]) -> None:
    if frames:
        raise FailedError(
            f"{len(frames)} packets with inner addresses left unencapsulated; the first: {frames[0][:60].hex()}"
        )
