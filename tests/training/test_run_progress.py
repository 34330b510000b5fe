"""What a checkpoint holds of a run comes back as it was."""

import json
import math

from hypothesis import given
from hypothesis import strategies as st

from scaling.training.run_progress import Progress, finite

LOSSES = st.floats(0, 1e6) | st.just(math.inf) | st.just(math.nan)


@given(LOSSES, LOSSES, st.integers(0, 10**6), st.lists(st.tuples(st.floats(0, 1e6), st.integers(1, 25)), max_size=5))
def test_state_survives_json(best: float, mean: float, step: int, looks: list[tuple[float, int]]):
    progress = Progress(step=step, train_loss=mean, best_loss=best if finite(best) is not None else math.inf)
    for total, steps in looks:
        progress.add(total, steps)
    back = Progress.of(json.loads(json.dumps(progress.state(), allow_nan=False)))
    if finite(mean) is None:
        assert math.isnan(back.train_loss)
        back.train_loss = progress.train_loss = 0.0
    assert back == progress


@given(st.lists(st.tuples(st.floats(0, 1e3), st.integers(1, 25)), min_size=1, max_size=5))
def test_the_mean_is_over_the_steps_since_it_was_asked(looks: list[tuple[float, int]]):
    progress = Progress()
    progress.add(1e9, 7)
    progress.mean_loss()
    for total, steps in looks:
        progress.add(total, steps)
    assert math.isclose(progress.mean_loss(), sum(t for t, _ in looks) / sum(n for _, n in looks), abs_tol=1e-12)
    assert progress.mean_loss() == 0.0
