"""What becomes of a packet."""

from enum import Enum


class Verdict(Enum):
    """Whoever reads it has an answer for each: a verdict that makes a packet, as an ICMP error, would be another."""

    PASS = "pass"  # unencapsulated
    PASS_UNLESS_KEPT = "pass, but for what an earlier rule keeps"  # which is dropped, see `Miss`
    DROP = "drop"
    NEXT = "next"  # the next step or rule decides
