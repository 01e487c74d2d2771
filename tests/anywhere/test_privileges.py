"""The capabilities that the documentation names are enough for the whole life of a bundle, on every kernel."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.netns import test_loader_privileges as here
from tests.netns.loader_net import ATTACH, Wire, wire

pytestmark = pytest.mark.kernel


@pytest.fixture
def net() -> Iterator[Wire]:
    with wire() as made:
        yield made


def test_a_whole_life(net: Wire) -> None:
    """CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON alone, not root: plan, apply, status, stats, apply, remove"""
    here.test_a_whole_life(net, ATTACH[0], here.USER)
