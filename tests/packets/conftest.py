"""Every example is compiled and loaded once for all packet tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import mkdtemp

import pytest

from .datapath import Datapath
from .specs import Compile, compile_bundle
from .ways import EXAMPLES, MORE_ROWS, SETTINGS

ROOT = Path(__file__).resolve().parents[2]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.kernel)


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Compile:
    """Compile a spec's text into a bundle, each text once."""
    out, known = tmp_path_factory.mktemp("bundles"), {}

    def compile_text(text: str, **files: str) -> Path:
        key = text, tuple(files.items())
        if key not in known:
            folder = Path(mkdtemp(dir=out))
            known[key] = compile_bundle(folder, text, files)
        return known[key]

    return compile_text


@pytest.fixture(scope="session")
def examples(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Every example's bundle, as this compiler writes it."""
    from encap_compile.compile.pipeline import compile_spec

    out = tmp_path_factory.mktemp("examples")
    for name in EXAMPLES:
        compile_spec(str(ROOT / "examples" / f"{name}.yaml"), out)
    return {name: out / name for name in EXAMPLES}


@pytest.fixture(scope="session")
def loaded(examples: dict[str, Path]) -> Iterator[Callable[[str], Datapath]]:
    """An example's programs, with rows added so that every pair of families occurs."""
    with ExitStack() as stack:
        known: dict[str, Datapath] = {}

        def load(name: str) -> Datapath:
            if name not in known:
                settings = SETTINGS.get(name, ())
                known[name] = stack.enter_context(Datapath(examples[name], settings=settings, more=MORE_ROWS.get(name)))
            return known[name]

        yield load
