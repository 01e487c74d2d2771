"""What the kernel says about a map, a program or a link (BPF_OBJ_GET_INFO_BY_FD).

The structs hold the members that are used, in the order of include/uapi/linux/bpf.h; the kernel accepts a shorter
struct than its own and fills in that much.
"""

from __future__ import annotations

import ctypes
from ctypes import c_char, c_uint8, c_uint32, c_uint64

from ...common.record import Record
from .libbpf import libbpf
from .uapi import BPF_LINK_TYPE_CGROUP


class _MapInfo(ctypes.Structure):
    _fields_ = (
        ("type", c_uint32),
        ("id", c_uint32),
        ("key_size", c_uint32),
        ("value_size", c_uint32),
        ("max_entries", c_uint32),
        ("map_flags", c_uint32),
        ("name", c_char * 16),
    )


class _ProgramInfo(ctypes.Structure):
    _fields_ = (
        ("type", c_uint32),
        ("id", c_uint32),
        ("tag", c_uint8 * 8),
        ("jited_prog_len", c_uint32),
        ("xlated_prog_len", c_uint32),
        ("jited_prog_insns", c_uint64),
        ("xlated_prog_insns", c_uint64),
        ("load_time", c_uint64),
        ("created_by_uid", c_uint32),
        ("nr_map_ids", c_uint32),
        ("map_ids", c_uint64),
        ("name", c_char * 16),
    )


class _ProgramRuns(ctypes.Structure):
    """struct bpf_prog_info up to `run_cnt` (Linux 5.1)."""

    _fields_ = (
        *_ProgramInfo._fields_,
        ("ifindex", c_uint32),
        ("gpl_compatible", c_uint32),
        ("netns_dev", c_uint64),
        ("netns_ino", c_uint64),
        ("nr_jited_ksyms", c_uint32),
        ("nr_jited_func_lens", c_uint32),
        ("jited_ksyms", c_uint64),
        ("jited_func_lens", c_uint64),
        ("btf_id", c_uint32),
        ("func_info_rec_size", c_uint32),
        ("func_info", c_uint64),
        ("nr_func_info", c_uint32),
        ("nr_line_info", c_uint32),
        ("line_info", c_uint64),
        ("jited_line_info", c_uint64),
        ("nr_jited_line_info", c_uint32),
        ("line_info_rec_size", c_uint32),
        ("jited_line_info_rec_size", c_uint32),
        ("nr_prog_tags", c_uint32),
        ("prog_tags", c_uint64),
        ("run_time_ns", c_uint64),
        ("run_cnt", c_uint64),
    )


class _TcxInfo(ctypes.Structure):
    _fields_ = (("ifindex", c_uint32), ("attach_type", c_uint32))


class _CgroupInfo(ctypes.Structure):
    _fields_ = (("cgroup_id", c_uint64), ("attach_type", c_uint32))


class _Attached(ctypes.Union):
    _fields_ = (("tcx", _TcxInfo), ("cgroup", _CgroupInfo))


class _LinkInfo(ctypes.Structure):
    _fields_ = (("type", c_uint32), ("id", c_uint32), ("prog_id", c_uint32), ("attached", _Attached))


class MapInfo(Record):
    """struct bpf_map_info; sizes in bytes. `name` is what the kernel kept of it, 15 characters."""

    type: int
    id: int
    key_size: int
    value_size: int
    max_entries: int
    flags: int
    name: str


class ProgramInfo(Record):
    """struct bpf_prog_info. `load_time` is in nanoseconds since boot; `name` at most 15 characters."""

    id: int
    tag: str
    name: str
    load_time: int
    map_ids: tuple[int, ...]


class LinkInfo(Record):
    """struct bpf_link_info of a TCX or cgroup link. `target` is an ifindex or a cgroup's number, 0 once it is gone."""

    id: int
    type: int
    program_id: int
    target: int
    attach_type: int


def _query(fd: int, into: ctypes.Structure) -> None:
    size = c_uint32(ctypes.sizeof(into))
    libbpf().bpf_obj_get_info_by_fd(fd, ctypes.addressof(into), ctypes.byref(size))


def map_info(fd: int) -> MapInfo:
    """Raises KernelError."""
    i = _MapInfo()
    _query(fd, i)
    return MapInfo(i.type, i.id, i.key_size, i.value_size, i.max_entries, i.map_flags, i.name.decode(errors="replace"))


def program_info(fd: int) -> ProgramInfo:
    """Raises KernelError."""
    first = _ProgramInfo()
    _query(fd, first)
    ids = (c_uint32 * first.nr_map_ids)()
    i = _ProgramInfo(nr_map_ids=first.nr_map_ids, map_ids=ctypes.addressof(ids) if first.nr_map_ids else 0)
    _query(fd, i)
    return ProgramInfo(i.id, bytes(i.tag).hex(), i.name.decode(errors="replace"), i.load_time, tuple(ids))


def run_count(fd: int) -> int:
    """How often a program has run while runs were counted. Raises KernelError."""
    i = _ProgramRuns()
    _query(fd, i)
    return int(i.run_cnt)


def link_info(fd: int) -> LinkInfo:
    """Raises KernelError."""
    i = _LinkInfo()
    _query(fd, i)
    if i.type == BPF_LINK_TYPE_CGROUP:
        return LinkInfo(i.id, i.type, i.prog_id, i.attached.cgroup.cgroup_id, i.attached.cgroup.attach_type)
    return LinkInfo(i.id, i.type, i.prog_id, i.attached.tcx.ifindex, i.attached.tcx.attach_type)
