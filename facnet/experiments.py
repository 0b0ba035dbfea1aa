"""Run one experiment, a model a stream, its detections, their evaluation; and remember it.

An experiment is a value: data set, recipe, seed. Its record is a small JSON named by a hash of
that value, so that whatever asks for the same experiment again finds it.
"""

import hashlib
import importlib.metadata
import json
import platform
import subprocess
import threading
import time
import warnings
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from facnet.config import Experiment, to_dict
from facnet.consistency import consistency
from facnet.datasets import Dataset
from facnet.datasets.files import read_json, write_json
from facnet.errors import FacnetError
from facnet.evaluation import (
    Evaluation, Protocol, average_precision, classification_mean_ap, drop_ignored, evaluate,
    rules_of, untimed,
)
from facnet.localization import Scores, parts
from facnet.methods import method_of
from facnet.training import fit, frame_labels, predict, training_videos

__all__ = [
    "CHANCE", "RESULT_VERSION", "Result", "detect", "evaluate_test", "experiment_key",
    "foreground_separation", "provenance", "read_record",
    "record", "run", "run_seeds", "separation", "stream_scores", "trained",
    "training_of", "video_probability", "weighted_averages", "whole_videos", "write_record",
]

CHANCE = 0.5  # ROC area below which a stream has collapsed
RESULT_VERSION = 3  # raised when a change of code changes results: old records then count no more


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
    models: dict[str, torch.nn.Module]
    histories: dict[str, pd.DataFrame]
    scores: dict[str, Scores]
    detections: pd.DataFrame
    evaluation: Evaluation
    classification: float


def detect(
    scores: dict[str, Scores], dataset: Dataset, experiment: Experiment = Experiment(),
    protocol: str | Protocol | None = None,
) -> pd.DataFrame:
    """Scores of all streams to fused detections, by the method and localisation of `experiment`.

    Each stream is localised and the streams are fused. In between, protocol `released` drops the
    detections that touch an ambiguous interval; other protocols have no such step. Without a name
    the protocol is the data set's.
    """
    _check_lengths(scores, dataset)
    method, config = method_of(experiment), experiment.localization
    seconds = dataset.snippet_seconds
    found = {stream: [] for stream in scores}
    for part in parts(scores, getattr(config, "upsampling", 1)):
        for stream in scores:
            found[stream].append(
                method.localize(part, stream, dataset.classes, seconds, config))
    streams = {stream: _one_below_the_other(frames) for stream, frames in found.items()}
    if rules_of(protocol or dataset.protocol).ignored == "dropped":
        streams = {stream: drop_ignored(frame, dataset.ignored, seconds)
                   for stream, frame in streams.items()}
    return method.fuse(streams, seconds, config)


def _one_below_the_other(frames: list[pd.DataFrame]) -> pd.DataFrame:
    """Empty ones have no say in the columns' types."""
    filled = [frame for frame in frames if len(frame)]
    return pd.concat(filled or frames[:1], ignore_index=True)


def _check_lengths(scores: dict[str, Scores], dataset: Dataset) -> None:
    """Streams of one video must lie on one grid."""
    first, *others = scores
    for other in others:
        a, b = (np.diff(scores[s].offsets) for s in (first, other))
        if (a != b).any():
            v = (a != b).argmax()
            raise FacnetError(
                f"{dataset.name}, {scores[first].videos[v]}: {a[v]} snippets in stream {first},"
                f" but {b[v]} in {other}.")


def evaluate_test(
    detections: pd.DataFrame, dataset: Dataset, protocol: str | Protocol | None = None
) -> Evaluation:
    """Detections of the test videos by a protocol, the data set's unless another is named.

    Ambiguous intervals are treated by the protocol's own rule. Left out are videos that have labels
    but no instance.
    """
    protocol = protocol or dataset.protocol
    refused = rules_of(protocol).ignored == "refused"
    unknown = set(untimed(dataset.videos, dataset.instances))
    return evaluate(
        detections, dataset.instances_of("test"), protocol,
        videos=[video for video in dataset.subset("test") if video not in unknown],
        ignored=None if refused else dataset.ignored, classes=dataset.classes,
        snippet_seconds=dataset.snippet_seconds,
    )


def trained(
    dataset: Dataset, experiment: Experiment, stream: str, folder: str | Path | None = None,
    device: str = "cpu", progress: bool = False,
) -> tuple[torch.nn.Module, pd.DataFrame]:
    """`fit`, remembered: whoever asks for the same training again gets it from `folder`.

    Parameters
    ----------
    dataset, experiment, stream, device, progress
        As in `fit`.
    folder : str or Path, optional
        Where states of training are kept, a file each. Without it nothing is remembered.
    """
    if folder is None:
        return fit(dataset, stream, experiment, device, progress=progress)
    experiment = training_of(experiment)
    key = experiment_key(dataset.fingerprint(), experiment, dataset.protocol, device)
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    return fit(dataset, stream, experiment, device, folder / f"{key}.{stream}.training", progress)


def training_of(experiment: Experiment) -> Experiment:
    """The experiment as its training knows it: how a model is localised has no part in that."""
    return replace(experiment, localization=type(experiment.localization)())


def stream_scores(
    dataset: Dataset, experiment: Experiment, stream: str, folder: str | Path | None = None,
    device: str = "cpu",
) -> Scores:
    """Train on one stream, or remember it as `trained` does, and score the test videos."""
    model, _ = trained(dataset, experiment, stream, folder, device)
    return predict(model, dataset, stream, dataset.subset("test"), experiment, device)


def run(
    dataset: Dataset, experiment: Experiment = Experiment(), protocol: str | None = None,
    device: str = "cpu", progress: bool = True, folder: str | Path | None = None,
) -> Result:
    """Train the method's models, localise the test videos, evaluate.

    Parameters
    ----------
    dataset : Dataset
    experiment : Experiment
    protocol : str, optional
        As in `evaluate`; by default the data set's.
    device, progress
        As in `fit`.
    folder : str or Path, optional
        As in `trained`.
    """
    videos = dataset.subset("test")
    models, histories, scores = {}, {}, {}
    for stream in method_of(experiment).streams(dataset):
        models[stream], histories[stream] = trained(
            dataset, experiment, stream, folder, device, progress)
        scores[stream] = predict(models[stream], dataset, stream, videos, experiment, device)
    detections = detect(scores, dataset, experiment, protocol)
    evaluation = evaluate_test(detections, dataset, protocol)
    classification = classification_mean_ap(
        video_probability(scores, dataset), dataset.labels(videos))
    return Result(experiment, models, histories, scores, detections, evaluation, classification)


def video_probability(scores: dict[str, Scores], dataset: Dataset) -> np.ndarray:
    """A video's probability of each class, [V, C], the mean over streams."""
    classes = len(dataset.classes)
    return np.mean([own.probability[:, :classes] for own in scores.values()], axis=0)


def run_seeds(
    dataset: Dataset, experiment: Experiment, seeds: Iterable[int], **options
) -> list[Result]:
    """`run` once for each seed."""
    return [run(dataset, replace(experiment, seed=seed), **options) for seed in seeds]


def separation(scores: Scores, dataset: Dataset, experiment: Experiment = Experiment()) -> float:
    """How well what is thresholded in a stream tells a class's snippets from the rest of a video.

    For each video and each class that it shows, the probability that a snippet inside an instance
    has a larger value in the class's sequence than one outside (the area under the ROC curve); the
    mean over all such pairs. Chance is .5. Below it the stream has *collapsed*: it takes
    background for action.
    """
    method, areas = method_of(experiment), []
    for part in parts({"": scores}):
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


def experiment_key(
    fingerprint: str, experiment: Experiment, protocol: str = "released", device: str = "cpu"
) -> str:
    """The name of an experiment: a hash of data, recipe, seed, protocol and `RESULT_VERSION`.

    And of the kind of device, whose random numbers are its own.
    """
    value = [RESULT_VERSION, fingerprint, protocol, torch.device(device).type,
             to_dict(experiment)]
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:20]


_ONE_AT_A_TIME = threading.Lock()


def record(
    dataset: Dataset, experiment: Experiment, protocol: str | None = None, device: str = "cpu",
    folder: str | Path | None = None,
) -> dict:
    """Run an experiment; what is worth keeping of it, as plain numbers (JSON).

    Without a name the protocol is the data set's; `folder` is as in `trained`.

    On a CPU it runs on one thread, so that it comes out the same beside others and alone; and one
    at a time, since threads of a process share their random numbers.
    """
    with _ONE_AT_A_TIME:
        return _record(dataset, experiment, protocol or dataset.protocol, device, folder)


def _record(
    dataset: Dataset, experiment: Experiment, protocol: str, device: str, folder: str | Path | None
) -> dict:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        started = time.perf_counter()
        result = run(dataset, experiment, protocol, device, progress=False, folder=folder)
        seconds = time.perf_counter() - started
    finally:
        torch.set_num_threads(threads)
    separations = {stream: separation(own, dataset, experiment)
                   for stream, own in result.scores.items()}
    fingerprint = dataset.fingerprint()
    evaluation = result.evaluation
    return _plain({
        "key": experiment_key(fingerprint, experiment, protocol, device),
        "result_version": RESULT_VERSION,
        "dataset": {
            "name": dataset.name, "fingerprint": fingerprint, "simulated": dataset.simulated,
            "classes": len(dataset.classes), "streams": list(dataset.streams),
            "train": len(dataset.subset("train")), "test": len(dataset.subset("test")),
        },
        "experiment": to_dict(experiment),
        "protocol": protocol,
        "tiou": list(evaluation.tiou),
        "mean_ap": evaluation.mean_ap.tolist(),
        "average": evaluation.average,
        "ap": {label: row.tolist() for label, row in evaluation.ap.iterrows()},
        "detections": len(evaluation.detections),
        "classification": result.classification,
        "other_rule": _by_other_rule(result, dataset, protocol),
        "whole_video": _by_whole_videos(result, dataset, protocol),
        "held_out": _held_out(result, dataset, device),
        "resampled": resampled_averages(evaluation, dataset).tolist(),
        "separation": separations,
        "consistency": {
            stream: consistency(own, dataset, experiment).mean(numeric_only=True).to_dict()
            for stream, own in result.scores.items()},
        "collapsed": [stream for stream, area in separations.items() if area < CHANCE],
        "losses": {stream: history.drop(columns="epoch").to_dict("list")
                   for stream, history in result.histories.items()},
        "seconds": seconds,
        "made": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "revision": REVISION,
        "versions": {name: importlib.metadata.version(name)
                     for name in ("facnet", "torch", "numpy", "pandas", "scikit-learn", "scipy")}
        | {"python": platform.python_version()},
        "device": device,
        "machine": f"{platform.system()} {platform.machine()}",
    })


def _by_other_rule(result: Result, dataset: Dataset, protocol: str) -> dict | None:
    """The same scores localised by the method's other threshold rule, if it has one."""
    experiment = result.experiment
    rule = method_of(experiment).other_rule
    if rule is None:
        return None
    config = rule(experiment.localization)
    found = detect(result.scores, dataset, replace(experiment, localization=config), protocol)
    other = evaluate_test(found, dataset, protocol)
    return {"thresholds": list(config.thresholds), "rule": config.threshold_rule,
            "mean_ap": other.mean_ap.tolist(), "average": other.average}


def whole_videos(dataset: Dataset, probability: np.ndarray | None = None) -> pd.DataFrame:
    """Every test video as one detection: what can be had without localising anything.

    Parameters
    ----------
    dataset : Dataset
    probability : ndarray [V, C], optional
        A video's probability of each class: the detection is of the largest and scored by it.
        Without it each video is told its classes; one detection each, all of score 1.

    Returns
    -------
    DataFrame [video, label, start, end, score]
    """
    videos = dataset.videos[dataset.videos.subset == "test"]
    if probability is None:
        found = videos.explode("labels").rename(columns={"labels": "label"}).assign(score=1.0)
    else:
        found = videos.assign(label=np.array(dataset.classes, object)[probability.argmax(1)],
                              score=probability.max(1))
    found = found.assign(start=0.0, end=found.duration)
    return found[["video", "label", "start", "end", "score"]].reset_index(drop=True)


def _by_whole_videos(result: Result, dataset: Dataset, protocol: str) -> dict:
    """The classes of the same models, every video one detection."""
    found = whole_videos(dataset, video_probability(result.scores, dataset))
    evaluation = evaluate_test(found, dataset, protocol)
    return {"mean_ap": evaluation.mean_ap.tolist(), "average": evaluation.average,
            "resampled": resampled_averages(evaluation, dataset).tolist()}


def _held_out(result: Result, dataset: Dataset, device: str) -> dict | None:
    """How well the held-out training videos are classified: mAP, and mean binary cross-entropy."""
    _, videos = training_videos(dataset, result.experiment)
    if not videos:
        return None
    scores = {stream: predict(model, dataset, stream, videos, result.experiment, device)
              for stream, model in result.models.items()}
    labels = dataset.labels(videos)
    probability = video_probability(scores, dataset)
    likelihood = np.where(labels > 0, probability, 1 - probability)
    return {"videos": len(videos),
            "classification": classification_mean_ap(probability, labels),
            "loss": float(-np.log(likelihood.clip(1e-6)).mean())}


def _plain(value: object) -> object:
    """Lists for tuples, and None where there is no number: a class without test instances."""
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value


def read_record(folder: Path, key: str, set_aside: bool = True) -> dict | None:
    """The record of an experiment, or None. What is no record is set aside, with a warning.

    Raises
    ------
    FacnetError
        If there is a file that cannot be read, which says nothing against what is in it.
    """
    path = folder / f"{key}.json"
    if not path.exists():
        return None
    try:
        found = read_json(path)
        if found.get("key") == key and found.get("result_version") == RESULT_VERSION:
            return found
        reason = f"its key is {found.get('key')!r}"
    except FacnetError as error:
        if isinstance(error.__cause__, OSError):
            raise
        reason = str(error)
    if set_aside:
        aside = path.with_suffix(".aside")
        try:
            path.replace(aside)
        except FileNotFoundError:  # another sweep was faster
            return None
        warnings.warn(f"{path} is no record of this experiment ({reason}); set aside as"
                      f" {aside.name}.", stacklevel=2)
    return None


def write_record(folder: Path, found: dict) -> None:
    """Write a record, whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / f"{found['key']}.json", found)


def resampled_averages(
    evaluation: Evaluation, dataset: Dataset, resamples: int = 200
) -> np.ndarray:
    """AVG on test videos drawn again with replacement, [resamples], in percent.

    The draws depend on the test videos only, so that those of two methods can be paired.
    """
    videos = len(dataset.subset("test"))
    rng = np.random.default_rng(0)
    drawn = rng.multinomial(videos, np.full(videos, 1 / videos), size=resamples)
    return weighted_averages(evaluation, dataset, drawn)


def weighted_averages(
    evaluation: Evaluation, dataset: Dataset, drawn: np.ndarray
) -> np.ndarray:
    """AVG, [R], in percent, where test video v counts as often as `drawn` [R, V] says.

    A class that a draw has no instance of is left out of its mean.
    """
    position = {video: i for i, video in enumerate(dataset.subset("test"))}
    instances = dataset.instances_of("test")
    found = evaluation.detections
    averages = []
    for label in evaluation.ap.index:
        own = instances.video[instances.label == label].map(position)
        count = drawn[:, own].sum(1)  # [R]
        rows = (found.label == label).to_numpy()
        weight = drawn[:, found.video[rows].map(position)]  # [R, n]
        outcomes = evaluation.outcomes[:, rows]
        interpolated = rules_of(evaluation.protocol).interpolated
        averages.append(np.mean([
            average_precision(outcome, count, interpolated, weight) for outcome in outcomes],
            axis=0))
    return np.nanmean(averages, axis=0)


def _revision() -> str:
    """The commit of the code, "+" if it was changed since; "" outside its own checkout."""
    where = Path(__file__).resolve().parents[1]
    if not (where / ".git").exists():
        return ""
    try:
        said = subprocess.run(["git", "describe", "--always", "--dirty=+", "--abbrev=40"],
                              cwd=where, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return said.stdout.strip()


REVISION = _revision()  # of the code that runs: a later commit does not change it


def provenance(dataset: Dataset, profile: str, seeds: int, protocol: str | None = None) -> str:
    """One line for the caption of a table or figure: on what data, at what size, how often.

    `seeds` is 0 where nothing is trained; without a name the protocol is the data set's.
    """
    real = "ActivityNet" if dataset.protocol == "activitynet" else "THUMOS14"
    data = f"**Synthetic data, not {real}**" if dataset.simulated else f"**{dataset.name}**"
    train, test = (len(dataset.subset(name)) for name in ("train", "test"))
    runs = {0: "nothing trained", 1: "1 seed"}.get(seeds, f"{seeds} seeds")
    protocol = protocol or dataset.protocol
    tious = rules_of(protocol).tiou
    return (
        f"{data}: {train} training and {test} test videos, {len(dataset.classes)} classes;"
        f" profile `{profile}`, {runs}, protocol `{protocol}` (tIoU {tious[0]:g} to {tious[-1]:g})."
    )
