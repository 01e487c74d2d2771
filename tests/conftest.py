"""Rules for every test: kernel tests need root and say so, and nothing of a network outlives the run."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.support import cgroups, netns


def pytest_runtest_setup(item: pytest.Item) -> None:
    # Failing, not skipping: a green run means that the kernel was asked.
    if item.get_closest_marker("kernel") and os.geteuid() != 0:
        pytest.fail("needs root: network namespaces and BPF programs (run ./dev test as root)", pytrace=False)


@pytest.fixture(scope="session", autouse=True)
def _no_namespace_outlives_the_run() -> Iterator[None]:
    netns.clean_up_when_told_to_stop()
    if os.geteuid() == 0:
        netns.sweep()
        cgroups.sweep()
    yield
    netns.destroy_all()
