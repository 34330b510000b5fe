from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scaling.data import DataError, split, subset

# Class counts, from one class to many, from even to very uneven.
class_counts = st.lists(st.integers(1, 60), min_size=1, max_size=12).filter(lambda counts: sum(counts) >= 4)


def labels_of(counts: list[int], order: int = 0) -> np.ndarray:
    labels = np.repeat(np.arange(len(counts)), counts)
    return np.random.default_rng(order).permutation(labels)


def deviation(labels: np.ndarray, chosen: np.ndarray) -> float:
    """Largest distance, over prefixes and classes, of a class's count from its share; labels holds the whole."""
    classes, counts = np.unique(labels, return_counts=True)
    taken = np.cumsum(labels[chosen][:, None] == classes, axis=0)
    share = np.arange(1, len(chosen) + 1)[:, None] * counts / len(labels)
    return float(np.abs(taken - share).max())


@given(class_counts, st.integers(0, 3), st.integers(0, 2**32), st.data())
@settings(max_examples=60, deadline=None)
def test_splits_and_subsets_are_disjoint_stratified_and_nested(counts, order, seed, data):
    labels = labels_of(counts, order)
    validation = data.draw(st.integers(1, len(labels) - 1))
    pool, held_out = split(labels, validation)
    assert len(held_out) == validation
    assert sorted(np.concatenate([pool, held_out])) == list(range(len(labels)))
    taken = np.bincount(labels[held_out], minlength=len(counts))
    assert (np.abs(taken - validation * np.array(counts) / len(labels)) < 1).all()

    whole = subset(labels, pool, len(pool), seed)
    assert sorted(whole) == list(pool)
    # Tijdeman's bound, the least that any order can promise.
    classes = len(np.unique(labels[pool]))
    assert deviation(labels[pool], np.searchsorted(pool, whole)) <= 1 - 1 / max(2 * classes - 2, 1) + 1e-9
    images = data.draw(st.integers(1, len(pool)))
    assert np.array_equal(subset(labels, pool, images, seed), whole[:images])


@given(class_counts, st.data())
@settings(max_examples=30, deadline=None)
def test_fewer_validation_images_are_a_part_of_more(counts, data):
    labels = labels_of(counts)
    more = data.draw(st.integers(2, len(labels) - 1))
    fewer = data.draw(st.integers(1, more))
    assert set(split(labels, fewer)[1]) <= set(split(labels, more)[1])


def test_one_dominant_class_does_not_crowd_rare_ones_together():
    labels = labels_of([991] + [1] * 9)
    order = subset(labels, np.arange(1000), 1000, seed=0)
    turns = np.flatnonzero(labels[order] != 0)
    assert len(turns) == 9
    assert np.diff(turns).min() > 50


def test_equal_classes_are_exactly_equal_at_every_multiple():
    labels = labels_of([50] * 10)
    order = subset(labels, np.arange(500), 500, seed=3)
    for images in range(10, 501, 10):
        assert (np.bincount(labels[order[:images]]) == images // 10).all()


def test_seeds_draw_differently_and_chance_decides_within_a_class():
    labels = labels_of([100] * 4)
    pool = np.arange(400)
    first, second = (set(subset(labels, pool, 200, seed).tolist()) for seed in (0, 1))
    # Independent halves share a quarter of the pool: 100, with a standard deviation of about 5.
    assert 75 <= len(first & second) <= 125


def test_no_class_is_favoured_by_a_subset_smaller_than_the_number_of_classes():
    labels = labels_of([20] * 5)
    firsts = [labels[subset(labels, np.arange(100), 1, seed)[0]] for seed in range(200)]
    # Binomial(200, 1/5): mean 40, standard deviation 5.7.
    assert np.abs(np.bincount(firsts, minlength=5) - 40).max() < 25


def test_the_order_of_the_pool_is_of_no_account():
    labels = labels_of([30, 50])
    pool, _ = split(labels, 20)
    assert np.array_equal(subset(labels, pool, 17, 5), subset(labels, pool[::-1], 17, 5))


def test_the_draw_is_the_same_on_every_machine_and_numpy():
    # Written down once: another sequence would train other cells under the same keys.
    labels = np.arange(40) % 4
    pool, held_out = split(labels, 8)
    assert held_out.tolist() == [0, 1, 6, 7, 10, 17, 28, 39]
    assert subset(labels, pool, 6, seed=7).tolist() == [3, 37, 14, 24, 27, 5]


@pytest.mark.parametrize("images", [0, -1, 81])
def test_more_images_than_the_pool_holds_are_refused(images):
    labels = labels_of([50, 50])
    pool, _ = split(labels, 20)
    with pytest.raises(DataError, match=f"D = {images} images is not allowed: 1 to 80"):
        subset(labels, pool, images, 0)


def test_other_wrong_arguments_are_refused():
    labels = labels_of([5, 5])
    for validation in (0, 10):
        with pytest.raises(DataError, match=f"{validation} validation images of 10"):
            split(labels, validation)
    with pytest.raises(DataError, match="seed -1"):
        subset(labels, np.arange(10), 3, -1)
    for pool in ([0, 0, 1], [0, 10], [-1, 2]):
        with pytest.raises(DataError, match="must be unique and within 0 to 9"):
            subset(labels, np.array(pool), 1, 0)
    with pytest.raises(DataError, match="float64"):
        split(labels / 2, 3)
