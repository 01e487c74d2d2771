"""Words of the language that are not built yet: they get "not yet in this release", never "unknown key"."""

from __future__ import annotations

from re import compile as pattern
from typing import NamedTuple

from ..headers.catalogue import headers


class Later(NamedTuple):
    """A code of the N area and what to say about the word, which stands in backticks before it."""

    code: str
    words: str
    instead: str = "leave it out: docs/spec.md has the words of this release"


PRIVATE_HEADERS = Later("N902", "private headers")
POOLS = Later("N907", "pools of rows", "give each row a name of its own")
ROW_REFERENCES = Later(
    "N908", "fields that name a row of another table", "write the other table's fields into this one"
)
RUNTIME = Later("N909", "rows owned by the running system", "keep the rows in the spec or in a file")
LISTS = Later("N910", "fields that hold a list")
HEADERS = Later("N912", "this header", "docs/spec.md has the headers of this release")
CHECKSUMS = Later("N913", "outer checksums other than `zero`", "write `checksum: zero`, and let the receiver accept it")
RECEIVED = Later("N914", "this received field in the key of a table")
SEGMENTATION = Later("N916", "control of segmentation here", "write `segmentation: off` under `egress:`")
HEADER_OPTIONS = Later("N917", "this field of the header")
WITHOUT_DF = Later(
    "N922",
    "a policy for IPv4 packets without DF",
    "leave it out: they are dropped and counted (`egress_without_df`), and a route device has the kernel fragment them",
)
VERSION = Later("N920", "this version of the language", "write `apiVersion: encap/v1alpha1`")
TWO_IP = Later("N921", "more than one outer IP header")

KEYS: dict[str, dict[str, Later]] = {
    "": {
        "headers": PRIVATE_HEADERS,
        "segmentation": SEGMENTATION,
    },
    "host_value": {},
    "mtu": {"without_df": WITHOUT_DF},
    "table": {"members": POOLS, "segmentation": SEGMENTATION},
    "row": {"priority": POOLS, "weight": POOLS, "state": POOLS},
    "header_ip": {"ecn": HEADER_OPTIONS, "df": HEADER_OPTIONS},
    "header_ipv4": {
        "ecn": HEADER_OPTIONS,
        "df": HEADER_OPTIONS,
        "id": HEADER_OPTIONS,
        "identification": HEADER_OPTIONS,
    },
    "header_ipv6": {"ecn": HEADER_OPTIONS},
    "header_gre": {"sequence": HEADER_OPTIONS, "checksum": CHECKSUMS},
    "header_vxlan": {"group": HEADER_OPTIONS, "policy": HEADER_OPTIONS, "next_protocol": HEADER_OPTIONS},
}
_HEADERS = """gue geneve srv6 mpls gtpu gtp fou vxlan_gpe vxlan_gbp nvgre gretap erspan srh psp esp l2tp pppoe vlan
qinq tcp sctp"""
HEADER_NAMES = frozenset(_HEADERS.split())
CHECKSUM_WORDS = frozenset(("full", "inner", "compute", "computed", "auto", "on", "derived", "true"))
API_VERSION = pattern(r"encap/v[0-9]+((alpha|beta)[0-9]+)?")
LIST_TYPE = pattern(r"[a-z0-9_-]+\[[0-9. ]*\]")


def later_key(context: str, key: str) -> Later | None:
    """What `key` will mean in `context` (a name of `$defs`, "" for the root); None if it is no word of the language."""
    if context == "header" and key.replace("-", "_") in HEADER_NAMES - headers().keys():
        return HEADERS
    return KEYS.get(context, {}).get(key)


def later_value(context: str, key: str, text: str, tables: frozenset[str]) -> Later | None:
    """The same for a value. `tables` are the names of the spec's tables."""
    if key == "apiVersion" and API_VERSION.fullmatch(text):
        return VERSION
    if key == "owner" and text == "runtime":
        return RUNTIME
    if context == "field_type":
        if text in tables:
            return ROW_REFERENCES
        return LISTS if LIST_TYPE.fullmatch(text) else None
    if key == "checksum" and context.startswith("header_") and text in CHECKSUM_WORDS:
        return CHECKSUMS
    return None
