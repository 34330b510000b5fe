"""The page of the claims and its table, from planted verdicts in every state."""

import csv
import io
import math
from dataclasses import replace

import polars as pl
import pytest
from drawn import points_and_words
from example_study import runs_table
from planted import CLASSES, measurements, runs
from test_page import HOSTILE, SMALL, Page, inputs

from scaling.analysis.claims import c02_alexnet_parts as alexnet
from scaling.analysis.claims import c03_deeper_or_wider as deeper
from scaling.analysis.claims.claim import Claim, Curves, Part
from scaling.analysis.claims.claim_files import claim_files
from scaling.analysis.claims.evidence import Evidence
from scaling.analysis.claims.judge import judge_claims
from scaling.analysis.claims.load_claims import load_claims
from scaling.report.claims_page import claims_csv, effect_cell
from scaling.report.figures.claims_curves import claims_curves, rows_of
from scaling.report.figures.claims_forest import LOOKS, claims_forest, groups
from scaling.report.page import build, render, render_claims
from scaling.report.plan_table import print_claims

pytestmark = pytest.mark.usefixtures("one_point")


@pytest.fixture(scope="module")
def claims():
    """All claims, judged on runs that some of them can use: one in each state at least."""
    losses = dict.fromkeys([alexnet.WHOLE, alexnet.HISTORICAL, alexnet.FAST, "googlenet-5k", "alexnet-46k"], 0.6)
    losses |= {arm: 0.8 for arm, _ in alexnet.WITHOUT.values()}
    losses |= {arm: 0.6 * math.exp(0.05 * i) for i, arm in enumerate(deeper.ARMS.values())}
    sizes = [
        {"measure": "paper-sizes", "quantity": quantity, "family": family, "value": value}
        for quantity in ("params", "flop_forward")
        for family, value in (("alexnet", 61.1e6), ("googlenet", 6.6e6))
    ]
    found = judge_claims(load_claims(claim_files()), Evidence(runs(losses, noise=0.005), CLASSES, measurements(sizes)))
    assert {entry["verdict"] for entry in found} == {"seen", "seen in part", "not seen", "cannot tell", "not testable"}
    return found


def test_the_page_has_every_claim_with_its_verdict_and_a_figure_where_something_was_measured(claims):
    page = Page(render_claims(inputs(runs_table(**SMALL), claims=claims)))
    assert page.open == []
    assert not [load for load in page.loads if not load.startswith(("data:", "index.html", "#"))]
    assert len(set(page.ids)) == len(page.ids)
    first = page.tables[0]
    assert len(first) == len(claims) + 1
    for row, claim in zip(first[1:], claims, strict=True):
        assert claim["statement"] in row[1].replace("\N{NO-BREAK SPACE}", " ")
        assert claim["verdict"] in row[2]
        assert claim["name"] in page.ids
        measured = any(part["effect"] is not None for part in claim["parts"])
        assert measured == (f"{claim['name']}-forest" in page.ids)


@pytest.mark.slow
def test_the_report_links_to_the_claims_and_back(claims):
    run = inputs(runs_table(**SMALL), claims=claims)
    assert 'href="claims.html"' in render(run)
    assert 'href="index.html"' in render_claims(run)
    assert "claims.html" not in render(inputs(runs_table(**SMALL)))


def test_the_table_has_a_row_a_claim_and_a_row_a_part(claims, tmp_path):
    build(inputs(runs_table(**SMALL), claims=claims), tmp_path / "index.html")
    rows = list(csv.DictReader(io.StringIO((tmp_path / "claims.csv").read_text())))
    columns = ["claim", "statement", "statistic", "effect", "low", "high", "p_adjusted", "verdict", "cells"]
    assert list(rows[0])[: len(columns)] == columns
    assert len(rows) == sum(1 + len(claim["parts"]) for claim in claims)
    relu = next(row for row in rows if row["claim"] == "alexnet-parts/ReLU")
    assert relu["verdict"] == "seen"
    assert float(relu["effect"]) == pytest.approx(33, abs=3)
    assert float(relu["low"]) < float(relu["effect"]) < float(relu["high"])
    assert (relu["cells"], relu["unit"]) == ("6", "%")
    assert len(relu["keys"].split()) == 6


def test_without_claims_there_is_no_page_of_them(tmp_path):
    build(inputs(runs_table(**SMALL)), tmp_path / "index.html")
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "datapackage.json",
        "index.html",
        "laws.csv",
        "runs.csv",
        "summary.md",
    ]


def test_what_comes_from_data_is_escaped(claims):
    hostile = [claims[0] | {"sentence": HOSTILE, "parts": [part | {"note": HOSTILE} for part in claims[0]["parts"]]}]
    assert HOSTILE not in render_claims(inputs(runs_table(**SMALL), claims=hostile))


def test_the_terminal_shows_each_part_that_has_an_effect_with_its_verdict_whole(claims, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    print_claims(claims)
    lines = capsys.readouterr().out.splitlines()
    for claim in claims:
        for part in claim["parts"]:
            if part["effect"] is not None and part["decides"]:
                rows = [line for line in lines if line.strip().startswith(part["name"][:12]) and part["verdict"] in line]
                assert rows, part["name"]
    assert "Not testable" in "".join(lines)
    assert max(map(len, lines)) <= 80


def test_a_claim_of_a_user_gets_its_figure(tmp_path):
    part = Part("width", "It is so.", "a figure", lambda evidence: replace(FOUND, rows=()))
    (entry,) = judge_claims([Claim(17, "A claim", "It is so.", "nowhere", parts=(part,), name="mine")], EVIDENCE)
    page = Page(render_claims(inputs(runs_table(**SMALL), claims=[entry])))
    assert "mine-forest" in page.ids


EVIDENCE = Evidence(runs({"a": 1.0, "b": 1.3}), CLASSES)
FOUND = next(part for part in alexnet.claim.parts).measure(
    Evidence(runs(dict.fromkeys([alexnet.WHOLE, *(arm for arm, _ in alexnet.WITHOUT.values())], 0.6)), CLASSES)
)


@pytest.mark.parametrize("change", [{}, {"parts": []}, {"rows": []}])
def test_figures_draw_what_there_is_down_to_nothing(claims, change):
    claim = next(claim for claim in claims if claim["name"] == "deeper-or-wider") | change
    (curves,) = claim["curves"]
    points, words = points_and_words(claims_curves(curves, claim["rows"]).draw())
    assert points == len({(row["panel"], row["series"], row["x"]) for row in claim["rows"]})
    assert ("nothing was measured" in words) == (not claim["rows"])
    panels = claims_forest(claim)
    assert bool(panels) == bool(claim["parts"])
    for parts, panel in zip(groups(claim).values(), panels, strict=True):
        points, words = points_and_words(panel.draw())
        assert points == 2 * len(parts)  # an effect, and the arrowhead of its threshold
        assert all(any(word.startswith(part["name"]) for word in words) for part in parts)


def test_verdicts_differ_without_colour():
    assert len({shape for _, _, shape in LOOKS.values()}) == len(LOOKS)


def test_a_panel_says_once_with_which_words_its_parts_begin(claims):
    claim = next(claim for claim in claims if claim["name"] == "alexnet-parts")
    parts = [part | {"name": f"slower than {part['name']}", "stem": "slower than"} for part in claim["parts"]]
    (panel,) = claims_forest(claim | {"parts": parts})
    _, words = points_and_words(panel.draw())
    assert "slower than …" in words
    assert "ReLU" in words


def test_an_effect_from_twice_as_much_on_is_a_ratio():
    assert effect_cell({"effect": 2060.0, "low": 1890.0, "high": 2240.0}).startswith("21.6 times<")
    assert "[19.9, 23.4]" in effect_cell({"effect": 2060.0, "low": 1890.0, "high": 2240.0})
    assert effect_cell({"effect": 47.8, "low": None, "high": None}) == "+47.8 %"


def test_a_value_of_zero_is_drawn_at_the_edge_of_a_logarithmic_axis():
    rows = [{"panel": "", "series": "a", "x": float(x), "y": 10.0**-x, "low": None, "high": None} for x in range(1, 10)]
    zero = {"panel": "", "series": "a", "x": 10.0, "y": 0.0, "low": None, "high": None, "bound": True}
    curves = vars(Curves("", "", "layer", "norm", log_y=True))
    points, _ = points_and_words(claims_curves(curves, [*rows, zero]).draw())
    assert points == 10


def test_effects_without_an_interval_and_infinite_ones_are_drawn(claims):
    claim = next(claim for claim in claims if claim["name"] == "alexnet-parts")
    parts = [part | {"low": None, "high": None} for part in claim["parts"]]
    (panel,) = claims_forest(claim | {"parts": parts})
    points, _ = points_and_words(panel.draw())
    assert points == 2 * len(parts) > 0
    assert claims_csv([claim | {"parts": parts}])["low"].is_null().all()


def test_each_figure_of_a_claim_has_its_own_panels():
    row = {"series": "a", "x": 1.0, "y": 1.0, "low": None, "high": None}
    first, second = (vars(Curves("", "", "x", "y", panels=panels)) for panels in ((), ("norm",)))
    claim = {"curves": [first, second], "rows": [row | {"panel": panel} for panel in ("loss", "norm", "other")]}
    assert [row["panel"] for row in rows_of(first, claim)] == ["loss", "other"]
    assert [row["panel"] for row in rows_of(second, claim)] == ["norm"]


def test_curves_over_names_keep_their_order():
    rows = [{"panel": "", "series": s, "x": x, "y": 1.0, "low": 0.9, "high": 1.1} for s in ("b", "a") for x in ("vit", "mlp")]
    curves = {
        "title": "",
        "caption": "",
        "x": "family",
        "y": "skill",
        "log_x": False,
        "log_y": False,
        "panels": (),
        "marked": None,
    }
    figure = claims_curves(curves, rows)
    assert list(figure.data["x"].cat.categories) == ["vit", "mlp"]
    figure.save(io.BytesIO(), format="svg", verbose=False)


def test_the_page_of_a_study_shows_laws_of_its_families_with_laws_alone():
    table = runs_table(**SMALL)
    arm = table.filter(pl.col("family") == "mlp").with_columns(family=pl.lit("mlp-odd"))
    run = inputs(table)
    wider = replace(run, runs=pl.concat([table, arm]))
    assert set(wider.with_laws().runs["family"]) == {"mlp", "resnet"}
    found = Page(render(wider))
    assert "mlp-odd" not in [row[0] for row in found.tables[0]]
    assert any("mlp-odd" in row[0] for row in found.tables[-1])
