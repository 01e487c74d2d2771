"""The stacks of the encapsulations that a spec uses: those that are sent, and those that answer what came in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from .. import ir
from ..resolved import Resolved, Table
from .c_names import member_name
from .reflection import Answers, answers
from .stacks import lower_stack
from .tables import row_id


class UsedStacks(NamedTuple):
    all: tuple[ir.Stack, ...]
    sent: tuple[ir.Stack, ...]
    answers: Mapping[str, Sequence[Answers]]  # by the name of the egress rule that reflects

    def of(self, table: Table) -> list[ir.Stack]:
        """Those that rows of a table may take."""
        taken = {encapsulation.name for encapsulation in table.encapsulations}
        return [stack for stack in self.sent if stack.encapsulation in taken]

    def reflecting(self, resolved: Resolved) -> dict[str, list[ir.Stack]]:
        """The stacks that reflect each ingress rule."""
        found: dict[str, list[ir.Stack]] = {}
        for rule in resolved.egress:
            if rule.reflect is not None:
                own = found.setdefault(rule.reflect.rule.name, [])
                own += [stack for answer in self.answers[rule.name] for stack in answer.stacks]
        return found

    @property
    def titles(self) -> tuple[str, ...]:
        """`vxlan over ipv4 or ipv6`, `gre over ipv4`."""
        families: dict[str, list[str]] = {}
        for stack in self.all:
            families.setdefault(stack.encapsulation, []).append(stack.outer_family)
        return tuple(f"{name} over {' or '.join(own)}" for name, own in families.items()) or ("no encapsulation",)

    @property
    def replies(self) -> tuple[ir.Reply, ...]:
        """Each layout that comes in and is answered, with those that its replies may have."""
        every = (answer for found in self.answers.values() for answer in found)
        return tuple(dict.fromkeys(ir.Reply(a.arriving.name, tuple(s.name for s in a.stacks)) for a in every))


def lower_stacks(resolved: Resolved) -> UsedStacks:
    found: list[ir.Stack] = []
    sent: list[ir.Stack] = []
    for encapsulation in resolved.encapsulations.values():
        for family in encapsulation.outer_families if encapsulation.used else ():
            number = row_id(f"{member_name(encapsulation.name)}_{family}")
            found.append(lower_stack(number, encapsulation, family, resolved.spec.kernel))
            sent += found[-1:] if encapsulation.sent else []
    reflecting = (rule for rule in resolved.egress if rule.reflect)
    return UsedStacks(tuple(found), tuple(sent), {rule.name: answers(rule, found) for rule in reflecting})
