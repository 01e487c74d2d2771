"""BPF_PROG_TEST_RUN by libbpf: one frame through one program, and what became of it."""

from __future__ import annotations

import ctypes
import struct
from ctypes import POINTER, c_int, c_size_t, c_uint32, c_void_p
from dataclasses import dataclass
from functools import cache
from typing import Any

from encap_compile.run.kernel.libbpf import libbpf
from encap_compile.run.kernel.programs import Program

UNSPEC = 0xFFFFFFFF  # TC_ACT_UNSPEC, -1: the next program on the hook decides
SHOT = 2
REDIRECT = 7
VERDICTS = {UNSPEC: "pass", SHOT: "drop", REDIRECT: "redirect"}

SKB_SIZE = 192  # struct __sk_buff of kernel 6.18
SKB_MARK, SKB_GSO_SEGS, SKB_GSO_SIZE = 8, 164, 176  # offsets of its members
ROOM = 512  # bytes that a program may add


class _Options(ctypes.Structure):
    """struct bpf_test_run_opts."""

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


@dataclass(frozen=True)
class Ran:
    """`verdict` is pass, drop or redirect; `frame` the bytes behind the program, from the Ethernet header on."""

    verdict: str
    frame: bytes
    mark: int


@cache
def _test_run() -> Any:
    function = libbpf().bpf_prog_test_run_opts
    function.restype, function.argtypes = c_int, (c_int, POINTER(_Options))
    return function


def run(program: Program, frame: bytes, mark: int = 0, gso_size: int = 0, gso_segs: int = 0) -> Ran:
    """Run a TC program once over a frame. `gso_size` makes it a GSO packet of no known kind."""
    context = bytearray(SKB_SIZE)
    struct.pack_into("=I", context, SKB_MARK, mark)
    struct.pack_into("=I", context, SKB_GSO_SEGS, gso_segs)
    struct.pack_into("=I", context, SKB_GSO_SIZE, gso_size)
    given = ctypes.create_string_buffer(frame, len(frame))
    context_in = ctypes.create_string_buffer(bytes(context), SKB_SIZE)
    out = ctypes.create_string_buffer(len(frame) + ROOM)
    context_out = ctypes.create_string_buffer(SKB_SIZE)
    options = _Options(
        sz=ctypes.sizeof(_Options),
        data_in=ctypes.addressof(given),
        data_out=ctypes.addressof(out),
        data_size_in=len(frame),
        data_size_out=len(out),
        ctx_in=ctypes.addressof(context_in),
        ctx_out=ctypes.addressof(context_out),
        ctx_size_in=SKB_SIZE,
        ctx_size_out=SKB_SIZE,
        repeat=1,
    )
    result = _test_run()(program.fd, ctypes.byref(options))
    if result < 0:
        raise OSError(-result, f"BPF_PROG_TEST_RUN of {len(frame)} bytes")
    (mark_out,) = struct.unpack_from("=I", context_out.raw, SKB_MARK)
    return Ran(VERDICTS.get(options.retval, str(options.retval)), out.raw[: options.data_size_out], mark_out)
