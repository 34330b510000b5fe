"""Study files that are too large, too deep or not plain: refused in a line, before anything of them is built."""

import pytest

from scaling.jobs.opening import open_study
from scaling.study.study_file import StudyError

GOOD = "name: a\nfamilies: {mlp: }\ngrid: {params: [13000], images: [500]}\n"
LAUGHS = "a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 10)
)


def told(tmp_path, text: str) -> list[str]:
    path = tmp_path / "study.yaml"
    path.write_text(text)
    with pytest.raises(StudyError) as caught:
        open_study(path)
    return [line.removeprefix(f"{path}: ") for line in str(caught.value).splitlines()]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("[500]", "[1e400]"), "line 3: grid.images[0]: received 1e400; a number is below 1.8e308"),
        (
            ("[500]", f"[{'9' * 5000}]"),
            "line 3: grid.images[0]: received 99999999999999999999... (5000 characters); an integer has",
        ),
        (
            ("[500]", f"[0x{'f' * 5000}]"),
            "line 3: grid.images[0]: received 0xffffffffffffffffff... (5002 characters); an integer",
        ),
        (("[500]", f"[{'9' * 5000}.5]"), "line 3: grid.images[0]: received 99999999999999999999; a number is below 1.8e308"),
        (("[500]", "[" * 3000), "line 3: grid.images[0][0]"),
        (("[500]", f"[{', '.join(map(str, range(5000)))}]"), "line 3: grid.images: received [0, 1, 2,"),
        (
            ("[500]", f"[{', '.join(['500'] * 10_000)}]"),
            "line 3: grid.images[99",
        ),
        (("grid", f"{LAUGHS}grid"), "line 7: a4[0]: more values than the 10000 that a study may have"),
        (("grid", "a: &a [*a]\ngrid"), "line 3: a[0]: the alias *a stands within what it stands for"),
        (("grid", "a: !!python/name:os.getcwd\ngrid"), "line 3: a: received the tag tag:yaml.org,2002:python/name:os.getcwd;"),
        (("grid", f"#{'x' * 1_000_000}\ngrid"), "is 1 MB long; a study file has at most 1 MB"),
        (("grid", 'description: "a\\0b"\ngrid'), "line 3: description: holds the character U+0000; allowed: printable"),
        (("grid", 'description: "\\e[31mb"\ngrid'), "line 3: description: holds the character U+001B"),
        (("grid", 'description: "\\ud800"\ngrid'), "line 3: description: holds the character U+D800"),
        (("grid", "description: a\0b\ngrid"), "line 3: holds the character U+0000"),
        (("grid", "description: 2001-99-99\ngrid"), "line 3: description: received the date 2001-99-99; in quotes it is text"),
        (("grid", f"data: {{folder: {'a' * 300}}}\ngrid"), 'line 3: data.folder: received "aaaa'),
        (
            ("[500]", f"{list(range(300, 1300))}, seeds: {list(range(2000))}"),
            "line 3: grid: sizes, data sizes and seeds make 2,0",
        ),
    ],
)
def test_one_line_for_what_no_study_needs(tmp_path, change, message):
    (line,) = told(tmp_path, GOOD.replace(*change))
    assert line.startswith(message)
    assert len(line) < 300


def test_twenty_lines_of_errors_and_then_a_count(tmp_path):
    lines = told(tmp_path, GOOD.replace("[500]", f"[500], seeds: [{', '.join(f'x{i}' for i in range(30))}]"))
    assert len(lines) == 21
    assert lines[19].startswith('line 3: grid.seeds[19]: received "x19"')
    assert lines[20] == "and 10 more problems"


@pytest.mark.parametrize("name", ["store", "data", "cache", "sample"])
def test_names_of_folders_that_all_studies_share(tmp_path, name):
    (line,) = told(tmp_path, GOOD.replace("name: a", f"name: {name}"))
    assert line.startswith(f'line 1: name: received "{name}"; all studies share a folder of that name')


def test_names_have_a_hundred_characters_at_most(tmp_path):
    path = tmp_path / "study.yaml"
    path.write_text(GOOD.replace("name: a", f"name: {'a' * 100}"))
    assert len(open_study(path).name) == 100
    (line,) = told(tmp_path, GOOD.replace("name: a", f"name: {'a' * 101}"))
    assert line.endswith("string should have at most 100 characters")
    (line,) = told(tmp_path, GOOD.replace("{mlp: }", f"{{{'m' * 101}: {{model: mlp}}}}"))
    assert line.endswith("string should have at most 100 characters")


def test_what_people_write_is_read(tmp_path):
    path = tmp_path / "study.yaml"
    text = "description: |\n  Größe 🎉\n  a tab\tand, 99999999999999999999 and [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\n"
    path.write_text(GOOD + text + "recipe: &r {batch: 64}\n")
    assert "🎉" in open_study(path).description


def test_what_is_no_file(tmp_path):
    with pytest.raises(StudyError, match=r"null: not a file$"):
        open_study(tmp_path.joinpath("/dev/null"))
