"""What a spec becomes before clang: every text that a bundle has, without building it."""

from __future__ import annotations

import shutil
from pathlib import Path

from encap_compile.common import manifest_io
from encap_compile.compile import pipeline

EXAMPLES = Path(__file__).parents[2] / "examples"


def beside_examples(folder: Path) -> Path:
    """The files that the examples name, in a folder for an edited spec."""
    for path in EXAMPLES.iterdir():
        if path.suffix != ".yaml":
            shutil.copy(path, folder)
    return folder


def artifacts(path: Path) -> dict[str, str]:
    """C, headers, contracts, data, and the manifest but for what only a build knows. Raises DiagnosedError."""
    _, lowered, data, _ = pipeline.check_spec(str(path))
    texts = {name: content.decode() for name, content in {**pipeline.render_code(lowered), **data}.items()}
    return texts | {"manifest.json": manifest_io.dump(lowered.manifest)}
