"""Names that a spec chooses freely, such as those of rows, in other languages."""

from __future__ import annotations

import json


def c_string(text: str) -> str:
    """A string literal of C99 and C++11: what is not ASCII as the octal bytes of its UTF-8."""
    return '"' + "".join(_c_byte(byte) for byte in text.encode()) + '"'


def _c_byte(byte: int) -> str:
    if chr(byte) in '"\\?':  # `??` begins a trigraph
        return f"\\{chr(byte)}"
    return chr(byte) if 0x20 <= byte < 0x7F else f"\\{byte:03o}"


def c_comment(text: str) -> str:
    """Text that may stand in a comment: it neither ends it nor begins another."""
    return text.replace("*/", "* /").replace("/*", "/ *")


def python_string(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def python_doc(text: str) -> str:
    """Text that may stand in a docstring or behind `#`."""
    return text.replace("\\", "\\\\").replace('"""', "'''")
