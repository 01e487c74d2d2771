"""The one row codec: rows as people write them, to the bytes of a map and back to canonical CSV."""

from .codec import MOST_FIXED, EncodedRows, encode_sheet, read_rows
from .prefixes import read_prefixes

__all__ = [
    "MOST_FIXED",
    "EncodedRows",
    "encode_sheet",
    "read_prefixes",
    "read_rows",
]
