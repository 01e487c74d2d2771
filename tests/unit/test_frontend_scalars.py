"""Plain scalars: what is a number, and what only looks like one."""

from __future__ import annotations

import pytest

from encap_compile.common.documents.scalars import resolve


@pytest.mark.parametrize(
    ("text", "value"),
    [("0", 0), ("7", 7), ("-7", -7), ("+7", 7), ("0x1F", 31), ("0o17", 15), ("4294967295", 4294967295)],
)
def test_integers(text: str, value: int) -> None:
    assert resolve(text) == ("integer", value)


@pytest.mark.parametrize(
    "text",
    [
        *("010", "007", "1_000", "0b11", "0X1F", "0O17", "1,000", "0x", "--1", "+", "-"),
        *("11:22:33:44:55:55", "12:30:45", "1:30", "2026-08-30", "2026-08-30T12:00:00Z"),
        *("yes", "no", "on", "off", "y", "n", "Yes", "ON", "TrUe", "nUll", "None"),
        *("10.0.0.0/8", "192.0.2.1", "2001:db8::1", "8000-8999", "0x1000-0x1fff", "1.2.3", "e5", "1e", ".", "9" * 65),
        *("=", "<<", "inf", "nan", ".inf", "~1"),
    ],
)
def test_text(text: str) -> None:
    assert resolve(text) == ("string", text)


@pytest.mark.parametrize("text", ["5.10", "1.", ".5", "1e3", "-1.5E+3", "00.5"])
def test_decimals_are_their_own_kind(text: str) -> None:
    assert resolve(text)[0] == "number"


@pytest.mark.parametrize("text", ["", "~", "null", "Null", "NULL"])
def test_null(text: str) -> None:
    assert resolve(text) == ("null", None)


@pytest.mark.parametrize("text", ["true", "True", "TRUE", "false", "False", "FALSE"])
def test_booleans(text: str) -> None:
    assert resolve(text) == ("boolean", text.lower() == "true")
