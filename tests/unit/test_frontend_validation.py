"""jsonschema decides whether a spec is what the schema says; what it finds always has words."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from encap_compile.cli import cli
from encap_compile.common.diagnostics import DiagnosedError, Exit, Findings
from encap_compile.common.documents.reader import read_yaml
from encap_compile.compile.frontend import validation
from encap_compile.compile.frontend.schema_document import annotated_schema

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
SPEC = """\
apiVersion: encap/v1alpha1
name: small
host: {d: device}
attach: {devices: host.d}
egress: {default: pass}
"""


def validated(text: str) -> list[str]:
    findings = Findings()
    root = read_yaml(text.encode(), "spec.yaml", findings)
    assert root is not None and not findings.all
    validation.validate(root, findings)
    return [f"{d.place.line}:{d.place.column} {d.code} {d.message}" for d in findings.all]


@pytest.fixture
def schema(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A schema to be changed, in the place of the language's."""
    changed = {**annotated_schema(), "properties": dict(annotated_schema()["properties"])}
    monkeypatch.setattr(validation, "annotated_schema", lambda: changed)
    validation._validator.cache_clear()
    yield changed
    validation._validator.cache_clear()


def test_nothing_to_say_about_a_right_spec() -> None:
    assert validated(SPEC) == []


def test_the_schema_alone_decides(schema: Any) -> None:
    del schema["properties"]["egress"]
    assert validated(SPEC) == ["5:1 E201 a spec has no key `egress`"]


def test_an_error_without_words_refuses_the_spec(schema: Any) -> None:
    schema["properties"]["name"] = {"type": "string", "not": {"const": "small"}}
    with pytest.raises(DiagnosedError) as raised:
        validated(SPEC)
    (found,) = raised.value.diagnostics
    assert raised.value.exit_code == Exit.BUG and found.code == "T110"
    assert found.message.startswith("the schema does not allow name: 'small' should not be valid")


def test_an_error_without_words_on_the_command_line(schema: Any) -> None:
    schema["properties"]["name"] = {"type": "string", "not": {"const": "ipip-sites"}}
    done = CliRunner().invoke(cli, ["check", str(EXAMPLES / "ipip-sites.yaml")])
    assert done.exit_code == Exit.BUG and "T110" in done.output and "Traceback" not in done.output


def test_a_float_is_no_integer() -> None:
    rules = "ingress: {rules: [{name: a, decapsulate: b, from: any, learn: {for: both, capacity: 5.0, idle: 5m}}]}\n"
    (found,) = validated(SPEC + rules)
    assert "E203 `capacity` is a number, not a decimal number" in found


def test_a_line_end_is_no_part_of_a_name() -> None:
    (found,) = validated(SPEC.replace("name: small", 'name: "small\\n"'))
    assert found.startswith("2:7 E205 ")


def test_one_message_for_one_mistake() -> None:
    """jsonschema has two errors for each of these: an unknown key, and what is missing for it."""
    assert validated(SPEC.replace("attach:", "atach:")) == ["4:1 E201 a spec has no key `atach`"]
    assert validated(SPEC.replace("egress: {default: pass}", "egress:\ndefault: pass")) == [
        "6:1 E121 `default` begins in column 1, where it belongs to something else"
    ]


def test_an_up_to_date_bundle_needs_no_validator(tmp_path: Path) -> None:
    """The second compile of a spec finds by its hashes that nothing changed."""
    spec = EXAMPLES / "gue-dsr.yaml"
    code = (
        "import atexit, sys\n"
        "from encap_compile.cli import cli\n"
        "atexit.register(lambda: print('jsonschema' in sys.modules))\n"
        "cli(sys.argv[1:])\n"
    )
    last = []
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", code, "compile", "-o", str(tmp_path), str(spec)], capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        last.append(done.stdout.splitlines()[-1])
    assert last == ["True", "False"]
