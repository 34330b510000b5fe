from pathlib import Path

from scaling.study.layout import RESERVED, Layout


def test_what_all_studies_share_is_reserved():
    layout = Layout("STUDY")
    places = [value for name in dir(layout) if isinstance(value := getattr(layout, name), Path)]
    below = {
        path.relative_to(root).parts[0] for root in (layout.results, layout.reports) for path in places if root in path.parents
    }
    assert below - {"STUDY"} | {"sample"} == set(RESERVED)
