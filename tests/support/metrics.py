"""The Prometheus text exposition format, version 0.0.4, read as strictly as Prometheus does."""

from __future__ import annotations

import re

Labels = frozenset[tuple[str, str]]
Samples = dict[tuple[str, Labels], int]
_NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
_LABEL = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*"'
_SAMPLE = re.compile(rf"({_NAME})\{{({_LABEL}(?:,{_LABEL})*)\}} (\d+)")
_HEAD = re.compile(rf"# (HELP|TYPE) ({_NAME}) (.+)")


def samples(text: str) -> Samples:
    """Each sample by its metric and labels. Of a metric HELP and TYPE come first, and once; no sample comes twice."""
    assert text.endswith("\n")
    found: Samples = {}
    said: set[tuple[str, str]] = set()
    current = ""
    for line in text.splitlines():
        if head := _HEAD.fullmatch(line):
            what, current, words = head.groups()
            assert (what, current) not in said, line
            assert what == "HELP" or words in ("counter", "gauge"), line
            said.add((what, current))
            continue
        sample = _SAMPLE.fullmatch(line)
        assert sample is not None, line
        metric, labels, value = sample.groups()
        assert metric == current and {("HELP", metric), ("TYPE", metric)} <= said, line
        pairs = [tuple(pair.split("=", 1)) for pair in re.findall(_LABEL, labels)]
        assert len({name for name, _ in pairs}) == len(pairs), f"a label twice: {line}"
        key = (metric, frozenset((name, quoted[1:-1]) for name, quoted in pairs))
        assert key not in found, f"a sample twice: {line}"
        found[key] = int(value)
    return found
