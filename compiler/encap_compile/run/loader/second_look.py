"""Whether what was meant is in force, by a look of its own after everything was done.

Between attaching and the end, another agent may take a filter off, somebody may unpin or detach a link, and a device
may go. "Done" is said of what can be seen, not of what was called.
"""

from __future__ import annotations

from ...common.diagnostics import Diagnostic
from ..kernel.hooks.base import CGROUP_POINTS, Hook
from .compose import Instance
from .desired import Desired
from .observe import Observed
from .state import cgroup_name

_HELP = "something else changes the same hooks, pins or devices: find it, then apply again"


def confirm(desired: Desired, seen: Observed) -> list[Diagnostic]:
    """What is not in force: K210 for hooks, K211 for pins and state."""
    running = {(r.hook, r.kind): r for r in seen.running}
    found = []
    for instance, _, hook in desired.hooks():
        if _gone(desired, instance, hook):
            continue
        on = cgroup_name(instance.target.name) if hook.point in CGROUP_POINTS else instance.target.name
        kind = desired.kind(hook).name
        here = running.get((hook, kind))
        if here is None:
            words = f"{on} {hook.point.word}: our program was attached ({kind}), and is not there"
            found.append(Diagnostic("K210", words, help=_HELP))
        elif here.host != instance.host:
            words = f"{on} {hook.point.word}: another program is there ({kind}) than was attached"
            found.append(Diagnostic("K210", words, help=_HELP))
    for name, layout in desired.layouts.items():
        if seen.in_force(name, layout) is None:
            words = f"map {name}: it was pinned below {desired.paths.maps}, and is not there"
            found.append(Diagnostic("K211", words, help=_HELP))
    applied = seen.state.manifest if seen.state else None
    if applied is None or applied.identity != desired.manifest.identity:
        words = f"what was applied was written below {desired.paths.state}, and is not there"
        found.append(Diagnostic("K211", words, help=_HELP))
    return found


def _gone(desired: Desired, instance: Instance, hook: Hook) -> bool:
    """A cgroup may go at any time, and is then pending."""
    if hook.point not in CGROUP_POINTS or desired.cgroups is None:
        return False
    return desired.cgroups.now().get(instance.target.name) != hook.target
