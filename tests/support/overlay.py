"""The VXLAN overlay of examples/vxlan-overlay.yaml on the test network: `ours` by a compiled program, the other hosts
by the kernel's own vxlan device."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from . import cli, kernel_vxlan
from .topology import PLAN, Topology

VNI = 42
EXAMPLE = cli.ROOT / "examples" / "vxlan-overlay.yaml"
ROWS = EXAMPLE.with_name("vxlan-overlay-sites.csv")


@dataclass(frozen=True)
class Site:
    """A row of the example's table of sites."""

    name: str
    destination: str
    address: str
    mac: str
    vni: int = VNI


def sites(outer: int, roles: Iterable[str] = ("far", "near")) -> list[Site]:
    """Rows that reach hosts of the test network over an underlay of IP version `outer`, for both inner families."""
    return [
        Site(
            f"{role}-{inner}",
            PLAN[role].prefix[inner],
            str(PLAN[role].underlay[outer]),
            kernel_vxlan.OVERLAY_MACS[role],
        )
        for role in roles
        for inner in (4, 6)
    ]


def write_rows(folder: Path, rows: Iterable[Site]) -> Path:
    """The rows as a file for `encapctl apply --rows sites=FILE`."""
    path = folder / ROWS.name
    lines = [f"{row.name},{row.destination},{row.address},{row.mac},{row.vni}\n" for row in rows]
    path.write_text("name,destination,address,mac,vni\n" + "".join(lines))
    return path


def edited_example(folder: Path, *edits: tuple[str, str]) -> Path:
    """The example with pieces of its text replaced: each (old, new) must occur exactly once."""
    text = EXAMPLE.read_text()
    for old, new in edits:
        if text.count(old) != 1:
            raise ValueError(f"{EXAMPLE.name} has {old!r} {text.count(old)} times")
        text = text.replace(old, new)
    (folder / ROWS.name).write_bytes(ROWS.read_bytes())
    spec = folder / EXAMPLE.name
    spec.write_text(text)
    return spec


NEXT_HOP_ROUTE = ("egress:\n", "egress:\n  next_hop: route\n")
ANY_DEVICES = (("uplink: device\n", "uplink: devices\n"), ("[host.uplink]", "host.uplink"))

ROUTE_DEVICE = ("attach: {devices: [host.uplink]}", "attach: {devices: [host.uplink], route_device: {name: encap0}}")


def pass_to_ours(*versions: int) -> tuple[str, str]:
    """What is behind this machine lies within what is routed to the device: it passes."""
    prefixes = ", ".join(f'"{PLAN["ours"].prefix[version]}"' for version in versions)
    rule = f"    - {{name: here, match: {{destination: [{prefixes}]}}, action: pass}}\n"
    return "  rules:\n    - {name: web", f"  rules:\n{rule}    - {{name: web"


class Overlay:
    """Sets up everything but the program on `ours`: load one with `apply`.

    With `through_router` the inner routes of `ours` lead to the router for every host, as a default route does;
    otherwise each leads to the tunnel endpoint itself or to the router before it.
    """

    def __init__(
        self, topology: Topology, outer: int, vni: int = VNI, through_router: bool = False, device: str = "eth0"
    ) -> None:
        self.topology = topology
        self.outer = outer
        self.bundle: Path | None = None
        self._rows = tempfile.TemporaryDirectory(prefix="encap-rows-")
        topology.overlay_on_loopback("ours")
        for role in ("far", "near"):
            kernel_vxlan.add_device(topology, role, vni, outer)
            kernel_vxlan.add_peer(topology, role, "ours", topology.mac("ours"), outer)
            direct = role == "near" and not through_router
            topology.route_overlay("ours", role, direct, 1500 - kernel_vxlan.OVERHEAD[outer], device)

    def apply(self, bundle: Path, *options: str, rows: Iterable[Site] | None = None, **host_values: str) -> str:
        """Load a bundle on `ours` with rows for this network; returns what encapctl said."""
        path = write_rows(Path(self._rows.name), sites(self.outer) if rows is None else rows)
        values = {"vtep_mac": self.topology.mac("ours")} | (host_values or {"uplink": "eth0"})
        said = cli.apply(self.topology.ours, bundle, "--rows", f"sites={path}", *options, **values)
        self.bundle = bundle
        return said

    def remove(self) -> None:
        assert self.bundle is not None, "nothing was applied"
        cli.remove(self.topology.ours, self.bundle)
        self.bundle = None

    def counters(self) -> Counter[str]:
        """Packets by counter name."""
        assert self.bundle is not None, "nothing was applied"
        return Counter({row["name"]: row["packets"] for row in cli.stats(self.topology.ours, self.bundle)})

    @contextmanager
    def counting(self) -> Iterator[Counter[str]]:
        """What was counted within the block; filled when the block ends. A name that is not a counter is an error."""
        before = self.counters()
        counted = _Known()
        yield counted
        after = self.counters()
        counted.update({name: after[name] - before[name] for name in after})


class _Known(Counter[str]):
    """A misspelt counter must not read as 0."""

    def __missing__(self, name: str) -> int:
        raise LookupError(f"no counter {name}; there are {', '.join(self)}")
