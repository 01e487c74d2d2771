"""What a bundle was last built from, remembered for the user: a spec whose bytes are the same is not compiled again.

It is kept apart from the bundle, because the bundle must not change when only a comment in the spec does. It decides
nothing but whether a build can be skipped: without it everything is built, and comes out the same.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from ..common.folders import PRIVATE, PRIVATE_FILE, make_folders, write_file
from ..common.regular_file import read_regular

MOST_BYTES = 4 << 20


class LastBuild(NamedTuple):
    """`inputs` are the files that the spec names, as it names them, and `files` those of the bundle, by their SHA-256;
    `lines` are the spec's, see `positions`."""

    spec_sha256: str
    inputs: dict[str, str]
    files: dict[str, str]
    lines: dict[str, str]


NOTHING = LastBuild("", {}, {}, {})


def load(directory: Path) -> LastBuild | None:
    """Of the bundle in a directory; None if nothing is known."""
    with suppress(OSError, ValueError, TypeError):
        spec, *named = json.loads(read_regular(_file(directory), MOST_BYTES))
        inputs, files, lines = named
        texts = (text for each in named for pair in each.items() for text in pair)
        if isinstance(spec, str) and all(isinstance(text, str) for text in texts):
            return LastBuild(spec, inputs, files, lines)
    return None


def save(directory: Path, built: LastBuild) -> None:
    """Remember it, if there is a place for that."""
    with suppress(OSError):
        file = _file(directory)
        make_folders(file.parent, PRIVATE)
        write_file(file, json.dumps(built).encode(), PRIVATE_FILE)


def _file(directory: Path) -> Path:
    """By the bundle's directory. Raises OSError where the user has no home."""
    given = os.environ.get("XDG_CACHE_HOME", "")
    try:
        cache = Path(given) if given.startswith("/") else Path.home() / ".cache"
    except RuntimeError as error:
        raise FileNotFoundError(str(error)) from None
    name = sha256(os.fsencode(directory.resolve())).hexdigest()[:32]
    return cache / "encap-compile" / f"{name}.json"
