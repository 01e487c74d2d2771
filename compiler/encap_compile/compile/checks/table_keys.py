"""Keys of tables: received fields that exist, prefixes that `shape` can be about."""

from __future__ import annotations

from ...common.diagnostics import Findings
from ...common.suggest import did_you_mean
from ..frontend.later import HEADER_NAMES, HEADERS, RECEIVED
from ..headers.catalogue import headers
from ..headers.model import FromSpec
from ..resolved.keys import ADDRESS_WORDS, received_field
from ..spec import Spec, Table


def check(spec: Spec, findings: Findings) -> None:
    """E305 unknown encapsulations, E622 `shape` without prefixes, E625 and E627 received fields, N912, N914."""
    for table in spec.endpoints.values():
        for name in table.encapsulations:
            if name not in spec.encapsulations:
                place = table.places["encapsulation"]
                help = did_you_mean(name, spec.encapsulations, "declare it under `encapsulations:`")
                findings.error("E305", f"there is no encapsulation `{name}`", place, help)
        received = [word for word in table.key if word.startswith("received.")]
        if received and len(table.key) > 1:
            words = f"`{received[0]}` is not the only part of the key"
            help = "a table that `lookup` names is keyed by one received field alone"
            findings.error("E625", words, table.places["key"], help)
        for word in received:
            _received(spec, word, table, findings)
        lengths = table.shape.prefix_lengths
        if lengths and not any(word in ADDRESS_WORDS for word in table.key):
            help = "add `destination` or `source` to the key, or leave `shape` out"
            words = f"the key of {table.name} has no prefixes, so `shape` does not apply"
            findings.error("E622", words, table.shape.place, help)


def _received(spec: Spec, word: str, table: Table, findings: Findings) -> None:
    place = table.places["key"]
    parts = word.split(".")
    if len(parts) != 3:
        findings.error("E627", f"`{word}` is not received.HEADER.FIELD", place, "like received.vxlan.vni")
        return
    _, header, name = parts
    if header not in headers():
        if header in HEADER_NAMES:
            findings.error("N912", f"`{header}` is not yet in this release ({HEADERS.words})", place, HEADERS.instead)
            return
        findings.error("E627", f"there is no header `{header}`", place, did_you_mean(header, headers()))
        return
    field = received_field(spec, word)
    if field is None:
        names = [n for n, f in headers()[header].settable().items() if _identifies(f.role)]
        used = [u for e in spec.encapsulations.values() for u in e.headers if u.name == header]
        names += [option.name for use in used for option in use.options]
        help = did_you_mean(name, names) if names else f"no field of {header} identifies a tenant"
        findings.error("E627", f"header {header} has no field `{name}` to look up", place, help)
    elif not _identifies(field.role):
        words = f"`{word}` is not yet in this release (keys of fields that name no tenant)"
        findings.error(RECEIVED.code, words, place, "key the table by a VNI or a key, like received.vxlan.vni")


def _identifies(role: object) -> bool:
    return isinstance(role, FromSpec) and role.identifies
