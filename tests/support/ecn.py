"""What RFC 6040 makes of the two ECN fields of a tunnel packet, for everything that checks a program by it."""

from __future__ import annotations

NOT_ECT, ECT_1, ECT_0, CE = range(4)
# Section 4.2, figure 4: what leaves the tunnel for [inner][outer]; None is a drop.
FIGURE_4: dict[int, dict[int, int | None]] = {
    NOT_ECT: {NOT_ECT: NOT_ECT, ECT_0: NOT_ECT, ECT_1: NOT_ECT, CE: None},
    ECT_0: {NOT_ECT: ECT_0, ECT_0: ECT_0, ECT_1: ECT_1, CE: CE},
    ECT_1: {NOT_ECT: ECT_1, ECT_0: ECT_1, ECT_1: ECT_1, CE: CE},
    CE: {NOT_ECT: CE, ECT_0: CE, ECT_1: CE, CE: CE},
}
