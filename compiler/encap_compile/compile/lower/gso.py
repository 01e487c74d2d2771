"""TC's flags for a stack, by the level at which each of its values is fixed. The table is in `headers/gso.py`."""

from __future__ import annotations

from collections.abc import Iterable

from .. import ir
from ..headers.catalogue import headers
from ..headers.gso import KernelVersion, Laid, Segmentation, segmentation


def stack_segmentation(layers: Iterable[ir.Layer], kernel: KernelVersion) -> Segmentation:
    """The flags of `bpf_skb_adjust_room` for a stack, and what forbids GSO packets."""
    return segmentation([Laid(x.member, headers()[x.header], _per_segment(x)) for x in layers], kernel)


def _per_segment(layer: ir.Layer) -> tuple[str, ...]:
    return tuple(name for name, level in ir.levels(layer).items() if level is ir.Level.SEGMENT)
