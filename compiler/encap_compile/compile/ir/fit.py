"""How TCP learns of the headers."""

from typing import NamedTuple

from .conditions import Condition


class Answer(NamedTuple):
    """A rule that the answer to a packet may meet. `conditions` are those that it shares with the rule: what the packet
    itself can tell.

    `overhead` names by how much the answer may grow; it is empty for rules that do not encapsulate. `final`: no answer
    that meets it goes on to the next rule.
    """

    name: str
    c_name: str
    conditions: tuple[Condition, ...]
    overhead: str
    final: bool


class Fit(NamedTuple):
    """How TCP learns of the headers: by the MSS in SYN and SYN-ACK (RFC 9293, section 3.7.1).

    `answers`: what is asked for packets that come in. `remembers`: how long the headers were that a SYN came in, for an
    answer that leaves unencapsulated. `asks_packet`: any answer has conditions. `ends_open`: there are answers that no
    rule decides.
    """

    answers: tuple[Answer, ...]
    remembers: bool
    asks_packet: bool
    ends_open: bool
