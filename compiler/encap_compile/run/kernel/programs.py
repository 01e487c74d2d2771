"""Loaded programs, found by id."""

from __future__ import annotations

from .errors import NotFoundError
from .handle import Handle
from .info import ProgramInfo, program_info
from .libbpf import libbpf
from .uapi import BPF_STATS_RUN_TIME


class Program(Handle):
    """A loaded program, by its descriptor."""

    @classmethod
    def by_id(cls, number: int) -> Program:
        """Raises NotFoundError when no such program is loaded (any more), NotPermittedError without CAP_SYS_ADMIN."""
        return cls(libbpf().bpf_prog_get_fd_by_id(number))

    @property
    def info(self) -> ProgramInfo:
        return program_info(self.fd)


def counting_runs() -> Handle:
    """Let the kernel count the runs of all programs as long as the handle is open (BPF_ENABLE_STATS, Linux 5.8).

    Raises NotPermittedError without CAP_SYS_ADMIN, KernelError.
    """
    return Handle(libbpf().bpf_enable_stats(BPF_STATS_RUN_TIME))


def describe_program(number: int) -> ProgramInfo | None:
    """What runs under that id, or None if it went away meanwhile."""
    try:
        with Program.by_id(number) as program:
            return program.info
    except NotFoundError:
        return None
