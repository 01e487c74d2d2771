"""What templates may ask of the program: text for what is decided, no decisions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import ir
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


def struct_member(member: ir.StructMember) -> str:
    return f"{member.ctype} {member.name}{f'[{member.array}]' if member.array else ''}"


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
    "struct_member": struct_member,
    "rule_values": rule_values,
}
