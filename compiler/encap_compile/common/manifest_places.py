"""Where things stand in a manifest: written only where it does not follow from what stands before.

An inserted counter or host value moves all that follow it in their C struct. A reader of the difference would see a
changed number for each of them, which says nothing. So a manifest leaves out what adding up sizes gives: the offsets of
members and the sizes of their structs. A counter within a struct of the C library has its place there, as `egress+48`,
with the sizes of those structs in `counter_structs`. Manifests of 1.0 have all numbers, and any may.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from .manifest_bounds import COUNTER

_LAYOUTS = (("tables", "key"), ("tables", "value"), ("source_sets", "key"), ("prefix_sets", "key"))
_NUMBER = re.compile(r"[0-9]{1,8}")
Document = dict[str, Any]


def without_places(document: Document) -> Document:
    """The document of a manifest as it is written."""
    short = _with_layouts(document, _short_layout)
    there = document["host_layout"]["members"]
    short["host_members"] = [
        {**each, "member": each["member"]["name"]} if each["member"] in there else each
        for each in document["host_members"]
    ]
    short["counters"], end = _short_counters(document["counters"], document.get("counter_structs", {}))
    if end == document["counters_size"]:
        del short["counters_size"]
    return short


def with_places(document: Document) -> Document:
    """The same with every number, as the loader has it. What is no manifest stays as it is: others refuse it."""
    whole = _with_layouts(document, _whole_layout)
    layout = whole.get("host_layout")
    members = layout.get("members") if isinstance(layout, dict) else None
    listed = members if isinstance(members, list) else []
    known = {m["name"]: m for m in listed if isinstance(m, dict) and isinstance(m.get("name"), str)}
    if isinstance(document.get("host_members"), list):
        whole["host_members"] = [
            {**each, "member": known.get(each["member"], each["member"])} if _names_member(each) else each
            for each in document["host_members"]
        ]
    if isinstance(document.get("counters"), list):
        whole["counters"], end = _whole_counters(document["counters"], document.get("counter_structs"))
        whole.setdefault("counters_size", end)
    return whole


def _names_member(host_member: Any) -> bool:
    return isinstance(host_member, dict) and isinstance(host_member.get("member"), str)


def _with_layouts(document: Document, changed: Callable[[Any], Any]) -> Document:
    found = dict(document)
    if "host_layout" in found:
        found["host_layout"] = changed(found["host_layout"])
    for part, name in _LAYOUTS:
        if isinstance(found.get(part), list):
            found[part] = [
                {**each, name: changed(each[name])} if isinstance(each, dict) and name in each else each
                for each in found[part]
            ]
    return found


def _short_layout(layout: Document) -> Document:
    at = 0
    members = []
    for member in layout["members"]:
        members.append({name: part for name, part in member.items() if name != "offset" or part != at})
        at += member["size"]
    return {name: part for name, part in layout.items() if name != "size" or part != at} | {"members": members}


def _whole_layout(layout: Any) -> Any:
    if not isinstance(layout, dict) or not isinstance(layout.get("members"), list):
        return layout
    at = 0
    members = []
    for member in layout["members"]:
        members.append({"offset": at, **member} if isinstance(member, dict) else member)
        size = member.get("size") if isinstance(member, dict) else None
        at += size if type(size) is int else 0
    return {"size": at, **layout, "members": members}


def _short_counters(counters: list[Document], structs: dict[str, int]) -> tuple[list[Document], int]:
    short = []
    places = _Places(structs)
    for counter in counters:
        struct, offset = counter.get("struct", ""), counter["offset"]
        rest = {name: part for name, part in counter.items() if name not in ("struct", "offset")}
        if struct in structs:
            short.append({**rest, "offset": f"{struct}+{offset - places.struct(struct)}"})
        elif offset == places.end:
            short.append(rest)
            places.end += COUNTER
        else:
            short.append({**rest, "offset": offset})
    return short, places.end


def _whole_counters(counters: list[Any], structs: Any) -> tuple[list[Any], int]:
    whole = []
    places = _Places(structs if isinstance(structs, dict) else {})
    for counter in counters:
        found = counter
        if isinstance(counter, dict) and "offset" not in counter:
            found = {**counter, "offset": places.end}
            places.end += COUNTER
        elif isinstance(counter, dict) and isinstance(counter["offset"], str):
            struct, _, within = counter["offset"].partition("+")
            if struct in places.structs and _NUMBER.fullmatch(within):
                found = {**counter, "offset": places.struct(struct) + int(within), "struct": struct}
        whole.append(found)
    return whole, places.end


class _Places:
    """Where the next member of `struct counters` stands, as one after the other is met."""

    def __init__(self, structs: dict[str, Any]) -> None:
        self.structs = {name: size for name, size in structs.items() if type(size) is int}
        self.end = 0
        self._found: dict[str, int] = {}

    def struct(self, name: str) -> int:
        """The place of a struct of the library."""
        if name not in self._found:
            self._found[name] = self.end
            self.end += self.structs[name]
        return self._found[name]
