"""The cells of the matrix: what is tested, by name. The host expects these, the guest fills them in.

A cell that the guest did not report is a failure, so nothing passes by not running.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

# What is tested under which segmentation on the way. "hardware": GSO packets cross whole. "split": the kernel splits
# every GSO packet behind our program. "software": the same for TCP with checksums made in software, the case in which
# wrong GSO flags or checksum offsets black-hole it; a device without checksums takes no UDP_SEGMENT send before 6.11,
# and in a tunnel not after it either. "none": single packets only.
CHECKS = {
    "hardware": ("ping", "UDP", "UDP_SEGMENT", "TCP"),
    "split": ("ping", "UDP_SEGMENT"),
    "software": ("ping", "UDP", "TCP"),
    "none": ("ping", "UDP", "TCP"),
}


@dataclass(frozen=True)
class Kind:
    """A kernel tunnel device as the peer, and the modules that it needs.

    `inner` are the families that it carries, `keyed` that it checks a key. `limited`: it sends a tunnel encapsulation
    limit (RFC 2473), as these devices do unless they are told not to.
    """

    name: str
    encapsulation: str  # also the name of our spec
    outer: str
    inner: tuple[str, ...]
    module: str
    keyed: bool = False
    limited: bool = False


BOTH = ("ipv4", "ipv6")
KINDS = (
    Kind("vxlan", "vxlan", "ipv4", BOTH, "vxlan", keyed=True),
    # The default peer sends an outer checksum; these leave it out, as our side does.
    Kind("vxlan-nocsum", "vxlan", "ipv4", ("ipv4",), "vxlan", keyed=True),
    Kind("vxlan", "vxlan", "ipv6", BOTH, "vxlan", keyed=True),
    Kind("vxlan-nocsum", "vxlan", "ipv6", ("ipv6",), "vxlan", keyed=True),
    Kind("ipip", "ipip", "ipv4", ("ipv4",), "ipip"),
    Kind("sit", "ipip", "ipv4", ("ipv6",), "sit"),
    Kind("ip6tnl-any", "ipip", "ipv6", BOTH, "ip6_tunnel"),
    Kind("ip6tnl-ipip6", "ipip", "ipv6", ("ipv4",), "ip6_tunnel"),
    Kind("ip6tnl-ip6ip6", "ipip", "ipv6", ("ipv6",), "ip6_tunnel"),
    Kind("ip6tnl-any-limit", "ipip", "ipv6", BOTH, "ip6_tunnel", limited=True),
    Kind("gre", "gre", "ipv4", BOTH, "ip_gre", keyed=True),
    Kind("ip6gre", "gre", "ipv6", BOTH, "ip6_gre", keyed=True),
    Kind("ip6gre-limit", "gre", "ipv6", BOTH, "ip6_gre", keyed=True, limited=True),
    Kind("ipip-gue", "gue", "ipv4", ("ipv4",), "fou ipip"),
    Kind("sit-gue", "gue", "ipv4", ("ipv6",), "fou sit"),
    Kind("ip6tnl-gue", "gue", "ipv6", BOTH, "fou6 ip6_tunnel"),
    Kind("gre-gue", "gre-in-gue", "ipv4", BOTH, "fou ip_gre", keyed=True),
    Kind("ip6gre-gue", "gre-in-gue", "ipv6", BOTH, "fou6 ip6_gre", keyed=True),
    Kind("geneve", "geneve", "ipv4", BOTH, "geneve", keyed=True),
    Kind("geneve-nocsum", "geneve", "ipv4", ("ipv4",), "geneve", keyed=True),
    Kind("geneve", "geneve", "ipv6", BOTH, "geneve", keyed=True),
)
ENCAPSULATIONS = ("vxlan", "ipip", "gre", "gue", "gre-in-gue", "geneve")
FRAMED = ("vxlan", "geneve")  # with an Ethernet header inside
IN_UDP = ("vxlan", "gue", "gre-in-gue", "geneve")
# Scenarios of their own, each with a spec of that name: the encapsulation, and what is done with it.
DEVICES = {"vlan": "vxlan", "route": "gre"}


@dataclass(frozen=True)
class Cell:
    """One check. `section` and `row` place it in the document; `check` tells apart the checks of one row."""

    section: str
    row: str
    check: str = ""

    @property
    def id(self) -> str:
        return "/".join(part for part in (self.section, self.row, self.check) if part)


def traffic_row(kind: Kind, inner: str, direction: str) -> str:
    arrow = {"out": "ours to kernel", "in": "kernel to ours"}[direction]
    return f"{kind.encapsulation} over {kind.outer}, {inner} inside, {kind.name}, {arrow}"


def traffic(kind: Kind) -> Iterator[Cell]:
    for inner in kind.inner:
        for direction in ("out", "in"):
            for offload in CHECKS:
                yield from one_way(kind, inner, direction, offload)
        yield Cell("unencapsulated", unencapsulated_row(kind, inner))


def one_way(kind: Kind, inner: str, direction: str, offload: str) -> Iterator[Cell]:
    row = traffic_row(kind, inner, direction)
    for what in CHECKS[offload]:
        yield Cell("traffic", row, f"{what}, {offload} segmentation")


def unencapsulated_row(kind: Kind, inner: str) -> str:
    return f"{kind.encapsulation} over {kind.outer}, {inner} inside, {kind.name}: nothing left unencapsulated"


def negatives(kind: Kind, baseline: bool = False) -> Iterator[Cell]:
    for inner in kind.inner:
        if kind.keyed:
            yield refusal(kind, inner, "wrong key to the kernel")
            yield refusal(kind, inner, "wrong key to us")
        if not (baseline and kind.encapsulation == "vxlan"):  # a vxlan device takes its VNI from anybody
            yield refusal(kind, inner, "unlisted source to us")
        if kind.limited and not baseline:  # the kernel takes more than this one form
            yield refusal(kind, inner, "other options to us")


def refusal(kind: Kind, inner: str, what: str) -> Cell:
    key = "VNI" if kind.encapsulation in FRAMED else "key"
    return Cell(
        "refused", f"{kind.encapsulation} over {kind.outer}, {inner} inside, {kind.name}: {what.replace('key', key)}"
    )


def without(kind: Kind) -> Iterator[Cell]:
    """Without our program nothing arrives, before `apply` and after `remove`."""
    for inner in kind.inner:
        yield absent(kind, inner, "before apply")
    if kind is first_of(kind.encapsulation, kind.outer):
        for inner in kind.inner:
            yield absent(kind, inner, "after remove")


def absent(kind: Kind, inner: str, when: str) -> Cell:
    return Cell("absent", f"{kind.encapsulation} over {kind.outer}, {inner} inside, {kind.name}: nothing {when}")


def first_of(encapsulation: str, outer: str) -> Kind:
    return next(kind for kind in KINDS if (kind.encapsulation, kind.outer) == (encapsulation, outer))


def our_side(encapsulation: str) -> Iterator[Cell]:
    yield Cell("ours", encapsulation, "apply")
    yield Cell("ours", encapsulation, "remove leaves nothing")


def many(section: str, row: str, segments: bool = True) -> Iterator[Cell]:
    """Traffic of every sort, from one side to the other."""
    for offload, checks in CHECKS.items():
        for what in checks:
            if segments or what != "UDP_SEGMENT":
                yield Cell(section, row, f"{what}, {offload} segmentation")


def device_kinds(scenario: str) -> list[Kind]:
    """The peer's device over each outer family, as it is made by default for both inner ones."""
    found = [k for k in KINDS if k.encapsulation == DEVICES[scenario] and k.inner == BOTH and not k.limited]
    return [kind for kind in found if kind is first_of(kind.encapsulation, kind.outer)]


def vlan_row(kind: Kind, inner: str, direction: str) -> str:
    return f"VLAN device and its parent, {traffic_row(kind, inner, direction)}"


def vlan(kind: Kind, inner: str, direction: str) -> list[Cell]:
    """Out, the packet is encapsulated once. In, UDP_SEGMENT is left to the cells without a VLAN."""
    row = vlan_row(kind, inner, direction)
    once = [Cell("devices", row, "once")] if direction == "out" else []
    return [*once, *many("devices", row, segments=direction == "out")]


ENDS = {"peer": "behind the router", "second": "on the link"}


def route_row(kind: Kind, inner: str, end: str) -> str:
    return f"next_hop route to an end {ENDS[end]}, {kind.encapsulation} over {kind.outer}, {inner} inside"


def route(kind: Kind, inner: str, end: str) -> list[Cell]:
    row = route_row(kind, inner, end)
    return [Cell("devices", row, "its own neighbour"), *many("devices", row)]


def kept(kind: Kind, inner: str) -> Cell:
    """The same inner route without `next_hop: route`: it is the neighbour of another, and nothing arrives."""
    row = f"next_hop keep to an end {ENDS['peer']}, {kind.encapsulation} over {kind.outer}, {inner} inside"
    return Cell("devices", row + ": lost by the other's route")


def devices(scenario: str) -> Iterator[Cell]:
    yield from our_side(scenario)
    for kind in device_kinds(scenario):
        for inner in kind.inner:
            if scenario == "vlan":
                for direction in ("out", "in"):
                    yield from vlan(kind, inner, direction)
            else:
                yield kept(kind, inner)
                for end in ENDS:
                    yield from route(kind, inner, end)


def example(name: str) -> Iterator[Cell]:
    for check in ("apply", "status", "remove leaves nothing"):
        yield Cell("examples", name, check)


def expected(
    encapsulations: Sequence[str], examples: Sequence[str], baseline: bool, scenarios: Sequence[str] = ()
) -> list[Cell]:
    """Every cell of one kernel."""
    cells: list[Cell] = [cell for name in examples for cell in example(name)]
    cells += [cell for name in scenarios for cell in devices(name)]
    for encapsulation in encapsulations:
        cells += our_side(encapsulation)
        for kind in KINDS:
            if kind.encapsulation == encapsulation:
                cells += [*traffic(kind), *negatives(kind, baseline), *without(kind)]
    return cells
