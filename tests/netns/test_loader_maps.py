"""Whole maps in and out, with and without the kernel's batch operations."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

import pytest

from encap_compile.run.kernel import maps
from encap_compile.run.kernel.errors import FullError, NotFoundError, NotSupportedError
from encap_compile.run.kernel.libbpf import libbpf
from encap_compile.run.kernel.maps import Map, Packed
from encap_compile.run.kernel.objects import BpfObject
from encap_compile.run.loader.rowdiff import difference
from tests.netns.loader_bundle import compiled

pytestmark = pytest.mark.kernel
SOURCE = r"""
typedef unsigned char __u8; typedef unsigned int __u32; typedef unsigned long long __u64;
#define SEC(NAME) __attribute__((section(NAME), used))
struct key { __u32 length; __u8 address[4]; };
struct { int (*type)[1]; __u64 *key; __u32 *value; int (*max_entries)[50000]; } hash SEC(".maps");
struct { int (*type)[11]; struct key *key; __u32 *value; int (*max_entries)[50000]; int (*map_flags)[1]; }
	trie SEC(".maps");
const char LICENSE[] SEC("license") = "GPL";
"""


@pytest.fixture(params=["hash", "trie"])
def filled(request: pytest.FixtureRequest) -> Iterator[Map]:
    with BpfObject(compiled(SOURCE.lstrip()), "maps") as opened:
        opened.load()
        with opened.map(request.param) as made:
            yield made


@pytest.fixture(params=["batch", "single"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """`single`: the kernel has no batch operations for the map, as 5.10 for LPM tries."""
    if request.param == "single":

        class WithoutBatches:
            def __getattr__(self, name: str) -> Any:
                return refuse if name.endswith("_batch") else getattr(libbpf(), name)

        def refuse(*_: Any) -> None:
            raise NotSupportedError(524, "batch")

        monkeypatch.setattr(maps, "libbpf", WithoutBatches)
    return str(request.param)


def entries(count: int, add: int = 0) -> Packed:
    keys = b"".join(struct.pack("=IBBBB", 32, 10, i >> 16, i >> 8 & 255, i & 255) for i in range(count))
    return Packed(count, keys, b"".join(struct.pack("=I", i + add) for i in range(count)))


def test_everything_that_was_written_is_read(filled: Map, way: str) -> None:
    wanted = entries(40_000)
    filled.update(wanted)
    read = filled.entries()
    assert read.count == 40_000
    assert dict(read.items(8, 4)) == dict(wanted.items(8, 4))
    assert not difference(filled, wanted).any


def test_deleting_skips_what_is_not_there(filled: Map, way: str) -> None:
    filled.update(entries(100))
    keys = entries(100).keys
    filled.delete(keys[: 8 * 10])
    filled.delete(keys[: 8 * 50])
    assert filled.entries().count == 50
    with pytest.raises(NotFoundError):
        filled.lookup(keys[:8])


def test_difference(filled: Map, way: str) -> None:
    filled.update(entries(1000))
    found = difference(filled, entries(900, add=0))
    assert (found.added, found.changed, found.removed, found.kept) == (0, 0, 100, 900)
    found = difference(filled, entries(1100, add=1))
    assert (found.added, found.changed, found.removed) == (100, 1000, 0)
    filled.update(found.write)
    filled.delete(found.delete)
    assert not difference(filled, entries(1100, add=1)).any


def test_an_empty_map(filled: Map, way: str) -> None:
    assert filled.entries() == Packed(0, b"", b"")
    filled.update(Packed(0, b"", b""))
    filled.delete(b"")


def test_a_full_map_is_an_error(filled: Map, way: str) -> None:
    with pytest.raises(FullError):
        filled.update(entries(50_001))


def test_a_prefix_with_host_bits_is_replaced_and_not_deleted(way: str) -> None:
    def prefix(last: int, length: int = 24) -> bytes:
        return struct.pack("=IBBBB", length, 10, 0, 0, last)

    wanted = Packed(1, prefix(0), struct.pack("=I", 1))
    with BpfObject(compiled(SOURCE.lstrip()), "maps") as opened:
        opened.load()
        with opened.map("trie") as trie:
            trie.update(Packed(2, prefix(7) + prefix(9, 32), struct.pack("=II", 1, 1)))
            found = difference(trie, wanted)
            trie.update(found.write)
            trie.delete(found.delete)
            assert trie.entries() == wanted
            assert not difference(trie, wanted).any
