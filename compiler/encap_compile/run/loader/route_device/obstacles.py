"""What keeps packets from the route device, or from coming back: warnings of `plan`, which changes none of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from ....common.diagnostics import Findings
from ....common.manifest import Manifest
from ...host_values import Machine
from ...kernel.sysctls import read_sysctl
from ...kernel.table_routes import MAIN, PREFERENCE, entries, rules_before
from .decide import Wanted
from .prefixes import within

MOST_NAMED = 5
_STRICT = 1
_NETWORKD = Path("/run/systemd/netif/state")  # is there while systemd-networkd runs
_NETWORKD_SETTINGS = ("/etc/systemd/networkd.conf", "/etc/systemd/networkd.conf.d", "/run/systemd/networkd.conf.d")
_FOREIGN = ("ManageForeignRoutes", "ManageForeignRoutingPolicyRules")


def check_obstacles(manifest: Manifest, wanted: Wanted, machine: Machine, findings: Findings) -> None:
    """H196 to H199. Raises KernelError."""
    _reverse_paths(manifest, wanted, machine, findings)
    _earlier_rules(wanted, findings)
    _covered(wanted, findings)
    _managers(wanted, findings)


def _reverse_paths(manifest: Manifest, wanted: Wanted, machine: Machine, findings: Findings) -> None:
    decapsulates = any(r.direction == "ingress" and r.action == "decapsulate" for r in manifest.rules)
    if not decapsulates or 4 not in wanted.routing.versions:
        return
    for device in machine.attached:
        values = (read_sysctl(f"net/ipv4/conf/{name}/rp_filter") or "0" for name in ("all", device.name))
        if max(map(int, values)) == _STRICT:
            words = f"strict rp_filter on {device.name}: what is decapsulated there is dropped, since its answers are "
            words += f"routed to {wanted.name}"
            findings.warning("H196", words, help=f"sysctl -w net/ipv4/conf/{device.name}/rp_filter=2")


def _earlier_rules(wanted: Wanted, findings: Findings) -> None:
    earlier = dict.fromkeys(
        f"{preference}: table {table}"
        for version in sorted(wanted.routing.versions)
        for preference, table in rules_before(version)
        if table != wanted.table
    )
    if earlier:
        words = f"routing rules are asked before those to {wanted.name}: {_listed(earlier)}"
        findings.warning("H197", words, help=f"give them a preference above {PREFERENCE}")


def _covered(wanted: Wanted, findings: Findings) -> None:
    """Routes of the main table that are more specific than ours. Those that ours leave alone are none."""
    routing = wanted.asked
    left = {*routing.thrown, *routing.routed}
    wide = [n for n in routing.routed if n.prefixlen]  # beside a default route, everything is
    inside = within((entry.network for entry in entries(MAIN)), wide) if wide else []
    thrown = {*within(inside, routing.thrown)}
    found = sorted({*inside} - left - thrown, key=str)
    if found:
        named = _listed(map(str, found))
        words = f"packets to {named} are routed to {wanted.name}, though the main table has more specific routes"
        fix = "if they are not to be encapsulated, let a rule before pass them; if they are, only its source is used"
        findings.warning("H198", words, help=fix)


def _managers(wanted: Wanted, findings: Findings) -> None:
    if not _NETWORKD.exists():
        return
    told = _settings(_NETWORKD_SETTINGS)
    missing = [name for name in _FOREIGN if told.get(name, "").lower() not in ("no", "false", "off", "0")]
    if missing:
        words = f"systemd-networkd runs and removes the routes to {wanted.name} when it starts: {', '.join(missing)}"
        findings.warning("H199", words, help="`encapctl unit --managers /etc` writes what keeps them")


def _settings(places: Iterable[str]) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for place in map(Path, places):
        files = sorted(place.glob("*.conf")) if place.is_dir() else [place] if place.is_file() else []
        for file in files:
            for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
                name, equals, value = line.partition("=")
                if equals and not line.lstrip().startswith(("#", ";")):
                    found[name.strip()] = value.strip()
    return found


def _listed(things: Iterable[str]) -> str:
    every = list(things)
    more = f" and {len(every) - MOST_NAMED} more" if len(every) > MOST_NAMED else ""
    return ", ".join(every[:MOST_NAMED]) + more
