"""One page about trained models: what they reach, where they fail, five videos, and the recipe."""

import base64
from html import escape
from io import BytesIO
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from facnet.config import flat
from facnet.data import Dataset
from facnet.evaluation import Evaluation
from facnet.experiment import checkpoint_scores, detect, evaluate_test
from facnet.study import diagnosis, plots
from facnet.study.records import asked
from facnet.study.tables import Lacking, require

VIDEOS = 5  # that are drawn, at most
STYLE = Path(__file__).with_name("report.css").read_text("utf-8")


def report(folder: Path, dataset: Dataset, protocol: str | None = None) -> str:
    """The page, as HTML that needs no other file.

    Parameters
    ----------
    folder : Path
        Of the checkpoints, as `facnet train` leaves them.
    dataset : Dataset
        Its test videos are localised, and evaluated where they have instances.
    protocol : str, optional
        By default the data set's.

    Raises
    ------
    FacnetError
        If the checkpoints do not fit the data set, or it has no test videos.
    """
    protocol, videos = protocol or dataset.protocol, dataset.subset("test")
    scores, experiment = checkpoint_scores(folder, dataset, videos)
    found = detect(scores, dataset, experiment, protocol)
    title = f"{experiment.method} on {dataset.name}"
    parts = [f"<h1>{escape(title)}</h1>", _paragraph(
        f"{len(found)} detections in {len(videos)} test videos."
        + " Synthetic data: nothing here says anything of real videos." * dataset.simulated)]
    plots.use_style()
    try:
        require(dataset)
        parts += _measured(evaluate_test(found, dataset, protocol))
    except Lacking as error:
        parts.append(_paragraph(f"Nothing is measured. {error}"))
    parts.append("<h2>Some videos</h2>")
    stream = list(scores)[-1]
    parts.append(_paragraph(f"At even places in the list of test videos. Scores are of {stream},"
                            " detections of all streams; shade is ground truth."))
    for v in np.unique(np.linspace(0, len(videos) - 1, VIDEOS).round().astype(int)):
        labels = plots.shown_classes(dataset, videos[v], found)[:3]
        figure = plots.timeline(dataset, scores[stream], {videos[v]: labels}, found, experiment)
        parts.append(_picture(figure, f"Scores and detections of {videos[v]} over time"))
    facts = flat(asked(dataset, experiment, protocol)) | {"checkpoints": str(folder)}
    parts += ["<h2>Recipe and provenance</h2>", _paragraph(
        "The recipe is that of the first checkpoint. Code, device and versions are those that made"
        " this page."), _table(pd.Series(facts).drop("key").map(str).to_frame(), header=False)]
    body = "\n".join(parts)
    return (f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}'
            '</title><meta name="viewport" content="width=device-width, initial-scale=1">'
            f"<style>{STYLE}</style></head>\n<body><main>\n{body}\n</main></body></html>\n")


def _measured(evaluation: Evaluation) -> list[str]:
    """mAP by tIoU and class, and errors by cause."""
    ap = evaluation.ap.assign(AVG=evaluation.ap.mean(axis=1), instances=evaluation.instances)
    mean = evaluation.mean_ap.to_frame("mAP").T.assign(
        AVG=evaluation.average, instances=evaluation.instances.sum())
    table = pd.concat([mean, ap.sort_values("AVG", ascending=False)]).rename(
        columns={tiou: f"{tiou:g}" for tiou in evaluation.tiou}).rename_axis(columns=None)
    middle = min(evaluation.tiou, key=lambda tiou: abs(tiou - 0.5))
    profile, gains = (diagnosis.over_seeds([of(evaluation, middle)]) for of in (
        diagnosis.false_positive_profile, diagnosis.removal_gains))
    figure = plots.errors(profile, gains)
    return ["<h2>mAP by tIoU, AP by class (%)</h2>", _table(table),
            "<h2>Errors by cause</h2>", _paragraph(
                "Left: what the detections come to down their ranks, in groups as large as their"
                f" class has instances (G), at tIoU {middle:g}. Right: what AVG would gain without"
                " the errors of a cause."),
            _picture(figure, "Detections by rank and cause, and gains of AVG by cause")]


def _paragraph(text: str) -> str:
    return f"<p>{escape(text)}</p>"


def _table(frame: pd.DataFrame, **how: bool) -> str:
    """What scrolls takes the focus, so that the keyboard moves it."""
    held = frame.to_html(border=0, na_rep="–", float_format="{:.1f}".format, **how)
    return f'<section tabindex="0" role="region" aria-label="table">{held}</section>'


def _picture(figure: Figure, alt: str) -> str:
    """Of SVG inside the page."""
    held = BytesIO()
    figure.savefig(held, format="svg", metadata=plots.FORMATS[".svg"])
    plt.close(figure)
    data = base64.b64encode(held.getvalue()).decode()
    return f'<img alt="{escape(alt)}" src="data:image/svg+xml;base64,{data}">'
