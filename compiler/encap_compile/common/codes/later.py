"""N9xx: words of the language that are not built yet."""

from __future__ import annotations

from . import Explained

_WHY = """The word belongs to the language, but this release does not implement it yet. It is refused rather than
ignored, so that nobody believes it to be in force."""


def _later(title: str, more: str) -> Explained:
    return Explained(f"not yet: {title}", f"{_WHY}\n{more}")


CODES: dict[str, Explained] = {
    "N902": _later("private headers", "`headers` will declare headers of your own."),
    "N907": _later(
        "pools",
        "`members`, `weight`, `priority` and `state` will make rows of one name or key a pool. Until then, each\n"
        "row has a name or key of its own.",
    ),
    "N908": _later(
        "fields that name rows",
        "A field whose type is a table will name a row there. Until then, write the other table's\n"
        "fields into this one.",
    ),
    "N909": _later("rows of the running system", "`owner: runtime` will leave the rows to `encapctl endpoints`."),
    "N910": _later("lists in fields", "A type like `ipv6[1..3]` will hold several addresses, as SRv6 needs."),
    "N912": _later("this header", "`docs/spec.md` has the headers of this release."),
    "N913": _later(
        "outer checksums",
        "Only `checksum: zero`, and for GRE none. A tunnel checksum is not possible for packets that\n"
        "the kernel splits later, so it needs more than a field.",
    ),
    "N914": _later(
        "received values in keys",
        "`received.HEADER.FIELD` can be the key of a table for `lookup` if the field identifies a tenant,\n"
        "like a VNI or a key.",
    ),
    "N916": _later("control of segmentation by table", "`segmentation: off` stands under `egress:`, for all tables."),
    "N917": _later("more fields of this header", "The compiler sets the field itself, or leaves it out."),
    "N920": _later("this version of the language", "This release reads `apiVersion: encap/v1alpha1`."),
    "N922": _later(
        "a policy for IPv4 packets without DF",
        """A packet without DF that does not fit with its headers is dropped, and counted as `egress_too_big` and
`egress_without_df`: the program runs behind the kernel's fragmentation. Before a route device the kernel itself
fragments such packets, unasked:

    attach: {devices: host.uplink, route_device: {name: encap0}}""",
    ),
    "N921": _later(
        "several outer IP headers", "A stack has only one IP header, its first. The inner packet's is not part of it."
    ),
}
