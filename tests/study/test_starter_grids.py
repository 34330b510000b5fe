"""The grids that a first study may have: in order, within their images, and the largest that fits."""

import pytest

from scaling.study.starter_grids import LEAST_D, Growth, Shape, Spacing, down, growths, up


def cost(shape: Shape) -> float:
    """Work of a grid, as N x D summed over it."""

    def sizes(one: Spacing) -> list[float]:
        return [one.first * (one.last / one.first) ** (i / (one.count - 1)) for i in range(one.count)]

    return sum(n * d for n in sizes(shape.params) for d in sizes(shape.images))


@pytest.mark.parametrize(("images", "classes"), [(18_000, 10), (90, 2), (1_200_000, 1000), (2_500, 100)])
def test_each_grows_and_none_asks_for_more_images_than_there_are(images, classes):
    kinds = growths(down(images), classes, 1e4)
    assert kinds
    for kind in kinds:
        least, most = kind.shape(kind.least, 5000), kind.shape(kind.most, 5000)
        assert most.images.last <= images
        assert least.images.first >= classes
        assert cost(least) <= cost(most)


def test_between_kinds_no_large_step_is_left_out():
    kinds = growths(18_000, 10, 1e4)
    ends = [(cost(kind.shape(kind.least, 5000)), cost(kind.shape(kind.most, 5000))) for kind in kinds]
    budget = ends[0][0]
    while budget < ends[-1][1]:
        kind = [kind for kind, (least, _) in zip(kinds, ends, strict=True) if least <= budget][-1]

        def fits(number: float, kind: Growth = kind, budget: float = budget) -> bool:
            return cost(kind.shape(number, 5000)) <= budget

        used = cost(kind.shape(kind.largest(fits), 5000))
        assert 0.8 * budget <= used <= budget
        budget *= 1.1


def test_the_smallest_d_is_on_the_law_where_there_are_images_enough():
    assert {kind.shape(kind.least, 5000).images.first for kind in growths(18_000, 10, 100) if kind.ratio} == {LEAST_D}
    assert growths(90, 2, 100)[0].shape(90, 5000).images == Spacing(23, 90, 3)


def test_too_few_images_have_no_grid():
    assert growths(30, 10, 100) == []
    assert [kind.data_sizes for kind in growths(40, 10, 8)] == [3]


def test_n_stays_below_the_largest_size_that_there_is():
    assert max(kind.shape(kind.most, 5000).params.last for kind in growths(18_000, 10, 30)) == 150_000


def test_the_largest_that_fits_is_found():
    kind = Growth(100, 10_000, 3, 3, 8.0, 4, 10_000)
    assert kind.largest(lambda number: number <= 2000) == pytest.approx(2000, rel=0.01)
    assert kind.largest(lambda number: True) == 10_000


@pytest.mark.parametrize(
    ("value", "below", "above"), [(7, 7, 7), (99.5, 99, 100), (1234, 1200, 1300), (18_000, 18_000, 18_000)]
)
def test_sizes_have_two_digits(value, below, above):
    assert (down(value), up(value)) == (below, above)
