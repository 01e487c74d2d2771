"""Where the files lie that are no Python: `templates/` and `schemas/`."""

from pathlib import Path

_PACKED = Path(__file__).parents[1] / "_data"

# A wheel carries them inside the package. In a checkout, which an editable install runs from, they stay at its root,
# where people read them.
SHIPPED = _PACKED if _PACKED.is_dir() else Path(__file__).parents[3]
