import html
import json
import math
import re
from html.parser import HTMLParser

import polars as pl
import pytest
from example_study import ENVIRONMENT, curves_of, fits_of, runs_table, study_of, tuning_of

from scaling.analysis.rate_error import rate_errors
from scaling.analysis.study_statistics import fit_study
from scaling.report import page as report_page
from scaling.report.gallery import PAGE_FIGURES
from scaling.report.inputs import ReportInputs
from scaling.report.page import build, render
from scaling.runs.records import SCHEMA

SMALL = {"families": ("mlp", "resnet"), "sizes": (5_000, 20_000), "images": (500, 2_000)}
HOSTILE = '<script>alert("x")</script>&"\'$x^{'


pytestmark = pytest.mark.usefixtures("one_point")


def inputs(table, **changes):
    values = {
        "study": study_of(table),
        "runs": table,
        "fits": fits_of(table),
        "tuning": tuning_of(table),
        "environment": ENVIRONMENT,
        "plan": None,
        "partial": False,
        "command": "uv run snakemake --cores all",
    }
    return ReportInputs(**values | changes)


ARCHITECTURE = {
    "family": "vit",
    "params": 130_000,
    "width": 40.0,
    "depth": 3,
    "outline": "1×28×28 → patch_embed 16×40 → <head> 10",
    "layers": [
        {"name": "blocks.0–2.attn.qkv", "kind": "Linear", "shape": "16×120", "params": 4920, "times": 3},
        {"name": "pos_embed", "kind": "parameter", "shape": "", "params": 640, "times": 1},
    ],
}


class Page(HTMLParser):
    """Tables as lists of rows of cell texts, loads of resources, ids, unclosed elements."""

    VOID = frozenset({"meta", "link", "input", "br", "img", "hr"})

    def __init__(self, text):
        super().__init__()
        self.open, self.tables, self.loads, self.ids, self.values = [], [], [], [], []
        self.text = []
        self.feed(text)
        self.close()

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.open.pop()

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if tag not in self.VOID:
            self.open.append(tag)
        if tag in ("script", "img", "link", "iframe", "image", "use", "object"):
            self.loads += [attrs[name] for name in ("src", "href", "xlink:href", "data") if name in attrs]
        if tag == "table":
            self.tables.append([])
        if tag == "tr":
            self.tables[-1].append([])
        if tag in ("td", "th"):
            self.tables[-1][-1].append("")
        if "id" in attrs:
            self.ids.append(attrs["id"])
        if "data-value" in attrs:
            self.values.append(attrs["data-value"])

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, f"</{tag}> closes another element"

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("style", "script"):
            self.text.append(data)
            if {"td", "th"} & set(self.open):
                self.tables[-1][-1][-1] += data

    def table(self, *heads):
        for table in self.tables:
            titles = [" ".join(cell.split()) for cell in table[0]]
            if all(head in titles for head in heads):
                return [dict(zip(titles, (" ".join(c.split()) for c in row), strict=True)) for row in table[1:]]
        raise AssertionError(f"no table with {heads}")


@pytest.fixture(scope="module")
def whole():
    runs = runs_table(families=("mlp", "googlenet", "vit"), seeds=2, lost={3: "failed", 5: "diverged", 40: "missing"})
    run = inputs(runs, plan={"cells": 96, "hours": 0.25}, curves=curves_of(runs), architectures=[ARCHITECTURE])
    text = render(run)
    return run, text, Page(text)


def test_nothing_is_loaded_from_elsewhere(whole):
    _, text, page = whole
    assert all(load.startswith(("#", "data:")) for load in page.loads), page.loads
    outside_svg = re.sub(r'xmlns(:xlink)?="[^"]*"', "", text)
    assert "http" not in outside_svg
    assert "@import" not in text


def test_a_page_of_all_figures_is_small(whole):
    _, text, page = whole
    assert set(PAGE_FIGURES) <= set(page.ids)
    assert len(text.encode()) < 3_000_000


def test_ids_are_unique_and_links_arrive(whole):
    _, text, page = whole
    assert len(page.ids) == len(set(page.ids))
    assert page.open == []
    anchors = set(re.findall(r'<a href="#([^"]+)"', text))
    assert anchors
    assert anchors <= set(page.ids)


def test_every_table_says_what_it_is(whole):
    _, text, page = whole
    assert len(page.tables) >= 8
    assert text.count("<caption>") == len(page.tables)


def test_the_finding_stands_before_everything_else(whole):
    run, _, page = whole
    text = " ".join(" ".join(page.text).split())
    first = "No family follows its law measurably better than another at this scale: all 3 laws predict what more data brings"
    assert text.index(first) < text.index("Figure 1.") < text.index("seeds 1 to 2 seeds per model and D")
    assert text.index("Figure 1.") < text.index(run.fits["summary"][0]) < text.index("All models One row")


def test_numbers_of_the_law_table_are_those_of_the_fits(whole):
    run, _, page = whole
    rows = {row["family"].split()[0]: row for row in page.table("status", "alpha", "seed noise")}
    assert rows["vit"]["family"].endswith("D: 500 – 10k 32 models")
    shown = set(map(float, filter(None, page.values)))
    for fit in run.fits["fits"]:
        if fit["response"] != "loss":
            continue
        row = rows[fit["family"]]
        assert row["status"] == fit["status"].replace("-", " ")
        for name, estimate in fit["parameters"].items():
            assert estimate in shown
            first, _, rest = row[name].partition(" ")
            assert float(first) == pytest.approx(estimate, rel=0.006)
            if interval := fit["intervals"][name]:
                assert json.loads(rest) == pytest.approx(interval, rel=0.006)
            else:
                assert rest == fit["reasons"][name]


def test_each_family_shows_its_layers(whole):
    _, text, page = whole
    assert "→ &lt;head&gt; 10" in text
    rows = page.table("layer", "kind", "weights")
    assert [(row["kind"], row["output for one image"], row["weights"]) for row in rows] == [
        ("Linear × 3", "16×120", "14,760"),
        ("parameter", "–", "640"),
    ]


def test_no_line_breaks_before_a_per_cent_sign(whole):
    _, text, _ = whole
    assert "95\u00a0% interval" in text
    assert not re.search(r"[\d\]] %", text)


def test_badges_and_skills_are_those_of_the_fits(whole):
    run, _, page = whole
    rows = {row["family"]: row for row in page.table("all together", "larger N", "class")}
    assert set(rows) == {verdict["family"] for verdict in run.fits["verdicts"]}
    for part in ("larger N", "larger D", "larger N and D", "all together"):
        assert rows["vit"][part] == "predicts 0.83 [0.70, 0.90]"
    text = " ".join(page.text)
    assert all(verdict["sentence"] in text for verdict in run.fits["verdicts"])


def test_outliers_are_listed_with_the_law_without_them(whole):
    run, _, page = whole
    (row,) = page.table("models off the law")
    outliers = next(fit["outliers"] for fit in run.fits["fits"] if fit["family"] == "mlp")
    (one,) = outliers["rows"]
    assert row["family"] == "mlp"
    assert f"D = {one['D']:.0f}, seed 1: loss {one['observed']:.3g}" in row["models off the law"]
    for name, value in outliers["parameters_without"].items():
        shown, _, beside = row[f"{name} without"].partition("with: ")
        assert float(shown) == pytest.approx(value, rel=0.006)
        assert float(beside) == pytest.approx(outliers["parameters"][name], rel=0.006)
    assert row["largest change of a prediction"] == "1.2 %"


def test_exponents_of_compute_are_those_of_the_frontier(whole):
    run, _, page = whole
    rows = {row["family"]: row for row in page.table("a, by the law", "slices")}
    known = next(entry for entry in run.fits["frontier"] if entry["family"] == "mlp")["isoflop"]["exponents"]
    for title, own in (("a, by the law", known["a"]["surface"]), ("b, by the law", known["b"]["surface"])):
        value, _, rest = rows["mlp"][title].partition("[")
        assert float(value) == pytest.approx(own["value"], rel=0.006)
        assert json.loads(f"[{rest}") == pytest.approx(own["interval"], rel=0.006)
    assert rows["mlp"]["agrees with the law?"] == "yes"
    assert rows["mlp"]["a, by parabolas (biased)"] == "no minimum inside enough slices"


def test_a_study_without_outliers_says_so():
    runs = runs_table(families=("vit",))
    text = " ".join(" ".join(Page(render(inputs(runs))).text).split())
    assert "No model's loss lies more than 4 robust standard deviations off its family's law." in text


def test_the_checklist_is_answered(whole):
    _, text, page = whole
    assert "checklist" in page.ids
    answers = re.findall(r"<dt>(Which formula\?|How many\?)</dt>\s*<dd>(.*?)</dd>", text)
    assert answers[0] == ("Which formula?", "<div>E + A / N^alpha ...</div>")
    assert answers[1][1].startswith("<div><b>mlp:</b> 30 models</div>")


def test_every_cell_has_its_row(whole):
    run, _, page = whole
    rows = page.table("best at", "key")
    assert len(rows) == len(run.runs)
    assert sorted(row["status"] for row in rows) == sorted(run.runs["status"])


def test_holes_and_diverged_runs_are_listed_with_their_reasons_and_the_page_is_partial(whole):
    _, _, page = whole
    text = " ".join(" ".join(page.text).split())
    assert "Partial. 93 of 96 models are trained, 1 diverged, 1 failed, 1 missing." in text
    for status in ("failed", "missing", "diverged"):
        assert f"{status} for the example" in text


def test_a_whole_study_is_not_called_partial_unless_asked():
    runs = runs_table(**SMALL)
    assert 'class="banner"' not in render(inputs(runs))
    assert 'class="banner"' in render(inputs(runs, partial=True))


def test_too_few_cells_show_reasons_instead_of_numbers():
    run = inputs(runs_table(**SMALL))
    page = Page(render(run))
    row = page.table("all together", "class")[0]
    assert row["larger N"] == "too few cells: 2 sizes, 4 are needed"
    assert "Cannot tell for mlp: too few cells." in page.text


@pytest.mark.parametrize(
    "runs",
    [runs_table(**SMALL, lost=dict.fromkeys(range(8), "missing")), runs_table(families=())],
    ids=["none done", "none asked for"],
)
def test_a_study_without_results_has_a_page_too(runs):
    page = Page(render(inputs(runs, tuning={}, fits={})))
    assert "No law could be judged: the 0 models" in " ".join(page.text)


def test_cells_that_never_started_know_only_what_was_asked():
    runs = runs_table(**SMALL, lost={0: "missing"})
    bare = (
        "params",
        "width",
        "depth",
        "kind",
        "learning_rate",
        "steps",
        "images_seen",
        "flop",
        "best_step",
        "reason",
        "key",
    )
    first = runs.head(1).with_columns(pl.lit(None, dtype=SCHEMA[name]).alias(name) for name in bare)
    runs = pl.concat([first, runs.tail(-1)])
    page = Page(render(inputs(runs)))
    assert page.table("reason")[0]["reason"] == "not trained yet"
    assert page.table("reason")[0]["N"] == "5k"


@pytest.mark.parametrize("lost", [{}, dict.fromkeys(range(8), "missing")], ids=["done", "missing"])
def test_what_the_laws_really_write_has_a_page(lost):
    runs = runs_table(**SMALL, lost=lost)
    fits = fit_study(runs, classes=10, bootstrap=20)
    page = Page(render(inputs(runs, fits=fits)))
    assert {row["family"] for row in page.table("all together", "class")} == {v["family"] for v in fits["verdicts"]}
    assert all(verdict["sentence"] in page.text for verdict in fits["verdicts"])


@pytest.mark.slow
def test_the_example_has_the_form_of_what_the_laws_write():
    runs = runs_table(families=("mlp", "vit"), seeds=2)
    real, example = fit_study(runs, classes=10, bootstrap=20), fits_of(runs)
    assert set(example) == set(real)
    for part in ("fits", "holdout", "frontier", "forms", "verdicts", "pairs"):
        assert set(example[part][0]) <= set(real[part][0])


def test_rivals_of_the_law_are_shown_as_ratios_with_their_verdict():
    runs = runs_table(families=("mlp", "vit"), seeds=2)
    (row,) = Page(render(inputs(runs))).table("rival")
    assert (row["mlp"], row["vit"]) == ("1.2", "1.2")
    assert row["all families"] == "1.25 [0.90, 1.7]"
    assert row["verdict"].startswith("powers cannot be told apart")


def test_hostile_names_stay_text(monkeypatch):
    monkeypatch.setattr(report_page, "PAGE_FIGURES", dict(list(PAGE_FIGURES.items())[:1]))
    runs = runs_table(**SMALL, lost={0: "failed"}).with_columns(
        pl.when(pl.col("family") == "resnet").then(pl.lit(HOSTILE)).otherwise("family").alias("family"),
        pl.col("reason").str.replace("failed.*", HOSTILE, literal=False),
    )
    fits = json.loads(json.dumps(fits_of(runs_table(**SMALL))).replace('"resnet"', json.dumps(HOSTILE)))
    fits["summary"] = [f"{HOSTILE} wins"]
    tuning = tuning_of(runs_table(**SMALL))
    tuning[HOSTILE] = tuning.pop("resnet")
    tuning[HOSTILE]["failure"] = HOSTILE
    study = study_of(runs) | {"name": HOSTILE, "description": HOSTILE}
    run = inputs(
        runs_table(**SMALL),
        runs=runs,
        fits=fits,
        tuning=tuning,
        study=study,
        environment={HOSTILE: HOSTILE},
        plan={HOSTILE: HOSTILE},
        command=HOSTILE,
    )
    text = render(run)
    assert "<script>alert" not in text
    assert html.escape(HOSTILE).replace("&quot;", "&#34;").replace("&#x27;", "&#39;") in text
    page = Page(text)
    assert page.open == []
    assert any(row["family"] == HOSTILE for row in page.table("all together", "class"))


def test_build_writes_page_and_tables(tmp_path, whole):
    run, *_ = whole
    output = build(run, tmp_path / "reports" / "example" / "index.html")
    assert output.read_text("utf-8") == render(run)
    files = {path.name for path in output.parent.iterdir()}
    assert files == {"datapackage.json", "index.html", "laws.csv", "runs.csv", "summary.md"}
    runs = pl.read_csv(output.parent / "runs.csv", schema=SCHEMA)
    assert runs.equals(run.runs.select(list(SCHEMA)))
    laws = pl.read_csv(output.parent / "laws.csv")
    assert len(laws) == 3 * 2 * 5
    vit = laws.row(
        by_predicate=(pl.col("family") == "vit") & (pl.col("response") == "loss") & (pl.col("parameter") == "beta"),
        named=True,
    )
    fit = next(fit for fit in run.fits["fits"] if fit["family"] == "vit" and fit["response"] == "loss")
    assert vit["estimate"] == fit["parameters"]["beta"]
    assert [vit["low"], vit["high"]] == fit["intervals"]["beta"]


def test_the_law_of_the_learning_rate_and_what_an_error_in_it_would_do(tmp_path):
    runs = runs_table(families=("mlp", "vit"))
    fits, tuning = fits_of(runs), tuning_of(runs)
    for anchor in tuning["mlp"]["anchors"]:
        for candidate in anchor["candidates"]:
            candidate["validation_loss"] = None
    run = inputs(runs, fits=fits, tuning=tuning, rate_errors=rate_errors(runs, tuning, fits, seed=0))
    output = build(run, tmp_path / "index.html")
    rows = {row["family"]: row for row in Page(output.read_text("utf-8")).table("trained with", "alpha moves")}
    assert rows["mlp"]["verdicts"] == "no law of the rate: no candidate has a finite loss"
    assert rows["vit"]["exponent in N"].startswith("−0.25 [")
    assert rows["vit"]["exponent in D"] == "– one D"
    cost = float(rows["vit"]["cost of half an octave"].split()[0])  # in percent; the losses are no exact parabola
    assert cost == pytest.approx(6.0 * (0.5 * math.log(2)) ** 2, rel=0.1)
    assert rows["vit"]["verdicts"] == "the same"
    table = pl.read_csv(output.parent / "rates.csv")
    assert table["family"].unique().to_list() == ["vit"]
    largest = table.row(-1, named=True)
    assert largest["low"] < largest["best_rate"] < largest["high"]
    assert largest["best_rate"] == pytest.approx(0.02 * (largest["params"] / 4800) ** -0.25, rel=0.02)
    assert "learning rates: rates wrong by half an octave" in (output.parent / "summary.md").read_text("utf-8")


def test_a_table_without_the_columns_is_refused_by_name(tmp_path):
    runs = runs_table(**SMALL)
    with pytest.raises(ValueError, match="the runs table lacks the columns seed, loss"):
        build(inputs(runs, runs=runs.drop("loss", "seed")), tmp_path / "index.html")
    assert list(tmp_path.iterdir()) == []


def test_errors_that_only_some_images_have_get_columns_only_there():
    runs = runs_table(**SMALL)
    assert "top-5 error" not in Page(render(inputs(runs))).table("seed", "status", "key")[0]
    many = runs.with_columns(top5_error=pl.lit(0.25), balanced_error=pl.lit(0.375))
    row = Page(render(inputs(many))).table("seed", "status", "key")[0]
    assert (row["top-5 error"], row["balanced error"]) == ("0.250", "0.375")


def test_what_to_train_next_is_shown_with_what_to_paste():
    table = runs_table(**SMALL)
    row = {"family": "resnet", "params": 60_000, "images": 4000, "seeds": [0, 7], "minutes": 1.5, "gain": 0.02}
    section = {
        "asked": "the exponents",
        "unit": "exponent",
        "rows": [row | {"width_before": 0.4, "width_after": 0.3}],
        "runs": "2 runs",
        "minutes": 1.5,
        "widths": [{"family": "resnet", "now": 0.4, "after": 0.3}],
        "notes": ["mlp has no law: too few"],
        "paste_where": "under `grid:`",
        "paste": "  added:\n    - {family: resnet}",
    }
    text = render(inputs(table, next_runs=section))
    assert 'href="#next"' in text
    assert ["resnet", "60k", "4k", "0, 7", "1.50", "2.0\u00a0%", "0.400", "0.300"] in [
        row for t in Page(text).tables for row in t
    ]
    assert "- {family: resnet}" in text
    assert "mlp has no law: too few." in text
    assert "What to train next" not in render(inputs(table))
