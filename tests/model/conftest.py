"""Every example is compiled and loaded once, with rows added so that every pair of families occurs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from ..packets.ways import MORE_ROWS
from .pair import SETTINGS, Pair, load_pair

ROOT = Path(__file__).resolve().parents[2]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.kernel)


@pytest.fixture(scope="session")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Pair]]:
    out = tmp_path_factory.mktemp("model")
    with ExitStack() as stack:
        known: dict[str, Pair] = {}

        def load(name: str) -> Pair:
            if name not in known:
                example = name.partition(",")[0]
                spec = ROOT / "examples" / f"{example}.yaml"
                pair = load_pair(spec, out / str(len(known)), SETTINGS.get(name, ()), MORE_ROWS.get(example))
                stack.enter_context(pair.datapath)
                known[name] = pair
            return known[name]

        yield load
