import pytest

from scaling.study.declared import PROBES, declared, described

FILE = """
probe = Probe(description="how bright " "it is", objective="mae", take=lambda trainer, data: [])
other = Probe(description="not found by this name")
"""


def test_a_file_is_a_declaration_and_its_literals_are_read_without_running_it(tmp_path):
    (tmp_path / "mean_brightness.py").write_text("import no_such_module\n" + FILE)
    (tmp_path / "shared.py").write_text("LIMIT = 3\nprobe = None\n")
    found = declared(tmp_path, "probe")
    assert found == {"mean-brightness": {"description": "how bright it is", "objective": "mae"}}
    assert described(found) == "mean-brightness (how bright it is)"


def test_a_file_that_is_not_python_is_named(tmp_path):
    (tmp_path / "torn.py").write_text("probe = Probe(\n")
    with pytest.raises(SyntaxError) as error:
        declared(tmp_path, "probe")
    assert error.value.filename == str(tmp_path / "torn.py")


def test_every_probe_says_what_it_is():
    assert PROBES
    assert all(one["description"] for one in PROBES.values())
