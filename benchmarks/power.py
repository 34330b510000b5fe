"""What will a study be able to say? Its grid, filled with simulated losses and judged as a report judges them.

    uv run python benchmarks/power.py STUDY.yaml [STUDY.yaml ...] --runs RUNS.csv [--like convnext=resnet mixer=mlp] [--bump .1]

RUNS is a runs table of a study that ran (``reports/<study>/runs.csv``): each family obeys the law that was fitted to its rows
there, and its noise is what that law left over, falling with D as there; 30 % of its variance is shared by all families at one
(seed, D). ``--like`` names the family from whose rows one that did not run there takes its law, noise and speed.

For each grid: core minutes of its runs at the speed of RUNS, and, over families and simulated studies, the median 95 % half
width of the skill over larger N, larger D, both and all together, and the share of these intervals that lie above 0. The last
two columns are half widths of alpha and beta from the law's linear approximation. With ``--bump`` the transformers' loss at
the largest D is exp(bump) higher, a law that ends there: printed are the skill that this costs them and in how many studies
they are told apart from the convolutional families: after Holm's correction over all contrasts; by that contrast's p alone, as
where it is the one hypothesis that was named beforehand; and by the p below which 5 % of the studies without a bump lie.
Without a bump the first two should be in 5 % or fewer.
About 1 s per study of 7 x 28 runs.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import polars as pl
from design import Family, learn

from scaling.analysis import family_evidence as judging
from scaling.analysis.family_evidence import Judged, Skill, hold_out, judge_families, skill_of
from scaling.analysis.pair_contrasts import centred_interval
from scaling.analysis.ranking import compare_pairs
from scaling.analysis.significance import SIGNIFICANCE
from scaling.analysis.usable_runs import Cells
from scaling.laws.design.asked import asked_of
from scaling.laws.design.narrowing import WIDTH, Narrowing
from scaling.laws.design.run_noise import RunNoise, Runs
from scaling.laws.fitting.holdout import ORIGINS
from scaling.laws.forms import known_laws as forms
from scaling.models.ladder import Ladders
from scaling.runs.grid import cells
from scaling.study.schema import Study
from scaling.study.study_file import parse, read_tree
from scaling.study.study_images import image_spec

SHARED = 0.3
"""Share of the variance that runs of one (seed, D) have in common, as in the simulations of benchmarks/verdicts.py."""
RESAMPLES = 100


class Grid:
    """The runs of a study: logs of N and D [n, 2] and seeds [n] of each of its families, and their core seconds together."""

    def __init__(self, study: Study, known: dict[str, Family], ladders: Ladders) -> None:
        self.kinds = {name: study.kind(name) for name in study.families}
        self.known = known
        self.runs: dict[str, Runs] = {}
        seconds = 0.0
        image = image_spec(study)
        for name in study.families:
            members = cells(study, name)
            reached = {c.target: ladders.rung(study.architecture(name), c.target, image).params for c in members}
            logs = np.log(np.array([[reached[c.target], c.images] for c in members], float))
            self.runs[name] = Runs(logs, np.array([c.seed for c in members], float))
            seconds += float(np.exp(np.column_stack([np.ones(len(logs)), logs]) @ known[name].cost).sum())
        self.minutes = seconds / 60

    def draw(self, seed: int, bump: float) -> list[Cells]:
        """Losses of one simulated study."""
        rng = np.random.default_rng([seed, 3])
        places = sorted({place for runs in self.runs.values() for place in _places(runs)})
        common = dict(zip(places, rng.standard_normal(len(places)), strict=True))
        drawn = []
        for name, runs in self.runs.items():
            found, noise = self.known[name].found, self.known[name].noise
            spread = noise.deviations(runs)
            shared = np.array([common[place] for place in _places(runs)])
            error = np.sqrt(SHARED) * shared + np.sqrt(1 - SHARED) * rng.standard_normal(len(shared))
            log_y = found.law.log_values(found.theta[None], runs.logs - found.centre)[0] + spread * error
            if self.kinds[name] == "transformer":
                log_y = log_y + bump * (runs.logs[:, 1] == runs.logs[:, 1].max())
            n, d = np.exp(runs.logs).T
            keys = [f"{name} {i}" for i in range(len(n))]
            drawn.append(Cells(name, self.kinds[name], "loss", keys, n, np.round(d), runs.seeds, np.exp(log_y), n * d, []))
        return drawn

    def widths_of_exponents(self) -> np.ndarray:
        """95 % half widths of alpha and beta, medians over families, in the law's linear approximation [2]."""
        nothing, found = Runs(np.zeros((0, 2)), np.zeros(0)), []
        for name, runs in self.runs.items():
            family = self.known[name]
            asked = asked_of(family.found, "exponents")
            parts = [asked._replace(gradients=asked.gradients[[i]]) for i in (0, 1)]
            noise = RunNoise(*family.noise[:3], shared=SHARED)
            found.append([WIDTH / 2 * Narrowing(family.found, noise, runs, nothing, part).variance ** 0.5 for part in parts])
        return np.median(found, axis=0)


def opened(path: Path) -> Study:
    """The study at ``path``, which must be valid."""
    study, problems = parse(read_tree(path))
    if study is None:
        raise SystemExit(f"{path}: {problems}")
    return study


def _places(runs: Runs) -> list[tuple[float, float]]:
    return [(float(seed), round(float(np.exp(log)), 6)) for seed, log in zip(runs.seeds, runs.logs[:, 1], strict=True)]


def half_width(skill: Skill) -> tuple[float, bool]:
    """Half width of the interval of a skill, as a report states it, and whether it lies above 0."""
    if skill.value is None or skill.draws is None or not len(skill.draws):
        return float("nan"), False
    low, high = centred_interval(np.log(max(1 - skill.value, 1e-12)), skill.draws)
    return float(np.exp(high) - np.exp(low)) / 2, bool(np.exp(high) < 1)


def judge(grid: Grid, seed: int, bump: float) -> tuple[list[Judged], list[list[Skill]], dict[str, Skill]]:
    """Families of one simulated study, their skills by origin and over all, and the latter by name."""
    judged = list(judge_families(grid.draw(seed, bump), forms.chinchilla(), seed=seed, resamples=RESAMPLES))
    held = [[hold_out(one, origin) for origin in ORIGINS] for one in judged]
    skills = [[*(skill_of([one]) for one in each), skill_of(each)] for each in held]
    return judged, skills, {one.cells.family: each[-1] for one, each in zip(judged, skills, strict=True)}


def apart(judged: list[Judged], by_name: dict[str, Skill]) -> tuple[float, float]:
    """p of the difference in skill of transformers and convolutional families: with Holm's correction, and without."""
    families = {one.cells.family: one for one in judged}
    rows, _ = compare_pairs(families, by_name, {exponent: list(families) for exponent in ("alpha", "beta")})
    kinds = [row for row in rows if row["contrast"] == "skill" and "(" in row["first"]]
    ours = [row for row in kinds if {row[end].split()[0] for end in ("first", "second")} == set(PAIR)]
    return min((row["p_holm"] for row in ours), default=1.0), min((row["p"] for row in ours), default=1.0)


def gap(grid: Grid, by_name: dict[str, Skill]) -> float:
    """Mean skill of the convolutional families minus that of the transformers; NaN where one has none."""
    values = {name: float("nan") if one.value is None else one.value for name, one in by_name.items()}
    means = [np.mean([values[name] for name, own in grid.kinds.items() if own == kind]) for kind in PAIR]
    return float(means[0] - means[1])


def show(name: str, grid: Grid, studies: int, bumps: list[float]) -> None:
    """Lines of one grid."""
    shown: list[list[list[tuple[float, bool]]]] = []
    gaps: dict[float, list[float]] = {bump: [] for bump in (0.0, *bumps)}
    told: dict[float, list[tuple[float, float]]] = {bump: [] for bump in (0.0, *bumps)}
    for seed in range(studies):
        for bump in gaps:
            judged, skills, by_name = judge(grid, seed, bump)
            if not bump:
                shown.append([[half_width(skill) for skill in each] for each in skills])
            if bumps:
                told[bump].append(apart(judged, by_name))
                gaps[bump].append(gap(grid, by_name))
    found = np.array(shown, float)  # studies, families, origins, (half width, above 0)
    alpha, beta = grid.widths_of_exponents()
    runs = sum(len(one.seeds) for one in grid.runs.values())
    columns = ""
    for origin in range(found.shape[2]):
        widths = found[..., origin, 0][np.isfinite(found[..., origin, 0])]
        above = found[..., origin, 1].mean()
        columns += f"{np.median(widths):>8.2f} {above:>4.0%}" if len(widths) else f"{'none':>13}"
    print(f"{name:34}{runs:>5}{grid.minutes:>9.1f}{columns}{alpha:>8.2f}{beta:>7.2f}", flush=True)
    for bump in gaps if bumps else []:
        moved = np.mean(np.subtract(gaps[bump], gaps[0.0]))
        p = np.array(told[bump])
        corrected, alone = np.mean(p < SIGNIFICANCE, axis=0)
        level = float(np.quantile(np.array(told[0.0])[:, 1], SIGNIFICANCE))
        shares = f"told apart in {corrected:.0%} of {studies} studies, as the only hypothesis in {alone:.0%}"
        shares += f", at p < {level:.3f} in {np.mean(p[:, 1] < level):.0%}"
        print(f"{'':34}loss {bump:+.0%} at the largest D: skill {-moved:+.2f}, {shares}", flush=True)


PAIR = ("convolutional", "transformer")
"""Kinds that are told apart."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("studies", type=Path, nargs="+", metavar="STUDY")
    parser.add_argument("--runs", type=Path, required=True, metavar="RUNS")
    parser.add_argument("--like", nargs="*", default=[], metavar="NEW=KNOWN")
    parser.add_argument("--number", type=int, default=20, help="simulated studies per grid")
    parser.add_argument("--bump", type=float, nargs="*", default=[])
    parser.add_argument("--slope", type=float, default=-0.5, help="d log variance / d log D of the noise")
    options = parser.parse_args()
    judging.HOLDOUT_DRAWS = RESAMPLES
    known = {family.name: family for family in learn(pl.read_csv(options.runs, infer_schema_length=None), options.slope)}
    for pair in options.like:
        new, like = pair.split("=")
        known[new] = known[like]
    ladders = Ladders(Path("results/cache/ladders.json"))
    head = "".join(f"{'skill ' + what:>13}" for what in ("N", "D", "both", "all"))
    print(f"{'grid':34}{'runs':>5}{'minutes':>9}{head}{'alpha':>8}{'beta':>7}")
    for path in options.studies:
        show(path.stem, Grid(opened(path), known, ladders), options.number, options.bump)


if __name__ == "__main__":
    main()
