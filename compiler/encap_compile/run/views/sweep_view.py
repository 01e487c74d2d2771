"""What `sweep` found, as text and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from ..sweep import Left
from . import FORMAT_VERSION, counted


def swept_text(found: Sequence[Left], look: bool) -> str:
    """A line for each bundle of each namespace that is gone."""
    if not found:
        return "nothing is left of a network namespace that is gone\n"
    done = "left" if look else "taken away"
    return "".join(
        f"network namespace {left.namespace} is gone: {left.bundle}, {counted(left.links, 'link')}, "
        f"{counted(left.maps, 'map')} {done}\n"
        for left in found
    )


def swept_document(found: Sequence[Left], look: bool) -> dict[str, Any]:
    """The same for programs."""
    return {"format_version": FORMAT_VERSION, "taken_away": not look, "left": [asdict(left) for left in found]}
