"""TC's flags for a stack, by the level at which each of its values is fixed. The table is in `headers/gso.py`."""

from __future__ import annotations

from collections.abc import Iterable

from .. import ir
from ..headers.catalogue import headers
from ..headers.gso import KernelVersion, Laid, Segmentation, segmentation
from ..headers.levels import PerSegment


def stack_segmentation(layers: Iterable[ir.Layer], kernel: KernelVersion) -> Segmentation:
    """The flags of `bpf_skb_adjust_room` for a stack, and what forbids GSO packets."""
    return segmentation([Laid(x.member, headers()[x.header], _per_segment(x)) for x in layers], kernel)


def _per_segment(layer: ir.Layer) -> PerSegment:
    levels = ir.levels(layer)
    differ = [p for word in layer.words for p in word.parts if levels[p.name] is ir.Level.SEGMENT]
    checksums = tuple(p.name for p in differ if isinstance(p.source, ir.Checksum))
    return PerSegment(tuple(p.name for p in differ if p.name not in checksums), checksums)
