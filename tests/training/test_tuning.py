import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scaling.models.family import ImageSpec
from scaling.runs.store import Record, Store
from scaling.study.schema import Study
from scaling.training.device import Device
from scaling.training.tuning import best_rate, edge, rule_through, tune


@given(st.floats(0.006, 0.035), st.floats(0.05, 2))
def test_the_vertex_of_a_parabola_is_found(best, curvature):
    rates = [0.005, 0.01, 0.02, 0.04]
    losses = [math.exp(curvature * math.log(rate / best) ** 2) for rate in rates]
    if edge(losses) == 0:
        assert best_rate(rates, losses) == pytest.approx(best, rel=1e-3)
    else:
        assert best_rate(rates, losses) in (0.005, 0.04)


def test_a_diverged_neighbour_leaves_the_best_candidate():
    assert best_rate([1.0, 2.0, 4.0], [0.5, 0.4, math.inf]) == 2.0


def test_edges():
    assert [edge(x) for x in ([1, 2, 3], [3, 2, 1], [2, 1, 2], [math.inf, 2, 3], [math.inf] * 3)] == [-1, 1, 0, 0, -1]


def test_the_rule_goes_through_two_anchors():
    rule = rule_through([4.0, 16.0], [800, 800], [0.04, 0.01])
    assert rule.exponent == pytest.approx(-1)
    assert rule.rate(8, 300) == pytest.approx(0.02)


def test_the_exponent_is_kept_in_bounds():
    assert rule_through([4.0, 16.0], [800, 800], [0.01, 0.04]).exponent == 0
    assert rule_through([4.0, 16.0], [800, 800], [0.64, 0.01]).exponent == -1.5


def test_a_rate_tuned_at_several_data_sizes_is_a_power_of_them_too():
    rule = rule_through([4, 4, 16, 16], [1000, 8000, 1000, 8000], [0.04, 0.02, 0.02, 0.01])
    assert (rule.exponent, rule.images_exponent) == pytest.approx((-0.5, math.log(0.5) / math.log(8)), abs=1e-4)
    assert rule.rate(8, 1000) == pytest.approx(0.04 / 2**0.5, rel=0.01)
    assert rule.rate(4, 64_000) == pytest.approx(0.01, rel=0.01)
    assert rule_through([4, 4], [1000, 8000], [0.04, 0.001]).images_exponent == -0.5
    assert "(D/1000)^-0.33" in str(rule)


def tuned(tmp_path, ladders, best_of_width, **anchors):
    """Tune against losses that are a parabola in log rate around ``best_of_width``, or of width and D."""
    store = Store(tmp_path)
    calls = []

    def train(cells):
        for cell in cells:
            if store.read(cell.key) is None:
                calls.append(cell)
                best = best_of_width(cell.width, cell.images) if "images" in anchors else best_of_width(cell.width)
                loss = math.exp(math.log(cell.learning_rate / best) ** 2) if best else None
                status = "done" if best else "diverged"
                # the test loss points the other way: a tuner that looked at it would fail these tests
                store.write(cell.key, Record({"status": status, "validation_loss": loss, "loss": -(loss or 0)}, {}, []))

    study = Study.model_validate(
        {
            "name": "a",
            "families": {"mlp": {"recipe": {"anchors": anchors}}},
            "grid": {"params": [13000], "images": [500]},
        }
    )
    device = Device("cpu", "fp32", 0, "here")
    found = tune(
        study,
        "mlp",
        device=device,
        checksum="x",
        image=ImageSpec(28, 1, 10),
        ladders=ladders,
        store=store,
        train=train,
    )
    return found, calls


def test_a_known_rule_is_recovered(tmp_path, ladders):
    found, calls = tuned(tmp_path, ladders, lambda width: 0.01 * (width / 16) ** -0.5)
    assert found.rule.exponent == pytest.approx(-0.5, abs=0.01)
    assert found.rule.rate(16, 800) == pytest.approx(0.01, rel=0.01)
    assert len(calls) == 8
    assert not any(anchor["edge"] or anchor["widened"] for anchor in found.anchors)


def test_a_known_rule_of_width_and_data_is_recovered(tmp_path, ladders):
    found, calls = tuned(
        tmp_path, ladders, lambda width, d: 0.01 * (width / 16) ** -0.5 * (d / 1000) ** -0.2, images=[1000, 8000]
    )
    assert (found.rule.exponent, found.rule.images_exponent) == pytest.approx((-0.5, -0.2), abs=0.02)
    assert found.rule.rate(16, 4000) == pytest.approx(0.01 * 4**-0.2, rel=0.02)
    assert len({(anchor["target"], anchor["images"]) for anchor in found.anchors}) == 4
    assert len(calls) == len({cell.key for cell in calls}) >= 16


def test_an_optimum_at_the_edge_widens_the_candidates(tmp_path, ladders):
    found, _ = tuned(tmp_path, ladders, lambda width: 0.03)
    assert all(anchor["widened"] and not anchor["edge"] for anchor in found.anchors)
    assert found.rule.rate(40, 800) == pytest.approx(0.03, rel=0.01)


def test_an_optimum_beyond_all_widening_is_reported_as_an_edge(tmp_path, ladders):
    found, _ = tuned(tmp_path, ladders, lambda width: 9.0, widen=1)
    assert all(anchor["edge"] and anchor["widened"] for anchor in found.anchors)


def test_no_finite_loss_is_a_failure_that_says_so(tmp_path, ladders):
    found, _ = tuned(tmp_path, ladders, lambda width: None)
    assert found.rule is None
    assert "no rate of" in found.failure
