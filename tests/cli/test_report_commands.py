"""Pages and figures of any table, as a user asks for them."""

from __future__ import annotations

import re
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner, Result

from scaling.cli.commands import app

SAMPLE = Path(__file__).parents[2] / "reports/sample/runs.csv"


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two families of the sample, with columns of other names; a name that would be markup, and one diverged run."""
    runs = pl.read_csv(SAMPLE).filter(pl.col("family").is_in(["mlp", "vit"]))
    runs = runs.with_columns(family=pl.col("family").replace("vit", "<b>vit"))
    runs = runs.select(
        "seed",
        pl.col("family").alias("who"),
        pl.col("params").alias("size"),
        pl.col("images").alias("tokens"),
        "flop",
        pl.col("loss").alias("nats"),
        pl.lit("done").alias("status"),
    )
    lost = runs.head(1).with_columns(pl.lit("diverged").alias("status"), pl.lit(None, pl.Float64).alias("nats"))
    path = tmp_path_factory.mktemp("tables") / "other runs.csv"
    pl.concat([runs, lost]).write_csv(path)
    return path


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


COLUMNS = ("--family", "who", "--n", "size", "--d", "tokens", "--y", "nats")


@pytest.mark.slow
def test_a_page_is_one_file_that_needs_nothing_else(table: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    result = run("report", table, *COLUMNS, "--seed-column", "seed", "--flop", "flop", "--output", page)
    assert result.exit_code == 0, result.stderr
    assert f"report: {page}" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]
    text = page.read_text()
    assert not re.search(r'(src|href)="(?!#|data:)', text)
    assert "1 row is left out, whose run is not done: diverged 1." in text
    assert "<b>vit" not in text
    assert text.count("<figure id=") == 13
    assert "images" not in re.sub(r"<(style|script|svg|nav|figure).*?>|(loss-by|beyond)-images", "", text.split('id="laws"')[0])
    for words in ("Families compared", "How to spend compute", "least nats"):
        assert words in text


@pytest.mark.slow
def test_a_page_without_families_and_what_is_refused(table: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    result = run("report", table, *COLUMNS[2:], "--where", "who = 'mlp'", "--output", page)
    assert result.exit_code == 0, result.stderr
    assert "all rows" in page.read_text()
    assert run("report", table, *COLUMNS, "--output", tmp_path / "page.pdf").stderr.endswith("it must be an .html file\n")
    missing = run("report", table, "--n", "size")
    assert (missing.exit_code, missing.stderr.count("\n")) == (2, 1)
    assert "--d and --y must name a column; it has seed, who" in missing.stderr
    study = run("report", "study.yaml", "--y", "nats")
    assert study.exit_code == 2
    assert "study.yaml is a study" in study.stderr


@pytest.mark.slow
def test_a_wild_value_is_named_and_not_drawn(table: Path, tmp_path: Path) -> None:
    wild, page = tmp_path / "wild.csv", tmp_path / "page.html"
    rows = pl.read_csv(table).filter(pl.col("who") == "mlp", pl.col("status") == "done").with_row_index()
    rows.with_columns(nats=pl.when(pl.col("index") == 3).then(1e300).otherwise("nats")).drop("index").write_csv(wild)
    result = run("report", wild, *COLUMNS, "--output", page)
    assert result.exit_code == 0, result.stderr
    # Below the seven figures that draw rows, and in their words for readers that do not see.
    assert page.read_text().count("Not drawn, more than 10,000 times off the median of the family: row 4 (1e+300).") == 14
    assert "10³⁰⁰" not in "".join(re.findall(r"<svg.*?</svg>", page.read_text(), re.DOTALL))


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "begins"), [("pdf", b"%PDF"), ("svg", b"<?xml"), ("png", b"\x89PNG")])
def test_figures_for_a_paper(table: Path, tmp_path: Path, kind: str, begins: bytes) -> None:
    result = run("figures", table, *COLUMNS, "--format", kind, "--output", tmp_path, "--where", "who = 'mlp'")
    assert result.exit_code == 0, result.stderr
    names = {path.stem for path in tmp_path.iterdir()}
    with_rows = {"held-out", "loss-by-images", "loss-by-params", "beyond-images", "beyond-params", "loss-contours", "residuals"}
    assert names == with_rows | {"skill-forest", "exponents"}
    for path in tmp_path.iterdir():
        assert path.suffix == f".{kind}"
        assert path.read_bytes().startswith(begins)
