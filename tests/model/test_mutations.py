"""The comparison can fail: a model of a program that is wrong in one thing differs from the right program.

A sample of what `mutate` can do to each example; all of it with ENCAP_MODEL_MUTATIONS=all.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from random import Random

import pytest

from .mutate import mutations
from .pair import Pair
from .test_differential import EXAMPLES, differences

SAMPLE = 6
MOST_FRAMES = 12000
EVERYTHING = os.environ.get("ENCAP_MODEL_MUTATIONS") == "all"
# Mutations that change nothing that a frame could show, and why.
SAME = {
    "gue-dsr": ("egress.next_hop",),  # nothing is sent
    "gue-edge": (
        "__by_ipv6",  # of two ways the first has its addresses
        "gue_ipv6__by_ipv4",
        "rules.replies.conditions",  # nothing is learned for others
        "steps.0.fields",  # the encoder counts the variable-length part for itself
    ),
    "gwlb": (
        "rules.back.conditions",  # nothing is learned for others
        "reflect_back__gwlb_ipv4.case",  # the only way is not asked for
        "steps.2.options",  # by their members
    ),
    "ipip-sites": ("fit.remembers",),  # answers are made to fit by what leaves
    "teams": (
        "egress.rules",
        "egress.dispatches",
        "egress.next_hop",
        "OVERHEAD_EXITS",
        "ingress.before",
        "decapsulate_gre.then",
        "decapsulate_ipip.then",
    ),  # by sockets
    "tenants-by-cgroup": (
        "egress.rules",
        "egress.dispatches",
        "egress.next_hop",
        "OVERHEAD_TENANTS",
        "ingress.before",
        "refuse",
    ),  # likewise
    "two-by-row": (
        ".miss.",  # rows that rules name are there
        "gre_ipv6",  # no row takes it
        "fit",  # one overhead for all answers
    ),
    "vxlan-overlay": ("vxlan.checks.1.mask", "fit.answers"),  # a MAC is compared whole
    "vxlan-return": ("vxlan.checks.1.mask", "rules.replies.conditions"),
}


@pytest.mark.parametrize("example", EXAMPLES)
def test_a_wrong_program_is_noticed(pairs: Callable[[str], Pair], example: str) -> None:
    pair = pairs(example)
    found = [m for m in mutations(pair.program) if not any(same in m.name for same in SAME.get(example, ()))]
    if not EVERYTHING:
        found = Random(7).sample(found, min(SAMPLE, len(found)))
    missed = []
    for number, mutation in enumerate(found):
        if not differences(pair, 1000 + number, MOST_FRAMES, suspect=pair.mutant(mutation.program)):
            missed.append(mutation.name)
    assert not missed
