"""Which tests BPF_PROG_TEST_RUN cannot show, and why."""

from __future__ import annotations

from ..compile.model import Frame
from ..compile.packet_tests.prepared import Ready
from ..compile.spec_tests import Way
from ..run.kernel.test_run import MOST

CONNECTS = "BPF_PROG_TEST_RUN runs no programs of connect()"
SOCKET = "BPF_PROG_TEST_RUN cannot give a packet this socket"
LONG = f"BPF_PROG_TEST_RUN takes frames of up to {MOST} bytes"


def reason(ready: Ready) -> str:
    """Why the program cannot run the test; empty if it can."""
    tests = (*ready.before, ready)
    if any(one.test.way is Way.CONNECTS for one in tests):
        return CONNECTS
    frames = [one.given for one in tests if isinstance(one.given, Frame)]
    if any(frame.socket is not None for frame in frames):
        return SOCKET
    if any(len(frame.data) > MOST for frame in frames):
        return LONG
    return ""
