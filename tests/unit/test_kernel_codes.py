"""Every code that the loader can report is explained, and nothing else is."""

from __future__ import annotations

import re
from pathlib import Path

import encap_compile
from encap_compile.common.codes import all_codes

SOURCES = Path(encap_compile.__file__ or "").parent
CODES = {code: explained for code, explained in all_codes().items() if code[0] in "HKB"}


def test_every_code_is_explained() -> None:
    used = set()
    for path in SOURCES.rglob("*.py"):
        if path.parent != SOURCES / "codes":
            used |= set(re.findall(r'"([HKB]\d{3})"', path.read_text()))
    assert used == set(CODES)


def test_explanations_fit_a_terminal() -> None:
    for code, explained in CODES.items():
        assert explained.title and explained.text, code
        assert all(len(line) <= 112 for line in explained.text.splitlines()), code
