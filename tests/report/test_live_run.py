"""The display of a study that is being trained: a row per family, and few lines whatever happens."""

from rich.console import Console

from scaling.jobs.status import RUNNING, STOPPED, UNTUNED, CellStatus, PackStatus, StudyStatus
from scaling.laws.learning.final_loss import FinalLoss
from scaling.report.live_run import render_run
from scaling.runs.progress import ProgressReport
from scaling.runs.records import DIVERGED, DONE, FAILED

HALF = ProgressReport(50, 100, 1.25, 1000.0, 10.0, 1e9)


def cell(family: str, images: int, state: str = "waiting", **more) -> CellStatus:
    return CellStatus(family, 13000, images, 0, state=state, **more)


def shown(status: StudyStatus, left: float | None = None, width: int = 80, **more) -> list[str]:
    console = Console(width=width, no_color=True)
    with console.capture() as capture:
        console.print(render_run(status, left, **more))
    return [line.rstrip() for line in capture.get().splitlines()]


STATUS = StudyStatus(
    "my",
    (
        PackStatus("mlp", "mlp", (cell("mlp", 1, DONE, loss=0.7512), cell("mlp", 2, DONE, loss=0.6), cell("mlp", 3, DIVERGED))),
        PackStatus("vit", "vit", (cell("vit", 1, RUNNING, progress=HALF), cell("vit", 2, RUNNING), cell("vit", 3))),
        PackStatus("vgg", "vgg", (cell("vgg", 1, reason=UNTUNED), cell("vgg", 2, reason=UNTUNED))),
    ),
    (PackStatus("tune vgg", "vgg", (cell("vgg", 9, RUNNING, progress=HALF),)),),
)


def test_families_runs_done_lowest_loss_and_time_left():
    head, _, *rows, trouble = shown(STATUS, 125.0)
    assert head == "my: 3 of 8 runs done, about 2:05 left"
    assert [row.split()[:4] for row in rows] == [["mlp", "3", "of", "3"], ["vit", "0", "of", "3"], ["vgg", "0", "of", "2"]]
    assert rows[0].split()[4:] == ["0.600", "done"]
    assert rows[1].endswith("N=13000 D=1, step 50/100, loss 1.250, and 1 more")
    assert rows[2].endswith("tuning, N=13000, step 50/100, loss 1.250")
    assert trouble.startswith("mlp N=13000 D=3 seed=0 diverged")


def test_a_run_with_a_forecast_says_where_it_will_end():
    running = cell("vit", 1, RUNNING, progress=HALF, forecast=FinalLoss(0.812, 0.75, 0.88, 9))
    row = shown(StudyStatus("my", (PackStatus("vit", "vit", (running,)),), ()), width=100)[2]
    assert row.endswith("N=13000 D=1, step 50/100, loss 1.250, will end near 0.812")


def test_a_time_that_is_not_known_is_said_to_be_so():
    assert shown(STATUS)[0] == "my: 3 of 8 runs done, time left not known yet"


def test_after_the_last_run_come_laws_and_report():
    done = StudyStatus("my", (PackStatus("mlp", "mlp", (cell("mlp", 1, DONE, loss=0.5),)),), ())
    assert shown(done)[0] == "my: 1 of 1 runs done; fitting laws and writing the report"
    assert shown(done, over=True)[0] == "my: 1 of 1 runs done"


def test_of_many_failures_the_worst_are_named_and_all_are_counted():
    states = [STOPPED] * 2 + [FAILED] * 3
    cells = tuple(cell("mlp", place, state, reason="[why] " * 50) for place, state in enumerate(states))
    lines = shown(StudyStatus("my", (PackStatus("mlp", "mlp", cells),), ()))
    assert [line.split()[:5] for line in lines[3:6]] == [
        ["mlp", "N=13000", f"D={place}", "seed=0", "failed:"] for place in (2, 3, 4)
    ]
    assert lines[6:] == ["and 2 stopped"]
    assert max(map(len, lines)) <= 80


def test_columns_stay_where_they_are_whatever_they_hold():
    long = PackStatus("vit", "vit", tuple(cell("vit", 10**place, RUNNING, progress=HALF) for place in range(5, 8)))
    short = PackStatus("vit", "vit", (cell("vit", 1),))
    heads = [shown(StudyStatus("my", (pack,), ()), width=60)[1] for pack in (long, short)]
    assert heads[0] == heads[1]
    assert "runs done" in heads[0]
    assert "lowest loss" in heads[0]
