"""One vocabulary: phrases that the project has given up stand nowhere. CONTRIBUTING.md has the vocabulary."""

from __future__ import annotations

import io
import re
import subprocess
import tokenize
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# What is not said, and what is said instead.
WORDS = {
    r"in the clear\b": "unencapsulated",
    r"\bsuper-?packets?\b": "GSO packet",
    r"\bjudg(e|es|ed|ing|ement)\b": "check, validate",
    r"\btunnel(?:'s)? (?:other )?ends?\b(?! (?:here|there|in|at)\b)": "tunnel endpoint",
    r"\bends? of (?:a|the) tunnel\b": "tunnel endpoint",
    r"\b(?:take[ns]?|took|taking) off\b": "decapsulate, detach, remove",
    r"\bprograms? (?:is|are) put on\b": "attach",
    r"\bgo(?:es)? before\b": "take precedence over",
    r"\bleav(?:e|es|ing) room\b": "leave headroom",
    r"\bat hand\b": "current",
}
HISTORY = (
    "tests/fixtures/",  # what older releases have written
    "CHANGELOG.md",
    "LICENSES/",
    "tests/unit/test_words.py",
)


def _tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return [ROOT / name for name in listed.split("\0") if name and not name.startswith(HISTORY)]


def _said(path: Path, text: str) -> list[tuple[int, str]]:
    """The text of a file by lines: of Python what people read, comments and strings."""
    if path.suffix != ".py":
        return list(enumerate(text.split("\n"), 1))
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    said = (t for t in tokens if t.type in (tokenize.COMMENT, tokenize.STRING))
    return [(t.start[0] + i, line) for t in said for i, line in enumerate(t.string.split("\n"))]


def found(path: Path, text: str) -> list[str]:
    """Where a file says what is not said."""
    lines = _said(path, text)
    return [
        f"{path}:{number}: {hit[0]!r}: write {instead}"
        for words, instead in WORDS.items()
        for number, line in lines
        for hit in re.finditer(words, line, re.IGNORECASE)
    ]


def test_words() -> None:
    wrong = []
    for path in _tracked():
        if path.is_symlink() or not path.is_file():
            continue
        data = path.read_bytes()
        if b"\0" not in data:
            wrong += found(path.relative_to(ROOT), data.decode(errors="replace"))
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    ("name", "text", "hits"),
    [
        ("a.md", "It leaves in the clear, by a tunnel's other end.", 2),
        ("a.md", "one\nSuper-packets go before it", 2),
        ("a.py", 'def judge() -> str:\n    """Judge what was taken off."""\n', 2),
        ("a.c", "/* where the tunnel ends there, unencapsulated */", 0),
    ],
)
def test_what_is_found(name: str, text: str, hits: int) -> None:
    assert len(found(Path(name), text)) == hits
