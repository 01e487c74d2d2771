"""Two branches that each add a row merge by git alone, and what comes out is what the compiler writes."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from encap_compile.compile.pipeline import compile_spec
from encap_compile.compile.stale import stale_files

SPEC = """\
apiVersion: encap/v1alpha1
name: merged
host: {uplink: device, vtep: {type: ip, default: uplink.address}}
attach: {devices: host.uplink, cgroup: /merged}
encapsulations:
  ipip: [{ip: {source: host.vtep, destination: endpoint.address}}]
endpoints:
  exits:
    fields: {address: ip}
    encapsulation: ipip
    rows:
      - {name: ams, address: 192.0.2.1}
      - {name: fra, address: 192.0.2.2}
      - {name: lon, address: 192.0.2.3}
      - {name: nyc, address: 192.0.2.4}
  sites:
    key: destination
    fields: {address: ip}
    encapsulation: ipip
    file: sites.csv
    capacity: 100
egress:
  rules:
    - {name: web, match: {destination: 10.0.0.0/8}, to: sites}
    - {name: chosen, match: {cgroup: a.slice}, socket: [exits]}
  default: pass
ingress: {rules: [{name: back, decapsulate: ipip, from: sites.address}]}
"""
ROWS = "destination,address\n" + "".join(f"10.{n}.0.0/16,192.0.2.{n}\n" for n in range(1, 9))
FIRST, LAST = "destination,address\n", "10.8.0.0/16,192.0.2.8\n"
NEW = "10.50.0.0/16,192.0.2.50\n", "10.60.0.0/16,192.0.2.60\n"
INLINE = "      - {name: ams,", "      - {name: aaa, address: 192.0.2.9}\n      - {name: ams,"
ENDED = "      - {name: nyc, address: 192.0.2.4}\n", "      - {name: zrh, address: 192.0.2.10}\n"


class Repository:
    """Specs and bundles in git, as a team has them: what is built with the object is ignored."""

    def __init__(self, folder: Path, ignore: str) -> None:
        self.folder = folder
        self.git("init", "-q", "-b", "main")
        (folder / ".gitignore").write_text(ignore)
        (folder / "merged.yaml").write_text(SPEC)
        (folder / "sites.csv").write_text(ROWS)
        self.build()
        self.commit("first")

    def git(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        named = [*("-c", "user.name=tests"), *("-c", "user.email=tests@example.net")]
        return subprocess.run(["git", *named, *words], cwd=self.folder, check=check, text=True, capture_output=True)

    def build(self) -> None:
        compile_spec(str(self.folder / "merged.yaml"), self.folder / "build")

    def commit(self, subject: str) -> None:
        self.git("add", "-A")
        self.git("commit", "-qm", subject)

    def branch(self, name: str, file: str, before: str, after: str) -> list[str]:
        """A branch with one edit and what it compiles to; the files that it changes."""
        self.git("switch", "-qc", name, "main")
        path = self.folder / file
        assert path.read_text().count(before) == 1
        path.write_text(path.read_text().replace(before, after))
        self.build()
        self.commit(name)
        return self.git("diff", "--name-only", "main", name).stdout.split()

    def merge(self, name: str) -> str:
        """The files in conflict."""
        done = self.git("merge", "-q", "--no-edit", name, check=False)
        return self.git("diff", "--name-only", "--diff-filter=U").stdout if done.returncode else ""

    def stale(self) -> list[str]:
        made = compile_spec(str(self.folder / "merged.yaml"), self.folder / "build", write=False, rebuild=True)
        return [s.path for s in stale_files(made, self.folder / "build" / "merged") if not s.path.endswith(".o")]


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path, "build/*/*.o\nbuild/*/data.sha256\n")


def test_two_rows_of_one_table(repository: Repository) -> None:
    ours = repository.branch("ours", "sites.csv", FIRST, FIRST + NEW[0])
    theirs = repository.branch("theirs", "sites.csv", LAST, LAST + NEW[1])
    assert ours == theirs == ["build/merged/sites.csv", "sites.csv"], "a row is the row alone"
    assert repository.merge("ours") == ""
    repository.build()
    assert repository.stale() == [] and all(row in (repository.folder / "sites.csv").read_text() for row in NEW)
    assert repository.git("status", "--porcelain").stdout == "", "building changes nothing that is committed"


def test_two_rows_in_the_spec(repository: Repository) -> None:
    ours = repository.branch("ours", "merged.yaml", *INLINE)
    theirs = repository.branch("theirs", "merged.yaml", ENDED[0], "".join(ENDED))
    # What applications include names the rows that may be chosen.
    assert ours == theirs == [f"build/merged/{n}" for n in ("exits.csv", "merged.h", "merged.py")] + ["merged.yaml"]
    assert repository.merge("ours") == ""
    repository.build()
    assert repository.stale() == [] and repository.git("status", "--porcelain").stdout == ""


def test_one_place_is_a_conflict_there(repository: Repository) -> None:
    repository.branch("ours", "sites.csv", LAST, LAST + NEW[0])
    repository.branch("theirs", "sites.csv", LAST, LAST + NEW[1])
    assert repository.merge("ours").split() == ["build/merged/sites.csv", "sites.csv"], "the row itself, and no other"


def test_hashes_that_are_committed(tmp_path: Path) -> None:
    """Rows of two tables merge all the same: each has a line, and git sees them apart."""
    repository = Repository(tmp_path, "build/*/*.o\n")
    assert "build/merged/data.sha256" in repository.branch("ours", "sites.csv", LAST, LAST + NEW[0])
    text = (tmp_path / "build/merged/data.sha256").read_text()
    assert [line.split()[1] for line in text.splitlines()[1::2]] == ["exits.csv", "merged.h", "merged.py", "sites.csv"]
    subprocess.run(["sha256sum", "--check", "--strict", "data.sha256"], cwd=tmp_path / "build/merged", check=True)
    repository.branch("theirs", "merged.yaml", *INLINE)
    assert repository.merge("ours") == ""
    assert repository.stale() == []
