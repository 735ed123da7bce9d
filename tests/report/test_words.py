"""Figures and foreign text, written."""

import pytest

from nonmember.evaluation.intervals import Interval
from nonmember.report import words


@pytest.mark.parametrize(
    ("share", "written"),
    [(0.665, "66.5 %"), (0.0, "0.0 %"), (1.0, "100.0 %"), (0.01, "1.0 %"), (0.00042, "0.042 %")],
)
def test_percent(share: float, written: str) -> None:
    assert words.percent(share).replace("\xa0", " ") == written


@pytest.mark.parametrize(
    ("share", "written"), [(0.01, "1 %"), (0.001, "0.1 %"), (0.95, "95 %"), (1 - 0.95, "5 %")]
)
def test_chosen_percent(share: float, written: str) -> None:
    assert words.chosen_percent(share).replace("\xa0", " ") == written


def test_intervals() -> None:
    interval = Interval(0.58, 0.665, 0.742, 0.95)
    assert words.auc(interval) == "0.665 (0.580 to 0.742)"
    assert words.auc_range(interval) == "0.580–0.742"
    assert words.rate(interval).replace("\xa0", " ") == "66.5 % (58.0 % to 74.2 %)"
    assert words.rate_range(interval).replace("\xa0", " ") == "58.0–74.2 %"


@pytest.mark.parametrize(
    ("value", "written"), [(0.12345, "0.123"), (-0.0131, "−0.013"), (-0.0001, "0.000")]
)
def test_three_digits(value: float, written: str) -> None:
    assert words.three_digits(value) == written


def test_moment() -> None:
    assert words.moment("2026-02-03T10:15:00+00:00") == "2026-02-03 10:15 UTC"
    assert words.moment("2026-02-03T10:15:00") == "2026-02-03 10:15"
    assert words.moment("last week") == "last week"


def test_visible_keeps_lines_and_joiners_and_writes_the_rest() -> None:
    assert words.visible("a\tb\nc é 日 \u200d") == "a\tb\nc é 日 \u200d"
    assert words.visible("\x00\r\x1b\x85\u202e\u2028\ufeff\ud800") == (
        r"\x00\r\x1b\x85\u202e\u2028\ufeff\ud800"
    )


def test_excerpt() -> None:
    assert words.excerpt("x" * 600) == "x" * 600
    assert words.excerpt("x" * 1234) == "x" * 600 + "... (1,234 characters)"


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("text", "text"),
        (3, "3"),
        (0.1 + 0.2, "0.3"),
        (None, "null"),
        ([1.23456789, {"a": (1, 2)}], '[1.23457, {"a": [1, 2]}]'),
    ],
)
def test_plain(value: object, written: str) -> None:
    assert words.plain(value) == written


def test_plain_breaks_long_values_into_lines() -> None:
    assert words.plain({"key": ["long value"] * 9}).count("\n") == 12
