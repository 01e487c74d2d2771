"""What `plan` proves about routes: packets reach the hook, fit when they are encapsulated, and leave to the right
neighbour.

One room for each question: `reachability` (H112), `mtu` (H111, H119), `nexthop` (H113), `attached` (the devices
themselves), `unreached_rows` (H129). They ask `network`, which asks the kernel, by intervals of the routing table
(`table`). What is asked for is what rules can reach: the prefixes that they name, and their rows (`reach`, `pairs`).
"""

from __future__ import annotations

from dataclasses import replace

from ....common.diagnostics import Severity
from ....common.manifest import Manifest
from ...kernel.devices import devices
from ...kernel.errors import KernelError
from ...kernel.routes import RoutingRule
from ..deployment import Deployment
from .device_states import Attachment
from .mtu import Fits
from .network import Network
from .nexthop import NextHops
from .pairs import Placed, place
from .reach import VERSIONS, Target, targets
from .reachability import Reachability
from .report import RouteReport, listed
from .table import MOST_INTERVALS, routing_table
from .tunnel_endpoints import TunnelEndpoints
from .unreached_rows import check_unreached_rows

__all__ = ["RouteReport", "check_routes", "routes_after"]


def routes_after(desired: Deployment) -> RouteReport:
    """The same for what has just been applied: errors, and that the routes cannot be read (H128), are warnings then."""
    try:
        report = check_routes(desired)
        report.diagnostics = [
            d._replace(severity=Severity.WARNING) if d.severity is Severity.ERROR else d for d in report.diagnostics
        ]
        return report
    except KernelError as error:
        report = RouteReport()
        words = f"what was asked for is done, but the routes could not be checked: {error}"
        report.warn("H128", words, "`encapctl plan` checks them again")
        return report


def check_routes(desired: Deployment) -> RouteReport:
    """Check the routes as they are now. Raises KernelError."""
    manifest, report = desired.manifest, RouteReport()
    attachment = Attachment(desired.machine.attached, devices().values())
    found = {version: routing_table(version) for version in VERSIONS}
    network = Network(attachment, {v: table for v, (table, _) in found.items()})
    attachment.check(report)
    reachability, fits = Reachability(network, report), Fits(network, manifest, report)
    next_hops = NextHops(network, manifest.next_hop == "keep", report)
    everything = targets(manifest, desired.wanted.rows)
    reached = _at_attached_devices(manifest, everything)
    reachability.check({r.name: r for t in reached for r in t.rules}.values())
    for target in everything:
        check_unreached_rows(target, report)
        if manifest.route_device is not None:
            column = target.endpoints()
            fits.uses(target, TunnelEndpoints(column, network.tables) if column is not None else None)
    for target in reached:
        placed: list[Placed] = place(target, network.tables) if target.by_destination else []
        column = target.endpoints()
        endpoints = TunnelEndpoints(column, network.tables) if column is not None else None
        if column is not None and endpoints is not None:
            next_hops.check(target, placed, column, endpoints)
        fits.check(target, placed, endpoints)
        reachability.check_rows(target, placed)
    reachability.finish()
    fits.finish()
    next_hops.finish()
    attachment.check_over(network.used(), report)
    _say_unchecked(network, [rule for _, rules in found.values() for rule in rules], report)
    report.total = report.pairs
    return report


def _at_attached_devices(manifest: Manifest, reached: list[Target]) -> list[Target]:
    """Without rules whose packets are routed to the route device: its own routes lead them there, at its own MTU."""
    routed = {r.rule for r in manifest.route_device.routes} if manifest.route_device is not None else set()
    left = ((t, tuple(r for r in t.rules if r.name not in routed)) for t in reached)
    return [replace(target, rules=rules) for target, rules in left if rules]


def _say_unchecked(network: Network, rules: list[RoutingRule], report: RouteReport) -> None:
    """H127: what other packets than those that were asked for may meet."""
    selective = dict.fromkeys(f"{r.priority}: {' '.join(r.selects)}" for r in rules if r.selects)
    if selective:
        words = "routes are checked as for packets of this machine without a source address and a mark; what these "
        words += f"routing rules send elsewhere is not checked: {listed(list(selective))}"
        report.note("H127", words, "`ip rule` shows them all")
    beyond = sum(len(table.beyond) for table in network.tables.values())
    if beyond:
        words = f"{beyond} parts of the routing tables were not looked at: {MOST_INTERVALS} of each family are"
        report.note("H127", words, "rules and rows with fewer destinations leave fewer routes to look at")
