"""What `./dev test` samples and `./dev sweep` tries in full: one test, with two values of how much."""

from __future__ import annotations

from typing import Any

import pytest


def sampled(name: str, some: Any, all: Any) -> pytest.MarkDecorator:
    """Parametrize `name`: a part of what there is, and in the sweep all of it."""
    whole = pytest.param(all, id="all", marks=pytest.mark.sweep)
    return pytest.mark.parametrize(name, [pytest.param(some, id="some"), whole])
