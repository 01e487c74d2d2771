"""What the compiler reads out of an object about its stack is what the verifier finds when it walks the program."""

from __future__ import annotations

from pathlib import Path

import pytest

from encap_compile.compile.stack_depth import frames
from tests.anywhere.bundles import EXAMPLES, THREE_RETURNS
from tests.support import cli
from tests.support.verifier_work import verifier_work

BY_HOST_VALUES = 32  # the verifier leaves out branches that a host value decides
pytestmark = pytest.mark.kernel


@pytest.mark.parametrize("spec", [*EXAMPLES, THREE_RETURNS], ids=lambda spec: spec.stem)
def test_frames_are_those_of_the_verifier(spec: Path, tmp_path: Path) -> None:
    """By function, the program's own first, and then all others, for which the verifier has no names."""
    folder, _ = cli.compile_spec(spec, tmp_path / "build")
    known = frames((folder / f"{folder.name}.bpf.o").read_bytes())
    for name, work in verifier_work(folder).items():
        own, *called = work.frames
        assert known[name] - BY_HOST_VALUES <= own <= known[name], name
        assert set(called) <= {-(-frame // 8) * 8 for frame in known.values()}, name  # it marks 8 bytes at a time
