"""What the C declares of structs and programs."""

from __future__ import annotations

from .. import ir
from ..program_types import HOOKS


def struct_member(member: ir.StructMember) -> str:
    return f"{member.ctype} {member.name}{f'[{member.array}]' if member.array else ''}"


def section(hook: str) -> str:
    """Where a program stands in the object."""
    return HOOKS[hook].section
