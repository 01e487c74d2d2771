"""The JSON documents of both programs against their schemas, read strictly: a member that no schema has is an error.

Whoever reads documents should ignore members that it does not know, so the schemas allow them; a member that is written
and not described is what is looked for here.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from referencing import Registry, Resource

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "schemas/output"
URN = "urn:encap-compile:output:"


def schemas() -> dict[str, Any]:
    """Every schema as it is shipped, by the last word of its file's name."""
    return {p.name.removesuffix(".schema.json"): json.loads(p.read_text()) for p in sorted(FOLDER.glob("*.json"))}


def strict(schema: Any) -> Any:
    """The same, with no other members than those that it describes."""
    if isinstance(schema, list):
        return [strict(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    found = {name: strict(part) for name, part in schema.items()}
    return {**found, "additionalProperties": False} if isinstance(schema.get("properties"), dict) else found


@cache
def validator(kind: str) -> Draft202012Validator:
    """Of one kind of document, by the name of its schema."""
    resources = [(f"{URN}{name}", Resource.from_contents(strict(s))) for name, s in schemas().items()]
    registry: Registry[Any] = Registry().with_resources(resources)
    return Draft202012Validator(strict(schemas()[kind]), registry=registry)


def validate(kind: str, document: Any) -> None:
    """Raises AssertionError with every difference."""
    found = []
    for error in validator(kind).iter_errors(document):
        # Of a result and a failure, the one that it is meant to be: where the members of the other are not missing.
        parts = [e for e in error.context or [error] if e.validator not in ("maxProperties", "required")] or [error]
        found += [f"{'/'.join(map(str, e.absolute_path))}: {e.message[:300]}" for e in parts]
    assert not found, f"{kind}: " + "\n".join(found)


def kinds(document: dict[str, Any], verb: str) -> str:
    """The schema of what a verb wrote."""
    if verb == "explain":
        return "explain-code" if "code" in document else "explain-packet" if "frame_in" in document else "explain-spec"
    if verb == "status":
        return "overview" if "bundles" in document else "status"
    if verb == "doctor":
        return "node-doctor" if "kernel" in document else "doctor"
    return verb if verb in schemas() else "diagnostics"


def validate_output(words: list[str], text: str, unsaid: str = "diagnostics") -> None:
    """What a command line with `--format json` wrote to standard output; of `watch` a document a line.

    `unsaid` is the verb of a command line that names none.
    """
    verb = next((word for word in words if word in schemas() or word == "explain"), unsaid)
    documents = [json.loads(text)] if not text.startswith('{"') else [json.loads(line) for line in text.splitlines()]
    for document in documents:
        validate(kinds(document, verb), document)
