"""Prefix lists in files, for sets of the spec and for the maps that hold them."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network

from ..diagnostics import Findings, Place
from ..values import ValueProblem, network, prefix_bytes
from .csv_text import read_text
from .problems import Problems


def read_prefixes(path: str, findings: Findings) -> tuple[IPv4Network | IPv6Network, ...]:
    """A file with one prefix a line; `#` begins a comment. After errors (in `findings`) what could be read."""
    text = read_text(path, findings)
    found: dict[tuple[bytes, int], int] = {}
    lines = (text or "").split("\n")

    def where(number: int, _: int) -> Place:
        word = lines[number - 1].partition("#")[0].strip()
        start = lines[number - 1].index(word) + 1
        return Place(path, number, start, start + len(word))

    problems = Problems(findings, where)
    for number, line in enumerate(lines, 1):
        word = line.partition("#")[0].strip()
        if not word:
            continue
        try:
            key = prefix_bytes(word)
        except ValueProblem as problem:
            problems.add(problem, number, 0)
            continue
        if key in found:
            twice = ValueProblem("E607", f"{word} is in line {found[key]} already", "keep one of them")
            problems.add(twice, number, 0)
        found.setdefault(key, number)
    problems.finish()
    if text is not None and not found and not problems.count:
        findings.error("E629", f"{path} has no prefixes", Place(path), "write one prefix a line")
    return tuple(map(network, found))
