"""Congestion notification through a tunnel: RFC 6040, section 4.2, figure 4."""

from __future__ import annotations

NOT_ECT, ECT_1, ECT_0, CE = range(4)
# (inner, outer) -> what the inner field is afterwards; None: the packet is dropped.
_FIGURE_4: dict[int, dict[int, int | None]] = {
    NOT_ECT: {NOT_ECT: NOT_ECT, ECT_0: NOT_ECT, ECT_1: NOT_ECT, CE: None},
    ECT_0: {NOT_ECT: ECT_0, ECT_0: ECT_0, ECT_1: ECT_1, CE: CE},
    ECT_1: {NOT_ECT: ECT_1, ECT_0: ECT_1, ECT_1: ECT_1, CE: CE},
    CE: {NOT_ECT: CE, ECT_0: CE, ECT_1: CE, CE: CE},
}


def decapsulated(outer: int, inner: int) -> int | None:
    return _FIGURE_4[inner][outer]
