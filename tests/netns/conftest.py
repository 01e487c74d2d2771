"""Bundles compiled once for all tests, and the network with the overlay on it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support import cli, overlay

Compiled = Callable[..., Path]


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Compiled:
    """`compiled(*edits)`: the bundle of examples/vxlan-overlay.yaml with these edits, through the command line."""
    done: dict[tuple[tuple[str, str], ...], Path] = {}

    def compile_(*edits: tuple[str, str]) -> Path:
        if edits not in done:
            folder = tmp_path_factory.mktemp("spec")
            done[edits], _ = cli.compile_spec(overlay.edited_example(folder, *edits), folder / "build")
        return done[edits]

    return compile_


@pytest.fixture(scope="session")
def compiled_spec(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """`compiled_spec(name)`: the bundle of tests/netns/specs/NAME.yaml."""

    def compile_(name: str) -> Path:
        return cli.compile_spec(Path(__file__).parent / "specs" / f"{name}.yaml", tmp_path_factory.mktemp(name))[0]

    return compile_
