"""Pictures with a slider, for whoever has a kernel; a built page shows them at one value.

Whether there is a kernel behind the page is asked for and never guessed: a notebook has a
parameter `live`, which is true where the environment has FACNET_LIVE, as under `make lab`.
"""

from collections.abc import Callable, Sequence
from io import BytesIO
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from facnet.config import changed
from facnet.data import Dataset
from facnet.experiment import Result, detect, evaluate_test
from facnet.localization import localize, propose
from facnet.study.timelines import timeline

if TYPE_CHECKING:
    from ipywidgets import VBox

__all__ = ["at_threshold", "slider", "with_slider"]


def slider(
    draw: Callable[[float], Figure], values: Sequence[float], start: float, name: str
) -> "VBox":
    """A slider over `values` and below it the picture that `draw` makes of its value."""
    from ipywidgets import Image, SelectionSlider, VBox

    choice = SelectionSlider(
        options=[(f"{value:g}", value) for value in values], value=start, description=name,
        continuous_update=False, style={"description_width": "initial"})
    picture = Image(value=_png(draw(start)), format="png")

    def redraw(change: dict) -> None:
        picture.value = _png(draw(change["new"]))

    choice.observe(redraw, "value")
    return VBox([choice, picture])


def with_slider(
    draw: Callable[[float], Figure], values: Sequence[float], start: float, name: str, live: bool
) -> Figure:
    """The picture of `start`; if `live`, it is displayed with a slider that draws it anew.

    Parameters
    ----------
    draw : callable
        From a value to a Figure.
    values : sequence of float
        Where the slider can stand.
    start : float
        One of them.
    name : str
        What is beside the slider.
    live : bool
        Whether a kernel stands behind the page. Without one the figure is left to be shown as any
        other.
    """
    figure = draw(start)
    if live:
        from IPython.display import display

        plt.close(figure)  # it is shown once
        display(slider(draw, values, start, name))
    return figure


def _png(figure: Figure) -> bytes:
    file = BytesIO()
    figure.savefig(file, format="png")
    plt.close(figure)
    return file.getvalue()


def at_threshold(
    dataset: Dataset, result: Result, video: str, label: str, threshold: float
) -> Figure:
    """One class of a video in the last stream, and AVG, had FAC-Net's localisation one threshold.

    Parameters
    ----------
    dataset : Dataset
    result : Result
        Its scores are localised again.
    video, label : str
    threshold : float
        A multiple of the uniform class probability, in place of the recipe's.
    """
    experiment = changed(result.experiment, {"localization.thresholds": (threshold,)})
    scores = result.scores[dataset.streams[-1]]
    v = scores.videos.index(video)
    parts = (scores.of_videos(v, v + 1), dataset.classes, dataset.snippet_seconds,
             experiment.localization)
    proposals, found = (step(*parts) for step in (propose, localize))
    average = evaluate_test(detect(result.scores, dataset, experiment), dataset).average
    figure = timeline(dataset, scores, {video: [label]}, found, experiment, proposals)
    counts = [(own.label == label).sum() for own in (proposals, found)]
    figure.suptitle(f"One threshold, {threshold:g} times uniform: {counts[0]} proposals,"
                    f" {counts[1]} detections; AVG of all streams {average:.1f} %", fontsize=9.5)
    return figure
