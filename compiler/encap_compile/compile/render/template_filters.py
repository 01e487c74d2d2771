"""What templates may ask of the program: text for what is decided, no decisions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .. import ir
from ..lower.c_names import row_name_constant
from ..lower.tables import row_id
from ..program_types import HOOKS
from . import conditions
from .accepted import ACCEPTED_FILTERS
from .attribution import OWNER_FILTERS
from .counting import count_socket
from .egress import EGRESS_FILTERS
from .encapsulate import ENCAPSULATE_FILTERS
from .fit import FIT_FILTERS
from .guard import GUARD_FILTERS
from .lookups import LOOKUP_FILTERS
from .own_stacks import OWN_STACK_FILTERS
from .packet import PACKET_FILTERS
from .received import RECEIVED_FILTERS
from .recognised import RECOGNISED_FILTERS
from .rule_values import connect_base, rule_values
from .shared_matches import rule_condition, shared_matches
from .variable_parts import VARIABLE_PART_FILTERS
from .ways import WAY_FILTERS


def named_rows(program: ir.Program) -> list[tuple[str, int]]:
    found: dict[str, int] = {}
    for rule in program.egress.rules:
        for step in rule.steps:
            match step:
                case ir.LookUp(find=ir.ByName(row=row)):
                    found[row.constant] = row.id
                case ir.LookUp(find=ir.ByChoice(rows=rows)):
                    found.update((row.constant, row.id) for row in rows)
    for connect in program.attribution.connects if program.attribution else ():
        if connect.chosen:
            table, _, name = connect.chosen.partition("/")
            found[row_name_constant(table, name)] = row_id(name)
    return list(found.items())


def stacks_by_row(program: ir.Program) -> list[ir.Stack]:
    found = {e.stack.name: e.stack for d in program.egress.dispatches if d.by_row for e in d.encapsulators}
    if program.flows:
        arriving = [outer.stack for d in program.decapsulations if d.learns for outer in d.outers]
        found.update({s.name: s for s in arriving})
    return list(found.values())


def struct_member(member: ir.StructMember) -> str:
    return f"{member.ctype} {member.name}{f'[{member.array}]' if member.array else ''}"


def ingress_matches(program: ir.Program) -> bool:
    """Whether an ingress rule looks into the inner packet."""
    return any(d.parses for d in program.decapsulations)


def condition(found: Sequence[ir.Condition], program: ir.Program) -> str:
    """The conditions of a row that is compiled in, whose values stand where they are compared."""
    return conditions.all_of(found, program)


def connect_condition(rule: ir.ConnectRule, program: ir.Program) -> str:
    """The same for a socket that connects: its cgroups are those that the program is attached in."""
    return conditions.all_of(rule.conditions, program, connect_base(rule), cgroups="host.cgroups")


FILTERS: dict[str, Callable[..., Any]] = {
    "shared_matches": shared_matches,
    "rule_condition": rule_condition,
    "count_socket": count_socket,
    **EGRESS_FILTERS,
    **ENCAPSULATE_FILTERS,
    **FIT_FILTERS,
    **GUARD_FILTERS,
    **LOOKUP_FILTERS,
    **OWN_STACK_FILTERS,
    **PACKET_FILTERS,
    **WAY_FILTERS,
    **RECOGNISED_FILTERS,
    **RECEIVED_FILTERS,
    **ACCEPTED_FILTERS,
    **VARIABLE_PART_FILTERS,
    **OWNER_FILTERS,
    "section": lambda hook: HOOKS[hook].section,
    "named_rows": named_rows,
    "stacks_by_row": stacks_by_row,
    "struct_member": struct_member,
    "ingress_matches": ingress_matches,
    "condition": condition,
    "rule_values": rule_values,
    "connect_condition": connect_condition,
}
