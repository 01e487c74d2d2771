"""How a packet that comes in is known to carry one of our stacks: what is asked, in the order of the members."""

from typing import NamedTuple

from .sources import FromHost, Literal


class Port(NamedTuple):
    """The UDP destination port, and its name in the C."""

    number: int
    constant: str


class OwnAddress(NamedTuple):
    """What the outer destination must be in one family. A literal's name in the C is `constant`."""

    family: str
    source: FromHost | Literal
    constant: str


class Mark(NamedTuple):
    """Bits of a received packet by which a stack is told from others of the same protocol and port.

    `offset` bytes behind the outermost header stands a word of `bits`, which has one of `values` under `mask`, both in
    host order.
    """

    offset: int
    bits: int
    mask: int
    values: tuple[int, ...]
    what: str


class Recognition(NamedTuple):
    """All of it must hold: one of `protocols` follows the outer header, the UDP port, one of our `own` addresses, and
    `marks`, which hold for none of the stacks that are asked for afterwards. `name` is what the C calls the marks."""

    name: str
    protocols: tuple[int, ...]
    port: Port | None  # None: the protocol decides
    own: tuple[OwnAddress, ...]  # one for each family
    marks: tuple[Mark, ...]
