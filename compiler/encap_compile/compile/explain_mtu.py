"""What `explain` knows of the MTU budget: the headers' share. Devices and routes are the machine's."""

from __future__ import annotations

from typing import Any

from ..common.manifest import Manifest, Stack

COMMON = (1500, 9000)  # Ethernet, and what most call jumbo frames
LEAST_IPV6 = 1280  # RFC 8200, section 5: each link must carry it


def mtu_lines(described: Manifest) -> list[str]:
    """A line for each layout of headers: what it adds, and what it leaves."""
    if not described.stacks:
        return []
    width = max(len(_title(stack)) for stack in described.stacks)
    leaves = "".join(f"{f'of {mtu}':>9}" for mtu in COMMON)
    lines = [f"MTU, in bytes:{'':<{max(width - 12, 1)}}{'add':>9}{leaves}   IPv6 inside needs"]
    for stack in described.stacks:
        left = "".join(f"{mtu - stack.overhead:>9}" for mtu in COMMON)
        lines.append(f"  {_title(stack):<{max(width, 13)}}{_added(stack):>9}{left}   {LEAST_IPV6 + stack.overhead}")
    return [*lines, "`encapctl plan` shows the same for a machine's devices, with what its routes allow."]


def mtu_document(described: Manifest) -> list[dict[str, Any]]:
    """The same for programs."""
    return [
        {
            "encapsulation": stack.encapsulation,
            "outer_family": stack.outer_family,
            "overhead": stack.overhead,
            "least_overhead": stack.least_overhead or stack.overhead,
            "least_mtu_for_ipv6": LEAST_IPV6 + stack.overhead,
        }
        for stack in described.stacks
    ]


def _title(stack: Stack) -> str:
    return f"{stack.encapsulation} over {stack.outer_family}"


def _added(stack: Stack) -> str:
    return f"{stack.least_overhead}-{stack.overhead}" if stack.least_overhead else str(stack.overhead)
