"""Every spec that passes its checks is compiled by clang and loaded by the verifier of this kernel.

What clang or the verifier says of a spec (T105, K2xx) is never for a user: the checks say it before, or it is a bug.
The specs are drawn over the whole language, see `spec_generator`, and are the same ones in each run. ENCAP_SPECS is how
many are drawn at random instead; a number beside it, as in 2000:7, is where the random numbers of the pool begin.
`./dev test` takes some of them, `./dev sweep` all.
"""

from __future__ import annotations

import os
import random
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from encap_compile.common.diagnostics import DiagnosedError
from encap_compile.compile import checks
from encap_compile.compile.frontend.load import parse_spec
from encap_compile.compile.pipeline import compile_spec
from encap_compile.compile.stack_depth import deepest_chain
from encap_compile.run.kernel.errors import LoadRefusedError
from tests.packets.datapath import load_programs
from tests.support.sweep import sampled

from .spec_generator import generate, settings_for
from .spec_words import language, words

pytestmark = pytest.mark.kernel
COUNT, _, FIRST = os.environ.get("ENCAP_SPECS", "200").partition(":")
SOME = os.environ.get("ENCAP_SPECS", "24").partition(":")[0]
SPARE_STACK = 480  # bytes, of the 512 that the kernel allows: what comes nearer is seen before it is refused
POOL = 800  # drawn for the table of pairs: what is accepted of them, and has new pairs, is loaded
Document = Mapping[str, Any]


def text_of(document: Document) -> str:
    return yaml.safe_dump(dict(document), sort_keys=False, width=120)


def accepted(document: Document) -> bool:
    """Whether it passes the checks that need no clang."""
    try:
        checks.run(parse_spec(text_of(document).encode(), "spec.yaml")).stop_on_errors()
    except DiagnosedError as error:
        assert all(not d.code.startswith(("T", "K")) for d in error.diagnostics)
        return False
    return True


def loads(document: Document, folder: Path) -> None:
    """Compile it and load every program, with host values as on a machine."""
    path = folder / "spec.yaml"
    path.write_text(text_of(document))
    try:
        made = compile_spec(str(path), folder / "build")
        bundle = folder / "build" / made.manifest.name
        load_programs(bundle, settings_for(document))
        chain = deepest_chain((bundle / f"{bundle.name}.bpf.o").read_bytes())
        assert chain.size <= SPARE_STACK, f"{chain}\n\n{path.read_text()}"
    except DiagnosedError as error:
        said = [f"{d.code} {d.message}" for d in error.diagnostics if d.severity == "error"]
        if any(d.code.startswith(("T", "K")) for d in error.diagnostics):
            pytest.fail("\n".join([*said, "", path.read_text()]))
    except LoadRefusedError as error:
        pytest.fail(f"{error.log[-6000:]}\n\n{path.read_text()}")


# Without shrinking, of which each step would be another second: the spec that fails is shown whole.
@sampled("count", some=int(SOME), all=int(COUNT))
def test_what_is_right_loads(tmp_path_factory: pytest.TempPathFactory, count: int) -> None:
    @settings(
        max_examples=count,
        derandomize="ENCAP_SPECS" not in os.environ,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.randoms(use_true_random=False))
    def one(pick: random.Random) -> None:
        document = generate(pick)
        if accepted(document):
            loads(document, tmp_path_factory.mktemp("spec"))

    one()


@cache
def pool() -> list[tuple[frozenset[str], Document]]:
    """Accepted specs, each with its words."""
    documents = [generate(random.Random(f"{FIRST}{n}")) for n in range(POOL)]
    return [(frozenset(words(d)), d) for d in documents if accepted(d)]


def test_every_word_is_drawn() -> None:
    """A word that is added to the schema is drawn, or it cannot be shown that it loads."""
    assert len(pool()) > POOL / 3
    assert language() - set().union(*(found for found, _ in pool())) == set()


def pairs(found: frozenset[str], places: Mapping[str, int]) -> int:
    """A bit for both of two words that are there, and for one without the other: what a word brings into the C may be
    missing where another needs it."""
    row = sum(1 << at for word, at in places.items() if word in found)
    absent = (1 << len(places)) - 1 - row
    wide = row | absent << len(places)
    return sum(wide << 2 * len(places) * places[word] for word in found)


def chosen_for_pairs() -> list[Document]:
    """The fewest specs of the pool, about, that have every pair that any of them has."""
    places = {word: at for at, word in enumerate(sorted(set().union(*(found for found, _ in pool()))))}
    having = [(pairs(found, places), document) for found, document in pool()]
    missing = 0
    for have, _ in having:
        missing |= have
    chosen = []
    while missing:
        have, document = max(having, key=lambda entry: (entry[0] & missing).bit_count())
        chosen.append(document)
        missing &= ~have
    return chosen


@sampled("share", some=5, all=1)
def test_every_pair_of_words_loads(tmp_path_factory: pytest.TempPathFactory, share: int) -> None:
    """One spec at least for each pair of words, and for each word without each other one."""
    for document in chosen_for_pairs()[::share]:
        loads(document, tmp_path_factory.mktemp("pair"))
