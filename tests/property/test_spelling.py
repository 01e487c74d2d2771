"""How a spec is written reaches no artifact: comments, blank lines, layout, quotes, order of keys.

The edits are drawn, for every example and for specs over the whole language.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from encap_compile.common.diagnostics import DiagnosedError
from encap_compile.compile.pipeline import compile_spec
from tests.support.artifacts import EXAMPLES, artifacts, beside_examples

from .spec_generator import generate

NAMES = sorted(path.stem for path in EXAMPLES.glob("*.yaml"))


def shuffled(value: Any, pick: random.Random) -> Any:
    """The same data with the keys of every mapping in another order."""
    if isinstance(value, dict):
        keys = pick.sample(sorted(value), len(value))
        return {key: shuffled(value[key], pick) for key in keys}
    if isinstance(value, list):
        return [shuffled(item, pick) for item in value]
    return value


def reformatted(text: str, pick: random.Random) -> str:
    """Another writer's text for the same document, without its comments."""
    document = shuffled(yaml.safe_load(text), pick)
    return yaml.safe_dump(
        document,
        sort_keys=False,
        width=pick.choice([20, 80, 4000]),
        indent=pick.choice([2, 4, 7]),
        default_flow_style=pick.choice([None, False, True]),
    )


def commented(text: str, pick: random.Random) -> str:
    """Comments and blank lines wherever they may stand."""

    def lines() -> Iterator[str]:
        for line in text.splitlines():
            for _ in range(pick.choice([0, 0, 1, 3])):
                yield pick.choice(["", "# egress.rules.web: spec.yaml:7", f"{' ' * pick.randint(0, 9)}# a comment"])
            quiet = not line or "#" in line or line.rstrip().endswith(("|", ">"))
            yield line if quiet else line + pick.choice(["", "  # why", "   "])

    return "\n".join(lines()) + pick.choice(["", "\n", "\n\n# the end\n"])


def other_lines(text: str, pick: random.Random) -> str:
    return text.replace("\n", "\r\n")


EDITS = {"comments": commented, "layout": reformatted, "ends of lines": other_lines}


@pytest.mark.parametrize("edit", EDITS)
@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=4, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(pick=st.randoms(use_true_random=False))
def test_an_example(tmp_path_factory: pytest.TempPathFactory, name: str, edit: str, pick: random.Random) -> None:
    path = beside_examples(tmp_path_factory.mktemp("spelling")) / f"{name}.yaml"
    text = (EXAMPLES / f"{name}.yaml").read_text()
    edited = EDITS[edit](text, pick)
    assert edited != text and yaml.safe_load(edited) == yaml.safe_load(text), "an edit that means nothing"
    path.write_text(text)
    before = artifacts(path)
    path.write_bytes(edited.encode())
    assert artifacts(path) == before


@settings(
    max_examples=60,
    deadline=None,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(pick=st.randoms(use_true_random=False))
def test_any_spec(tmp_path_factory: pytest.TempPathFactory, pick: random.Random) -> None:
    text = yaml.safe_dump(dict(generate(pick)), sort_keys=False, width=100)
    path = tmp_path_factory.mktemp("spelling") / "spec.yaml"
    path.write_text(text)
    try:
        before = artifacts(path)
    except DiagnosedError:
        return
    for edit in (commented, reformatted):
        path.write_text(edit(text, pick))
        assert artifacts(path) == before, f"{text}\n---\n{path.read_text()}"


@pytest.mark.parametrize("name", ["vxlan-overlay", "teams"])
def test_not_even_the_object(tmp_path: Path, name: str) -> None:
    """With clang: no file of the bundle changes, so there is nothing that could reach a machine."""
    path = beside_examples(tmp_path) / f"{name}.yaml"
    text = (EXAMPLES / f"{name}.yaml").read_text()
    path.write_text(text)
    first = compile_spec(str(path), tmp_path / "build")
    assert first.changes and f"{name}.bpf.o" in first.files
    path.write_text(commented(reformatted(text, random.Random(7)), random.Random(7)))
    second = compile_spec(str(path), tmp_path / "build")
    assert not second.unchanged, "it was built again"
    assert (second.files, second.changes) == (first.files, ())
