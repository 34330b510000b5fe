"""The report's figures in the order of the page, each with its title and a caption: what to see, how it was made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import plotnine as p9

from scaling.report.figures.exponents import exponents
from scaling.report.figures.held_out import holdout
from scaling.report.figures.learning_rates import learning_rates
from scaling.report.figures.loss_by_flop import loss_by_flop
from scaling.report.figures.loss_by_images import loss_by_images
from scaling.report.figures.loss_by_params import loss_by_params
from scaling.report.figures.residuals import residuals

if TYPE_CHECKING:
    from scaling.report.inputs import ReportInputs


@dataclass(frozen=True)
class Picture:
    """A figure of the report: name (anchor), title, caption, and how it is drawn from the report's inputs."""

    name: str
    title: str
    caption: str
    draw: Callable[[ReportInputs], p9.ggplot]


PICTURES: tuple[Picture, ...] = (
    Picture(
        "holdout",
        "Do the laws predict models they have not seen?",
        "Each point is one trained model, kept out of the fit and predicted from smaller ones. Right of the line the law "
        "promised a higher loss than was reached, left of it a lower one. Strong points: the study's largest models; pale: "
        "smaller ones, predicted from still smaller ones. Black tick: the mean; off the line, the family is not yet on its law "
        "at the smaller sizes. Grey bar: how far off one would be by repeating the nearest smaller model's loss. In brackets "
        "the skill over all panels, the highest on top.",
        lambda run: holdout(run.fits),
    ),
    Picture(
        "loss-by-flop",
        "What compute buys",
        "Test loss against training compute, both logarithmic. Points: one model size and data size each, the "
        "mean of its seeds. Lines: each family's frontier, the lowest loss its law allows for that compute, "
        "with its 95 % band. Solid lines are convolutional families, dashed ones "
        "transformers, dotted ones fully-connected. Lower is better; where bands overlap, the "
        "figure does not settle the order.",
        lambda run: loss_by_flop(run.runs, run.fits),
    ),
    Picture(
        "loss-by-images",
        "More images",
        "Test loss against the number of unique training images D, one panel a family; from green to violet "
        "the models grow. Points: every trained model, every seed. Lines: the family's one law for all its "
        "sizes, with its 95 % band (often no wider than the line). Lines that flatten "
        "towards the right approach the floor that the model size sets.",
        lambda run: loss_by_images(run.runs, run.fits),
    ),
    Picture(
        "loss-by-params",
        "Larger models",
        "The same models against their number of trainable parameters N; from green to violet the images "
        "become more. Where a line is flat, more parameters do not help at that number of images.",
        lambda run: loss_by_params(run.runs, run.fits),
    ),
    Picture(
        "exponents",
        "The laws' exponents and floor",
        "Estimate and 95 % interval of how fast the loss falls with N (alpha) and D (beta), and of "
        "the loss that remains at infinite size (E). Where the grid cannot identify a parameter the figure "
        "says so in words; the table of laws gives the reason. Whether two families differ is decided by "
        "their paired difference, under Families compared, not by eye.",
        lambda run: exponents(run.fits),
    ),
    Picture(
        "residuals",
        "What the laws leave unexplained",
        "Observed over predicted loss of every model. The grey band is plus and minus the deviation between "
        "seeds, where a family has more than one. Points that bend away from zero together, at one end or for "
        "one colour, mean a misfit of the law's form; scatter inside the band is noise. Rings: models off "
        "their law, listed under Laws with what the law would be without them.",
        lambda run: residuals(run.runs, run.fits),
    ),
    Picture(
        "learning-rates",
        "The tuned learning rates",
        "Every candidate rate that was tried at the tuning anchors, by width. Violet: as good as the anchor's "
        "best on validation images; green: worse; crosses: diverged or failed; rings: the best. The line is "
        "the rule in the width from which all models of the family take their rate. A ring at the end of its "
        "column means that the optimum may lie beyond.",
        lambda run: learning_rates(run.tuning),
    ),
)
