"""Presets: a word and its parameters stand for a spec, and what is written beside it is added to that.

The result is the document that a person could have written out. What comes from the preset has the place of the
preset's name in the spec, what is a parameter's value has its own, so every finding points into the user's file.
"""

from __future__ import annotations

from pathlib import Path

from ...common.diagnostics import Findings, Place
from ...common.documents.nodes import Node
from ...common.documents.reader import read_yaml
from ..shipped import SHIPPED
from .preset_words import PRESETS

FOLDER = SHIPPED / "schemas" / "presets"
# What a preset has of its own, beside the document's; everything else is the document's alone.
JOINED = ("preset", "host", "attach", "sets", "encapsulations", "endpoints", "egress", "ingress")
NAMED = {"sets": "set", "encapsulations": "encapsulation", "endpoints": "table"}


def preset_path(name: str) -> Path:
    """Where the spec of a preset is."""
    return FOLDER / f"{name}.yaml"


def expand(root: Node, findings: Findings) -> Node:
    """The document without `preset`: `root` if it has none. It has been checked by the schema. E312."""
    used = root.get("preset")
    if used is None:
        return root
    ((name, parameters),) = used.items()
    expansion = _filled(name, parameters, used.keys[name])
    return _beside(root, expansion, name, findings)


def _filled(name: str, parameters: Node, place: Place) -> Node:
    """The preset's spec with the parameters that are given, everything else at `place`."""
    path = preset_path(name)
    findings = Findings()
    read = read_yaml(path.read_bytes(), str(path), findings)
    assert read is not None and not findings.all
    document = _moved(read, place)
    for key, value in parameters.items():
        for at in PRESETS[name].parameters[key].at:
            *way, last = at.split(".")
            parent = document
            for step in way:
                parent = parent.value[int(step)] if parent.kind == "array" else parent.value[step]
            _put(parent, last, value)
    return document


def _put(parent: Node, key: str, value: Node) -> None:
    """A parameter's value where it stands. A table keeps what the parameter does not say of it."""
    old = parent.value[key]
    if old.get("rows") is None:
        parent.value[key] = value
        return
    table = {k: v for k, v in old.items() if k != "rows"}
    table |= dict(value.items()) if value.kind == "object" else {"rows": value}
    parent.value[key] = Node("object", table, old.place, keys={k: v.place for k, v in table.items()})


def _moved(node: Node, place: Place) -> Node:
    value = node.value
    if node.kind == "object":
        value = {key: _moved(member, place) for key, member in node.items()}
    elif node.kind == "array":
        value = [_moved(member, place) for member in node.value]
    return Node(node.kind, value, place, node.text, dict.fromkeys(node.keys, place), node.size)


def _beside(root: Node, preset: Node, name: str, findings: Findings) -> Node:
    """What the user wrote beside the preset keeps its meaning, and goes first where order counts."""
    found = Node("object", {}, root.place)

    def add(key: str, value: Node | None, place: Place) -> None:
        if value is not None:
            found.value[key] = value
            found.keys[key] = place

    own, given = root.get, preset.get
    for key, value in root.items():
        if key not in JOINED:
            add(key, value, root.keys[key])
    add("host", _joined(own("host"), given("host")), preset.keys["host"])
    add("attach", own("attach") or given("attach"), root.keys.get("attach", preset.keys["attach"]))
    for key, what in NAMED.items():
        _twice(own(key), given(key), name, what, findings)
        add(key, _joined(own(key), given(key)), root.keys.get(key) or preset.keys.get(key, root.place))
    for key in ("ingress", "egress"):
        add(key, _rules(own(key), given(key)), root.keys.get(key) or preset.keys.get(key, root.place))
    return found


def _joined(own: Node | None, given: Node | None) -> Node | None:
    """Both mappings in one; what has a key in both is the user's."""
    if own is None or given is None:
        return own or given
    return Node("object", {**given.value, **own.value}, own.place, keys={**given.keys, **own.keys})


def _rules(own: Node | None, given: Node | None) -> Node | None:
    """One direction: the user's rules before the preset's."""
    if own is None or given is None:
        return own or given
    both = _joined(own, given)
    assert both is not None
    mine, theirs = own.get("rules"), given.get("rules")
    if mine is not None and theirs is not None:
        both.value["rules"] = Node("array", [*mine.value, *theirs.value], mine.place)
    return both


def _twice(own: Node | None, given: Node | None, name: str, what: str, findings: Findings) -> None:
    for key in own.keys if own is not None and given is not None else ():
        assert own is not None and given is not None
        if key in given.keys:
            words = f"the preset {name} has {'an' if what[0] in 'aeio' else 'a'} {what} `{key}` of its own"
            help = "give yours another name; the preset's can be used by its own"
            findings.error("E312", words, own.keys[key], help, related=((given.keys[key], "the preset"),))
