"""`schemas/output/`: one schema for every JSON document, with words for every member.

Real documents are held against them wherever tests ask for JSON: `test_one_document.py` for the compiler,
`tests/netns/loader_net.py` for the loader.
"""

from __future__ import annotations

import copy
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from jsonschema import Draft202012Validator
from tests.support.documents import kinds, schemas, validate

from encap_compile import cli
from encap_compile.common import command_line
from encap_compile.run.commands.group import cli as ctl

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/operations.md").read_text()
SHARED = ("common", "diagnostics")


def objects(schema: Any) -> Iterator[dict[str, Any]]:
    parts = schema if isinstance(schema, list) else schema.values() if isinstance(schema, dict) else ()
    if isinstance(schema, dict) and isinstance(schema.get("properties"), dict):
        yield schema
    for part in parts:
        yield from objects(part)


@pytest.mark.parametrize("name", schemas())
def test_every_schema_is_one_and_describes_every_member(name: str) -> None:
    schema = schemas()[name]
    Draft202012Validator.check_schema(schema)
    assert schema["$id"] == f"urn:encap-compile:output:{name}" and schema["title"] and schema["description"]
    assert "additionalProperties" not in json.dumps([o for o in objects(schema) if "properties" not in o])
    for found in objects(schema):
        assert "additionalProperties" not in found, "readers of documents ignore what they do not know"
        assert set(found["required"]) <= set(found["properties"])
        for member, part in found["properties"].items():
            assert "$ref" in part or part.get("description") or member in ("place",), (name, member)


def test_every_verb_that_writes_json_has_a_schema_and_a_row_in_the_documentation() -> None:
    verbs = set()
    for group in (cli.cli, ctl):
        for name, command in group.commands.items():
            choices = [p.type for p in command.params if p.name == "format_"]
            if not command.hidden and any(isinstance(c, click.Choice) and "json" in c.choices for c in choices):
                verbs.add(name)
    known = {f"explain-{what}": "explain" for what in ("spec", "code", "packet")} | {
        "overview": "status",
        "node-doctor": "doctor",
        "watch": "run",  # as the verb was called when the schema got its name
    }
    assert {known.get(name, name) for name in schemas() if name not in SHARED} == verbs
    for name in schemas():
        assert f"[{name}.schema.json](../schemas/output/{name}.schema.json)" in PAGE or name == "common", name


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A document of the compiler, to be spoilt."""
    folder = tmp_path_factory.mktemp("work")
    shutil.copytree(ROOT / "examples", folder, dirs_exist_ok=True)
    from click.testing import CliRunner

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        done = CliRunner().invoke(cli.cli, ["explain", "teams.yaml", "--format", "json"])
    found: dict[str, Any] = json.loads(done.stdout)
    validate("explain-spec", found)
    return found


def test_a_member_that_is_missing_unknown_or_of_another_type_is_seen(compiled: dict[str, Any]) -> None:
    for member in compiled:
        without = {name: part for name, part in compiled.items() if name != member}
        with pytest.raises(AssertionError):
            validate("explain-spec", without)
        with pytest.raises(AssertionError):
            validate("explain-spec", {**compiled, member: [[]]})
    with pytest.raises(AssertionError, match="colour"):
        validate("explain-spec", {**compiled, "colour": 1})
    inner = copy.deepcopy(compiled)
    inner["rules"][0]["colour"] = 1
    with pytest.raises(AssertionError, match="colour"):
        validate("explain-spec", inner)


def test_a_failure_is_not_taken_for_a_result(capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line.run(cli.cli, "encap-compile", ["check", "none.yaml", "--format", "json"]) == 1
    failed = json.loads(capsys.readouterr().out)
    for name in schemas():
        if name not in SHARED:
            validate(name, failed)
    with pytest.raises(AssertionError):
        validate("render", {**failed, "name": "x"})


def test_which_schema_a_verb_has() -> None:
    assert kinds({"bundles": []}, "status") == "overview" and kinds({"name": ""}, "status") == "status"
    assert kinds({"code": "E301"}, "explain") == "explain-code" and kinds({}, "unit") == "diagnostics"
    assert re.search(
        r"additionalProperties", (ROOT / "schemas/encap.schema.json").read_text()
    )  # the language is closed
