"""The law of the learning rate: known optima, exponents and curvatures come back, and intervals hold them."""

import numpy as np
import pytest

from scaling.laws.learning.rate_law import Anchor, best_rates, fit_rate_law, study_noise

RATES = (0.005, 0.01, 0.02, 0.04, 0.08)
PLACES = tuple((n, d) for n in (13e3, 130e3) for d in (1e3, 8e3))
CURVATURE, IN_N, IN_D = 0.12, -0.2, -0.1


def truth(params: float, images: float) -> float:
    return 0.02 * (params / 40e3) ** IN_N * (images / 3e3) ** IN_D


def drawn(rng: np.random.Generator, places=PLACES, noise=0.0, rates=RATES) -> list[Anchor]:
    anchors = []
    for n, d in places:
        x = np.log(np.array(rates) / truth(n, d))
        level = 9.0 * n**-0.3
        losses = level * np.exp(CURVATURE / 2 * x**2 + noise * rng.normal(size=len(rates)))
        anchors.append(Anchor(n, d, rates, tuple(losses)))
    return anchors


def test_it_recovers_a_known_law():
    anchors = drawn(np.random.default_rng(0))
    law = fit_rate_law(anchors)
    assert law.parabolas.curvature().value == pytest.approx(CURVATURE)
    assert law.exponent("N").value == pytest.approx(IN_N)
    assert law.exponent("D").value == pytest.approx(IN_D)
    assert law.rate(1e6, 64e3).value == pytest.approx(truth(1e6, 64e3))
    assert [one.value for one in best_rates(anchors)] == pytest.approx([truth(*place) for place in PLACES])
    assert law.penalty(0.5).value == pytest.approx(CURVATURE / 2 * (0.5 * np.log(2)) ** 2)


@pytest.mark.parametrize("places", [PLACES, PLACES[::2]], ids=["four anchors", "two anchors"])
def test_intervals_hold_the_truth(places):
    rng, held = np.random.default_rng(1), []
    for _ in range(100):
        families = [drawn(rng, places, 0.015) for _ in range(4)]
        noise = study_noise(families)
        law, optima = fit_rate_law(families[0], noise), best_rates(families[0], noise)
        asked = [
            (law.parabolas.curvature(), CURVATURE),
            (law.exponent("N"), IN_N),
            (law.rate(400e3, 1e3), truth(400e3, 1e3)),
            *zip(optima, (truth(*place) for place in places), strict=True),
        ]
        held.append([one.low <= true <= one.high for one, true in asked])
    share = np.mean(held, axis=0)
    assert (share > 0.89).all()  # three standard errors of 100 below 95 %
    assert share[3:].mean() < 1.0  # nor is everything held


def test_the_covariance_is_the_spread_of_estimates():
    rng = np.random.default_rng(2)
    laws = [fit_rate_law(drawn(rng, noise=0.01)) for _ in range(400)]
    spread = np.std([law.exponent("N").value for law in laws])
    said = np.sqrt(np.mean([law.parabolas.covariance()[1, 1] for law in laws]))
    assert said == pytest.approx(spread, rel=0.15)


def test_flat_losses_bound_nothing():
    rng = np.random.default_rng(3)
    flat = [
        Anchor(n, 1e3, RATES, tuple(np.exp(1e-4 * x**2 + 0.02 * rng.normal(size=5))))
        for n in (1e4, 1e5)
        for x in [np.log(np.array(RATES) / 0.02)]
    ]
    laws = [law for law in (fit_rate_law(flat), fit_rate_law(flat[:1])) if not isinstance(law, str)]
    assert laws
    assert all(law.penalty(0.5).low == 0.0 for law in laws)
    assert all(np.isinf(law.rate(1e4, 1e3).high) for law in laws)


def test_one_anchor_has_an_optimum_and_no_law():
    law = fit_rate_law(drawn(np.random.default_rng(0), PLACES[:1]))
    assert law.variables == ()
    assert law.rate(1e6, 1e6).value == pytest.approx(truth(*PLACES[0]))


def test_reasons():
    assert "no candidate" in fit_rate_law([Anchor(1e4, 1e3, (), ())])
    assert "too few candidates: 3 with a finite loss near the best, 4 are needed" in fit_rate_law(
        drawn(np.random.default_rng(0), PLACES[:1], rates=(0.01, 0.02, 0.04))
    )
    bent_down = [Anchor(n, 1e3, RATES, (1.0, 1.2, 1.3, 1.35, 1.38)) for n in (1e4, 1e5)]
    assert "no least value" in fit_rate_law(bent_down)


def test_candidates_far_from_the_best_are_left_out():
    anchors = drawn(np.random.default_rng(0), rates=(0.005, 0.01, 0.02, 0.04, 0.08, 0.16, 0.32))
    wild = [Anchor(a.params, a.images, a.rates, (*a.losses[:-1], 5.0)) for a in anchors]
    assert fit_rate_law(wild).exponent("N").value == pytest.approx(IN_N)


def test_a_noisier_family_is_judged_by_its_own_noise():
    rng = np.random.default_rng(4)
    quiet = [drawn(rng, noise=0.003) for _ in range(5)]
    noisy = drawn(rng, noise=0.05)
    study = study_noise(quiet)
    assert fit_rate_law(noisy, study).parabolas.noise.freedom < study.freedom
    assert fit_rate_law(quiet[0], study_noise([*quiet, noisy])).parabolas.noise == study_noise([*quiet, noisy])
