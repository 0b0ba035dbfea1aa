"""Equation 7 in nats.

The paper says that minimising L_cw maximises a lower bound on mutual information, and prints none.
"""

from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import xlogy
from scipy.stats import entropy

from facnet.config import Experiment, changed
from facnet.data import Dataset
from facnet.experiment import trained
from facnet.model import FACNet
from facnet.study.records import read_record
from facnet.training import predict, training_videos


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
    model: FACNet, dataset: Dataset, stream: str, videos: tuple[str, ...], experiment: Experiment
) -> float:
    """L_cw (6) in nats, dropout off, the mean over the videos that have labels."""
    # With no other branch on, the predictions are P_a (5).
    alone = changed(experiment, {
        "training.lambda_cw": 1.0, "training.lambda_ca": 0.0, "training.lambda_mil": 0.0})
    P_a = predict(model, dataset, stream, videos, alone).probability  # [V, K]
    labels = dataset.labels(videos)
    shown = labels.any(1)
    log_likelihood = xlogy(_shares(labels[shown]), P_a[shown, : labels.shape[1]])
    return float(-log_likelihood.sum(1).mean())


def bounds(
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
        As in `facnet.experiment.trained`.

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
        experiment, stream = replace(models[name][0], seed=seed), models[name][1]
        model, history = trained(dataset, experiment, stream, folder)
        train, test = training_videos(dataset, experiment)[0], dataset.subset("test")
        loss, test_loss = (cw_loss(model, dataset, stream, videos, experiment)
                           for videos in (train, test))
        labels, ceiling = dataset.labels(train), np.log(len(model.W_a))
        # A history is the mean over all videos; one without labels has loss 0 there.
        curves.append(pd.DataFrame({"model": name, "seed": seed, "epoch": history.epoch,
                                    "bound": ceiling - history.cw / labels.any(1).mean()}))
        ends.append({
            "model": name, "seed": seed, "candidates": len(model.W_a), "ceiling": ceiling,
            "reachable": ceiling - label_entropy(labels)[1], "train": ceiling - loss,
            "test": ceiling - test_loss,
            "classes": label_entropy(dataset.labels(test))[0] - test_loss})
    return pd.concat(curves, ignore_index=True), pd.DataFrame(ends)


def bounds_and_areas(runs: pd.DataFrame, folder: str | Path, dataset: Dataset) -> pd.DataFrame:
    """Of every run of a sweep, the bound of its last epoch and how well the stream separates.

    Parameters
    ----------
    runs : DataFrame
        As `facnet.study.tables.sweep` gives it, of FAC-Net trained on all training videos.
    folder : str or Path
        Where its records are.
    dataset : Dataset
        What it was run on.

    Returns
    -------
    DataFrame [stream, seed, bound, area]
        log N - L_cw over the training videos, in nats; ROC area
        (`facnet.study.separation.separation`).
    """
    found, labelled = [], dataset.labels(dataset.subset("train")).any(1).mean()
    for run in runs.itertuples():
        record = read_record(Path(folder), run.key)
        ceiling = np.log(len(dataset.classes) + record["experiment"]["model"]["background_class"])
        found += [(stream, run.seed, ceiling - own["cw"][-1] / labelled,  # as in `bounds`
                   record["separation"][stream]) for stream, own in record["losses"].items()]
    return pd.DataFrame(found, columns=["stream", "seed", "bound", "area"])
