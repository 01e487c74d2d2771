"""What is wrong with a machine for a bundle: each finding with why it matters, and the command that mends it.

`examine` is `encapctl doctor`. The checks of settings (`settings`), one a file, are those that `plan` and `apply` warn
by, too. A check asks what the bundle does before it asks the machine: what does not matter is not found.
"""

from __future__ import annotations

from .examine import Check, Examined, State, examine
from .settings import check_settings

__all__ = ["Check", "Examined", "State", "check_settings", "examine"]
