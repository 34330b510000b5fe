import pytest
from pydantic import ValidationError

from scaling.study.schema import Study
from scaling.study.spaced import as_list, rounded, spaced


def study(params, images=(500,)) -> Study:
    return Study.model_validate({"name": "a", "families": {"vit": None}, "grid": {"params": params, "images": images}})


@pytest.mark.parametrize(
    ("said", "sizes"),
    [
        ((5000, 400_000, 6), [5000, 12_000, 29_000, 69_000, 170_000, 400_000]),
        ((500, 4000, 4), [500, 1000, 2000, 4000]),
        ((5432, 98_765, 2), [5432, 98_765]),  # the ends stay as they are written
        ((1, 1000, 4), [1, 10, 100, 1000]),
    ],
)
def test_sizes_are_even_in_their_logarithm_and_have_two_digits(said, sizes):
    assert spaced(*said) == sizes


def test_both_forms_are_the_same_study():
    first, last, count = 5000, 400_000, 6
    written = study({"from": first, "to": last, "count": count}, {"from": 500, "to": 4000, "count": 4})
    assert written == study(spaced(first, last, count), [500, 1000, 2000, 4000])


def test_a_family_says_its_sizes_so_too():
    own = {"vit": {"params": {"from": 5e3, "to": 20_000, "count": 3}}}
    found = Study.model_validate({"name": "a", "families": own, "grid": {"params": [9000], "images": [500]}})
    assert found.sizes("vit") == [5000, 10_000, 20_000]
    assert found.with_own_sizes() == ["vit"]


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"from": 5000, "to": 4000, "count": 3}, "`to` must be larger than `from`, 5000"),
        ({"from": 100, "to": 110, "count": 9}, "too close"),
        ({"from": 100, "to": 110, "count": 1}, "greater than or equal to 2"),
        ({"from": 100, "to": 110, "count": True}, "must be a number"),
        ({"from": 0, "to": 110, "count": 3}, "greater than 0"),
        ({"from": 100, "to": 110}, "Field required"),
        ({"from": 100, "to": 110, "count": 3, "step": 2}, "Extra inputs"),
    ],
)
def test_what_is_no_row_of_sizes_is_refused(said, expected):
    with pytest.raises(ValidationError, match=expected):
        study(said)
    assert as_list(said) == []


@pytest.mark.parametrize(("value", "digits", "expected"), [(51_140.2, 3, 51_100), (0.2, 2, 1), (3.5, 3, 4), (999.7, 3, 1000)])
def test_rounding(value, digits, expected):
    assert rounded(value, digits) == expected
