"""How far models keep action and background apart, in their scores and in their features.

The paper shows the latter in Fig. 8 for one model each; here it is two numbers, over seeds.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from facnet.config import Experiment
from facnet.data import Dataset
from facnet.errors import FacnetError
from facnet.evaluation import untimed
from facnet.experiment import trained
from facnet.localization import Scores, in_parts
from facnet.methods import method_of, preset
from facnet.model import FACNet, Packing
from facnet.study.statistics import cell, interval, verdict
from facnet.training import frame_labels, pack

__all__ = [
    "CHANCE", "MEASURES", "differences", "drawn_snippets", "embedded", "foreground_separation",
    "laid_out", "measure", "separation", "separation_of", "summary_of",
]


CHANCE = 0.5  # ROC area below which a stream has collapsed


def separation(scores: Scores, dataset: Dataset, experiment: Experiment = preset()) -> float:
    """How well what is thresholded in a stream tells a class's snippets from the rest of a video.

    For each video and each class that it shows, the probability that a snippet inside an instance
    has a larger value in the class's sequence than one outside (the area under the ROC curve); the
    mean over all such pairs. Chance is .5. Below it the stream has *collapsed*: it takes
    background for action.
    """
    method, areas = method_of(experiment), []
    for part in in_parts({"": scores}):
        sequence = method.sequence(part[""], experiment.localization)
        for video in part[""].videos:
            rows = part[""].rows(video)
            shown = frame_labels(dataset, video, rows.stop - rows.start)
            areas += [_roc_area(sequence[rows, c], shown[:, c])
                      for c in np.flatnonzero(shown.any(0) & ~shown.all(0))]
    return float(np.mean(areas)) if areas else float("nan")


def foreground_separation(scores: Scores, dataset: Dataset) -> float:
    """How well S_f tells the snippets of any instance from the rest of a video.

    The area under the ROC curve as in `separation`, the mean over videos.
    """
    areas = []
    for video in scores.videos:
        rows = scores.rows(video)
        inside = frame_labels(dataset, video, rows.stop - rows.start).any(1)
        if inside.any() and not inside.all():
            areas.append(_roc_area(scores.foreground[rows], inside))
    return float(np.mean(areas)) if areas else float("nan")


def _roc_area(values: np.ndarray, inside: np.ndarray) -> float:
    """How often a value inside exceeds one outside; a tie counts half."""
    from scipy.stats import rankdata

    n = inside.sum()
    ranks = rankdata(values)[inside].sum()
    return (ranks - n * (n + 1) / 2) / (n * (len(inside) - n))


# What `separation_of` measures, as a table names it.
MEASURES = {"silhouette": "silhouette (× 100)", "probe": "ROC area of a linear probe (%)"}


def drawn_snippets(dataset: Dataset, most: int = 4000) -> pd.DataFrame:
    """Snippets of the test videos, drawn at random whatever they show.

    Parameters
    ----------
    dataset : Dataset
    most : int
        Where there are no more than that, all are taken.

    Returns
    -------
    DataFrame [video, snippet, foreground]
        In random order; `foreground` says whether a snippet is inside an instance of any class.
        Videos with labels but no instance are left out.

    Raises
    ------
    FacnetError
        If there are not two videos, or not both foreground and background.
    """
    unknown, stream = set(untimed(dataset.videos, dataset.instances)), dataset.streams[0]
    parts = [pd.DataFrame(columns=["video", "snippet", "foreground"])]
    for video in dataset.subset("test"):
        if video not in unknown:
            shown = frame_labels(dataset, video, len(dataset.features(stream, video))).any(1)
            parts.append(pd.DataFrame(
                {"video": video, "snippet": np.arange(len(shown)), "foreground": shown}))
    every = pd.concat(parts[1:] or parts, ignore_index=True)
    chosen = every.iloc[np.random.default_rng(0).permutation(len(every))[:most]]
    if chosen.video.nunique() < 2 or chosen.foreground.nunique() < 2:
        raise FacnetError(
            f"{dataset.name}: {chosen.foreground.sum()} of {len(chosen)} test snippets, of"
            f" {chosen.video.nunique()} videos, are inside an instance; to measure how foreground"
            " and background are apart takes some of each, and two videos.")
    return chosen.reset_index(drop=True)


def embedded(
    model: FACNet | None, dataset: Dataset, stream: str, snippets: pd.DataFrame
) -> np.ndarray:
    """X_e of some snippets, [n, D], dropout off; without a model, the features that go in."""
    found = None
    for video, own in snippets.groupby("video"):
        x, lengths = pack([dataset.features(stream, video)])
        if model is not None:
            with torch.inference_mode():
                x = model.embedding(x, Packing(lengths, x.device))  # all: a kernel sees neighbours
        if found is None:
            found = np.empty((len(snippets), x.shape[1]), np.float32)
        found[own.index] = x.numpy()[own.snippet]
    return found


def separation_of(features: np.ndarray, snippets: pd.DataFrame) -> dict[str, float]:
    """How far apart foreground and background lie, by the labels of snippets.

    Parameters
    ----------
    features : ndarray [n, D]
    snippets : DataFrame
        As `drawn_snippets` gives them.

    Returns
    -------
    dict of str to float
        silhouette, the mean over snippets by cosine distance, times 100: 0 where the other kind is
        as near as one's own. probe, the ROC area in percent of a logistic regression on
        standardised features, fitted to other videos' snippets than it is judged by: 50 is chance.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score, silhouette_score
    from sklearn.model_selection import GroupKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    inside = snippets.foreground.to_numpy(bool)
    probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    said = cross_val_predict(
        probe, features, inside, groups=snippets.video, method="decision_function",
        cv=GroupKFold(min(5, snippets.video.nunique())))
    return {"silhouette": 100 * float(silhouette_score(features, inside, metric="cosine")),
            "probe": 100 * float(roc_auc_score(inside, said))}


def measure(
    dataset: Dataset, models: dict[str, Experiment | None], stream: str, snippets: pd.DataFrame,
    seeds: int, folder: str | Path | None = None,
) -> tuple[dict[tuple[str, int], np.ndarray], pd.DataFrame]:
    """Features of models on the same snippets, and how far apart they keep the two kinds.

    Parameters
    ----------
    dataset : Dataset
    models : dict of str to Experiment or None
        By name; None stands for the features that go in, which have seed 0 alone.
    stream : str
    snippets : DataFrame
        As `drawn_snippets` gives them.
    seeds : int
        Seeds 0, 1, ... of each model.
    folder : str or Path, optional
        As in `facnet.experiment.trained`.

    Returns
    -------
    features : dict of (str, int) to ndarray [n, D]
        By name and seed.
    measured : DataFrame [features, seed, silhouette, probe]
        As `separation_of` measures them.
    """
    found, rows = {}, []
    for name, experiment in models.items():
        for seed in range(1 if experiment is None else seeds):
            model = None
            if experiment is not None:
                model, _ = trained(dataset, replace(experiment, seed=seed), stream, folder)
            own = found[name, seed] = embedded(model, dataset, stream, snippets)
            rows.append({"features": name, "seed": seed, **separation_of(own, snippets)})
    return found, pd.DataFrame(rows)


def laid_out(features: np.ndarray) -> np.ndarray:
    """Features in the plane by t-SNE, [n, D] to [n, 2]: by cosine distance, seed 0."""
    from sklearn.manifold import TSNE

    perplexity = min(30, (len(features) - 1) / 3)
    return TSNE(metric="cosine", perplexity=perplexity, random_state=0).fit_transform(features)


def summary_of(measured: pd.DataFrame) -> pd.DataFrame:
    """Each kind of features in words, means with their 95 % intervals over seeds.

    Parameters
    ----------
    measured : DataFrame
        As `measure` gives it.
    """
    return pd.DataFrame([
        {"features": name} | {title: cell(*interval(own[measure]))
                              for measure, title in MEASURES.items()}
        for name, own in measured.groupby("features", sort=False)])


def differences(measured: pd.DataFrame, better: str, others: list[str]) -> pd.DataFrame:
    """How much further apart one kind of features keeps the two than others, paired by seed.

    `measured` is as in `summary_of`.

    Returns
    -------
    DataFrame [measure, less, n, mean, low, high, verdict]
        `verdict` says whether `better` less the other is positive, by the interval over seeds.
    """
    found = []
    for measure in MEASURES:
        # What has no seed is the same beside each.
        values = measured.pivot(index="seed", columns="features", values=measure).ffill()
        for other in others:
            own = values[better] - values[other]
            mean, low, high = interval(own)
            found.append({"measure": measure, "less": other, "n": len(own), "mean": mean,
                          "low": low, "high": high, "verdict": verdict(low, high, len(own))})
    return pd.DataFrame(found)
