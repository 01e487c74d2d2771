"""Where what rules encapsulate is kept from devices that are not attached: which cgroups, on which kernels."""

from __future__ import annotations

import pytest

from encap_compile.compile.description import describe
from encap_compile.compile.frontend.load import parse_spec
from encap_compile.compile.lower.program import lower
from encap_compile.compile.resolved import resolve

SPEC = """
apiVersion: encap/v1alpha1
name: guarded
kernel: "KERNEL"
host: {uplink: device, address: {type: ip, default: uplink.address}}
attach: {devices: [host.uplink], cgroup: /}
encapsulations:
  ipip: [{ip: {source: host.address, destination: endpoint.address}}]
endpoints:
  exits: {fields: {address: ip}, encapsulation: ipip, rows: [{name: fra, address: 192.0.2.1}]}
egress:
  unattached: UNATTACHED
  rules:
RULES
    - {name: rest, match: {destination: 10.0.0.0/8}, to: exits/fra}
  default: pass
"""


def hooked(rules: str, kernel: str = "5.10", unattached: str = "drop") -> dict[str, set[str]]:
    """The hooks of this kind, by the cgroup's path."""
    lines = "\n".join(f"    - {{name: r{i}, {rule}}}" for i, rule in enumerate(rules.split(" | ")))
    text = SPEC.replace("RULES", lines).replace("KERNEL", kernel).replace("UNATTACHED", unattached)
    resolved = resolve(parse_spec(text.encode(), "guarded.yaml"))
    found = describe(resolved, lower(resolved, "0")).manifest
    ours = {"cgroup_create", "cgroup_unattached"}
    assert {p.hook for p in found.programs} & ours == {h for c in found.cgroups for h in c.hooks} & ours
    return {c.path: {h.partition("_")[2] for h in c.hooks if h in ours} for c in found.cgroups}


BOTH, NONE = {"create", "unattached"}, set[str]()


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ("match: {cgroup: [a, a/b, ab]}, socket: [exits]", {"a": BOTH, "a/b": NONE, "ab": BOTH}),
        ("match: {cgroup: a/b}, to: exits/fra | match: {cgroup: a}, socket: [exits]", {"a/b": NONE, "a": BOTH}),
        ("match: {cgroup: a}, to: exits/fra | socket: [exits]", {"a": NONE, "": BOTH}),
        ("match: {cgroup: a}, action: pass | match: {cgroup: b}, socket: [exits]", {"a": NONE, "b": BOTH}),
        ("match: {cgroup: a}, action: drop", {"a": NONE}),
    ],
)
def test_outermost_cgroups_whose_packets_may_be_encapsulated(rules: str, expected: dict[str, set[str]]) -> None:
    assert hooked(rules) == expected
    assert hooked(rules, unattached="pass") == dict.fromkeys(expected, NONE)


def test_sockets_are_marked_for_kernels_before_6_13() -> None:
    assert hooked("socket: [exits]", kernel="6.12") == {"": BOTH}
    assert hooked("socket: [exits]", kernel="6.13") == {"": {"unattached"}}
