"""What the features learned: foreground beside background, and equation 7 as a bound in nats.

The paper shows the first in Fig. 8 for one model each; here it is two numbers, over seeds. Of the
second it says that minimising L_cw maximises a lower bound on mutual information, and prints none.
"""

from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from scipy.special import xlogy
from scipy.stats import entropy

from facnet.claims import cell
from facnet.config import Experiment
from facnet.datasets import Dataset
from facnet.errors import FacnetError
from facnet.evaluation import untimed
from facnet.experiments import read_record, trained
from facnet.model import FACNet, Packing
from facnet.sweeps import interval, verdict
from facnet.training import frame_labels, pack, predict, training_videos

__all__ = [
    "MEASURES", "bounds_and_areas", "cw_loss", "differences", "drawn_snippets", "embedded",
    "information", "label_entropy", "laid_out", "least_cw_loss", "measure", "separation_of",
    "summary_of",
]

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
        As in `facnet.experiments.trained`.

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


def label_entropy(labels: np.ndarray) -> tuple[float, float]:
    """H(J) and H(J | video) in nats, J being drawn evenly from the classes of a video.

    Parameters
    ----------
    labels : ndarray [V, C]
        Zeros and ones; a video without any has no J and is left out.

    Examples
    --------
    >>> print(*(f"{value:.3f}" for value in label_entropy(np.eye(4))))
    1.386 0.000
    >>> print(*(f"{value:.3f}" for value in label_entropy(np.ones((3, 4)))))
    1.386 1.386
    """
    shares = _shares(labels[labels.any(1)])
    return float(entropy(shares.mean(0))), float(entropy(shares, axis=1).mean())


def _shares(labels: np.ndarray) -> np.ndarray:
    """ŷ of equation 6."""
    return labels / labels.sum(1, keepdims=True)


def least_cw_loss(candidates: int, scale: float) -> float:
    """What L_cw cannot fall below for a video of one class, in nats, for all δ can do.

    Features past a ReLU are not negative, so that two cosines with W_f differ by √2 at most and
    not by 2.

    Examples
    --------
    >>> print(f"{least_cw_loss(21, 10.0):.1e} {least_cw_loss(21, 5.0):.1e}")
    1.4e-05 1.7e-02
    """
    return float(np.log1p((candidates - 1) * np.exp(-np.sqrt(2) * scale)))


def cw_loss(
    model: FACNet, dataset: Dataset, stream: str, videos: tuple[str, ...],
    experiment: Experiment = Experiment(),
) -> float:
    """L_cw (6) in nats, dropout off, the mean over the videos that have labels."""
    labels = dataset.labels(videos)
    # With no other branch on, the predictions are P_a (5).
    alone = replace(experiment.training, lambda_cw=1.0, lambda_ca=0.0, lambda_mil=0.0)
    P_a = predict(model, dataset, stream, videos,
                  replace(experiment, training=alone)).probability  # [V, K]
    shown = labels.any(1)
    log_likelihood = xlogy(_shares(labels[shown]), P_a[shown, : labels.shape[1]])
    return float(-log_likelihood.sum(1).mean())


def information(
    dataset: Dataset, models: dict[str, tuple[Experiment, str]], seeds: int,
    folder: str | Path | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """log N - L_cw of models, N being the candidates of equation 7, in nats.

    Parameters
    ----------
    dataset : Dataset
    models : dict of str to (Experiment, str)
        What is trained, on which stream, by name.
    seeds : int
        Seeds 0, 1, ... of each.
    folder : str or Path, optional
        As in `facnet.experiments.trained`.

    Returns
    -------
    curves : DataFrame [model, seed, epoch, bound]
        Over the training videos through an epoch, with dropout.
    ends : DataFrame [model, seed, candidates, ceiling, reachable, train, test, classes]
        After the last epoch. ceiling: log N. reachable: that less H(J | video) of the training
        videos (`label_entropy`). train, test: over these videos, without dropout. classes: of the
        test videos H(J) - L_cw, which is no more than what F_a tells about their classes.
    """
    curves, ends = [], []
    for name, seed in product(models, range(seeds)):
        experiment, stream = models[name]
        own = replace(experiment, seed=seed)
        model, history = trained(dataset, own, stream, folder)
        videos = {"train": training_videos(dataset, own)[0], "test": dataset.subset("test")}
        labels = {subset: dataset.labels(names) for subset, names in videos.items()}
        loss = {subset: cw_loss(model, dataset, stream, names, own)
                for subset, names in videos.items()}
        candidates = len(model.W_a)
        ceiling = np.log(candidates)
        # A history is the mean over all videos; one without labels has loss 0 there.
        through = history.cw / labels["train"].any(1).mean()
        curves.append(pd.DataFrame(
            {"model": name, "seed": seed, "epoch": history.epoch, "bound": ceiling - through}))
        ends.append({
            "model": name, "seed": seed, "candidates": candidates, "ceiling": ceiling,
            "reachable": ceiling - label_entropy(labels["train"])[1],
            "train": ceiling - loss["train"], "test": ceiling - loss["test"],
            "classes": label_entropy(labels["test"])[0] - loss["test"]})
    return pd.concat(curves, ignore_index=True), pd.DataFrame(ends)


def bounds_and_areas(
    frame: pd.DataFrame, folder: str | Path, dataset: Dataset
) -> pd.DataFrame:
    """Of every run of a sweep, the bound of its last epoch and how well the stream separates.

    Parameters
    ----------
    frame : DataFrame
        As `facnet.sweeps.sweep` gives it, of FAC-Net trained on all training videos.
    folder : str or Path
        Where its records are.
    dataset : Dataset
        What it was run on.

    Returns
    -------
    DataFrame [stream, seed, bound, area]
        log N - L_cw over the training videos, in nats; ROC area (`facnet.experiments.separation`).
    """
    found, labelled = [], dataset.labels(dataset.subset("train")).any(1).mean()
    for row in frame.drop_duplicates(["variant", "seed"]).itertuples():
        record = read_record(Path(folder), row.key)
        background = record["experiment"]["model"]["background_class"]
        ceiling = np.log(len(dataset.classes) + background)
        found += [{"stream": stream, "seed": row.seed,
                   "bound": ceiling - own["cw"][-1] / labelled,  # as in `information`
                   "area": record["separation"][stream]}
                  for stream, own in record["losses"].items()]
    return pd.DataFrame(found)
