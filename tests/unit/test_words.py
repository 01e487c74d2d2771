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
    r"\banew\b": "again",
    r"\bother (?:tunnel )?ends? of (?:a|the) (?:tunnel|way)\b": "tunnel endpoint, peer",
    r"\bwhose (?:the|a) (?:packet|connection) is\b": "which socket a packet or a connection belongs to",
    r"\b(?:of which none|rare is|rare are|such is)\b": "a sentence with its subject first",
    r"\bnever gets? (?:its|their) turn\b": "never applies",
    r"\bis no (?:reference|root|tunnel endpoint|kernel version|address|machine's address)\b": "is not a",
    r"\bpackets? that (?:is|are) no GSO packets?\b": "a packet that is not a GSO packet",
    r"\bpushed? out of the table\b": "evict",
}
# What nothing in Python is called.
NAMES = re.compile(
    r"judge\w*|take[sn]?_off|in_clear|begins_anew|ends_of_tunnels?|find_owner|owner_rules|super_?packets?"
)
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


def _named(path: Path, text: str) -> list[str]:
    """Where a file of Python has a name that is not used."""
    tokens = tokenize.generate_tokens(io.StringIO(text).readline) if path.suffix == ".py" else ()
    names = (t for t in tokens if t.type == tokenize.NAME and NAMES.fullmatch(t.string))
    return [f"{path}:{t.start[0]}: the name {t.string}" for t in names]


def found(path: Path, text: str) -> list[str]:
    """Where a file says what is not said."""
    lines = _said(path, text)
    return _named(path, text) + [
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
        ("a.py", 'def judge() -> str:\n    """Judge what was taken off."""\n', 3),
        ("a.py", "take_off, detach = in_clear, owner", 2),
        ("a.md", "It is decided anew whose the packet is, of which none is left.", 3),
        ("a.c", "/* where the tunnel ends there, unencapsulated */", 0),
    ],
)
def test_what_is_found(name: str, text: str, hits: int) -> None:
    assert len(found(Path(name), text)) == hits
