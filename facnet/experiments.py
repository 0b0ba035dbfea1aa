"""Run one experiment: a model a stream, its detections, their evaluation."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from facnet.config import Experiment, LocalizationConfig
from facnet.datasets import Dataset
from facnet.evaluation import (
    Evaluation, classification_mean_ap, drop_ignored, evaluate, rules_of,
)
from facnet.localization import fuse, localize
from facnet.model import FACNet
from facnet.training import Scores, fit, predict

__all__ = [
    "Result", "detect", "evaluate_test", "mean_and_interval", "provenance", "run", "run_seeds",
]


@dataclass(frozen=True)
class Result:
    """What came of one experiment.

    Attributes
    ----------
    experiment : Experiment
    models, histories, scores : dict by stream
        Trained networks, losses by epoch, and scores of the test videos.
    detections : DataFrame [video, label, start, end, score]
        Of all streams, fused.
    evaluation : Evaluation
    classification : float
        Video classification mAP in percent, of P_f averaged over streams.
    """

    experiment: Experiment
    models: dict[str, FACNet]
    histories: dict[str, pd.DataFrame]
    scores: dict[str, Scores]
    detections: pd.DataFrame
    evaluation: Evaluation
    classification: float


def detect(
    scores: dict[str, Scores], dataset: Dataset, config: LocalizationConfig,
    protocol: str = "released",
) -> pd.DataFrame:
    """Scores of all streams to fused detections.

    Each stream is localised and the streams are fused. In between, protocol `released` drops the
    detections that touch an ambiguous interval; other protocols have no such step.
    """
    seconds = dataset.snippet_seconds
    streams = {stream: localize(own, dataset.classes, seconds, config)
               for stream, own in scores.items()}
    if rules_of(protocol).ignored == "dropped":
        streams = {stream: drop_ignored(found, dataset.ignored, seconds)
                   for stream, found in streams.items()}
    return fuse(streams, seconds, config)


def evaluate_test(
    detections: pd.DataFrame, dataset: Dataset, protocol: str = "released"
) -> Evaluation:
    """Detections of all test videos by a protocol, ambiguous intervals by its own rule."""
    refused = rules_of(protocol).ignored == "refused"
    return evaluate(
        detections, dataset.instances_of("test"), protocol, videos=dataset.subset("test"),
        ignored=None if refused else dataset.ignored, classes=dataset.classes,
        snippet_seconds=dataset.snippet_seconds,
    )


def run(
    dataset: Dataset, experiment: Experiment = Experiment(), protocol: str = "released",
    device: str = "cpu", supervision: str = "video",
) -> Result:
    """Train a model a stream, localise the test videos, evaluate.

    Parameters
    ----------
    dataset : Dataset
    experiment : Experiment
    protocol : str
        As in `evaluate`.
    device, supervision : str
        As in `fit`.
    """
    videos = dataset.subset("test")
    models, histories, scores = {}, {}, {}
    for stream in dataset.streams:
        models[stream], histories[stream] = fit(dataset, stream, experiment, device, supervision)
        scores[stream] = predict(models[stream], dataset, stream, videos, device)
    detections = detect(scores, dataset, experiment.localization, protocol)
    evaluation = evaluate_test(detections, dataset, protocol)
    classes = len(dataset.classes)
    probability = np.mean([own.probability[:, :classes] for own in scores.values()], axis=0)
    classification = classification_mean_ap(probability, dataset.labels(videos))
    return Result(experiment, models, histories, scores, detections, evaluation, classification)


def run_seeds(
    dataset: Dataset, experiment: Experiment, seeds: Iterable[int], **options
) -> list[Result]:
    """`run` once for each seed."""
    return [run(dataset, replace(experiment, seed=seed), **options) for seed in seeds]


def mean_and_interval(values: Iterable[float]) -> tuple[float, float]:
    """Mean over seeds and half the width of its 95 % interval (Student's t).

    With a single value the half-width is NaN.
    """
    from scipy.stats import t

    values = np.asarray(list(values), float)
    if len(values) < 2:
        return float(values.mean()), float("nan")
    error = values.std(ddof=1) / np.sqrt(len(values))
    return float(values.mean()), float(t.ppf(0.975, len(values) - 1) * error)


def provenance(dataset: Dataset, profile: str, seeds: int, protocol: str = "released") -> str:
    """One line for the caption of a table or figure: on what data, at what size, how often.

    `seeds` is 0 where nothing is trained.
    """
    data = "**Synthetic data, not THUMOS14**" if dataset.simulated else f"**{dataset.name}**"
    train, test = (len(dataset.subset(name)) for name in ("train", "test"))
    runs = {0: "nothing trained", 1: "1 seed"}.get(seeds, f"{seeds} seeds")
    return (
        f"{data}: {train} training and {test} test videos, {len(dataset.classes)} classes;"
        f" profile `{profile}`, {runs}, protocol `{protocol}`."
    )
