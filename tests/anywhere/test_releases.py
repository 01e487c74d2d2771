"""Bundles, state and loaders of earlier releases, on every kernel: up, back, and up again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.netns import test_release_skew as here
from tests.netns.loader_net import ATTACH, Wire, wire
from tests.releases import SPEC, Release

from .bundles import bundle

pytestmark = pytest.mark.kernel


@pytest.fixture
def net() -> Iterator[Wire]:
    with wire() as made:
        here.with_a_client(made)
        yield made


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bundle(SPEC, tmp_path_factory.mktemp("build"))


@pytest.mark.parametrize("release", here.ALL, ids=lambda r: r.name)
def test_upgrade(net: Wire, ours: Path, release: Release) -> None:
    """What a release has applied is replaced in place: rows, counters and flows are kept"""
    here.go_up(net, release, [ours], ATTACH[0])


def test_up_back_and_up_again(net: Wire, ours: Path) -> None:
    """The loader of the release before finds what this one has counted, and this one what that has counted since"""
    here.go_up_back_and_up(net, ours, ATTACH[0])
