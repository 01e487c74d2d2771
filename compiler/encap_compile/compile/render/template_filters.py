"""What templates may ask of the program: text for what is decided, no decisions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import ir
from ..lower.c_names import row_name_constant
from ..lower.tables import row_id
from ..program_types import HOOKS
from .accepted import ACCEPTED_FILTERS
from .attribution import OWNER_FILTERS
from .counting import count_socket
from .egress import EGRESS_FILTERS
from .encapsulate import ENCAPSULATE_FILTERS
from .guard import GUARD_FILTERS
from .lookups import LOOKUP_FILTERS
from .matches import MATCH_FILTERS
from .own_stacks import OWN_STACK_FILTERS
from .packet import PACKET_FILTERS
from .received import RECEIVED_FILTERS
from .recognised import RECOGNISED_FILTERS
from .rule_values import rule_values
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
    names = {e.stack.name for d in program.egress.dispatches if d.by_row for e in d.encapsulators}
    if program.flows:
        names |= {outer.stack.name for d in program.decapsulations if d.learns for outer in d.outers}
    return [stack for stack in program.stacks if stack.name in names]


def struct_member(member: ir.StructMember) -> str:
    return f"{member.ctype} {member.name}{f'[{member.array}]' if member.array else ''}"


def ingress_matches(program: ir.Program) -> bool:
    """Whether an ingress rule looks into the inner packet."""
    return any(d.parses for d in program.decapsulations)


FILTERS: dict[str, Callable[..., Any]] = {
    "count_socket": count_socket,
    **EGRESS_FILTERS,
    **ENCAPSULATE_FILTERS,
    **GUARD_FILTERS,
    **LOOKUP_FILTERS,
    **MATCH_FILTERS,
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
    "rule_values": rule_values,
}
