"""What README and docs name is there: paths, links, commands, options, codes, counters; their specs compile."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import click
import pytest
import yaml
from tests.listings.page import files
from tests.listings.pages import HEADER_PAGE, SESSIONS, compiler_with_listings

from encap_compile.cli import cli as compile_cli
from encap_compile.common.codes import CODES
from encap_compile.common.diagnostics import Exit
from encap_compile.ctl import cli as ctl_cli

ROOT = Path(__file__).resolve().parents[2]
GENERATED = {"spec.md", "presets.md", "kernels.md"}  # those have tests of their own
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *sorted(p for p in (ROOT / "docs").glob("*.md") if p.name not in GENERATED),
]
OF_RULES = ("egress_rule", "egress_miss", "ingress_rule", "connect_rule")  # begin the names of rules' counters
EVERY_PAGE = pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
FENCE = re.compile(r"^ *```(\w*)\n(.*?)^ *```", re.DOTALL | re.MULTILINE)
FOLDERS = (
    "compiler/",
    "packaging/",
    "templates/",
    "schemas/",
    "examples/",
    "build/",
    "tests/",
    "demo/",
    "bench/",
    "docs/",
    ".ci/",
)
PROGRAMS = {"encap-compile": compile_cli, "encapctl": ctl_cli}


def blocks(page: Path, *languages: str) -> list[str]:
    return [body for language, body in FENCE.findall(page.read_text()) if language in languages]


def prose(page: Path) -> str:
    return FENCE.sub("", page.read_text())


def spans(page: Path) -> list[str]:
    """What stands in single backticks."""
    return re.findall(r"`([^`\n]+)`", prose(page))


def listed() -> set[str]:
    """Files that the walk through makes."""
    return set(files(HEADER_PAGE.read_text()))


def command_lines(page: Path) -> Iterator[list[str]]:
    """Every call of our programs and of ./dev, without what it is called by."""
    text = "\n".join([*blocks(page, "sh"), *(b[2:] for b in blocks(page, "console") if b[:2] in ("# ", "$ "))])
    for line in [*text.split("\n"), *spans(page)]:
        found = re.search(r"(?:^|\s|/)(encap-compile|encapctl|\./dev)( [^|>&]*)?$", re.split(r"  +#", line)[0])
        if found and not re.search(r"\bpip (install|uninstall|wheel)\b", line):  # there it names a distribution
            yield [found[1], *shlex.split(found[2] or "")]


def anchors(page: Path) -> set[str]:
    titles = re.findall(r"^#+ (.*)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", t.lower()).replace(" ", "-") for t in titles}


@EVERY_PAGE
def test_every_listing_is_made_by_running_it(page: Path) -> None:
    """Those of tests/listings/ are compared with what is printed now in tests/netns/test_docs.py."""
    shown = blocks(page, "console")
    session = SESSIONS.get(str(page.relative_to(ROOT)))
    made = [block.body for block in session.blocks() if block.commands] if session else []
    assert shown == made


@EVERY_PAGE
def test_links(page: Path) -> None:
    for target in re.findall(r"\]\(([^)]+)\)", prose(page)):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        there = (page.parent / path) if path else page
        assert there.exists() or there.name in GENERATED, target
        assert not anchor or anchor in anchors(there), target


@EVERY_PAGE
def test_paths(page: Path) -> None:
    for span in spans(page):
        path = span.partition(" ")[0]
        named = path.startswith(FOLDERS) and not re.search(r"[A-Z]{3}", path)
        if named and path not in listed() and Path(path).name not in GENERATED and not path.startswith("build/"):
            assert list(ROOT.glob(path)), span


def options(command: click.Command) -> set[str]:
    return {"--help", "-h", *(o for p in command.params for o in (*p.opts, *p.secondary_opts))}


@EVERY_PAGE
def test_commands(page: Path) -> None:
    usage = subprocess.run([ROOT / "dev", "help"], capture_output=True, text=True, check=True).stdout
    verbs = set(re.findall(r"^  (\w+) ", usage, re.MULTILINE))
    for program, *words in command_lines(page):
        if program == "./dev":
            assert not words or words[0] in verbs or words[0].isupper(), words
            continue
        group = cast(click.Group, PROGRAMS[program])
        given = [w for w in words if not w.startswith("-")]
        known = options(group)
        verb = group.commands.get(given[0]) if given else None
        if verb is None and program == "encap-compile":
            verb = group.commands["compile"]
        assert verb is not None or not given, f"{program} {' '.join(words)}"
        known |= options(verb) if verb else set()
        for word in words:
            assert not word.startswith("-") or word.partition("=")[0] in known, f"{program} {' '.join(words)}"


@EVERY_PAGE
def test_single_options(page: Path) -> None:
    groups = [cast(click.Group, g) for g in PROGRAMS.values()]
    known = {option for g in groups for command in (g, *g.commands.values()) for option in options(command)}
    for span in spans(page):
        if re.match(r"--[a-z]", span):
            assert re.split("[ =]", span)[0] in known, span


@EVERY_PAGE
def test_codes(page: Path) -> None:
    said = re.findall(r"\b([EWNTHKB]\d{3})\b", prose(page))
    assert set(said) <= set(CODES)


@EVERY_PAGE
def test_environment(page: Path) -> None:
    source = "".join(p.read_text() for folder in ("compiler", "tests") for p in (ROOT / folder).rglob("*.py"))
    for name in re.findall(r"\bENCAP_\w+", page.read_text()):
        assert name in source or "__" in name, name  # two underscores: a constant of the C


@EVERY_PAGE
def test_counters(page: Path) -> None:
    if page.name == "CHANGELOG.md":
        return  # it names those of before
    known = {c["name"] for m in (ROOT / "build").glob("*/manifest.json") for c in json.loads(m.read_text())["counters"]}
    patterns = {f"{rule}_RULE" for rule in OF_RULES} | {
        "refused_ENCAPSULATION__REASON",
        "refused_*",
        "refused_ENCAPSULATION__fragment",
        *("egress_unrouted", "egress_route_loop", "ingress_injected"),  # no example has a route device
        "egress_gso",  # no example has headers that the kernel cannot segment behind
    }
    for span in spans(page):
        if re.fullmatch(r"(egress|ingress|refused)_[\w*]+", span):
            assert span in known | patterns, span


def test_every_general_counter_is_explained() -> None:
    manifests = [json.loads(m.read_text()) for m in (ROOT / "build").glob("*/manifest.json")]
    names = {c["name"] for m in manifests for c in m["counters"] if not c["name"].startswith("refused_")}
    general = {n for n in names if not n.startswith(OF_RULES)}
    assert general <= set(spans(ROOT / "docs" / "operations.md"))


def test_every_exit_code_is_explained() -> None:
    text = (ROOT / "docs" / "operations.md").read_text()
    table = {int(n) for n in re.findall(r"^\| (\d+) \|", text, re.MULTILINE)}
    assert table == {int(e) for e in Exit} - {int(Exit.TOOLCHAIN)}
    assert f"{int(Exit.TOOLCHAIN)} for the toolchain" in text


@EVERY_PAGE
def test_yaml(page: Path, tmp_path: Path) -> None:
    from encap_compile.compile.pipeline import check_spec

    for number, body in enumerate(blocks(page, "yaml")):
        assert yaml.safe_load(body)
        if "apiVersion" in body and page != HEADER_PAGE:
            spec = tmp_path / f"{number}.yaml"
            spec.write_text(body)
            assert check_spec(str(spec))[3].all == []


def test_a_header_is_one_file(tmp_path: Path) -> None:
    environment = os.environ | compiler_with_listings(tmp_path)
    specs = sorted(name for name in listed() if name.endswith(".yaml"))
    command = [sys.executable, "-m", "encap_compile.cli", *specs]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert "refused_nvgre__vsid" in (tmp_path / "build" / "nvgre-sites" / "nvgre-sites.bpf.c").read_text()
    assert "refused_nsh__nsh_length" in (tmp_path / "build" / "nsh-edge" / "nsh-edge.bpf.c").read_text()


def test_the_newest_kernel_tested_is_that_of_the_matrix() -> None:
    from encap_compile.compile.checks.kernel_version import NEWEST_TESTED

    shown = re.findall(r"Linux (\d+)\.(\d+)", (ROOT / "docs/kernels.md").read_text())
    assert max((int(major), int(minor)) for major, minor in shown) == NEWEST_TESTED
