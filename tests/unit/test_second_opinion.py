"""`encap-compile check` asks the published schema too."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from encap_compile.cli import cli
from encap_compile.frontend import second_opinion
from encap_compile.frontend.schema_document import schema_document

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.yaml")), ids=lambda p: p.stem)
def test_the_examples(path: Path) -> None:
    assert second_opinion.disagreements(str(path)) == []


def test_a_schema_that_knows_less_is_a_bug(monkeypatch: pytest.MonkeyPatch) -> None:
    less = {**schema_document()}
    less["properties"] = {k: v for k, v in less["properties"].items() if k != "ingress"}
    monkeypatch.setattr(second_opinion, "schema_document", lambda: less)
    done = CliRunner().invoke(cli, ["check", str(EXAMPLES / "ipip-sites.yaml")])
    assert done.exit_code == 70 and "T110" in done.output and "ingress" in done.output
