"""A first study fits into its time by the plan, never overwrites, and says what is wrong in one line."""

import json
from pathlib import Path

import pytest

from scaling.cli.commands import main
from scaling.jobs.calibration import Calibration, Line, Speed, write_calibration
from scaling.jobs.init_study import TimeBudget, init_study
from scaling.jobs.job_errors import JobError
from scaling.jobs.opening import open_study
from scaling.jobs.plan import make_plan
from scaling.study.layout import Layout

DATA = {"source": "fashion-mnist"}


@pytest.fixture(autouse=True)
def folder(tmp_path, ladders, monkeypatch):
    """An empty folder of a machine whose speed is known."""
    monkeypatch.chdir(tmp_path)
    layout = Layout("any")
    layout.ladders.parent.mkdir(parents=True)
    if ladders.cache.exists():
        layout.ladders.write_bytes(ladders.cache.read_bytes())
    speeds = {f"{name} 28x28x1 batch 64": Speed(Line(2e-5, slope)) for name, slope in (("mlp", 1e-11), ("resnet", 2e-11))}
    write_calibration(Calibration("cpu", "fp32", "a machine", speeds), layout.speed)
    return tmp_path


def written(minutes: float, path: str = "my.yaml", families=("mlp", "resnet"), data=DATA, cores: int = 2):
    budget = TimeBudget(60 * minutes, cores, "auto", f"{minutes:g} minutes")
    return init_study(Path(path), data, list(families), budget, lambda message: None)


@pytest.mark.slow
@pytest.mark.parametrize("minutes", [2.5, 12, 60])
def test_the_plan_agrees_with_the_time_given(minutes):
    found = written(minutes)
    study = open_study(Path("my.yaml"))
    plan = make_plan(study, Layout(study.name))
    assert plan.core_seconds is not None
    assert 0.8 * 60 * minutes <= plan.core_seconds / 2 <= 60 * minutes
    assert plan.core_seconds / 2 == pytest.approx(found.seconds)
    assert plan.new == found.runs
    assert not found.whole
    assert study.name == "my"
    assert study.grid.out_of_range == "move"


def test_more_time_than_all_images_and_sizes_need_is_said():
    assert written(1e9).whole


def test_it_never_overwrites():
    Path("my.yaml").write_text("mine")
    with pytest.raises(JobError, match=r"my\.yaml exists already and is not overwritten"):
        written(60)
    assert Path("my.yaml").read_text() == "mine"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"minutes": 0.1}, r"0.1 minutes are too few: the smallest grid takes about \d+ minutes here"),
        ({"families": ["mlp", "resent"]}, "--families: received 'resent'; did you mean 'resnet'?"),
        ({"families": ["mlp", "mlp"]}, "--families: mlp is named twice"),
        ({"data": {"source": "fashion-mnist", "side": 8}}, "--side: received 8; input should be greater than or equal to 28"),
        ({"path": "nowhere/my.yaml"}, "there is no folder nowhere"),
    ],
)
def test_what_is_wrong_is_said_in_a_line_and_nothing_is_written(changes, words):
    with pytest.raises(JobError, match=words) as error:
        written(**({"minutes": 10} | changes))
    assert "\n" not in str(error.value)
    assert list(Path().glob("*.yaml")) == []


def test_models_of_ones_own_are_named_from_the_study_file():
    Path("nets.py").write_text("def tiny(width, depth, image):\n    raise NotImplementedError\n")
    Path("studies").mkdir()
    with pytest.raises(Exception, match="tiny"):  # it cannot be built, and that is found by its path
        written(10, "studies/my.yaml", ["nets.py:tiny"])
    assert list(Path("studies").iterdir()) == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--families", "mlp"], "give --minutes or --gpu-hours, one of them"),
        (["--families", "mlp", "--minutes", "5", "--folder", "nowhere", "--side", "32"], "nowhere"),
        (["--families", "mlp", "--minutes", "5", "--folder", "."], "side"),
    ],
)
def test_the_command_ends_with_2_on_bad_input(monkeypatch, capsys, words, said):
    monkeypatch.setattr("sys.argv", ["scaling", "init", "my.yaml", *words])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 2
    assert said in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize(("minutes", "few"), [("0.7", True), ("60", False)])
def test_the_command_says_what_it_wrote(monkeypatch, capsys, minutes, few):
    monkeypatch.setattr("sys.argv", ["scaling", "init", "my.yaml", "--families", "mlp,resnet", "--minutes", minutes])
    monkeypatch.setattr("scaling.cli.run_commands.usable_cores", lambda: 2)
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 0
    said = capsys.readouterr().err
    assert "next: scaling run my.yaml" in said
    assert ("too few runs to judge them" in said) == few
    monkeypatch.setattr("sys.argv", ["scaling", "plan", "my.yaml", "--json"])
    with pytest.raises(SystemExit):
        main()
    plan = json.loads(capsys.readouterr().out)
    assert f"my.yaml: {plan['new']} runs" in said
