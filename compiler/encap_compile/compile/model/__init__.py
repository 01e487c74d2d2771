"""The model: a Python interpreter of the `Program`.

A frame goes in; its verdict, its bytes, the counters that moved and a trace of steps come out. The model executes what
`lower` decided and `render` prints, and shares nothing with `render` and no code with the C. Outgoing headers are those
of the catalogue's reference encoder (`compile/headers/encode.py`).

    machine = Machine(described.program, facts_of(described.manifest, host, rows))
    outcome = machine.egress(Frame(data, mark=0x1001))
    outcome.verdict, outcome.data, outcome.counted, outcome.rule, outcome.steps
"""

from .facts import Facts, Row, Rows, facts_of, host_values
from .frame import Connecting, Did, Frame, Gso, Outcome, Sent, Socket, Step, Verdict
from .machine import Machine

__all__ = [
    "Connecting",
    "Did",
    "Facts",
    "Frame",
    "Gso",
    "Machine",
    "Outcome",
    "Row",
    "Rows",
    "Sent",
    "Socket",
    "Step",
    "Verdict",
    "facts_of",
    "host_values",
]
