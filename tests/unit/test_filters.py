"""The rooms of render that templates ask."""

from __future__ import annotations

import re
from pathlib import Path

from encap_compile.compile.render.template_filters import FILTERS, ROOMS, filters_of

ROOT = Path(__file__).resolve().parents[2]


def test_no_two_rooms_have_a_function_of_one_name() -> None:
    names = [name for room in ROOMS for name in filters_of(room)]
    assert len(names) == len(set(names)) == len(FILTERS)


def test_every_public_function_is_asked_by_a_template_or_another_room() -> None:
    templates = "".join(p.read_text() for p in (ROOT / "templates").rglob("*.j2"))
    asked = set(re.findall(r"\| *(\w+)", templates))
    rooms = {p.stem: p.read_text() for p in (ROOT / "compiler/encap_compile/compile/render").glob("*.py")}
    unused = [
        name
        for room in ROOMS
        for name in filters_of(room)
        if name not in asked
        and not any(re.search(rf"\b{name}\b", text) for stem, text in rooms.items() if not room.__name__.endswith(stem))
    ]
    assert not unused, unused
