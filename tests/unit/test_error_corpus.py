"""The error corpus: wrong specs in `tests/cases/errors`, each with the words that a person gets for it.

`ENCAP_UPDATE=1 pytest tests/unit/test_error_corpus.py` writes the expected words again; review the difference.
"""

from __future__ import annotations

import io
import os
import re
from pathlib import Path

import pytest

from encap_compile.common.codes import CODES
from encap_compile.common.diagnostics import DiagnosedError, Diagnostic
from encap_compile.common.reporting import report
from encap_compile.compile.api.compiling import check

CORPUS = Path(__file__).parents[1] / "cases" / "errors"
CASES = sorted(path.stem for path in CORPUS.glob("*.yaml"))
# Made by what surrounds the file, not by what is in it, or by thousands of lines: see test_frontend_load,
# test_headers_mistakes and test_counter_names.
ELSEWHERE = {"E101", "E102", "E103", "E522", "E570"}


def diagnose(path: str) -> tuple[Diagnostic, ...]:
    """Everything that compiling would say, without compiling."""
    try:
        return check(path).warnings
    except DiagnosedError as error:
        return error.diagnostics


@pytest.fixture(autouse=True)
def _in_corpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(CORPUS)  # paths in the expected words are relative


@pytest.mark.parametrize("name", CASES)
def test_words(name: str) -> None:
    stream = io.StringIO()
    report(diagnose(f"{name}.yaml"), "text", stream)
    expected = CORPUS / f"{name}.expected"
    if "ENCAP_UPDATE" in os.environ:
        expected.write_text(stream.getvalue(), encoding="utf-8")
    assert stream.getvalue() == expected.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", CASES)
def test_place_caret_and_help(name: str) -> None:
    text = (CORPUS / f"{name}.expected").read_text(encoding="utf-8")
    blocks = re.split(r"\n\n(?=error|warning)", text)
    assert blocks[0].startswith(("error[", "warning["))
    for block in blocks:
        assert "--> " in block
        assert "= help: " in block, block
        # A file as a whole has no line to show.
        assert re.search(r"\| +\^|\|\t*\^| \| \^", block) or re.search(r"--> \S+\.(csv|txt)\n", block), block


def test_every_code_has_a_case() -> None:
    said = "".join(path.read_text(encoding="utf-8") for path in CORPUS.glob("*.expected"))
    missing = {code for code in CODES if code[0] in "EWN" and f"[{code}]" not in said}
    assert missing == ELSEWHERE


def test_no_expectation_without_a_case() -> None:
    assert sorted(path.stem for path in CORPUS.glob("*.expected")) == CASES
