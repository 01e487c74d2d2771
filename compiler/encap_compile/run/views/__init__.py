"""How `encapctl` shows its results: text for people, JSON with `format_version` for programs."""

from __future__ import annotations

from ..kernel.hooks.base import DEVICE_POINTS, Point

FORMAT_VERSION = 1


def counted(count: int, word: str, words: str = "") -> str:
    """`1 map`, `2 maps`; `words` is the plural where it is not made by an s."""
    return f"{count} {word}" if count == 1 else f"{count} {words or f'{word}s'}"


def hook_place(on: str, kind: str, point: Point) -> str:
    """`up0 tcx egress` for people, and `team-a.slice setsockopt`: where there is one attach kind, it needs no word."""
    return f"{on} {kind} {point.word}" if point in DEVICE_POINTS else f"{on} {point.word}"


def hook_words(on: str, point: Point) -> dict[str, str]:
    """The same for programs: a device and a direction, or a cgroup and a hook of it."""
    device, direction = ("device", "direction") if point in DEVICE_POINTS else ("cgroup", "hook")
    return {device: on, direction: point.word}
