"""A checked spec, resolved: references lead to what they name, and what several ask is worked out once.

`resolve` is for what comes behind the checks. The functions that it is made of stand in rooms by subject, and checks
ask them too, of specs in which a reference may still lead nowhere.
"""

from .encapsulations import Encapsulation
from .host import HostReference, HostUse
from .resolve import Resolved, resolve
from .rules import ConnectRule, EgressRule, IngressRule, Reflection, Target
from .tables import RowField, Table

__all__ = [
    "ConnectRule",
    "EgressRule",
    "Encapsulation",
    "HostReference",
    "HostUse",
    "IngressRule",
    "Reflection",
    "Resolved",
    "RowField",
    "Table",
    "Target",
    "resolve",
]
