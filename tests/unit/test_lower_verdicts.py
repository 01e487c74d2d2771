"""What becomes of a packet that an egress rule finds no row for, and what the guard for other devices makes of it."""

from __future__ import annotations

import pytest

from encap_compile.compile import ir
from encap_compile.compile.frontend.load import parse_spec
from encap_compile.compile.lower.guard import lower_guard
from encap_compile.compile.lower.program import lower
from encap_compile.compile.resolved import resolve

SPEC = """
apiVersion: encap/v1alpha1
name: verdicts
kernel: "5.10"
host: {uplink: device, address: {type: ip, default: uplink.address}}
attach: {devices: [host.uplink], cgroup: /}
encapsulations: {e: [{ip: {source: host.address, destination: endpoint.to}}]}
endpoints:
  near: {key: destination, fields: {to: ip}, encapsulation: e, rows: [{destination: 10.0.0.0/8, to: 192.0.2.1}]}
  ports: {key: destination_port, fields: {to: ip}, encapsulation: e, rows: [{destination_port: 53, to: 192.0.2.1}]}
  named: {fields: {to: ip}, encapsulation: e, rows: [{name: one, to: 192.0.2.1}]}
egress:
  rules:
RULES
    - {name: asks, match: {cgroup: a}, to: named/one}
  default: DEFAULT
"""
PASS, KEPT, DROP, NEXT = ir.Verdict.PASS, ir.Verdict.PASS_UNLESS_KEPT, ir.Verdict.DROP, ir.Verdict.NEXT


def program(*rules: str, default: str = "pass") -> ir.Program:
    lines = "\n".join(f"    - {{name: r{i}, {rule}}}" for i, rule in enumerate(rules))
    text = SPEC.replace("RULES", lines).replace("DEFAULT", default)
    return lower(resolve(parse_spec(text.encode(), "verdicts.yaml")), "0").program


def look_up(rule: ir.EgressRule) -> ir.LookUp:
    (step,) = rule.steps
    assert isinstance(step, ir.LookUp)
    return step


DNS = "match: {protocol: udp, destination_port: 53}"


@pytest.mark.parametrize(
    ("rule", "skips_lost", "shown", "hidden", "keeps"),
    [
        ("match: {destination: 10.0.0.0/8}, to: near", False, DROP, DROP, False),
        ("match: {destination: 10.0.0.0/8}, to: near, on_miss: next", False, NEXT, NEXT, False),
        ("match: {destination: 10.0.0.0/8}, to: near, on_miss: pass", False, PASS, PASS, False),
        (f"{DNS}, to: near", True, DROP, DROP, False),
        (f"{DNS}, to: near, on_miss: next", True, NEXT, NEXT, True),
        (f"{DNS}, to: near, on_miss: pass", True, PASS, NEXT, True),
        ("match: {protocol: udp}, to: ports, on_miss: next", True, NEXT, DROP, False),
        ("match: {protocol: udp}, to: ports, on_miss: pass", True, PASS, DROP, False),
        (f"{DNS}, socket: [named], on_miss: next", False, NEXT, NEXT, False),
        (f"{DNS}, socket: [named], on_miss: pass", False, PASS, NEXT, False),
    ],
)
def test_a_miss(rule: str, skips_lost: bool, shown: ir.Verdict, hidden: ir.Verdict, keeps: bool) -> None:
    found = look_up(program(rule).egress.rules[0])
    assert found.skips_lost is skips_lost
    assert found.miss == ir.Miss("egress_miss_r0", shown, hidden, keeps)


PASSES = "match: {destination: 172.16.0.0/12}, action: pass"
MAY_PASS = "match: {destination: 172.16.0.0/12}, to: near, on_miss: pass"


@pytest.mark.parametrize(
    ("rules", "default", "keeps", "passing"),
    [
        ((f"{DNS}, to: near, on_miss: next", PASSES), "pass", True, KEPT),
        ((f"{DNS}, to: near, on_miss: next", PASSES), "drop", True, KEPT),
        ((f"{DNS}, to: near, on_miss: next", MAY_PASS), "drop", True, KEPT),
        ((f"{DNS}, to: near, on_miss: drop", MAY_PASS), "pass", False, PASS),
        # Nothing behind it lets a packet pass.
        ((PASSES, f"{DNS}, to: near, on_miss: next"), "drop", False, PASS),
        ((PASSES, f"{DNS}, to: near, on_miss: next"), "pass", True, PASS),
    ],
)
def test_what_is_kept_from_passing(rules: tuple[str, ...], default: str, keeps: bool, passing: ir.Verdict) -> None:
    egress = program(*rules, default=default).egress
    misses = [s.miss for rule in egress.rules for s in rule.steps if isinstance(s, ir.LookUp)]
    assert any(miss.keeps for miss in misses) is keeps
    one = egress.rules[rules.index(PASSES if PASSES in rules else MAY_PASS)]
    assert passing is (look_up(one).miss.shown if one.steps else one.ending.verdict)
    expected = DROP if default == "drop" else KEPT if keeps else PASS
    assert egress.default.ending == ir.Ending(expected, "egress_default")


@pytest.mark.parametrize(
    ("rule", "shown", "hidden"),
    [
        (f"{DNS}, to: near", DROP, DROP),  # dropped for want of its row, on whatever device
        (f"{DNS}, to: near, on_miss: next", NEXT, NEXT),
        (f"{DNS}, to: near, on_miss: pass", PASS, NEXT),
        ("match: {protocol: udp}, to: ports, on_miss: pass", PASS, DROP),
    ],
)
def test_the_guard_drops_what_is_encapsulated(rule: str, shown: ir.Verdict, hidden: ir.Verdict) -> None:
    guard = program(rule).guard
    assert guard is not None and guard.ends_open
    (step,) = guard.rules[0].steps
    assert isinstance(step, ir.GuardLookUp) and (step.shown, step.hidden) == (shown, hidden)


def test_the_guard_leaves_alone_what_rules_drop() -> None:
    guard = program("match: {destination: 10.0.0.0/8}, action: drop").guard
    assert guard is not None and [(rule.steps, rule.ending) for rule in guard.rules[:1]] == [((), PASS)]


@pytest.mark.parametrize(
    ("rule", "ends_open"),
    [
        ("match: {}, to: near", False),
        ("match: {}, to: near, on_miss: pass", False),
        ("match: {}, to: near, on_miss: next", True),
        ("match: {}, to: ports, on_miss: next", True),
        ("match: {destination: 10.0.0.0/8}, to: near", True),
        ("socket: [named], on_miss: drop", True),  # not every socket chooses
        ("match: {}, action: drop", False),
    ],
)
def test_whether_rules_decide_every_packet(rule: str, ends_open: bool) -> None:
    assert lower_guard(program(rule).egress.rules[:1]).ends_open is ends_open
