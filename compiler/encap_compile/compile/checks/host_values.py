"""Host values: what they come from, and where programs attach."""

from __future__ import annotations

from ...common.diagnostics import Findings
from ...common.suggest import did_you_mean
from ..spec import Spec

DEVICES = ("device", "devices")
ATTRIBUTES = {
    "address": ("ip", "ipv4", "ipv6"),
    "mac": ("mac",),
    "mtu": ("u16", "u24", "u32"),
    "ifindex": ("u32",),
}


def check(spec: Spec, findings: Findings) -> None:
    """E301 unknown, E308 attached twice, E331 a list of devices in a list, E332 of the wrong type."""
    for value in spec.host.values():
        if value.default is None:
            continue
        device, attribute = value.default
        if value.type in DEVICES:
            findings.error("E332", f"a {value.type} has no default", value.default_place, "each machine names its own")
        elif device not in spec.host:
            help = did_you_mean(device, [h.name for h in spec.host.values() if h.type in DEVICES])
            findings.error("E301", f"there is no host value `{device}`", value.default_place, help)
        elif spec.host[device].type not in DEVICES:
            words = f"`{device}` is of type {spec.host[device].type}, and only a device has attributes"
            findings.error("E332", words, value.default_place, f"declare `{device}: device`, or name another")
        elif value.type not in ATTRIBUTES[attribute]:
            words = f"`{device}.{attribute}` does not fit type {value.type}"
            help = f"it fits {', '.join(ATTRIBUTES[attribute])}"
            findings.error("E332", words, value.default_place, help)
    _attached(spec, findings)


def _attached(spec: Spec, findings: Findings) -> None:
    seen = set()
    devices = [h.name for h in spec.host.values() if h.type in DEVICES]
    for reference in spec.attach:
        name = reference.path[0]
        if name not in spec.host:
            help = did_you_mean(name, devices, f"declare it: `host: {{{name}: device}}`")
            findings.error("E301", f"there is no host value `{name}`", reference.place, help)
            continue
        kind = spec.host[name].type
        if kind not in DEVICES:
            words = f"`host.{name}` is of type {kind}, and programs attach to devices"
            findings.error("E332", words, reference.place, f"one of type device: {', '.join(devices) or 'none yet'}")
        elif kind == "devices" and len(spec.attach) > 1:
            words = f"`host.{name}` is several devices already, so it cannot be one of a list"
            findings.error("E331", words, reference.place, f"write `attach: {{devices: host.{name}}}`")
        if name in seen:
            findings.error("E308", f"`host.{name}` is in the list twice", reference.place, "keep one of them")
        seen.add(name)
