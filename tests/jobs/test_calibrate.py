import json

import pytest

from scaling.cli.commands import calibrate as command
from scaling.jobs.calibrate import calibrate
from scaling.jobs.calibration import Calibration, CalibrationError, Line, Speed, read_calibration, write_calibration
from scaling.models.family import ImageSpec
from scaling.study.schema import Study
from scaling.training.device import Device

IMAGE = ImageSpec(28, 1, 10)
CPU = Device("cpu", "fp32", 0, "this machine")


def study(**changes) -> Study:
    base = {"name": "a", "families": {"mlp": None}, "grid": {"params": [13_000, 260_000], "images": [500]}}
    return Study.model_validate(base | changes)


@pytest.mark.slow
def test_a_family_is_measured_once_and_kept(ladders, tmp_path):
    said = []
    found = calibrate(study(), ladders, IMAGE, CPU, None, said.append)
    speed = found.speeds["mlp 28x28x1 batch 64"]
    assert 1e-7 < speed.seconds.at(2 * 13_000) < 1e-2
    assert 1e6 < speed.memory.at(2 * 13_000) < 1e9
    assert said == ["measuring mlp (1 of 1)"]
    write_calibration(found, tmp_path / "c.json")
    assert read_calibration(tmp_path / "c.json") == found
    assert calibrate(study(), ladders, IMAGE, CPU, found, said.append) == found
    more = calibrate(study(recipe={"batch": 32}), ladders, IMAGE, CPU, found, said.append)
    assert more.speeds.keys() == {"mlp 28x28x1 batch 64", "mlp 28x28x1 batch 32"}
    assert more.speeds["mlp 28x28x1 batch 64"] == speed


def test_a_line_through_two_sizes_neither_falls_nor_is_negative():
    assert Line.through([(10.0, 3.0), (20.0, 5.0)]) == Line(1.0, 0.2)
    assert Line.through([(10.0, 3.0), (20.0, 2.0)]).at(1e6) == 3.0
    assert Line.through([(10.0, 3.0)]) == Line(3.0, 0.0)
    assert Line.through([(10.0, 1.0), (20.0, 5.0)]).at(0.0) == 0.0


def test_a_file_of_another_machine_or_version_is_refused_by_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path, study_path = tmp_path / "calibration.json", tmp_path / "study.yaml"
    study_path.write_text("name: a\ndevice: cpu\nfamilies: {mlp: }\ngrid: {params: [13000], images: [500]}\n")
    write_calibration(Calibration("cpu", "fp32", "another", {"x": Speed(Line(1.0, 0.0))}), path)
    before = path.read_bytes()
    with pytest.raises(
        CalibrationError, match=r"calibration.json is of cpu, fp32, another, this is cpu, fp32, .*jobs.calibration"
    ):
        command(study_path)
    assert path.read_bytes() == before
    path.write_text(json.dumps(json.loads(before) | {"version": 7}))
    with pytest.raises(CalibrationError, match="version 7, this program reads 1"):
        command(study_path)
