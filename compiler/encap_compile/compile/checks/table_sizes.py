"""Numbers of rows: within the capacity, and few when they are compiled in."""

from __future__ import annotations

from ...common.diagnostics import Findings
from ...common.rows import MOST_FIXED
from ..spec import Spec


def check(spec: Spec, findings: Findings) -> None:
    """E610 more rows than the capacity, E611 too many for `fixed`, E621 `fixed` with a file. Files come later."""
    for table in spec.endpoints.values():
        count = len(table.rows)
        if count > table.capacity:
            words = f"table {table.name} has {count} rows, and capacity for {table.capacity}"
            place = table.places.get("capacity", table.place)
            findings.error("E610", words, place, f"raise `capacity` to at least {count}, or leave it out")
        if table.fixed and table.file is not None:
            words = f"table {table.name} is fixed, and its rows are in a file"
            help = "write them under `rows:`, or leave out `fixed: true`"
            findings.error("E621", words, table.places["fixed"], help)
        elif table.fixed and max(count, table.capacity) > MOST_FIXED:
            words = f"table {table.name} is fixed and larger than {MOST_FIXED} rows"
            help = "leave out `fixed: true`: the rows then live in a map, and change without compiling"
            findings.error("E611", words, table.places["fixed"], help)
