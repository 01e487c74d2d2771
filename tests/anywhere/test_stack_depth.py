"""The longest chains of calls fit into the stack, as this kernel counts it: 5.10 rounds each frame up to 32 bytes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.verifier_work import verifier_work

from .bundles import THREE_RETURNS, bundle

pytestmark = pytest.mark.kernel


def test_three_encapsulations_learned(tmp_path: Path) -> None:
    """A spec loads that learns from three encapsulations and whose answers a fourth rule encapsulates"""
    for name, work in verifier_work(bundle(THREE_RETURNS, tmp_path)).items():
        assert len(work.frames) > 1, name
