"""A BPF object: opened from bytes, its host values set, its maps shared, then loaded."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from ctypes import byref, c_size_t, sizeof
from types import TracebackType
from typing import Any, Self

from ...common.record import Record
from .errors import KernelError, LoadRefusedError, NotPermittedError
from .libbpf import OpenOptions, libbpf, messages
from .maps import Map
from .programs import Program

_DESCRIPTORS_BESIDE_MAPS = 24  # of programs, of BTF, and of the probes by which libbpf finds out what the kernel can do


class MapDefinition(Record):
    """A map as the object declares it; sizes in bytes. An internal one holds a data section (.rodata.host)."""

    name: str
    type: int
    key_size: int
    value_size: int
    max_entries: int
    flags: int
    internal: bool


class BpfObject:
    """Owns a struct bpf_object; use it as a context manager. Closing it frees what was not taken from it."""

    def __init__(self, data: bytes, name: str) -> None:
        """Parse an ELF object from memory, so that what was hashed is what is loaded. Raises LoadRefusedError."""
        self._data = data
        options = OpenOptions(sz=sizeof(OpenOptions), object_name=name.encode())
        with messages() as log:
            try:
                self._object: Any = libbpf().bpf_object__open_mem(data, len(data), byref(options))
            except KernelError as error:
                raise LoadRefusedError(error.errno, error.call, "".join(log)) from None
        self._maps = dict(self._walk())

    def _walk(self) -> Iterator[tuple[str, Any]]:
        handle = libbpf().bpf_object__next_map(self._object, None)
        while handle:
            yield libbpf().bpf_map__name(handle).decode(), handle
            handle = libbpf().bpf_object__next_map(self._object, handle)

    @property
    def maps(self) -> dict[str, MapDefinition]:
        """Every map by its name in the C."""
        lib = libbpf()
        return {
            name: MapDefinition(
                name,
                lib.bpf_map__type(m),
                lib.bpf_map__key_size(m),
                lib.bpf_map__value_size(m),
                lib.bpf_map__max_entries(m),
                lib.bpf_map__map_flags(m),
                lib.bpf_map__is_internal(m),
            )
            for name, m in self._maps.items()
        }

    def initial_value(self, name: str) -> bytes:
        """The bytes of a data section as compiled."""
        size = c_size_t()
        address = libbpf().bpf_map__initial_value(self._maps[name], byref(size))
        return ctypes.string_at(address, size.value)

    def set_initial_value(self, name: str, value: bytes) -> None:
        """Set the bytes of a data section before `load`; the size must be the section's."""
        libbpf().bpf_map__set_initial_value(self._maps[name], value, len(value))

    def reuse_map(self, name: str, fd: int) -> None:
        """Let `load` take an existing map; libbpf keeps its own duplicate of the descriptor."""
        libbpf().bpf_map__reuse_fd(self._maps[name], fd)

    def leave_out(self, name: str) -> None:
        """Do not load this program; the maps are made all the same. Raises NotFoundError."""
        handle = libbpf().bpf_object__find_program_by_name(self._object, name.encode())
        libbpf().bpf_program__set_autoload(handle, False)

    def load(self) -> None:
        """Create the maps, verify and load the programs.

        Raises LoadRefusedError with the log, NotPermittedError, OSError for want of file descriptors.
        """
        _require_descriptors(len(self._maps) + _DESCRIPTORS_BESIDE_MAPS)
        with messages() as log:
            try:
                libbpf().bpf_object__load(self._object)
            except NotPermittedError:
                if "BEGIN PROG LOAD LOG" not in "".join(log):  # EACCES with a log is the verifier's verdict
                    raise
                raise LoadRefusedError(13, "bpf_object__load", "".join(log)) from None
            except KernelError as error:
                raise LoadRefusedError(error.errno, error.call, "".join(log)) from None

    def program(self, name: str) -> Program:
        """A loaded program, with a descriptor of its own. Raises NotFoundError."""
        handle = libbpf().bpf_object__find_program_by_name(self._object, name.encode())
        return Program(os.dup(libbpf().bpf_program__fd(handle)))

    def map(self, name: str) -> Map:
        """A created map, with a descriptor of its own."""
        return Map(os.dup(libbpf().bpf_map__fd(self._maps[name])))

    def close(self) -> None:
        if self._object is not None:
            libbpf().bpf_object__close(self._object)
            self._object = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _require_descriptors(count: int) -> None:
    """libbpf takes a descriptor that it does not get for something that the kernel cannot do, and goes on without: the
    verifier then refuses the program. Raises OSError (EMFILE, ENFILE)."""
    taken: list[int] = []
    try:
        while len(taken) < count:
            taken.append(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))
    except OSError as error:
        raise OSError(error.errno, os.strerror(error.errno or 0)) from None  # without the file, which is not to blame
    finally:
        for descriptor in taken:
            os.close(descriptor)
