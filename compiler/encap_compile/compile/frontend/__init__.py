"""From YAML to `Spec`: reading with positions, the JSON schema, and the building of typed values."""

from .load import load_spec

__all__ = ["load_spec"]
