"""What is set on the machine is written down before: reading, writing, and what is given back."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from encap_compile.common.diagnostics import DiagnosedError
from encap_compile.run.loader import journal
from encap_compile.run.loader.journal import Journal, Setting, to_restore, with_sysctls

LO = "net.ipv4.conf.lo.forwarding"
SIX = "net.ipv6.conf.lo.forwarding"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(journal.VARIABLE, str(tmp_path / "journal"))
    return journal.journal_folder()


def test_written_read_and_forgotten(folder: Path) -> None:
    assert journal.read("one") == Journal()
    made = Journal({"encap0": "route device"}, {LO: Setting("0", "1")}, (5,))
    journal.write("one", made)
    read = journal.read("one")
    assert (read.devices, read.sysctls, read.tables) == (made.devices, made.sysctls, made.tables)
    journal.write("two", Journal(tables=(6,)))
    assert [j.tables for j in journal.others("one")] == [(6,)]
    journal.write("one", Journal())
    journal.forget("two")
    assert not folder.exists()


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"format_version": "2.0"}', b'{"format_version": "1.0", "tables": 1}']
)
def test_one_that_cannot_be_read_is_an_error(folder: Path, content: bytes) -> None:
    """An empty journal would say that nothing is ours."""
    folder.mkdir(parents=True)
    (folder / "one.json").write_bytes(content)
    with pytest.raises(DiagnosedError) as refused:
        journal.read("one")
    assert refused.value.diagnostics[0].code == "H155"


def test_members_of_a_later_release_are_ignored(folder: Path) -> None:
    journal.write("one", Journal(tables=(5,)))
    path = folder / "one.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "format_version": "1.9", "more": {}}))
    assert journal.read("one").tables == (5,)


def test_sysctls_of_another_boot_are_not_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """What has our value after a reboot has it from somebody else, as sysctl.d: `remove` must not take it back."""
    monkeypatch.setattr(journal, "in_first_network_namespace", lambda: True)
    journal.write("one", Journal({"encap0": "route device"}, {LO: Setting("0", "1")}, (5,)))
    assert journal.read("one").sysctls == {LO: Setting("0", "1")}
    monkeypatch.setattr(journal, "boot_id", lambda: "the next one")
    read = journal.read("one")
    assert (read.devices, read.tables, read.sysctls) == ({"encap0": "route device"}, (5,), {})
    again = with_sysctls(read, {LO: "1"}, {LO: "1"}, journal.others("one"))
    assert to_restore(again, [], {LO: "1"}, []) == {}


def test_what_stood_there_before_is_kept() -> None:
    """A second apply, and one after a kill between writing and setting, do not take our value for the machine's."""
    first = with_sysctls(Journal(), {LO: "1"}, {LO: "0"}, [])
    assert first.sysctls == {LO: Setting("0", "1")}
    assert with_sysctls(first, {LO: "1"}, {LO: "1"}, []) == first
    assert with_sysctls(first, {LO: "1"}, {LO: "0"}, []) == first
    booted = replace(first, sysctls={LO: Setting("1", "1")})  # the operator's own sysctl.d has changed since
    assert with_sysctls(booted, {LO: "1"}, {LO: "0"}, []).sysctls == {LO: Setting("0", "1")}


def test_only_what_is_still_ours_is_given_back() -> None:
    mine = Journal(sysctls={LO: Setting("0", "1"), SIX: Setting("0", "1")})
    assert to_restore(mine, [], {LO: "1", SIX: "2"}, []) == {LO: "0"}
    assert to_restore(mine, [LO], {LO: "1", SIX: "1"}, []) == {SIX: "0"}
    unchanged = Journal(sysctls={LO: Setting("1", "1")})
    assert to_restore(unchanged, [], {LO: "1"}, []) == {}


def test_the_last_of_two_bundles_gives_it_back() -> None:
    mine = with_sysctls(Journal(), {LO: "1"}, {LO: "0"}, [])
    theirs = with_sysctls(Journal(), {LO: "1"}, {LO: "1"}, [mine])
    assert theirs.sysctls == {LO: Setting("0", "1")}
    assert to_restore(mine, [], {LO: "1"}, [theirs]) == {}
    assert to_restore(theirs, [], {LO: "1"}, []) == {LO: "0"}
