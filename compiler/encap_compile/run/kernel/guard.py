"""A program of two instructions on the ingress of a device of ours, by which nothing comes in."""

from __future__ import annotations

import struct

from .filters import clsact_qdisc, filters_on
from .handle import Handle
from .libbpf import libbpf
from .netlink import add_clsact, replace_filter
from .uapi import BPF_PROG_TYPE_SCHED_CLS, TC_CLSACT_INGRESS

NAME = "encap_guard"
_PRIORITY, _HANDLE = 1, 1
_INSTRUCTION = struct.Struct("=BBhi")  # struct bpf_insn
_MOV64, _EXIT, _TC_ACT_SHOT = 0xB7, 0x95, 2
_DROPS = _INSTRUCTION.pack(_MOV64, 0, 0, _TC_ACT_SHOT) + _INSTRUCTION.pack(_EXIT, 0, 0, 0)


def guard(ifindex: int) -> None:
    """Drop everything that a device receives, before it goes up. It goes with the device. Raises KernelError."""
    with Handle(libbpf().bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, NAME.encode(), b"GPL", _DROPS, 2, None)) as program:
        if clsact_qdisc(ifindex) != "clsact":
            add_clsact(ifindex)
        replace_filter(ifindex, TC_CLSACT_INGRESS, _PRIORITY, _HANDLE, program.fd, NAME)


def is_guarded(ifindex: int) -> bool:
    """Whether the program is the first on the device's ingress. Raises KernelError."""
    return [f.name for f in filters_on(ifindex, TC_CLSACT_INGRESS)][:1] == [NAME]
