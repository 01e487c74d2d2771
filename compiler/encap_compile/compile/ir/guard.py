"""The guard for other devices: what the egress rules would encapsulate does not leave by one without our program."""

from typing import NamedTuple

from .egress import EgressRule, Find, Recall
from .verdicts import Verdict


class GuardLookUp(NamedTuple):
    """A packet with a row is dropped. `shown` and `hidden` are for one without, as in `Miss`."""

    find: Find
    shown: Verdict
    hidden: Verdict


class GuardRule(NamedTuple):
    """What the guard makes of a packet that meets the conditions of `rule`. What its flow recalls is dropped too.

    PASS: the rule does not encapsulate it.
    """

    rule: EgressRule
    steps: tuple[GuardLookUp | Recall, ...]
    ending: Verdict


class Guard(NamedTuple):
    """`ends_open`: there are packets that none of the rules decides."""

    rules: tuple[GuardRule, ...]
    ends_open: bool
