from __future__ import annotations

import re

import pytest

from scdp_flows.reports.style import (
    GRID,
    INK,
    decimal_label,
    decorate,
    logarithmic,
    new_figure,
    text_on,
    to_png,
    to_svg,
)


def _svg(prefix: str = "p", description: str = "a curve") -> str:
    with new_figure(3, 2) as figure:
        axes = figure.add_subplot()
        axes.plot([1, 2, 3], [1e-6, 1e-2, 1.0])
        logarithmic(axes, "y")
        decorate(axes, "Error", x="step", y="loss / Ha")
    return to_svg(figure, prefix=prefix, description=description)


def test_a_drawing_refers_to_nothing_outside() -> None:
    assert "http" not in _svg()
    assert "<metadata" not in _svg()


def test_text_stays_text() -> None:
    assert "loss / Ha</text>" in _svg()


def test_colours_follow_the_page() -> None:
    svg = _svg()
    assert INK not in svg
    assert GRID not in svg
    assert {"currentColor", "var(--grid)"} <= set(re.findall(r"currentColor|var\(--\w+\)", svg))


def test_two_drawings_share_no_identifier_and_find_their_own() -> None:
    identifiers = [set(re.findall(r'\bid="([^"]+)"', _svg(prefix))) for prefix in ("a", "b")]
    assert not identifiers[0] & identifiers[1]
    used = set(re.findall(r"url\(#([^)]+)\)", _svg("a")))
    used |= set(re.findall(r'href="#([^"]+)"', _svg("a")))
    assert used
    assert used <= identifiers[0]


def test_a_drawing_is_the_same_each_time_it_is_made() -> None:
    assert _svg() == _svg()


def test_descriptions_are_escaped() -> None:
    assert 'aria-label="&quot;&lt;b&gt;"' in _svg(description='"<b>')


def test_a_picture_has_the_size_asked_for() -> None:
    with new_figure(2, 1) as figure:
        figure.add_subplot()
    png = to_png(figure, dpi=100)
    assert png.startswith(b"\x89PNG")
    assert int.from_bytes(png[16:20], "big") == 200


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.001, "0.001"), (5000.0, "5000"), (1e-4, "10⁻⁴"), (2e-9, "2×10⁻⁹"), (1e5, "10⁵"), (0, "0")],
)
def test_ticks_are_readable(value: float, text: str) -> None:
    assert decimal_label(value) == text


def test_a_short_logarithmic_axis_has_more_ticks_than_decades() -> None:
    with new_figure(4, 3) as figure:
        axes = figure.add_subplot()
        axes.plot([0.3, 9.0], [0, 1])
        logarithmic(axes, "x")
        figure.draw_without_rendering()
        shown = [t for t in axes.get_xticks() if 0.3 <= t <= 9]
    assert len(shown) >= 3


def test_text_stands_out_from_every_colour() -> None:
    assert text_on("#000000") == "#ffffff"
    assert text_on("#ffff00") == "#000000"
