"""BPF_PROG_TEST_RUN: one frame through one TC program, and what became of it. No device, no packet of the machine."""

from __future__ import annotations

import ctypes
import struct
from ctypes import byref
from typing import NamedTuple

from .libbpf import TestRunOptions, libbpf
from .programs import Program

UNSPEC = 0xFFFFFFFF  # TC_ACT_UNSPEC, -1: the next program on the hook decides
SHOT = 2
REDIRECT = 7
VERDICTS = {UNSPEC: "pass", SHOT: "drop", REDIRECT: "redirect"}

SKB_SIZE = 192  # struct __sk_buff of kernel 6.18; older kernels take a longer one whose end is zero
SKB_MARK, SKB_INGRESS, SKB_IFINDEX, SKB_GSO_SEGS, SKB_GSO_SIZE = 8, 36, 40, 164, 176  # offsets of its members
HEADROOM = 512  # bytes that a program may add
MOST = 3400  # bytes: the frame and struct skb_shared_info fit into a page of 4096 (bpf_test_init)


class Ran(NamedTuple):
    """`verdict` is pass, drop or redirect; `frame` the bytes behind the program, from the Ethernet header on."""

    verdict: str
    frame: bytes
    mark: int


def run(
    program: Program,
    frame: bytes,
    mark: int = 0,
    gso_size: int = 0,
    gso_segs: int = 0,
    ifindex: int = 0,
    arrived_by: int = 0,
) -> Ran:
    """Run a program once. `gso_size` makes the frame a GSO packet of no known kind. Raises KernelError.

    It is on the device `ifindex`, or on the loopback device. `arrived_by` is the device that a forwarded one came in by
    (Linux 5.14): 0 for what is sent by the machine itself.

    The frame has a socket of the kernel's own, of no protocol, in the cgroup and the network namespace of this thread.
    """
    context = bytearray(SKB_SIZE)
    struct.pack_into("=I", context, SKB_MARK, mark)
    struct.pack_into("=I", context, SKB_INGRESS, arrived_by)
    struct.pack_into("=I", context, SKB_IFINDEX, ifindex)
    struct.pack_into("=I", context, SKB_GSO_SEGS, gso_segs)
    struct.pack_into("=I", context, SKB_GSO_SIZE, gso_size)
    given = ctypes.create_string_buffer(frame, len(frame))
    context_in = ctypes.create_string_buffer(bytes(context), SKB_SIZE)
    out = ctypes.create_string_buffer(len(frame) + HEADROOM)
    context_out = ctypes.create_string_buffer(SKB_SIZE)
    options = TestRunOptions(
        sz=ctypes.sizeof(TestRunOptions),
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
    libbpf().bpf_prog_test_run_opts(program.fd, byref(options))
    (mark_out,) = struct.unpack_from("=I", context_out.raw, SKB_MARK)
    return Ran(VERDICTS.get(options.retval, str(options.retval)), out.raw[: options.data_size_out], mark_out)
