"""Manifests and states that somebody has written to do harm: a diagnostic or nothing, never a traceback or a hang."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.netns.loader_bundle import write
from tests.support.sweep import sampled

from encap_compile.common import manifest_io
from encap_compile.common.diagnostics import DiagnosedError
from encap_compile.common.manifest_places import with_places
from encap_compile.run.loader import state_files as states
from encap_compile.run.loader.bundle import open_bundle
from encap_compile.run.loader.state import Filled, State

ODD: list[Any] = [
    None,
    True,
    -1,
    0,
    1 << 31,
    1 << 64,
    -(1 << 70),
    1.5,
    float("inf"),
    float("nan"),
    "",
    "a\0b",
    "\ud800",
]
ODD += ["../../etc", "/", "x" * 10_000, [], [[]], {}, {"": None}, [None], "\u202e", -(1 << 31), "1e999"]


def leaves(document: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every value in a document, inner ones too."""
    items: Any = (
        document.items() if isinstance(document, dict) else enumerate(document) if isinstance(document, list) else ()
    )
    for key, value in items:
        yield (*path, key)
        yield from leaves(value, (*path, key))


def with_value(document: Any, path: tuple[Any, ...], value: Any) -> str:
    changed = json.loads(json.dumps(document))
    node = changed
    for key in path[:-1]:
        node = node[key]
    node[path[-1]] = value
    return json.dumps(changed)


@sampled("odd_values", some=ODD[::4], all=ODD)
def test_every_value_of_a_manifest_replaced(tmp_path: Path, odd_values: list[Any]) -> None:
    bundle = write(tmp_path / "one")
    document = json.loads((bundle / "manifest.json").read_text())
    refused = accepted = 0
    for path in leaves(document):
        for odd in odd_values:
            (bundle / "manifest.json").write_text(with_value(document, path, odd))
            try:
                open_bundle(bundle)
                accepted += 1
            except DiagnosedError as error:
                assert all(d.code.startswith("B3") for d in error.diagnostics)
                for found in error.diagnostics:  # a person can be shown it
                    f"{found.place} {found.message} {found.help}".encode()
                refused += 1
    # Nothing of the program part may change without its identity; the compiler's inputs may.
    assert refused > 20 * accepted


@sampled("odd_values", some=ODD[::4], all=ODD)
def test_every_value_of_a_state_replaced(tmp_path: Path, odd_values: list[Any]) -> None:
    manifest = manifest_io.load(write(tmp_path / "one") / "manifest.json")
    state = State(
        manifest=manifest,
        object_sha256="00",
        applied_at=1.0e9,
        settings={"uplink": "eth0"},
        devices={"eth0": 2},
        counter_layouts={"12345678": {"web": 0}},
        carried={"7": {"web": (1, 2)}},
        cgroups={"a": 1},
        former={"a": [3]},
        filled={"sites": Filled("rows", "sites", 1, "ab", "/x", "cd", "")},
        pins={"sites": "sites-12345678-9"},
    )
    states.save(tmp_path, state)
    assert states.load(tmp_path) == state
    (tmp_path / "applied.json").unlink()
    document = json.loads((tmp_path / "state.json").read_text())
    for path in leaves(document):
        if path[:1] == ("manifest",) and len(path) > 1:
            continue  # as in the other test
        for odd in odd_values:
            (tmp_path / "state.json").write_text(with_value(document, path, odd))
            found = states.look(tmp_path)
            assert found is not None
            if isinstance(found, State):
                states.save(tmp_path, found)  # what was believed can be written again
                (tmp_path / "applied.json").unlink()  # it belongs to that one, and a reader would wait for its file


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        '{"a":' * 100_000,
        "1" * 5000,
        '{"format_version": ' + "1" * 5000 + "}",
        '{"format_version": 1e400}',
        "\x00",
        "null",
        '"',
        "{}",
        '{"a": 1, "a": 2}',
        "\ufeff{}",
        "\xff",
    ],
)
def test_texts_that_are_no_document(tmp_path: Path, text: str) -> None:
    for name in ("manifest.json", "state.json"):
        (tmp_path / name).write_bytes(text.encode("latin-1" if text == "\xff" else "utf-8"))
    found = states.look(tmp_path)
    assert isinstance(found, states.Unreadable) and found.why
    with pytest.raises(DiagnosedError):
        manifest_io.load(tmp_path / "manifest.json")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("host_layout", "size"), 1 << 31),
        (("tables", 0, "key", "size"), 1 << 31),
        (("tables", 0, "value", "members", 0, "size"), 1 << 31),
        (("tables", 0, "value", "members", 0, "offset"), 1 << 31),
        (("tables", 0, "capacity"), 1 << 40),
        (("counters_size",), 1 << 31),
        (("counters_entries",), 1 << 31),
        (("counters_entries",), -1),
        (("counters", 0, "offset"), 1 << 31),
        (("counters", 0, "offset"), -16),
        (("host_members", 1, "member", "offset"), 66),
        (("max_overhead",), 1 << 20),
    ],
)
def test_numbers_out_of_bounds_are_named(tmp_path: Path, path: tuple[Any, ...], value: int) -> None:
    document = with_places(json.loads((write(tmp_path / "one") / "manifest.json").read_text()))
    document.setdefault("counters_entries", 0)
    with pytest.raises(DiagnosedError) as caught:
        manifest_io.loads(with_value(document, path, value), "manifest.json")
    (found,) = caught.value.diagnostics
    assert found.code == "B302" and str(path[-1]) in found.message and "is not between" in found.message
