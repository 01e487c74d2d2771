"""The route device: a device of ours that inner prefixes are routed to, so that the kernel knows the headroom.

`decide` says what the machine should have, `seen` what it has, `steps` is the way from one to the other.
"""

from .decide import Wanted, decide
from .seen import Change, Seen, change, look

__all__ = ["Change", "Seen", "Wanted", "change", "decide", "look"]
