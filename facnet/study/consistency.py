"""Foreground-action consistency, measured: is a method's foreground where its class scores are?

The paper shows it in Fig. 1 for one video. Here it is two numbers over all test videos: the rank
correlation of what selects foreground with the scores of the video's class, snippet by snippet, and
the overlap of the snippets that each of them marks. Where instances are known, two more say how
often each direction fails: foreground that is no action, and action that is not foreground.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from facnet.config import Experiment
from facnet.data import Dataset
from facnet.localization import Scores
from facnet.methods import method_of, preset
from facnet.study.separation import by_measure, by_video

FLAT = 0.01  # of a sequence's largest size: what varies less is taken for flat


def selection_and_class(scores: Scores, column: int,
                        experiment: Experiment = preset()) -> tuple[np.ndarray, np.ndarray]:
    """What selects foreground, and the probability of a class, for each snippet: [N] each.

    The first is FAC-Net's S_f, STPN's and BM's attention, UM's length of features. W-TALC selects
    the snippets of largest score, so there it is the class's score A itself.
    """
    probability = method_of(experiment).snippet_probability(scores.activation)
    return _selection(scores, column), probability[:, column]


def _selection(scores: Scores, column: int) -> np.ndarray:
    return scores.activation[:, column] if scores.foreground is None else scores.foreground


def consistency(scores: Scores, dataset: Dataset,
                experiment: Experiment = preset()) -> pd.DataFrame:
    """How well the two agree, in each video and for each class that it shows.

    Returns
    -------
    DataFrame [video, label, rank_correlation, support_tiou]
        Spearman's rank correlation of the two sequences, 0 where one is flat; and intersection over
        union of the snippets above the middle of each sequence's `scaled` range.
    """
    from scipy.stats import rankdata  # slow to import, and the records import this module

    found = []
    for column, v in np.argwhere(dataset.labels(scores.videos).T):
        own = selection_and_class(scores.of_videos(v, v + 1), column, experiment)
        pair = np.stack([scaled(one) for one in own])  # [2, T]
        ranks = rankdata(pair, axis=1)
        ranks -= ranks.mean(1, keepdims=True)
        norm = np.sqrt((ranks**2).sum(1).prod())
        a, b = pair > 0.5
        found.append((scores.videos[v], dataset.classes[column],
                      ranks.prod(0).sum() / norm if norm else 0.0,
                      (a & b).sum() / max((a | b).sum(), 1)))
    return pd.DataFrame(found, columns=["video", "label", "rank_correlation", "support_tiou"])


def agreements(runs: pd.DataFrame, folder: str | Path) -> pd.DataFrame:
    """How well the two agree in each run of a sweep, whose records are in `folder`.

    Returns
    -------
    DataFrame [variant, seed, stream, rank correlation, tIoU of supports]
        Means over test videos and their classes, as `consistency` has them.
    """
    from facnet.study.records import record_of  # which imports this module

    return pd.DataFrame([
        {"variant": run.variant, "seed": run.seed, "stream": stream,
         "rank correlation": own["rank_correlation"], "tIoU of supports": own["support_tiou"]}
        for run in runs.itertuples()
        for stream, own in record_of(folder, run.key)["consistency"].items()])


def fig1_runs(runs: pd.DataFrame, folder: str | Path) -> pd.DataFrame:
    """What the claims of "fig1" compare: DataFrame [variant, seed, average], in percent.

    Variants are named "FAC-Net, rank correlation" and "STPN, tIoU of supports"; means over streams.
    """
    own = agreements(runs, folder).groupby(["variant", "seed"], sort=False).mean(numeric_only=True)
    return by_measure(own.mul(100).reset_index())


def scaled(values: np.ndarray) -> np.ndarray:
    """A video's sequence [T] on its own range, 0 to 1; what is flat is 1 throughout.

    An attention of 1 but for rounding selects every snippet: its rounding is not to be stretched.
    """
    values = np.asarray(values, np.float64)
    span = np.ptp(values)
    flat = span <= FLAT * np.abs(values).max()
    return np.ones_like(values) if flat else (values - values.min()) / span


def mistakes(scores: Scores, dataset: Dataset) -> pd.DataFrame:
    """How often foreground and actions miss each other, in each video and for each class in it.

    Foreground is what `selection_and_class` selects by: the snippets above the middle of its
    `scaled` range in the video.

    Returns
    -------
    DataFrame [video, label, not_action, not_foreground]
        The share of the foreground that lies outside the class's instances, and the share of the
        instances' snippets that are not foreground.
    """
    found = []
    for video, own, shown in by_video(scores, dataset):
        for column in np.flatnonzero(shown.any(0)):
            foreground, action = scaled(_selection(scores, column)[own]) > 0.5, shown[:, column]
            found.append((video, dataset.classes[column], 1 - action[foreground].mean(),
                          1 - foreground[action].mean()))
    return pd.DataFrame(found, columns=["video", "label", "not_action", "not_foreground"])
