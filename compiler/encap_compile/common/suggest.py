"""Did you mean ...?"""

from __future__ import annotations

from collections.abc import Iterable


def closest(word: str, words: Iterable[str], likeness: float = 0.6) -> str | None:
    """The one of `words` most like `word`, or None when none is near; `likeness` is from 0 to 1, the same."""
    from difflib import get_close_matches  # only needed once something is wrong

    candidates = sorted(words)
    found = get_close_matches(word.lower(), candidates, n=1, cutoff=likeness)
    if found:
        return found[0]
    # `dst` for `destination`, `addr` for `address`: an abbreviation keeps the first letter and the order of the rest.
    for candidate in candidates:
        if len(word) >= 3 and candidate[:1] == word[:1].lower() and _abbreviates(word.lower(), candidate):
            return candidate
    return None


def did_you_mean(word: str, words: Iterable[str], otherwise: str = "") -> str:
    """Help text: the closest of `words`, else all of them when they are few, else `otherwise`."""
    words = sorted(words)
    near = closest(word, words)
    if near is not None:
        return f"did you mean `{near}`?"
    if otherwise:
        return otherwise
    if 0 < len(words) <= 16:
        return "known here: " + ", ".join(words)
    return ""


def _abbreviates(short: str, long: str) -> bool:
    letters = iter(long)
    return all(letter in letters for letter in short)
