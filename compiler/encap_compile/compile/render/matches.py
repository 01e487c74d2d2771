"""What rules ask of a packet, as C: what several places ask stands once, in a function of its own."""

from __future__ import annotations

from .. import ir
from .conditions import all_of
from .rule_values import connect_base, egress_base


def matches(rule: ir.EgressRule | ir.Answer) -> str:
    """The function of what an egress rule shares."""
    return f"matches_{rule.c_name}"


def shared_condition(rule: ir.EgressRule, program: ir.Program) -> str:
    return all_of(rule.shared, program, egress_base(rule))


def rule_condition(rule: ir.EgressRule, program: ir.Program) -> str:
    """What a packet must meet for a rule."""
    rest = [c for c in rule.conditions if c not in rule.shared]
    return all_of(rest, program, egress_base(rule), called=f"{matches(rule)}(packet)" if rule.shared else "")


def connect_condition(rule: ir.ConnectRule, program: ir.Program) -> str:
    """The same for a socket that connects: its cgroups are those that the program is attached in."""
    return all_of(rule.conditions, program, connect_base(rule), cgroups="host.cgroups")


def row_condition(row: ir.FixedRow, program: ir.Program) -> str:
    """Of a row that is compiled in, whose values stand where they are compared."""
    return all_of(row.conditions, program)
