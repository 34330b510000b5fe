"""The laws, each by its formula and reference."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from scaling.laws.forms.broken import BrokenPower
from scaling.laws.forms.law import Ceiling, Law
from scaling.laws.forms.powers import KaplanSum, Power, ShiftedPower
from scaling.laws.forms.repeated import Overfitting, RepeatedPower
from scaling.laws.forms.rivals import Exponential, Logarithmic
from scaling.laws.forms.saturating import Saturating
from scaling.laws.forms.shared import DriftingPower, SharedExponent
from scaling.laws.forms.terms import Role

_N, _D = Power("A", ("alpha",), (0,)), Power("B", ("beta",), (1,))
_FLOOR = Power("E")
_BOUND = " behind g / (1 + (g / ceiling)^{0:g})^(1/{0:g})"


def chinchilla() -> Law:
    """L(N, D) = E + A / N^alpha + B / D^beta (Hoffmann et al. 2022, equation 2)."""
    return Law(
        "chinchilla",
        "L = E + A / N^alpha + B / D^beta",
        "Hoffmann et al. 2022, equation 2",
        ("N", "D"),
        (_FLOOR, _N, _D),
    )


def interaction() -> Law:
    """Chinchilla's form with a term in which N and D act together (assumption)."""
    return Law(
        "interaction",
        "L = E + A / N^alpha + B / D^beta + G / (N^gamma D^delta)",
        "Chinchilla's form with a product term (assumption)",
        ("N", "D"),
        (_FLOOR, _N, _D, Power("G", ("gamma", "delta"), (0, 1))),
        levels=4,
    )


def kaplan() -> Law:
    """L(N, D) = [(N_c / N)^(alpha_N / alpha_D) + D_c / D]^alpha_D, without a floor (Kaplan et al. 2020, equation 1.5)."""
    return Law(
        "kaplan",
        "L = [(N_c / N)^(alpha_N / alpha_D) + D_c / D]^alpha_D",
        "Kaplan et al. 2020, equation 1.5",
        ("N", "D"),
        (KaplanSum(),),
        levels=2,
    )


def bounded(ceiling: float, sharpness: float = 2.0) -> Law:
    """Chinchilla's sum below a known ceiling: chance for an error rate, ln K for a loss (Rosenfeld et al. 2020, equation 5).

    Args:
        ceiling: of the response, in its unit.
        sharpness: how sharply the curve bends towards the ceiling.

    Raises:
        ValueError: if the ceiling is not positive.
    """
    if not ceiling > 0:
        raise ValueError(f"ceiling is {ceiling}; it must be positive")
    return Law(
        "bounded",
        "g = E + A / N^alpha + B / D^beta" + _BOUND.format(sharpness) + f", ceiling {ceiling:.6g}",
        "Rosenfeld et al. 2020, equation 5",
        ("N", "D"),
        (_FLOOR, _N, _D),
        Ceiling(ceiling, sharpness),
    )


def powers() -> Law:
    """L(N, D) = A / N^alpha + B / D^beta: Chinchilla's form without its floor."""
    return Law("powers", "L = A / N^alpha + B / D^beta", "Chinchilla's form with E = 0", ("N", "D"), (_N, _D), levels=2)


def exponentials() -> Law:
    """L(N, D) = E + A exp(-N / N_tau) + B exp(-D / D_tau), a rival."""
    terms = (_FLOOR, Exponential(("A", "N_tau"), 0), Exponential(("B", "D_tau"), 1))
    return Law("exponentials", "L = E + A exp(-N / N_tau) + B exp(-D / D_tau)", "rival without a power", ("N", "D"), terms)


def logarithms() -> Law:
    """L(N, D) = A - B log N - C log D, a rival."""
    plane = Logarithmic(("A", "B", "C"), (0, 1))
    return Law("logarithms", "L = A - B log N - C log D", "rival without a power", ("N", "D"), (plane,), levels=2)


def tied() -> Law:
    """L(N, D) = E + A / N^alpha + B / D^alpha: one exponent for both."""
    return Law(
        "tied",
        "L = E + A / N^alpha + B / D^alpha",
        "Chinchilla's form with beta = alpha (Muennighoff et al. 2023 and Gadre et al. 2024 fit it so)",
        ("N", "D"),
        (_FLOOR, SharedExponent()),
    )


def kaplan_floor() -> Law:
    """Kaplan's form with a floor."""
    return Law(
        "kaplan-floor",
        "L = E + [(N_c / N)^(alpha_N / alpha_D) + D_c / D]^alpha_D",
        "Kaplan et al. 2020, equation 1.5, with a floor",
        ("N", "D"),
        (_FLOOR, KaplanSum(data_scale=Role.LOG_DATA_SCALE)),
    )


def drifting() -> Law:
    """Chinchilla's form with an exponent of D that changes with N (Li et al. 2025, equation 1, to first order)."""
    return Law(
        "drifting",
        "L = E + A / N^alpha + B / (N^gamma D^(beta + eta log N))",
        "Li et al. 2025, Farseer, equation 1, to first order in log N",
        ("N", "D"),
        (_FLOOR, _N, DriftingPower()),
        levels=4,
    )


_UNIQUE = ("N", "D", "U")


def repeated() -> Law:
    """L(N, D, U): each repetition of the data is worth less than the one before (Muennighoff et al. 2023, equation 5)."""
    return Law(
        "repeated",
        "L = E + A / N^alpha + B / D'^beta, D' = U (1 + R_star (1 - exp(-(D/U - 1) / R_star)))",
        "Muennighoff et al. 2023, equation 5, with all parameters counted",
        _UNIQUE,
        (_FLOOR, _N, RepeatedPower()),
    )


def overfitting() -> Law:
    """L(N, D, U): Chinchilla's form plus the cost of repeating data (after arXiv 2605.01640)."""
    return Law(
        "overfitting",
        "L = E + A / N^alpha + B / D^beta + G N^gamma (log D/U)^delta / U^upsilon",
        "Chinchilla's form with an additive overfitting term (after arXiv 2605.01640)",
        _UNIQUE,
        (_FLOOR, _N, _D, Overfitting()),
    )


def unique_power() -> Law:
    """L(N, D, U): Chinchilla's form plus a power of the unique data (assumption)."""
    return Law(
        "unique-power",
        "L = E + A / N^alpha + B / D^beta + G / U^gamma",
        "a power for each limit (Rosenfeld et al. 2020; the third is an assumption)",
        _UNIQUE,
        (_FLOOR, _N, _D, Power("G", ("gamma",), (2,))),
    )


def unique_tied() -> Law:
    """L(N, D, U): a power of each variable, with one exponent for all three (assumption)."""
    return Law(
        "unique-tied",
        "L = E + A / N^alpha + B / D^alpha + G / U^alpha",
        "a power for each limit, with one exponent (assumption)",
        _UNIQUE,
        (_FLOOR, SharedExponent(("A", "B", "G"), "alpha", (0, 1, 2))),
    )


_X = Power("B", ("c",), (0,))


def power() -> Law:
    """y = B / x^c (Alabdulmohsin et al. 2022, M1)."""
    return Law("power", "y = B / x^c", "Alabdulmohsin et al. 2022, M1", ("x",), (_X,), levels=2)


def power_floor() -> Law:
    """y = E + B / x^c (Alabdulmohsin et al. 2022, M2)."""
    return Law("power-floor", "y = E + B / x^c", "Alabdulmohsin et al. 2022, M2", ("x",), (_FLOOR, _X))


def power_shifted() -> Law:
    """y = beta (1 / x + gamma)^c (Alabdulmohsin et al. 2022, M3)."""
    return Law(
        "power-shifted",
        "y = beta (1/x + gamma)^c",
        "Alabdulmohsin et al. 2022, M3",
        ("x",),
        (ShiftedPower(),),
    )


def saturating() -> Law:
    """y = E + W u with W^(1 - a) u / (1 - u)^a = B / x^c (Alabdulmohsin et al. 2022, M4, with W = eps_0 - E)."""
    return Law(
        "saturating",
        "y = E + W u, W^(1-a) u / (1-u)^a = B / x^c",
        "Alabdulmohsin et al. 2022, M4: (y - E) / (eps_0 - y)^a = B / x^c with W = eps_0 - E",
        ("x",),
        (_FLOOR, Saturating()),
        levels=5,
    )


def power_bounded(ceiling: float, sharpness: float = 2.0) -> Law:
    """A power with a floor, below a ceiling (Rosenfeld et al. 2020, equation 5, in one variable)."""
    return Law(
        "power-bounded",
        "g = E + B / x^c" + _BOUND.format(sharpness) + f", ceiling {ceiling:.6g}",
        "Rosenfeld et al. 2020, equation 5, in one variable",
        ("x",),
        (_FLOOR, _X),
        Ceiling(ceiling, sharpness),
    )


def broken(breaks: int = 1) -> Law:
    """y = E + b x^(-c0) prod_i (1 + (x / d_i)^(1 / f_i))^(-c_i f_i) (Caballero et al. 2023, equation 1)."""
    return Law(
        f"broken-{breaks}",
        "y = E + b x^(-c0) prod_i (1 + (x / d_i)^(1 / f_i))^(-c_i f_i)",
        "Caballero et al. 2023, equation 1",
        ("x",),
        (_FLOOR, BrokenPower(breaks)),
        levels=3 + 3 * breaks,
    )


def exponential() -> Law:
    """y = E + A exp(-x / tau), a rival."""
    return Law("exponential", "y = E + A exp(-x / tau)", "rival without a power", ("x",), (_FLOOR, Exponential()))


def logarithmic() -> Law:
    """y = A - B log x, a rival."""
    return Law("logarithmic", "y = A - B log x", "rival without a power", ("x",), (Logarithmic(),), levels=2)


laws: Final[dict[str, Callable[[], Law]]] = {
    "chinchilla": chinchilla,
    "interaction": interaction,
    "tied": tied,
    "drifting": drifting,
    "kaplan": kaplan,
    "kaplan-floor": kaplan_floor,
    "repeated": repeated,
    "overfitting": overfitting,
    "unique-power": unique_power,
    "unique-tied": unique_tied,
    "powers": powers,
    "exponentials": exponentials,
    "logarithms": logarithms,
    "power": power,
    "power-floor": power_floor,
    "power-shifted": power_shifted,
    "saturating": saturating,
    "broken-1": lambda: broken(1),
    "broken-2": lambda: broken(2),
    "exponential": exponential,
    "logarithmic": logarithmic,
}
bounded_laws: Final[dict[str, Callable[[float], Law]]] = {
    "bounded": bounded,
    "power-bounded": power_bounded,
}
