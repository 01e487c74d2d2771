"""Plain scalars by the YAML 1.2 core schema, in its strict sense.

PyYAML by itself follows YAML 1.1, where 11:22:33:44:55:55 is a number in base 60, 010 is eight and `on` is true.
Here those are strings, and so is everything else that two readers could take differently: 010, 1_000, yes, dates.
"""

from __future__ import annotations

from re import compile as pattern
from typing import Any

_INTEGER = pattern(r"[-+]?(?:0|[1-9][0-9]*)|0x[0-9a-fA-F]+|0o[0-7]+")
_NUMBER = pattern(r"[-+]?(?:\.[0-9]+|[0-9]+\.[0-9]*)(?:[eE][-+]?[0-9]+)?|[-+]?[1-9][0-9]*[eE][-+]?[0-9]+")
_WORDS = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), ("null", None)),
    **dict.fromkeys(("true", "True", "TRUE"), ("boolean", True)),
    **dict.fromkeys(("false", "False", "FALSE"), ("boolean", False)),
}
LONGEST_NUMBER = 64  # characters; what is longer is no number of ours, and slow to convert


def resolve(text: str) -> tuple[str, Any]:
    """(kind, value) of an unquoted scalar. Never raises."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] in "0123456789+-." and len(text) <= LONGEST_NUMBER:
        if _INTEGER.fullmatch(text):
            return "integer", int(text, 0)
        if _NUMBER.fullmatch(text):
            return "number", float(text)
    return "string", text
