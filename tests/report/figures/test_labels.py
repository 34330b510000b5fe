import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scaling.report.figures.labels import count, even_breaks, level_breaks, log_breaks, percents, plain, power, significant

POSITIVE = st.floats(1e-6, 1e18, allow_nan=False)


@pytest.mark.parametrize(
    ("value", "text"),
    [(950, "950"), (2_700, "2.7k"), (10_000, "10k"), (999_999, "1M"), (1_250_000, "1.25M"), (3e9, "3G")],
)
def test_counts_read_as_people_say_them(value, text):
    assert count(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0123, "0.0123"), (45.6, "45.6"), (0.09996, "0.100"), (-0.05, "−0.0500"), (0, "0"), (1.2e9, "1.20·10⁹")],
)
def test_significant_digits(value, text):
    assert significant(value) == text


@pytest.mark.parametrize("write", [count, significant, power])
@pytest.mark.parametrize("value", [None, math.nan, math.inf])
def test_a_missing_number_is_a_dash(write, value):
    assert write(value) == "–"


def test_powers_and_percents():
    assert [power(1e12), power(3e12), power(5e-3)] == ["10¹²", "3·10¹²", "5·10⁻³"]
    assert percents([0.05, -0.025]) == ["5 %", "−2.5 %"]


def test_plain_numbers_stay_short():
    assert plain([0, 0.05, 1.5, 1024, 20_000, 5e9, 3e-5, -1e-4]) == ["0", "0.05", "1.5", "1024", "20k", "5G", "3·10⁻⁵", "−10⁻⁴"]


@given(POSITIVE)
def test_significant_is_within_half_a_unit_of_its_last_digit(value):
    text = significant(value, 3)
    table = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")
    mantissa, _, tens = text.partition("·10")
    read = float(mantissa) * 10.0 ** int(tens.translate(table) or 0)
    assert read == pytest.approx(value, rel=0.0051)


@pytest.mark.parametrize(
    ("limits", "breaks"),
    [
        ((0.72, 0.88), [0.75, 0.8, 0.85]),
        ((0.3, 1.2), [0.3, 0.4, 0.5, 0.7, 1]),
        ((4_000, 300_000), [10_000, 30_000, 100_000, 300_000]),
        ((1e9, 1e15), [1e9, 1e11, 1e13, 1e15]),
    ],
)
def test_breaks_are_round(limits, breaks):
    assert log_breaks(limits) == pytest.approx(breaks)


@given(POSITIVE, st.floats(1, 1e9), st.integers(3, 8))
def test_breaks_lie_inside_and_are_few(low, ratio, most):
    breaks = log_breaks((low, low * ratio), most)
    assert 1 <= len(breaks) <= most
    assert breaks == sorted(breaks)
    assert all(low * 0.999 <= value <= low * ratio * 1.001 for value in breaks)


@pytest.mark.parametrize("limits", [(0, 1), (-1, 1), (2, 1), (1, math.inf)])
def test_a_log_axis_refuses_limits_that_it_cannot_show(limits):
    with pytest.raises(ValueError, match="must be positive and ordered, got"):
        log_breaks(limits)


@given(st.floats(-1e3, 1e3), st.floats(1e-3, 1e3), st.integers(2, 6))
def test_even_breaks_are_few_ordered_and_inside(low, span, most):
    found = even_breaks(low, low + span, most)
    assert 1 <= len(found) <= most
    assert found == sorted(found)
    assert all(low - 1e-9 <= one <= low + span + 1e-9 for one in found)


def test_ticks_stand_at_the_sizes_that_were_trained():
    assert level_breaks([500, 1000, 4000, 500]) == [500, 1000, 4000]
    assert level_breaks([5_142, 5_003, 20_000]) == [5_100, 20_000]
    assert level_breaks([2.0**k for k in range(10)], 4) == [1, 8, 64, 512]
    assert level_breaks([]) == []
