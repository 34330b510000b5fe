from pathlib import Path

import pytest

from scaling.study.layout import RESERVED, Layout, is_study_file


def test_what_all_studies_share_is_reserved():
    layout = Layout("STUDY")
    places = [value for name in dir(layout) if isinstance(value := getattr(layout, name), Path)]
    below = {
        path.relative_to(root).parts[0] for root in (layout.results, layout.reports) for path in places if root in path.parents
    }
    assert below - {"STUDY"} | {"sample"} == set(RESERVED)


@pytest.mark.parametrize(("path", "study"), [("config.yaml", True), (Path("a/b.yml"), True), ("runs.csv", False), ("-", False)])
def test_a_study_file_is_known_by_its_ending(path, study):
    assert is_study_file(path) is study
