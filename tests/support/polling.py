"""Waiting for something to become true, without guessing how long that takes."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def until(probe: Callable[[], T], what: str, timeout: float = 3.0) -> T:
    """Call `probe` until it returns something true and return that; `TimeoutError` with `what` when it never does."""
    deadline = time.monotonic() + timeout
    pause = 0.0005
    while True:
        result = probe()
        if result:
            return result
        if time.monotonic() > deadline:
            raise TimeoutError(f"after {timeout:g} s still not: {what}")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.02)
