"""What the C has constants for because rules, rows or flows name it by the hash of its name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import assert_never

from .. import ir


def named_rows(rules: Iterable[ir.EgressRule], connects: Iterable[ir.ConnectRule]) -> tuple[ir.NamedRow, ...]:
    """The rows that rules name, each once, in the order of their names: which rule is the first moves none."""
    found = [row for rule in rules for step in rule.steps for row in _named_by(step)]
    found += [rule.selects.row for rule in connects if rule.selects]
    return tuple(sorted(set(found), key=lambda row: row.constant))


def _named_by(step: ir.Step) -> Iterator[ir.NamedRow]:
    match step:
        case ir.LookUp(find=ir.ByName(row=row)):
            yield row
        case ir.LookUp(find=ir.ByChoice(rows=rows)):
            yield from rows
        case ir.LookUp() | ir.Recall():
            return
        case _:
            assert_never(step)


def named_stacks(
    stacks: Iterable[ir.Stack], dispatches: Iterable[ir.Dispatch], decapsulations: Iterable[ir.Decapsulation]
) -> tuple[ir.Stack, ...]:
    """Those that rows choose among or that flows came in, in the order of all: a rule more moves none."""
    names = {e.stack.name for d in dispatches if d.by_row for e in d.encapsulators}
    names |= {outer.stack.name for d in decapsulations if d.learns for outer in d.outers}
    return tuple(stack for stack in stacks if stack.name in names)
