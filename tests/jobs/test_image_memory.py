"""The memory that a job asks for covers the images that its runs copy."""

import pytest

from scaling.jobs import estimates
from scaling.jobs.estimates import Estimates
from scaling.models.family import ImageSpec
from scaling.study.schema import Study
from scaling.training import images


@pytest.fixture
def make(ladders):
    def made(side=28, channels=1, device="cpu", **jobs):
        study = Study.model_validate(
            {
                "name": "x",
                "device": device,
                "families": {"mlp": None},
                "grid": {"params": [13000], "images": [300]},
                "data": {"validation": 1000},
                "jobs": {"cores": 4} | jobs,
            }
        )
        return Estimates(study, None, ladders, ImageSpec(side, channels, 10))

    return made


def test_the_limits_are_those_of_the_training():
    assert (estimates.SUBSET_BYTES, estimates.HELD_OUT_BYTES) == (images.IN_MEMORY_BYTES, images.HELD_OUT_BYTES)


def test_images_are_counted_up_to_their_limits(make):
    assert make().images_mb(10_000) == pytest.approx((10_000 + 1_000 + 2_200) * 784 / 1e6)
    one, most = 224 * 224 * 3, images.IN_MEMORY_BYTES + images.HELD_OUT_BYTES
    assert make(224, 3).images_mb(1_000_000) == pytest.approx((most + 1_000 * one) / 1e6)


def test_a_job_asks_for_the_images_of_all_runs_at_a_time(make):
    few, many = make(224, 3).memory_mb("mlp", (), 4, 300), make(224, 3).memory_mb("mlp", (), 4, 100_000)
    assert many - few == pytest.approx(1.25 * 4 * (make(224, 3).images_mb(100_000) - make(224, 3).images_mb(300)), abs=500)
    assert make(224, 3, "cuda").memory_mb("mlp", (), 4, 100_000) > many  # they pass through the host's memory


def test_a_job_asks_for_a_process_on_each_gpu_of_a_run(make):
    one, eight = (make(device="cuda", cores=1, gpus_per_run=count).memory_mb("mlp", (), 4, 300) for count in (1, 8))
    assert eight - one == pytest.approx(7 * 1.25 * estimates.GPU_CELL_MB, rel=0.1)
