"""Two study files of one name: the second is refused, and takes over where the first is gone or has another name."""

from pathlib import Path

import pytest

from scaling.jobs.owner import check_owner
from scaling.study.layout import Layout
from scaling.study.schema import Study
from scaling.study.study_file import StudyError

STUDY = Study.model_validate({"name": "a", "families": {"mlp": None}, "grid": {"params": [13000], "images": [500]}})
LAYOUT = Layout("a")
FIRST, SECOND = Path("studies/first.yaml"), Path("studies/second.yaml")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("studies").mkdir()
    for path in (FIRST, SECOND):
        path.write_text("name: a\n")
    return tmp_path


def check(path: Path, take: bool = True) -> list[str]:
    said: list[str] = []
    check_owner(STUDY, path, LAYOUT, said.append, take=take)
    return said


def test_the_second_file_is_refused_by_the_name_of_the_first():
    assert check(FIRST) == []
    for take in (True, False):
        with pytest.raises(StudyError) as caught:
            check(SECOND, take)
        assert str(caught.value) == (
            "studies/second.yaml: name: received a, which is the name of studies/first.yaml too; results/a holds the results "
            "of that file. Rename one of the studies, or remove results/a/study-file to give the results to studies/second.yaml"
        )
    assert check(FIRST) == []


def test_one_file_by_any_path_is_one_owner(folder):
    check(FIRST)
    (folder / "link.yaml").symlink_to(FIRST)
    for path in (folder / FIRST, Path("./studies/../studies/first.yaml"), Path("link.yaml")):
        assert check(path) == []
    assert LAYOUT.owner.read_text() == "studies/first.yaml\n"


def test_a_look_takes_nothing():
    assert check(SECOND, take=False) == []
    assert not LAYOUT.owner.exists()
    assert check(FIRST) == []


def test_removing_the_mark_hands_the_results_over():
    check(FIRST)
    LAYOUT.owner.unlink()
    assert check(SECOND) == []
    with pytest.raises(StudyError, match=r"the name of studies/second\.yaml too"):
        check(FIRST)


@pytest.mark.parametrize("how", ["moved", "renamed"])
def test_results_follow_a_study_whose_first_file_is_gone_or_has_another_name(how):
    check(FIRST)
    if how == "moved":
        FIRST.unlink()
        why = "is gone"
    else:
        FIRST.write_text("name: b\n")
        why = "is named b now"
    assert check(SECOND, take=False) == [f"results/a: studies/first.yaml {why}; its results will belong to {SECOND}"]
    assert check(SECOND) == [f"results/a: studies/first.yaml {why}; its results now belong to {SECOND}"]
    assert check(SECOND) == []


def test_a_first_file_that_is_being_edited_keeps_its_results():
    check(FIRST)
    FIRST.write_text("name: [\n")
    with pytest.raises(StudyError, match=r"the name of studies/first\.yaml too"):
        check(SECOND)


def test_a_mark_that_says_nothing_is_nobodys():
    check(FIRST)
    LAYOUT.owner.write_bytes(b"")
    assert check(SECOND) == []
