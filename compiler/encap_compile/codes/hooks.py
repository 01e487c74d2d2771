"""Codes of `encapctl` about what keeps programs in force: pins, hooks, locks."""

from __future__ import annotations

from . import Explained

CODES: dict[str, Explained] = {
    "H132": Explained(
        "another run holds the lock",
        "`apply`, `remove` and `sweep` change one network namespace one at a time, by a lock on a file below\n"
        "/run/encap, which ends with the process that holds it. Without --lock-timeout a run waits for ever, and says\n"
        "after a second for whom; with --lock-timeout SECONDS it gives up with exit code 6.",
    ),
}
