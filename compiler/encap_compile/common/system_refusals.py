"""What the system did not let us do, as a diagnostic."""

from __future__ import annotations

import errno

from .diagnostics import Diagnostic

_WAYS_OUT = {
    errno.ENOSPC: "make room there",
    errno.EDQUOT: "make room there",
    errno.EROFS: "name a place that can be written (for encapctl: ENCAP_STATE, ENCAP_JOURNAL, --bpffs)",
    errno.EACCES: "see who may read and write there, or run it as root",
    errno.EPERM: "see who may read and write there, or run it as root",
    errno.EMFILE: "raise the limit on open files (`ulimit -n`)",
    errno.ENFILE: "raise the limit on open files (`sysctl fs.file-max`)",
    errno.EAGAIN: "raise the limit on processes (`ulimit -u`)",
    errno.ENOMEM: "free some memory",
    errno.ENOBUFS: "free some memory",
}
EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.ENOMEM)


def refusal(error: OSError | MemoryError) -> Diagnostic:
    """H114: what was refused, as far as the system says, and what a person can do about it."""
    if isinstance(error, MemoryError):
        return Diagnostic(
            "H114", "the system refused a call: out of memory", help=f"{_WAYS_OUT[errno.ENOMEM]}, {_AGAIN}"
        )
    reason = error.strerror or str(error)
    file = error.filename2 or error.filename  # of a rename: the name that was to be replaced
    words = f"{file} cannot be used: {reason}" if file else f"the system refused a call: {reason}"
    return Diagnostic("H114", words, help=f"{_WAYS_OUT.get(error.errno or 0, 'mend that')}, {_AGAIN}")


_AGAIN = "then run the same command again; what ran before runs on"
