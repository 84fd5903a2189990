from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest

from scdp_flows.errors import DensityFormatError
from scdp_flows.io import number_block
from scdp_flows.io.grid_text import Lines
from scdp_flows.io.kernels import Demand, compiled
from scdp_flows.io.number_block import NumberBlock
from scdp_flows.io.number_layout import CHGCAR, NumberWriter


@pytest.fixture(params=["words", pytest.param("compiled", marks=pytest.mark.slow)], autouse=True)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Read in both ways, whatever the length."""
    kernels = compiled() if request.param == "compiled" else None
    monkeypatch.setattr(Demand, "kernels_for", lambda _: kernels)


def _lines(text: str | bytes) -> Lines:
    return Lines(BytesIO(text.encode() if isinstance(text, str) else text), "rho")


def _read(text: str | bytes, count: int, *, at_once: int | None = None) -> list[float]:
    block = NumberBlock(_lines(text), count, field="grid")
    sizes = [at_once] * (count // at_once) if at_once else []
    pieces = [block.take(size) for size in [*sizes, count - sum(sizes)]]
    block.close()
    return [float(number) for number in np.concatenate(pieces)]


def test_short_rows_within_the_block_are_read() -> None:
    text = "1 2 3 4\n5\n6 7 8 9\n10\n\n11 12 13 14\n15\n"
    assert _read(text, 15) == list(range(1, 16))


@pytest.mark.parametrize("piece", [20, 91, 1000])
@pytest.mark.parametrize("at_once", [None, 1, 5, 7, 50])
def test_blocks_longer_than_the_buffer_are_read(
    piece: int, at_once: int | None, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scdp_flows.io.grid_text._PIECE", piece)
    monkeypatch.setattr(number_block, "_LARGEST_START", 3)
    stream = BytesIO()
    writer = NumberWriter(stream, CHGCAR, 103)
    writer.write(rng.normal(size=103) * 10.0 ** rng.integers(-40, 40, size=103))
    writer.close()
    expected = [float(word) for word in stream.getvalue().split()]
    assert _read(stream.getvalue(), 103, at_once=at_once) == expected


def test_words_of_any_form_equal_what_python_reads(rng: np.random.Generator) -> None:
    values = rng.integers(0, 2**63 - 1, size=600).view(np.float64)
    values = values[np.isfinite(values)]
    forms = ["{!r}", "{:.3e}", "{:.10E}", "{:.17e}", "{:.25e}", "{:+.12E}"]
    words = [forms[i % len(forms)].format(value) for i, value in enumerate(values.tolist())]
    assert _read(" ".join(words) + "\n", len(words)) == [float(word) for word in words]


@pytest.mark.parametrize("word", ["0.25-101", ".25-101", "+0.25D-101"])
def test_exponents_as_fortran_writes_them_are_read(word: str) -> None:
    assert _read(f"1.0 {word} \n", 2) == [1.0, 0.25e-101]


@pytest.mark.parametrize(
    "word", ["***********", "NaN", "inf", "1.0.0", "abc", "0x10", "1_0", "1E999", "\xe9"]
)
def test_what_is_no_number_is_named_with_its_place(word: str) -> None:
    with pytest.raises(DensityFormatError, match=r"rho, line 2 \(grid\), byte 6: ") as caught:
        _read(f"1 2\n3 {word}\n5 6\n", 6)
    assert repr(word) in str(caught.value)


@pytest.mark.parametrize("text", ["", "1 2\n3\n", "1 2\n3 4\n5\n\n\n"])
def test_too_few_numbers_are_counted(text: str) -> None:
    with pytest.raises(DensityFormatError, match=rf"{len(text.split())} of 6 values"):
        _read(text, 6)


def test_too_many_numbers_are_refused() -> None:
    with pytest.raises(DensityFormatError, match="more than the 5 values"):
        _read("1 2\n3 4\n5 6\n", 5)


@pytest.mark.parametrize(
    "text", ["1.234 -2.345\n3.456 4.5", "-.234 0.345\n0.456 -.56", "0.1E+01 0.2E+01\n0.3E+01 0.4E"]
)
def test_a_file_that_ends_within_a_number_is_refused(text: str) -> None:
    with pytest.raises(DensityFormatError, match=r"is cut|not a finite number"):
        _read(text, 4)


@pytest.mark.parametrize("text", ["1.234 -2.345\n3.456 4.567", "-.234 0.345\n0.456 4.5 "])
def test_only_the_last_line_feed_may_be_missing(text: str) -> None:
    assert len(_read(text, 4)) == 4


@pytest.mark.parametrize("count", [0, -8, 2**40])
def test_impossible_counts_are_refused_before_memory_is_taken(count: int) -> None:
    with pytest.raises(DensityFormatError, match=f"{count} values are announced"):
        NumberBlock(_lines("1 2 3\n"), count, field="grid")


def test_endless_blanks_are_refused() -> None:
    class _Blanks(BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            return b" \n" * (size or 0)

    block = NumberBlock(Lines(_Blanks(), "rho"), 8, field="grid")
    with pytest.raises(DensityFormatError, match="more bytes than so many values take"):
        block.take(8)


def test_a_word_without_end_is_refused() -> None:
    block = NumberBlock(_lines("1" * 3_000_000), 8, field="grid")
    with pytest.raises(DensityFormatError, match=r"more bytes|finite"):
        block.take(8)
