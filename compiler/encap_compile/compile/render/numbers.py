"""The numbers that stand for rows and stacks."""

from __future__ import annotations

from .. import ir
from ..lower.c_names import row_name_constant
from ..lower.tables import row_id


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
