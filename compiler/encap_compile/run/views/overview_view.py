"""All bundles of a machine as text, a line each, and as JSON."""

from __future__ import annotations

import os
import time
from typing import Any

from ..kernel.system import kernel_release
from ..overview import Overview
from ..status import Status
from . import FORMAT_VERSION, counted
from .status_view import status_document

MOST_DRIFT = 3  # sentences named for each bundle


def overview_text(found: Overview) -> str:
    """A line for each bundle with what it is attached to and whether it is as it was applied."""
    here = f"{os.uname().nodename}, kernel {kernel_release()}"
    count = counted(len(found.bundles), "bundle")
    lines = [f"{count} in this network namespace, {here}"]
    width = max((len(s.name) for s in found.bundles), default=0)
    for each in found.bundles:
        lines.append(f"  {each.name:<{width}}  {_identity(each)}  {_health(each)}  {_places(each)}")
        lines += [f"  {'':<{width}}  DRIFT  {text}" for text in each.drift[:MOST_DRIFT]]
        more = len(each.drift) - MOST_DRIFT
        if more > 0:
            lines.append(f"  {'':<{width}}  DRIFT  and {more} more: encapctl status {each.name}")
    for absent in found.missing:
        closed = "; its prefixes have no route until then" if absent.closed else ""
        lines.append(f"  {absent.name:<{width}}  not applied, but this machine boots with it{closed}")
    for other in found.elsewhere:
        lines.append(f"  in network namespace {other.namespace}: {', '.join(other.bundles)}")
    return "\n".join(lines) + "\n"


def overview_document(found: Overview) -> dict[str, Any]:
    """The same for programs; each bundle as `status NAME` has it."""
    return {
        "format_version": FORMAT_VERSION,
        "kernel": kernel_release(),
        "drift": found.drift,
        "bundles": [status_document(each) for each in found.bundles],
        "missing": [{"name": m.name, "closed": m.closed} for m in found.missing],
        "elsewhere": [{"network_namespace": e.namespace, "bundles": list(e.bundles)} for e in found.elsewhere],
    }


def _identity(each: Status) -> str:
    return each.manifest.identity[:8] if each.manifest else "no state"


def _health(each: Status) -> str:
    if each.drift:
        return f"{counted(len(each.drift), 'drift')}"
    if each.state is None:
        return "ok"
    return "ok since " + time.strftime("%Y-%m-%d %H:%M", time.localtime(each.state.applied_at))


def _places(each: Status) -> str:
    places = dict.fromkeys(h.on for h in each.hooks if h.running is not None)
    return f"on {', '.join(places)}" if places else "attached to nothing"
