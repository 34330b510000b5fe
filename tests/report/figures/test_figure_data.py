import base64
import gzip
import io

import pandas as pd
import plotnine as p9

from scaling.report.figures.figure_data import figure_csv, packed_csv
from scaling.report.figures.told import told_points


def a_figure():
    points = pd.DataFrame({"x": [1.0, 2.0], "y": [1 / 3, 4.0], "told": ["a", "b"]})
    line = pd.DataFrame({"x": [0.0, 3.0], "fit": [1.0, 2.0]})
    return (
        p9.ggplot(points, p9.aes("x", "y"))
        + told_points(p9.aes(label="told"))
        + p9.geom_point(size=9)
        + p9.geom_line(p9.aes(y="fit"), data=line)
        + p9.geom_hline(yintercept=1)
    )


def test_every_table_is_there_once_and_ornaments_are_not():
    table = pd.read_csv(io.StringIO(figure_csv(a_figure())))
    assert table["layer"].to_list() == ["point", "point", "line", "line"]
    assert table["y"].to_list()[:2] == [0.333333, 4.0]
    assert table["fit"].to_list()[2:] == [1.0, 2.0]
    assert "told" not in table.columns


def test_the_packed_table_is_the_same_text_each_time():
    packed = packed_csv(a_figure())
    assert packed == packed_csv(a_figure())
    assert gzip.decompress(base64.b64decode(packed)).decode() == figure_csv(a_figure())
