"""The reference page is complete."""

from __future__ import annotations

from encap_compile.compile.frontend.reference import spec_reference
from encap_compile.compile.frontend.schema_document import schema_document
from encap_compile.compile.headers.catalogue import headers


def test_every_key_and_field() -> None:
    page = spec_reference()
    document = schema_document()
    elsewhere = ("header", "preset_")  # below, and in docs/presets.md
    parts = [document, *(d for name, d in document["$defs"].items() if not name.startswith(elsewhere))]
    for part in parts:
        for key in {**part.get("properties", {}), **part.get("then", {}).get("properties", {})}:
            assert f"| `{key}` |" in page, key
    for name, header in headers().items():
        section = page.partition(f"### `{name}`:")[2].partition("### ")[0]
        for field in header.fields():
            assert f"| `{field.name}` | {field.bits} |" in section, (name, field.name)


def test_every_word_of_later_releases() -> None:
    page = spec_reference()
    for word in ("tests", "mtu", "socket", "reflect", "learn", "cgroup", "members", "gtpu", "srv6"):
        assert f"`{word}`" in page
    assert page.endswith("\n") and not page.endswith("\n\n")
