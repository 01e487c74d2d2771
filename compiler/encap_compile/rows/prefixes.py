"""Prefix lists in files, for sets of the spec and for the maps that hold them."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network

from ..diagnostics import Findings, Place
from ..values import ValueProblem, network, prefix_bytes
from .problems import Problems
from .text import read_text


def read_prefixes(path: str, findings: Findings) -> tuple[IPv4Network | IPv6Network, ...]:
    """A file with one prefix a line; `#` begins a comment. After errors (in `findings`) what could be read."""
    text = read_text(path, findings)
    found: dict[tuple[bytes, int], int] = {}
    problems = Problems(findings, Place(path))
    for number, line in enumerate((text or "").split("\n"), 1):
        word = line.partition("#")[0].strip()
        if not word:
            continue
        try:
            key = prefix_bytes(word)
        except ValueProblem as problem:
            problems.add(problem, _word_place(path, number, line, word))
            continue
        if key in found:
            twice = ValueProblem("E607", f"{word} is in line {found[key]} already", "keep one of them")
            problems.add(twice, _word_place(path, number, line, word))
        found.setdefault(key, number)
    problems.finish()
    if text is not None and not found and not problems.count:
        findings.error("E629", f"{path} has no prefixes", Place(path), "write one prefix a line")
    return tuple(map(network, found))


def _word_place(path: str, number: int, line: str, word: str) -> Place:
    start = line.index(word) + 1
    return Place(path, number, start, start + len(word))
