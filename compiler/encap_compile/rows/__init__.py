"""The one row codec: rows as people write them, to the bytes of a map and back to canonical CSV."""

from .codec import MOST_FIXED, EncodedRows, check_inline_rows, encode_sheet, read_rows, row_id
from .inline import inline_sheet, rows_to_csv
from .prefixes import read_prefixes

__all__ = [
    "MOST_FIXED",
    "EncodedRows",
    "check_inline_rows",
    "encode_sheet",
    "inline_sheet",
    "read_prefixes",
    "read_rows",
    "row_id",
    "rows_to_csv",
]
