"""The runner itself, without a VM: what was not reported has failed, and the document says so."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.kernels import anywhere, archive, cells, initramfs, limits, matrix, report, tools, vm
from tests.kernels.cells import Cell
from tests.kernels.images import Image

CELLS = cells.expected(("gre",), ("an-example",), baseline=False)


def column(tmp_path: Path, lines: list[dict[str, object]], finished: bool = True) -> matrix.Column:
    (tmp_path / "results").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (tmp_path / "output.log").write_text("the guest's last words\n")
    (tmp_path / "console.log").write_text("Kernel panic\n")
    made = matrix.Column("6.1", "Linux 6.1.1-1")
    matrix._read(made, CELLS, tmp_path, vm.Ended(finished, 0 if finished else -1, 1.0, tmp_path / "console.log"))
    return made


def told(cell: Cell, detail: str = "") -> dict[str, object]:
    return {"cell": cell.id, "ok": not detail, "detail": detail, "seconds": 0.1}


def test_every_cell_has_a_name_of_its_own() -> None:
    every = cells.expected(cells.ENCAPSULATIONS, ("a", "b"), baseline=False, scenarios=tuple(cells.DEVICES))
    assert len({cell.id for cell in every}) == len(every)


def test_what_the_guest_did_not_report_has_failed(tmp_path: Path) -> None:
    made = column(tmp_path, [told(CELLS[0])], finished=False)
    assert made.passed == 1
    assert len(made.failures) == len(CELLS) - 1
    assert "Kernel panic" in made.failures[CELLS[1]]


def test_a_failed_try_is_not_undone_by_a_later_one(tmp_path: Path) -> None:
    lines = [told(CELLS[0], "lost"), *(told(cell) for cell in CELLS)]
    assert column(tmp_path, lines).failures == {CELLS[0]: "lost"}


def test_the_document_names_each_failure(tmp_path: Path) -> None:
    made = column(tmp_path, [told(CELLS[0], "it went wrong"), *(told(cell) for cell in CELLS[1:])])
    text = report.markdown([made, matrix.Column("6.12", "Linux 6.12", missing="not packaged")])
    assert "| an-example | **no** (1 of 3 checks, note 1) |" in text
    assert "1. Linux 6.1.1-1, an-example: apply: it went wrong." in text
    assert "- Linux 6.12: not packaged" in text


def test_the_document_is_written_only_when_it_changes(tmp_path: Path) -> None:
    made = column(tmp_path, [told(cell) for cell in CELLS])
    document = tmp_path / "kernels.md"
    assert report.write([made], document)
    assert not report.write([made], document)


def test_a_limit_is_neither_passed_nor_failed_and_must_have_run() -> None:
    assert limits.known()
    assert set(limits.known()) <= set(cells.expected(cells.IN_UDP, (), baseline=False))


def test_the_tests_of_every_kernel_are_cells_of_the_document(tmp_path: Path) -> None:
    """Each has a name of its own and a section with words; in a guest they come with every encapsulation."""
    found = anywhere.collect(list(anywhere.SCENARIOS), tmp_path)
    assert len({cell.id for cell in found}) == len(found)
    assert {cell.section for cell in found} == set(anywhere.SCENARIOS)
    assert set(anywhere.SCENARIOS) <= set(report.SECTIONS)
    row = "Ping, UDP, TCP and RST by each encapsulation"
    assert Cell("reflection", row, "ipv6 inside, gue over ipv4") in found
    assert Cell("reflection", "SYN-ACK with a SYN cookie", "ipv4 inside, vxlan over ipv6") in found


def test_the_newest_kernel_of_a_series_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "_closure", lambda meta, environment: [meta])
    versions = ["7.3.4-1~bpo13+1", "6.12.107-1", "6.12.95-1", "6.1.176-1"]
    assert archive.choose("6.1", versions, {}).version == "6.1.176-1"
    assert archive.choose("6.12", versions, {}).version == "6.12.107-1"
    assert archive.choose("newest", versions, {}).version == "7.3.4-1~bpo13+1"
    with pytest.raises(tools.MachineError, match=r"packages Linux 5\.10"):
        archive.choose("5.10", versions, {})


def test_modules_are_inserted_after_what_they_need(tmp_path: Path) -> None:
    modules = tmp_path / "modules/1.2"
    modules.mkdir(parents=True)
    (modules / "modules.builtin").write_text("kernel/fs/overlayfs/overlay.ko\n")
    (modules / "modules.dep").write_text(
        "k/virtio_pci.ko: k/virtio_ring.ko k/virtio.ko\n"
        "k/9pnet_virtio.ko.xz: k/9pnet.ko.xz k/virtio_ring.ko k/virtio.ko\n"
        "k/9p.ko: k/9pnet.ko.xz\nk/virtio.ko:\nk/virtio_ring.ko: k/virtio.ko\nk/9pnet.ko.xz:\n"
    )
    order = initramfs.load_order(Image("x", "1.2-1", "1.2", tmp_path))
    assert [Path(file).name.split(".")[0] for file in order] == [
        *("virtio", "virtio_ring", "virtio_pci", "9pnet", "9pnet_virtio", "9p")
    ]
