"""The manifest: what a program and its resolved spec say to the loader and to people. Nothing is decided here."""

from .whole import Described, describe

__all__ = ["Described", "describe"]
