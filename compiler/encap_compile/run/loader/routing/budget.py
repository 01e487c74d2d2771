"""The MTU budget: what the attached devices take, what headers add, and what the routes of inner packets allow now.

Every number that decides whether a packet fits is here, for `plan` to show.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ....common.manifest import Manifest
from ....common.record import Record
from ...kernel.devices import Device


class Headers(Record):
    """What a layout of outer headers adds to a packet.

    `least` is less than `overhead` where a part has variable length. `sent` says whether any rule sends it; what is
    only received matters for the size of answers. `used` is False if no row can take it now.
    """

    encapsulation: str
    outer: str  # ipv4 or ipv6
    overhead: int
    least: int
    sent: bool
    used: bool = True


class DeviceBudget(Record):
    """An attached device. `over` is the device that carries its packets, as that of a VLAN, with its MTU."""

    name: str
    mtu: int
    over: str = ""
    over_mtu: int = 0


class RouteBudget(Record):
    """A route of inner packets that rules encapsulate.

    `mtu` is the route's own, 0 if it has none; `allows` is what the kernel takes as its MTU: the route's own, or the
    device's. `fits` is what the attached device `device` and the path take, less the headers. `seen_by` names every
    attached device that the packets pass.
    """

    destination: str
    device: str
    mtu: int
    allows: int
    fits: int
    version: int
    seen_by: tuple[str, ...] = ()

    @property
    def over(self) -> int:
        """How many bytes too many a packet can have; 0 or less: it fits."""
        return self.allows - self.fits


class Path(Record):
    """A route to tunnel endpoints that says with its MTU what the path takes."""

    mtu: int
    destination: str


class Budget(Record):
    """`routes` are in the order in which rules and rows name them, those that allow too much first.

    `paths` has the number of tunnel endpoints that each route leads to. `route_device` is the device that inner packets
    are routed to, with the MTU that it has or gets: all of it fits.
    """

    devices: tuple[DeviceBudget, ...]
    headers: tuple[Headers, ...]
    routes: tuple[RouteBudget, ...]
    paths: Mapping[Path, int]
    route_device: DeviceBudget | None = None

    def leaves(self, device: DeviceBudget, headers: Headers) -> int:
        """The largest inner packet that fits a device with these headers."""
        return device.mtu - headers.overhead


def budget(
    manifest: Manifest,
    devices: Iterable[tuple[Device, Device | None]],
    used: Iterable[str],
    routes: Sequence[RouteBudget],
    paths: Mapping[Path, int],
) -> Budget | None:
    """The budget of a bundle; None if it has no headers.

    `devices` are the attached ones, each with the one that carries its packets; `used` names the stacks that rules and
    rows can take now.
    """
    if not manifest.stacks:
        return None
    by_rules = {name for reply in manifest.replies for name in reply.stacks}
    ways = {rule.table for rule in manifest.rules if rule.direction == "egress"}
    ways |= {name for rule in manifest.rules for name in rule.more_tables}
    by_rules |= {stack.name for table in manifest.tables if table.name in ways for stack in table.stacks}
    taken = set(used)
    headers = tuple(
        Headers(
            s.encapsulation,
            s.outer_family,
            s.overhead,
            s.least_overhead or s.overhead,
            s.name in by_rules,
            s.name in taken or s.name not in by_rules,
        )
        for s in manifest.stacks
    )
    found = tuple(
        DeviceBudget(device.name, device.mtu, lower.name if lower else "", lower.mtu if lower else 0)
        for device, lower in devices
    )
    inner = None
    if manifest.route_device is not None and found:
        mtu = min(device.mtu for device in found) - manifest.route_device.overhead
        inner = DeviceBudget(manifest.route_device.name, mtu)
    return Budget(found, headers, tuple(sorted(routes, key=lambda route: route.over <= 0)), paths, inner)
