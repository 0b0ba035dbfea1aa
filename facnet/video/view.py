"""One page with a video, its detections over time, and a filter by score."""

import json
from pathlib import Path

import numpy as np
import pandas as pd

from facnet.config import Experiment
from facnet.data import Dataset
from facnet.errors import check_choice
from facnet.files import read_text
from facnet.localization import Scores
from facnet.methods import method_of


def page(detections: pd.DataFrame, name: str, url: str, seconds: float,
         dataset: Dataset | None = None, scores: Scores | None = None,
         experiment: Experiment | None = None) -> str:
    """The page, as HTML that needs no other file but the video.

    Parameters
    ----------
    detections : DataFrame [video, label, start, end, score]
    name : str
        The video's, in the detections.
    url : str
        Where the video is, as seen from the page.
    seconds : float
        Its length.
    dataset : Dataset, optional
        Has ground truth, where that is known.
    scores : Scores, optional
        Of a stream, the video's among them; with them, `dataset` and `experiment` are required.
    experiment : Experiment, optional
        Of `scores`.

    Raises
    ------
    FacnetError
        If there are no detections in a video of this name, and it is none of the data set's; or,
        with scores, if a detection is of none of its classes.
    """
    known = set(detections.video) | set([] if dataset is None else dataset.videos.video)
    check_choice(name, known, f"no detections in a video called {name!r}")
    own = detections[detections.video == name].sort_values("score")
    truth = pd.DataFrame(columns=own.columns) if dataset is None else dataset.instances
    truth = truth[truth.video == name]
    labels = list(dict.fromkeys([*truth.label, *own.label[::-1]]))
    data = {"name": name, "url": url, "seconds": seconds, "classes": [
        {"label": label,
         "detections": own[own.label == label][["start", "end", "score"]].values.tolist(),
         "truth": truth[truth.label == label][["start", "end"]].values.tolist()}
        for label in labels]}
    if scores is not None:
        rows = scores.rows(name)
        sequence = method_of(experiment).sequence(scores, experiment.localization)[rows]
        data["step"] = dataset.snippet_seconds
        for one in data["classes"]:
            check_choice(one["label"], dataset.classes, f"a detection in {name} is of class"
                         f" {one['label']!r}, and {dataset.name} has none of that name")
            one["values"] = _short(sequence[:, dataset.classes.index(one["label"])])
        if scores.foreground is not None:
            data["foreground"] = _short(scores.foreground[rows])
    # A name could end the script.
    held = json.dumps(data, allow_nan=False).replace("<", "\\u003c")
    return read_text(Path(__file__).with_name("viewer.html")).replace("DATA", held, 1)


def _short(values: np.ndarray) -> list[float]:
    return values.astype(float).round(4).tolist()
