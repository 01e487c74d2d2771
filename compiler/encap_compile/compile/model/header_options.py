"""Options behind a header, as Geneve's (RFC 8926, section 3.5): each that the spec lists must be there once."""

from __future__ import annotations

from .. import ir
from .facts import Facts
from .received import Received

HEAD = 4  # bytes


def read_options(received: Received, variable: ir.BoundedSegment, begins: int, facts: Facts) -> str:
    """Keep the data of the listed options. What is wrong, as the last part of a counter's name; empty: nothing."""
    assert variable.options is not None
    listed = {o.head >> 8: o for o in variable.options.options}
    data, at, length = received.data, 0, received.variable
    while at < length:
        head = int.from_bytes(data[begins + at : begins + at + HEAD], "big")
        if begins + at + HEAD > len(data):
            return "truncated"
        size = 4 * (head & variable.options.length)
        if at + HEAD + size > length:
            return f"{variable.layer}_options"
        option = listed.get(head >> 8)
        if option is None:
            if head & variable.options.critical:
                return f"{variable.layer}_options_critical"
        else:
            if size != 4 * option.words or option.member in received.options:
                return f"{variable.layer}_options"
            first = begins + at + HEAD
            if first + size > len(data):
                return "truncated"
            received.options[option.member] = bytes(data[first : first + size])
        at += HEAD + size
    if len(received.options) != len(listed):
        return f"{variable.layer}_options_missing"
    for option in variable.options.options:
        expected = _expected(option, facts)
        if expected is not None and received.options[option.member] != expected:
            return option.reason
    return ""


def _expected(option: ir.Option, facts: Facts) -> bytes | None:
    """The data that an option must have; None if any will do."""
    size = 4 * option.words
    if isinstance(option.source, ir.Literal):
        return option.source.value.to_bytes(size, "big")
    if isinstance(option.source, ir.FromHost):
        value = facts.host[option.source.member]
        return value if isinstance(value, bytes) else value.to_bytes(size, "big")
    return None
