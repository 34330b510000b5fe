"""What a figure shows, read off what it draws: its points and its words."""

import matplotlib
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure
from matplotlib.text import Text

matplotlib.use("svg")


def points_and_words(figure: Figure) -> tuple[int, set[str]]:
    """How many points a figure shows that plotnine has drawn, and its texts."""
    points = sum(len(found.get_offsets()) for found in figure.findobj(PathCollection))
    return points, {found.get_text() for found in figure.findobj(Text)}
