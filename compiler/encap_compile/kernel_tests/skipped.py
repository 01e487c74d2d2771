"""Which tests BPF_PROG_TEST_RUN cannot show, and why."""

from __future__ import annotations

from collections.abc import Collection

from ..compile.model import Frame
from ..compile.packet_tests.prepared import Ready
from ..compile.spec_tests import Way
from ..run.kernel.test_run import MOST

HOOKS = {Way.LEAVES: "tc_egress", Way.ARRIVES: "tc_ingress"}
CONNECTS = "BPF_PROG_TEST_RUN runs no programs of connect()"
SOCKET = "BPF_PROG_TEST_RUN cannot give a packet this socket"
NO_PROGRAM = "the spec needs no program for packets that go this way"
LONG = f"BPF_PROG_TEST_RUN takes frames of up to {MOST} bytes"


def reason(ready: Ready, hooks: Collection[str]) -> str:
    """Why the program cannot run the test; empty if it can. `hooks` are those that the spec has programs for."""
    tests = (*ready.before, ready)
    if any(one.test.way is Way.CONNECTS for one in tests):
        return CONNECTS
    if HOOKS[ready.test.way] not in hooks:
        return NO_PROGRAM
    frames = [one.given for one in tests if isinstance(one.given, Frame)]
    if any(frame.socket is not None for frame in frames):
        return SOCKET
    if any(len(frame.data) > MOST for frame in frames):
        return LONG
    return ""
