"""Maps: whole contents in and out, in batches where the kernel has them for this type, one by one elsewhere."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from ctypes import c_uint32
from functools import cached_property

from ...common.record import Record
from .errors import FullError, NotFoundError, NotSupportedError
from .handle import Handle
from .info import MapInfo, map_info
from .libbpf import libbpf
from .uapi import BPF_ANY, BPF_MAP_TYPE_PERCPU_ARRAY

CHUNK = 16384  # entries in one system call: large enough that its cost vanishes, small enough to keep memory modest


class Packed(Record):
    """Entries as the map holds them: `keys` and `values` are `count` times their size, one after the other."""

    count: int
    keys: bytes
    values: bytes

    def pieces(self, key_size: int, value_size: int) -> tuple[list[bytes], list[bytes]]:
        """The keys, and the values."""
        return _pieces(self.keys, key_size), _pieces(self.values, value_size)

    def items(self, key_size: int, value_size: int) -> Iterator[tuple[bytes, bytes]]:
        """Each entry's key and value."""
        return zip(*self.pieces(key_size, value_size), strict=True)


class Map(Handle):
    """A map, by its descriptor. All methods raise KernelError."""

    @classmethod
    def by_id(cls, number: int) -> Map:
        """Raises NotFoundError when it is gone, NotPermittedError without CAP_SYS_ADMIN."""
        return cls(libbpf().bpf_map_get_fd_by_id(number))

    @cached_property
    def info(self) -> MapInfo:
        return map_info(self.fd)

    def lookup(self, key: bytes) -> bytes:
        """The value of a key; of a per-CPU map, all values of all possible CPUs, each padded to 8 bytes.

        Raises NotFoundError when the key is not there.
        """
        size = self.info.value_size
        if self.info.type == BPF_MAP_TYPE_PERCPU_ARRAY:
            size = (size + 7) // 8 * 8 * libbpf().libbpf_num_possible_cpus()
        value = ctypes.create_string_buffer(size)
        libbpf().bpf_map_lookup_elem(self.fd, key, ctypes.addressof(value))
        return value.raw

    def entries(self) -> Packed:
        """Everything in the map. Entries that others change meanwhile may be missed."""
        try:
            return self._entries_batch()
        except NotSupportedError:
            return self._entries_single()

    def update(self, entries: Packed) -> None:
        """Insert or overwrite every entry. Raises FullError when the map's `max_entries` do not suffice."""
        keys, values = ctypes.c_char_p(entries.keys), ctypes.c_char_p(entries.values)
        key_base, value_base = _address(keys), _address(values)
        key_size, value_size = self.info.key_size, self.info.value_size
        done = 0
        while done < entries.count:
            count = c_uint32(min(CHUNK, entries.count - done))
            at = key_base + done * key_size, value_base + done * value_size
            try:
                libbpf().bpf_map_update_batch(self.fd, *at, ctypes.byref(count), None)
            except NotSupportedError:  # LPM tries before 5.14
                for i in range(done, entries.count):
                    pair = key_base + i * key_size, value_base + i * value_size
                    libbpf().bpf_map_update_elem(self.fd, *pair, BPF_ANY)
                return
            done += count.value

    def delete(self, keys: bytes) -> None:
        """Delete every key; one that is not there is no error."""
        size = self.info.key_size
        base = _address(ctypes.c_char_p(keys))
        total, done = len(keys) // size, 0
        while done < total:
            count = c_uint32(min(CHUNK, total - done))
            try:
                libbpf().bpf_map_delete_batch(self.fd, base + done * size, ctypes.byref(count), None)
                done += count.value
            except NotFoundError:
                done += count.value + 1  # the batch stops at the key that is not there
            except NotSupportedError:
                for i in range(done, total):
                    self._delete_one(base + i * size)
                return

    def _delete_one(self, address: int) -> None:
        try:
            libbpf().bpf_map_delete_elem(self.fd, address)
        except NotFoundError:
            return

    def _entries_batch(self) -> Packed:
        info = self.info
        chunk = min(CHUNK, info.max_entries)
        cursors = [ctypes.create_string_buffer(max(info.key_size, 8)) for _ in range(2)]
        keys, values, total = [], [], 0
        position: int | None = None
        key_buffer = ctypes.create_string_buffer(chunk * info.key_size)
        value_buffer = ctypes.create_string_buffer(chunk * info.value_size)
        while True:
            count, ended = c_uint32(chunk), False
            into = ctypes.addressof(cursors[1]), ctypes.addressof(key_buffer), ctypes.addressof(value_buffer)
            try:
                libbpf().bpf_map_lookup_batch(self.fd, position, *into, ctypes.byref(count), None)
            except NotFoundError:
                ended = True
            except FullError:  # a bucket of a hash map holds more than the chunk: it is read whole or not at all
                chunk *= 2
                key_buffer = ctypes.create_string_buffer(chunk * info.key_size)
                value_buffer = ctypes.create_string_buffer(chunk * info.value_size)
                continue
            keys.append(ctypes.string_at(key_buffer, count.value * info.key_size))
            values.append(ctypes.string_at(value_buffer, count.value * info.value_size))
            total += count.value
            if ended:
                return Packed(total, b"".join(keys), b"".join(values))
            cursors.reverse()
            position = ctypes.addressof(cursors[0])

    def _entries_single(self) -> Packed:
        info = self.info
        keys: list[bytes] = []
        values: list[bytes] = []
        key = ctypes.create_string_buffer(info.key_size)
        after: int | None = None
        while True:
            try:
                libbpf().bpf_map_get_next_key(self.fd, after, ctypes.addressof(key))
            except NotFoundError:
                return Packed(len(keys), b"".join(keys), b"".join(values))
            after = ctypes.addressof(key)
            try:
                values.append(self.lookup(key.raw))
                keys.append(key.raw)
            except NotFoundError:
                continue  # deleted meanwhile


def _pieces(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


def _address(pointer: ctypes.c_char_p) -> int:
    """Where the bytes are; the caller keeps the bytes object alive."""
    return ctypes.cast(pointer, ctypes.c_void_p).value or 0
