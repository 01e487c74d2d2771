"""The hashes of a bundle's data: rows, prefix lists, and what applications include. `data.sha256` holds them.

They are apart from the manifest, so that a row changes a row and nothing that is reviewed beside it. The file is made
with the object and need not be committed either: two branches that each add a row then merge wherever their rows do.
`sha256sum --check data.sha256` reads it; a comment stands between two files, so that git merges changes of both.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

from .regular_file import read_regular
from .structured import MalformedError

DATA_HASHES = "data.sha256"
_LINE = re.compile(r"([0-9a-f]{64})  ([^/\s]{1,255})")


def data_hashes(files: Mapping[str, bytes]) -> bytes:
    """The text of the file, for data by name."""
    lines = (f"# {name}\n{sha256(data).hexdigest()}  {name}\n" for name, data in sorted(files.items()))
    return "".join(lines).encode()


def read_data_hashes(directory: Path) -> dict[str, str]:
    """By name; empty if the file is not there, as in bundles of the first two releases. Raises MalformedError."""
    try:
        text = read_regular(directory / DATA_HASHES).decode()
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise MalformedError(f"{DATA_HASHES} cannot be read: {error}") from None
    found: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("#") or not line:
            continue
        match = _LINE.fullmatch(line)
        if match is None or match[2] in found:
            raise MalformedError(f"{DATA_HASHES}, line {number}: `SHA-256  FILE` is expected, each file once")
        found[match[2]] = match[1]
    return found
