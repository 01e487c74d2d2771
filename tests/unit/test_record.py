"""Records behave as the frozen dataclasses that they stand for."""

from __future__ import annotations

import copy
import pickle
from dataclasses import FrozenInstanceError, asdict, dataclass, field, fields, replace
from typing import Any

import pytest

from encap_compile.common.record import Record


class Point(Record):
    x: int
    y: int = 0
    place: str = field(default="", compare=False)
    names: list[str] = field(default_factory=list)


class Other(Record):
    x: int
    y: int = 0
    place: str = field(default="", compare=False)
    names: list[str] = field(default_factory=list)


class Even(Record):
    n: int

    def __post_init__(self) -> None:
        if self.n % 2:
            raise ValueError(f"{self.n} is odd")


@dataclass(frozen=True)
class Plain:
    x: int
    y: int = 0
    place: str = field(default="", compare=False)
    names: list[str] = field(default_factory=list)


@pytest.mark.parametrize(
    ("values", "named"),
    [((1,), {}), ((1, 2), {}), ((), {"x": 1}), ((1,), {"names": ["a"]}), ((1, 2, "f:1", ["a"]), {})],
)
def test_members_are_those_of_a_dataclass(values: tuple[Any, ...], named: dict[str, Any]) -> None:
    point, plain = Point(*values, **named), Plain(*values, **named)
    assert asdict(point) == asdict(plain)
    assert repr(point) == repr(plain).replace("Plain", "Point")
    assert [f.name for f in fields(Point)] == [f.name for f in fields(Plain)]


@pytest.mark.parametrize(
    ("values", "named"),
    [((), {}), ((1,), {"z": 1}), ((), {"z": 1}), ((1,), {"x": 1}), ((1, 2, "", [], 5), {})],
    ids=["missing", "unknown", "missing and unknown", "twice", "too many"],
)
def test_wrong_members(values: tuple[Any, ...], named: dict[str, Any]) -> None:
    for kind in (Point, Plain):
        with pytest.raises(TypeError):
            kind(*values, **named)


def test_equal_are_records_of_one_class_with_equal_members() -> None:
    assert Point(1) == Point(1, place="elsewhere")
    assert Point(1) != Point(2)
    assert Point(1) != Other(1)
    assert Point(1) != (1, 0, [])
    assert hash(Even(2)) == hash(Even(2))


def test_frozen() -> None:
    point = Point(1)
    with pytest.raises(FrozenInstanceError):
        point.x = 2  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        del point.x
    assert point == Point(1)


def test_a_default_made_anew_is_nobody_elses() -> None:
    Point(1).names.append("a")
    assert Point(1).names == []


def test_replace_judges_anew() -> None:
    assert replace(Point(1, names=["a"]), x=2) == Point(2, names=["a"])
    with pytest.raises(ValueError, match="3 is odd"):
        replace(Even(2), n=3)


def test_copies() -> None:
    point = Point(1, names=["a"])
    assert copy.copy(point) == copy.deepcopy(point) == pickle.loads(pickle.dumps(point)) == point
