"""What the verifier had to do for a bundle's programs, by its own statistics (BPF_LOG_STATS, Linux 5.2)."""

from __future__ import annotations

import ctypes
import re
import struct
from ctypes import c_char_p, c_int, c_size_t, c_uint32, c_void_p
from dataclasses import dataclass
from pathlib import Path

from encap_compile.common.diagnostics import Findings
from encap_compile.run.host_values import resolve
from encap_compile.run.kernel.libbpf import ProgramHandle, libbpf
from encap_compile.run.kernel.objects import BpfObject
from encap_compile.run.loader.bundle import open_bundle
from encap_compile.run.loader.compose import compose
from encap_compile.run.loader.hostfile import read_settings
from tests.packets.datapath import MAC, OWN, device

_STATISTICS = 4  # BPF_LOG_STATS
_PROCESSED = re.compile(rb"processed (\d+) insns")
_FRAMES = re.compile(rb"stack depth ([\d+]+)")
_FRAME = re.compile(rb"^subprog \d+ .* stack (\d+)$", re.MULTILINE)  # Linux 7.3 has a line for each function
_LOG = 4096
_VALUES = {"ip": OWN[4], "ipv4": OWN[4], "ipv6": OWN[6], "mac": MAC, "device": "eth0", "devices": "eth0"}


@dataclass(frozen=True)
class Work:
    """`loaded` instructions of a program after the verifier's own changes; `processed` ones, on all ways through it.

    `frames`: how much of the stack each of its functions takes, the program's own first.
    """

    loaded: int
    processed: int
    frames: tuple[int, ...]


def verifier_work(bundle: Path) -> dict[str, Work]:
    """By program, for the host values of an invented machine. Raises LoadRefusedError."""
    opened = open_bundle(bundle, {})
    findings = Findings()
    unset = (value for value in opened.manifest.host if not value.default)
    given = {value.name: f"{value.name}={_VALUES.get(value.type, '1')}" for value in unset}
    given |= {name: f"{name}=eth0" for name in opened.manifest.attach}
    machine = resolve(opened.manifest, read_settings(list(given.values())), {"eth0": device()}, findings)
    assert not findings.errors, [d.message for d in findings.errors]
    with BpfObject(opened.object, opened.manifest.name) as object_:
        object_.set_initial_value(".rodata.host", compose(opened.manifest, machine, device()).host)
        logs = {name: _ask(object_, name) for name in _programs(object_)}
        object_.load()
        return {name: _work(object_, name, log) for name, log in logs.items()}


def _programs(object_: BpfObject) -> list[str]:
    walk, name = libbpf().bpf_object__next_program, libbpf().bpf_program__name
    walk.restype, walk.argtypes = ctypes.POINTER(ProgramHandle), (c_void_p, c_void_p)
    name.restype, name.argtypes = c_char_p, (c_void_p,)
    found: list[str] = []
    handle = walk(object_._object, None)
    while handle:
        found.append(name(handle).decode())
        handle = walk(object_._object, handle)
    return found


def _ask(object_: BpfObject, name: str) -> ctypes.Array[ctypes.c_char]:
    log = ctypes.create_string_buffer(_LOG)
    level, buffer = libbpf().bpf_program__set_log_level, libbpf().bpf_program__set_log_buf
    level.restype, level.argtypes = c_int, (c_void_p, c_uint32)
    buffer.restype, buffer.argtypes = c_int, (c_void_p, c_char_p, c_size_t)
    handle = libbpf().bpf_object__find_program_by_name(object_._object, name.encode())
    assert level(handle, _STATISTICS) == 0
    assert buffer(handle, log, _LOG) == 0
    return log


def _work(object_: BpfObject, name: str, log: ctypes.Array[ctypes.c_char]) -> Work:
    processed = _PROCESSED.search(log.value)
    summed = _FRAMES.search(log.value)
    frames = _FRAME.findall(log.value) or (summed[1].split(b"+") if summed else [])
    assert processed and frames, log.value
    with object_.program(name) as program:
        return Work(_loaded(program.fd), int(processed[1]), tuple(map(int, frames)))


def _loaded(fd: int) -> int:
    """`xlated_prog_len` of struct bpf_prog_info, in instructions of 8 bytes."""
    info, size = ctypes.create_string_buffer(24), c_uint32(24)
    libbpf().bpf_obj_get_info_by_fd(fd, ctypes.addressof(info), ctypes.byref(size))
    length: int = struct.unpack_from("=I", info, 20)[0]
    return length // 8
