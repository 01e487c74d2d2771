"""The Python examples of a page of the docs, run as a reader would type them.

    python -m tests.support.examples_of_docs PAGE [WITHOUT]

runs those of a page, in order and with one set of names, but not of the section WITHOUT; the exit code says whether all
printed what the page shows.
"""

from __future__ import annotations

import doctest
import re
import sys
from pathlib import Path

FENCE = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)


def run(page: Path, without: str = "") -> doctest.TestResults:
    """Run them in the current folder. What differs goes to stdout."""
    text = page.read_text(encoding="utf-8")
    parts = re.split(r"^(?=## )", text, flags=re.MULTILINE)
    kept = [part for part in parts if not without or not part.startswith(f"## {without}\n")]
    assert not without or len(kept) == len(parts) - 1, f"{page} has no section {without}"
    examples = "\n".join(block for part in kept for block in FENCE.findall(part))
    test = doctest.DocTestParser().get_doctest(examples, {}, page.name, str(page), 0)
    assert test.examples, f"{page} has no examples"
    runner = doctest.DocTestRunner(verbose=False)
    runner.run(test)
    return runner.summarize(verbose=False)


if __name__ == "__main__":
    sys.exit(run(Path(sys.argv[1]), *sys.argv[2:]).failed)
