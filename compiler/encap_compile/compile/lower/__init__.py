"""From the resolved spec to the program: every decision is taken here, none later."""

from .program import Lowered, lower

__all__ = ["Lowered", "lower"]
