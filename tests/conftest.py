"""Rules for every test: kernel tests need root and say so, and nothing of a network outlives the run.

Several processes may share the run (pytest-xdist). One of them is told what to do by the user and ends last: it takes
away what a killed run left before, and what a killed worker left behind. Namespaces have the process id in their names,
so no process touches another's.
"""

from __future__ import annotations

import os
import tempfile

import pytest

from tests.support import cgroups, netns


def pytest_runtest_setup(item: pytest.Item) -> None:
    # Failing, not skipping: a green run means that the kernel was asked.
    if item.get_closest_marker("kernel") and os.geteuid() != 0:
        pytest.fail("needs root: network namespaces and BPF programs (run ./dev test as root)", pytrace=False)


def pytest_configure() -> None:
    # What builds remember for the user is none of the tests' business, and theirs none of the user's.
    os.environ["XDG_CACHE_HOME"] = os.path.join(tempfile.gettempdir(), f"encap-tests-cache-{os.getuid()}")  # noqa: PTH118


def pytest_sessionstart(session: pytest.Session) -> None:
    netns.clean_up_when_told_to_stop()
    _sweep(session.config)


def pytest_sessionfinish() -> None:
    netns.destroy_all()


def pytest_unconfigure(config: pytest.Config) -> None:
    _sweep(config)


def _sweep(config: pytest.Config) -> None:
    if os.geteuid() == 0 and not hasattr(config, "workerinput"):
        netns.sweep()
        cgroups.sweep()
