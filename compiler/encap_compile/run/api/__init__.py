"""The functions of the public API that need a machine."""
