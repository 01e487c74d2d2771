"""Values of header fields, and conditions of matches."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from re import compile as pattern
from types import MappingProxyType
from typing import TypeVar

from ...common.diagnostics import Findings
from ...common.documents.nodes import Node
from ...common.suggest import closest, did_you_mean
from ...common.values import DEEPEST_CGROUP, Prefix, ValueProblem, dscp, number_range, prefix, protocol
from ..spec import ROOTS, Addresses, AddressSet, Match, OptionUse, Range, Reference, Scalar, Value

_DOTTED = pattern(r"[A-Za-z][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]*)+")
_NAME = pattern(r"[A-Za-z][A-Za-z0-9_-]*")
LONGEST_CGROUP = 255  # characters of one directory's name
EVERYTHING = ("any", "all", "default")
NO_HINTS: Mapping[str, str] = MappingProxyType({})
Found = TypeVar("Found")


def build_value(node: Node, findings: Findings) -> Value:
    """A scalar or a reference (E330)."""
    text = node.value
    if not isinstance(text, str) or not _DOTTED.fullmatch(text):
        if text in ROOTS:
            findings.error("E330", f"`{text}` alone is not a reference", node.place, f"write `{text}.NAME`")
        return Scalar(text, node.place)
    root, *path = text.split(".")
    if root not in ROOTS:
        near = closest(root, ROOTS)
        help = (
            f"write `{'.'.join((near, *path))}`"
            if near
            else "references begin with host., endpoint., packet. or received."
        )
        findings.error("E330", f"`{text}` begins with `{root}`, which is not a root of references", node.place, help)
    elif not all(path):
        findings.error("E330", f"`{text}` has an empty part", node.place, "like host.uplink.mac or endpoint.address")
    return Reference(root, tuple(path), node.place)


def build_options(node: Node, header: str, findings: Findings) -> tuple[OptionUse, ...]:
    """The options of a header (E412). `received` means: what came in with the option of that name."""
    found = []
    for item in node.value:
        name, value, length = item.value["name"].value, item.value["value"], item.value["length"]
        if length.value % 4:
            help = "option data are whole 32-bit words: pad them with zeros"
            findings.error("E412", f"{length.value} bytes are no multiple of 4", length.place, help)
        received = Reference("received", (header, name), value.place)
        found.append(
            OptionUse(
                name=name,
                option_class=item.value["class"].value,
                kind=item.value["type"].value,
                length=length.value,
                value=received if value.value == "received" else build_value(value, findings),
                place=item.value["name"].place,
            )
        )
    return tuple(found)


def build_match(
    node: Node | None, sets: Mapping[str, AddressSet], findings: Findings, hints: Mapping[str, str] = NO_HINTS
) -> Match:
    """The conditions of a rule (E306, E4). `hints` as in `build_addresses`."""
    if node is None:
        return Match()

    def ranges(key: str, maximum: int, what: str) -> tuple[Range, ...]:
        return each(node.get(key), lambda v: Range(*number_range(v, maximum, what)), findings)

    def addresses(key: str) -> Addresses | None:
        found = node.get(key)
        return build_addresses(found, sets, findings, hints) if found else None

    return Match(
        destination=addresses("destination"),
        source=addresses("source"),
        protocol=each(node.get("protocol"), protocol, findings),
        destination_port=ranges("destination_port", 65535, "port"),
        source_port=ranges("source_port", 65535, "port"),
        dscp=each(node.get("dscp"), dscp, findings),
        mark=ranges("mark", 0xFFFFFFFF, "mark"),
        cgroup=_cgroups(node.get("cgroup"), findings),
        place=node.start,
    )


def _cgroups(node: Node | None, findings: Findings) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for item in node.each() if node else ():
        parts = cgroup_path(item.value or "/", item, findings)
        path = "/".join(parts)
        if len(parts) > DEEPEST_CGROUP:
            words = (
                f"`{path}` is {len(parts)} levels below the attached cgroup, and programs look {DEEPEST_CGROUP} down"
            )
            help = "match one that it lies in, or attach further down: `attach: {cgroup: ...}`"
            findings.error("E334", words, item.place, help)
        if path in found:
            findings.warning("W510", f"{item.value} is in the list already", item.place, "keep one of them")
        found[path] = None
    return tuple(found)


def cgroup_path(text: str, node: Node, findings: Findings) -> list[str]:
    """The parts of a path below a cgroup (E334); none after an error."""
    parts = text.split("/") if text else []
    if text == "/":
        help = "leave it out to match every socket, or name a cgroup below the attached one, like team-a.slice"
        findings.error("E334", "the path of a cgroup is empty", node.place, help)
        return []
    if text.startswith("/"):
        words = f"`{text}` begins with a slash, and paths here begin at the attached cgroup"
        findings.error("E334", words, node.place, f"write `{text.strip('/')}`")
        return []
    if any(part in ("", ".", "..") or not part.isprintable() or len(part) > LONGEST_CGROUP for part in parts):
        help = f"names separated by single slashes, at most {LONGEST_CGROUP} characters each, like team-a.slice"
        findings.error("E334", f"`{text}` is not a cgroup's path", node.place, help)
        return []
    return parts


def each(node: Node | None, parser: Callable[[str | int], Found], findings: Findings) -> tuple[Found, ...]:
    """A scalar or a list of them, parsed; what occurs twice is warned about and kept once (W510)."""
    found: dict[Found, None] = {}
    for item in node.each() if node else ():
        try:
            value = parser(item.value)
        except ValueProblem as problem:
            findings.error(problem.code, problem.message, item.place, problem.help)
            continue
        if value in found:
            findings.warning("W510", f"{item.value} is in the list already", item.place, "keep one of them")
        found[value] = None
    return tuple(found)


def build_addresses(
    node: Node, sets: Mapping[str, AddressSet], findings: Findings, hints: Mapping[str, str] = NO_HINTS
) -> Addresses:
    """Prefixes and set names. `hints` are what to do about words that are something else than a set."""
    if node.kind == "string" and node.value in sets:  # a list of its own, which may be long
        return Addresses(sets[node.value].prefixes, (node.value,), node.place, (node.value,))
    prefixes: dict[Prefix, None] = {}
    names = []
    for item in node.each():
        text = item.value
        if text in sets:
            names.append(text)
            prefixes.update(dict.fromkeys(sets[text].prefixes))
            continue
        if _NAME.fullmatch(text) and text not in EVERYTHING and not _is_hexadecimal_address(text):
            otherwise = "a set is declared under `sets:`; prefixes are written like 10.0.0.0/8"
            help = hints.get(text) or did_you_mean(text, sets, otherwise)
            findings.error("E306", f"there is no set `{text}`", item.place, help)
            continue
        root = text.partition(".")[0]
        if root in ROOTS and _DOTTED.fullmatch(text):
            words = f"`{text}` is a reference, and prefixes or names of sets are needed here"
            findings.error("E331", words, item.place, "rules match what the spec says; they do not refer to values")
            continue
        try:
            network = prefix(text)
        except ValueProblem as problem:
            findings.error(problem.code, problem.message, item.place, problem.help)
            continue
        if network in prefixes:
            findings.warning("W510", f"{text} is in the list already", item.place, "keep one of them")
        prefixes[network] = None
    written = tuple(item.value for item in node.each())
    return Addresses(tuple(prefixes), tuple(names), node.place, written)


def _is_hexadecimal_address(text: str) -> bool:
    return False if ":" not in text else bool(text)
