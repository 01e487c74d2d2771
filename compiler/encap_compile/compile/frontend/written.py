"""A document as YAML text: what a person would write, short collections on one line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from re import compile as pattern

from ...common.documents.nodes import Node
from ...common.documents.scalars import resolve

WIDTH = 110
_PLAIN = pattern(r"[A-Za-z0-9][A-Za-z0-9_./-]*")


def written(root: Node) -> str:
    """The text of a document, which is read as the same document."""
    lines: list[str] = []
    for key, value in root.items():
        lines += _member(key, value, 0)
    return "".join(f"{line}\n" for line in lines)


def _member(key: str, value: Node, indent: int) -> Iterator[str]:
    head = f"{' ' * indent}{_text(key)}:"
    line = f"{head} {flow(value)}"
    if len(line) <= WIDTH and not _sections(value):
        yield line
        return
    yield head
    yield from _block(value, indent + 2)


def _sections(value: Node) -> bool:
    """What reads better on lines of its own: lists of rules, headers and rows, and what holds them."""
    members = [*value.value.values()] if value.kind == "object" else value.value if value.kind == "array" else []
    if value.kind == "array":
        return any(member.kind == "object" for member in members)
    return any(_sections(member) for member in members)


def _block(value: Node, indent: int) -> Iterator[str]:
    if value.kind == "object":
        for key, member in value.items():
            yield from _member(key, member, indent)
        return
    for item in value.value:
        if item.kind == "object" and len(item.value) == 1:  # a header
            ((key, member),) = item.items()
            first, *rest = _member(key, member, indent + 2)
            yield f"{' ' * indent}- {first.lstrip()}"
            yield from rest
            continue
        line = f"{' ' * indent}- {flow(item)}"
        if item.kind != "object" or (len(line) <= WIDTH and not _sections(item)):
            yield line
            continue
        first, *rest = _block(item, indent + 2)
        yield f"{' ' * indent}- {first.lstrip()}"
        yield from rest


def flow(value: Node) -> str:
    """On one line."""
    if value.kind == "object":
        return "{" + ", ".join(f"{_text(key)}: {flow(member)}" for key, member in value.items()) + "}"
    if value.kind == "array":
        return "[" + ", ".join(flow(member) for member in value.value) + "]"
    return _text(value.value) if value.kind == "string" else value.text


def _text(value: str) -> str:
    """Plain where every reader takes it for text, else in quotes."""
    plain = _PLAIN.fullmatch(value) and resolve(value)[0] == "string" and not value.isdigit()
    return value if plain else json.dumps(value, ensure_ascii=False)
