from __future__ import annotations

import sys
from types import ModuleType

import pytest

from scaling.data import DEFAULT_SOURCE, SOURCES, Source
from scaling.data.source_registry import _declared

ONE = Source(name="one", channels=1, side=28, classes=2, train_images=9, read=lambda downloads: None)


def declared(tmp_path, monkeypatch, **files):
    """What the registry finds in a folder whose files, by name, assign these variables."""
    for name, variables in files.items():
        (tmp_path / f"{name}.py").touch()
        module = ModuleType(name)
        vars(module).update(variables)
        monkeypatch.setitem(sys.modules, f"scaling.data.sources.{name}", module)
    return _declared(tmp_path)


def test_each_source_stands_under_its_own_name_and_the_usual_one_first():
    assert [source.name for source in SOURCES.values()] == list(SOURCES)
    assert next(iter(SOURCES)) == DEFAULT_SOURCE


def test_a_file_may_declare_one_source_or_several(tmp_path, monkeypatch):
    two = Source(name="two", channels=1, side=28, classes=2, train_images=9, read=ONE.read)
    assert declared(tmp_path, monkeypatch, first={"source": ONE}, second={"sources": (two,)}) == {"one": ONE, "two": two}


@pytest.mark.parametrize("variables", [{}, {"source": "one"}, {"sources": (ONE, 3)}])
def test_a_file_without_a_source_is_named_with_what_is_allowed(tmp_path, monkeypatch, variables):
    with pytest.raises(ValueError, match=r"first\.py: received source .*; allowed: source = Source"):
        declared(tmp_path, monkeypatch, first=variables)


def test_two_files_with_one_name_are_refused(tmp_path, monkeypatch):
    with pytest.raises(ValueError, match=r"second\.py: source 'one' is declared by another file as well"):
        declared(tmp_path, monkeypatch, first={"source": ONE}, second={"source": ONE})
