"""Every bundle of the repository: does it load on this kernel, and leave without a trace?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ..cells import example
from . import plan
from .encapctl import encapctl
from .leftovers import Snapshot, leftovers, snapshot
from .ours import DEVICE
from .results import Results
from .traffic import FailedError

# A host value without a default gets one that fits its type; any will do, as no packet is sent.
_VALUES = {
    "device": DEVICE,
    "devices": DEVICE,
    "ip": plan.HOSTS["ours"].outer["ipv4"],
    "ipv4": plan.HOSTS["ours"].outer["ipv4"],
    "ipv6": plan.HOSTS["ours"].outer["ipv6"],
    "mac": plan.PEER_MAC,
}


def run(bundle: Path, results: Results) -> None:
    applied, shown, removed = example(bundle.name)
    manifest = json.loads((bundle / "manifest.json").read_text())
    before = snapshot("ours", DEVICE)
    if not results.check(applied, lambda: _succeeds("apply", str(bundle), *_settings(manifest))):
        results.fail(shown, "apply failed")
    else:
        results.check(shown, lambda: _succeeds("status", manifest["name"]))
    results.check(removed, lambda: _removed(manifest["name"], before))


def _settings(manifest: dict[str, Any]) -> list[str]:
    without_default = [value for value in manifest["host"] if not value["default"]]
    chosen = [f"{value['name']}={_VALUES.get(value['type'], '1')}" for value in without_default]
    return [word for setting in chosen for word in ("--set", setting)]


def _succeeds(*arguments: str) -> None:
    ran = encapctl("ours", *arguments)
    if ran.code:
        raise FailedError(str(ran))


def _removed(name: str, before: Snapshot) -> None:
    _succeeds("remove", name)
    if left := leftovers(before, "ours", DEVICE):
        raise FailedError(f"remove left {len(left)} things: {'; '.join(left)}")
