"""libbpf by ctypes: one table of signatures, opaque handles, errors as exceptions.

libbpf 1.0 is the oldest that serves: before it, functions returned errors in several ways
(https://github.com/libbpf/libbpf/wiki/Libbpf-1.0-migration-guide). Everything here also runs on the 1.1 of Debian 12.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ctypes import POINTER, c_char_p, c_int, c_size_t, c_uint32, c_uint64, c_void_p
from typing import Any

from ...common.diagnostics import DiagnosedError, Diagnostic, Exit
from .errors import kernel_error

MINIMUM_VERSION = (1, 0)
SONAME = "libbpf.so.1"
_INSTALL = (
    "install it: `apt-get update && apt-get install libbpf1` (Debian, Ubuntu), `dnf install libbpf` (Fedora, RHEL)"
)


class ObjectHandle(ctypes.Structure):
    """struct bpf_object; opaque."""


class MapHandle(ctypes.Structure):
    """struct bpf_map; opaque."""


class ProgramHandle(ctypes.Structure):
    """struct bpf_program; opaque."""


class OpenOptions(ctypes.Structure):
    """struct bpf_object_open_opts, as far as it is used; `sz` tells libbpf how far that is."""

    _fields_ = (("sz", c_size_t), ("object_name", c_char_p))


class QueryOptions(ctypes.Structure):
    """struct bpf_prog_query_opts of libbpf 1.0; newer ones have more members behind these."""

    _fields_ = (
        ("sz", c_size_t),
        ("query_flags", c_uint32),
        ("attach_flags", c_uint32),
        ("prog_ids", POINTER(c_uint32)),
        ("count", c_uint32),
        ("prog_attach_flags", POINTER(c_uint32)),
    )


class BatchOptions(ctypes.Structure):
    """struct bpf_map_batch_opts."""

    _fields_ = (("sz", c_size_t), ("elem_flags", c_uint64), ("flags", c_uint64))


class TestRunOptions(ctypes.Structure):
    """struct bpf_test_run_opts of libbpf 1.0."""

    __test__ = False  # for pytest, which takes names for what they begin with

    _fields_ = (
        ("sz", c_size_t),
        ("data_in", c_void_p),
        ("data_out", c_void_p),
        ("data_size_in", c_uint32),
        ("data_size_out", c_uint32),
        ("ctx_in", c_void_p),
        ("ctx_out", c_void_p),
        ("ctx_size_in", c_uint32),
        ("ctx_size_out", c_uint32),
        ("retval", c_uint32),
        ("repeat", c_int),
        ("duration", c_uint32),
        ("flags", c_uint32),
        ("cpu", c_uint32),
        ("batch_size", c_uint32),
    )


_Object, _Map, _Program = POINTER(ObjectHandle), POINTER(MapHandle), POINTER(ProgramHandle)
PrintFunction = ctypes.CFUNCTYPE(c_int, c_int, c_char_p, c_void_p)
_BATCH = (c_int, c_void_p, c_void_p, POINTER(c_uint32), POINTER(BatchOptions))


def _errno(result: int, function: Any, arguments: Any) -> int:
    """libbpf 1.x: a negative int is -errno."""
    if result < 0:
        raise kernel_error(-result, function.__name__)
    return result


def _null(result: Any, function: Any, arguments: Any) -> Any:
    """libbpf 1.x: a null pointer, and errno says why."""
    if not result:
        raise kernel_error(ctypes.get_errno(), function.__name__)
    return result


def _plain(result: Any, function: Any, arguments: Any) -> Any:
    return result


Check = Callable[[Any, Any, Any], Any]
# name: (result, arguments, how an error is told)
SIGNATURES: dict[str, tuple[Any, tuple[Any, ...], Check]] = {
    "libbpf_set_print": (c_void_p, (PrintFunction,), _plain),
    "libbpf_num_possible_cpus": (c_int, (), _errno),
    "bpf_object__open_mem": (_Object, (c_void_p, c_size_t, POINTER(OpenOptions)), _null),
    "bpf_object__load": (c_int, (_Object,), _errno),
    "bpf_object__close": (None, (_Object,), _plain),
    "bpf_object__next_map": (_Map, (_Object, _Map), _plain),
    "bpf_object__find_program_by_name": (_Program, (_Object, c_char_p), _null),
    "bpf_program__fd": (c_int, (_Program,), _errno),
    "bpf_program__set_autoload": (c_int, (_Program, ctypes.c_bool), _errno),
    "bpf_map__name": (c_char_p, (_Map,), _plain),
    "bpf_map__fd": (c_int, (_Map,), _errno),
    "bpf_map__type": (c_int, (_Map,), _plain),
    "bpf_map__key_size": (c_uint32, (_Map,), _plain),
    "bpf_map__value_size": (c_uint32, (_Map,), _plain),
    "bpf_map__max_entries": (c_uint32, (_Map,), _plain),
    "bpf_map__map_flags": (c_uint32, (_Map,), _plain),
    "bpf_map__is_internal": (ctypes.c_bool, (_Map,), _plain),
    "bpf_map__reuse_fd": (c_int, (_Map, c_int), _errno),
    "bpf_map__initial_value": (c_void_p, (_Map, POINTER(c_size_t)), _null),
    "bpf_map__set_initial_value": (c_int, (_Map, c_char_p, c_size_t), _errno),
    "bpf_map_lookup_elem": (c_int, (c_int, c_void_p, c_void_p), _errno),
    "bpf_map_update_elem": (c_int, (c_int, c_void_p, c_void_p, c_uint64), _errno),
    "bpf_map_delete_elem": (c_int, (c_int, c_void_p), _errno),
    "bpf_map_get_next_key": (c_int, (c_int, c_void_p, c_void_p), _errno),
    "bpf_map_update_batch": (c_int, _BATCH, _errno),
    "bpf_map_delete_batch": (c_int, (c_int, c_void_p, POINTER(c_uint32), POINTER(BatchOptions)), _errno),
    "bpf_map_lookup_batch": (c_int, (c_int, c_void_p, c_void_p, *_BATCH[1:]), _errno),
    "bpf_map_get_fd_by_id": (c_int, (c_uint32,), _errno),
    "bpf_prog_load": (c_int, (c_int, c_char_p, c_char_p, c_char_p, c_size_t, c_void_p), _errno),
    "bpf_prog_get_fd_by_id": (c_int, (c_uint32,), _errno),
    "bpf_prog_test_run_opts": (c_int, (c_int, POINTER(TestRunOptions)), _errno),
    "bpf_enable_stats": (c_int, (c_int,), _errno),
    "bpf_obj_get": (c_int, (c_char_p,), _errno),
    "bpf_obj_pin": (c_int, (c_int, c_char_p), _errno),
    "bpf_obj_get_info_by_fd": (c_int, (c_int, c_void_p, POINTER(c_uint32)), _errno),
    "bpf_link_create": (c_int, (c_int, c_int, c_int, c_void_p), _errno),
    "bpf_link_update": (c_int, (c_int, c_int, c_void_p), _errno),
    "bpf_link_detach": (c_int, (c_int,), _errno),
    "bpf_prog_query_opts": (c_int, (c_int, c_int, POINTER(QueryOptions)), _errno),
}

_library: ctypes.CDLL | None = None


def libbpf() -> ctypes.CDLL:
    """The library, opened once, its functions typed. Raises DiagnosedError: K201 missing, K202 too old."""
    global _library
    if _library is None:
        _library = _open(os.environ.get("ENCAP_LIBBPF", SONAME))
    return _library


def version() -> tuple[int, int]:
    """Major and minor version of the library in use."""
    library = libbpf()
    return library.libbpf_major_version(), library.libbpf_minor_version()


def _open(path: str) -> ctypes.CDLL:
    try:
        library = ctypes.CDLL(path, use_errno=True)
        found = library.libbpf_major_version(), library.libbpf_minor_version()
    except OSError as error:
        raise DiagnosedError([Diagnostic("K201", f"libbpf is missing: {error}", help=_INSTALL)], Exit.MACHINE) from None
    except AttributeError:  # libbpf_major_version came with 0.6
        found = (0, 0)
    if found < MINIMUM_VERSION:
        oldest = ".".join(map(str, MINIMUM_VERSION))
        words = f"{path} is libbpf {found[0]}.{found[1]}; {oldest} is the oldest that serves"
        raise DiagnosedError([Diagnostic("K202", words, help=_INSTALL)], Exit.MACHINE)
    for name, (result, arguments, check) in SIGNATURES.items():
        function = getattr(library, name)
        function.restype, function.argtypes, function.errcheck = result, arguments, check
    _capture_prints(library)
    return library


_messages: list[str] | None = None
_kept: list[Any] = []  # ctypes callbacks must outlive their registration


def _capture_prints(library: ctypes.CDLL) -> None:
    """Send libbpf's messages to `messages()`, or nowhere: never to a user's terminal."""
    vsnprintf = ctypes.CDLL(None).vsnprintf
    vsnprintf.argtypes = (c_char_p, c_size_t, c_char_p, c_void_p)

    def keep(level: int, text: bytes, arguments: int) -> int:
        if _messages is None or level > 0:  # LIBBPF_WARN is 0
            return 0
        # The verifier's log is one message, up to 16 MiB (BPF_LOG_SIZE of libbpf); everything else is a line.
        buffer = ctypes.create_string_buffer((16 << 20) + 4096 if b"LOG" in text else 4096)
        # A va_list is passed by reference on x86-64 and arm64 alike, so a pointer carries it.
        vsnprintf(buffer, len(buffer), text, arguments)
        _messages.append(buffer.value.decode(errors="replace"))
        return 0

    callback = PrintFunction(keep)
    _kept.append(callback)
    library.libbpf_set_print(callback)


@contextmanager
def messages() -> Iterator[list[str]]:
    """Collect libbpf's warnings while the block runs."""
    global _messages
    outer, _messages = _messages, []
    try:
        yield _messages
    finally:
        _messages = outer
