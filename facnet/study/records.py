"""What is worth keeping of an experiment: a small JSON, named by a hash of what was asked."""

import importlib.metadata
import platform
import subprocess
import threading
import time
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from facnet.config import Experiment, to_dict
from facnet.data import Dataset
from facnet.errors import FacnetError
from facnet.evaluation import Evaluation, average_precision, rules_of
from facnet.experiment import (
    RESULT_VERSION, Result, detect, evaluate_test, experiment_key, run, video_probability)
from facnet.files import read_json, write_json
from facnet.localization import Scores
from facnet.methods import method_of
from facnet.study.consistency import consistency
from facnet.study.separation import CHANCE, separation
from facnet.training import predict, training_videos

_ONE_AT_A_TIME = threading.Lock()


def record(dataset: Dataset, experiment: Experiment, protocol: str | None = None,
           device: str = "cpu", folder: str | Path | None = None) -> dict:
    """Run an experiment; what is worth keeping of it, as plain numbers (JSON).

    Without a name the protocol is the data set's; `folder` is as in `facnet.experiment.trained`.

    On a CPU it runs on one thread, so that it comes out the same beside others and alone; and one
    at a time, since threads of a process share their random numbers.
    """
    protocol = protocol or dataset.protocol
    with _ONE_AT_A_TIME:
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            started = time.perf_counter()
            result = run(dataset, experiment, protocol, device, progress=False, folder=folder)
            seconds = time.perf_counter() - started
        finally:
            torch.set_num_threads(threads)
        return _plain(
            _asked(dataset, experiment, protocol, device)
            | _measured(result, dataset, protocol, device)
            | {"seconds": seconds, "made": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())})


def _asked(dataset: Dataset, experiment: Experiment, protocol: str, device: str) -> dict:
    """What was run, on what, by what."""
    fingerprint = dataset.fingerprint()
    data = {"name": dataset.name, "fingerprint": fingerprint, "simulated": dataset.simulated,
            "classes": len(dataset.classes), "streams": dataset.streams,
            "train": len(dataset.subset("train")), "test": len(dataset.subset("test"))}
    versions = {name: importlib.metadata.version(name)
                for name in ("facnet", "torch", "numpy", "pandas", "scikit-learn", "scipy")}
    return {"key": experiment_key(fingerprint, experiment, protocol, device),
            "result_version": RESULT_VERSION, "dataset": data, "experiment": to_dict(experiment),
            "protocol": protocol, "device": device, "revision": REVISION,
            "machine": f"{platform.system()} {platform.machine()}",
            "versions": versions | {"python": platform.python_version()}}


def _measured(result: Result, dataset: Dataset, protocol: str, device: str) -> dict:
    """What came of it."""
    experiment, evaluation, scores = result.experiment, result.evaluation, result.scores
    whole = evaluate_test(
        whole_videos(dataset, video_probability(scores, dataset)), dataset, protocol)
    separations = {stream: separation(own, dataset, experiment) for stream, own in scores.items()}
    return {
        "tiou": evaluation.tiou, "mean_ap": evaluation.mean_ap.tolist(),
        "average": evaluation.average, "ap": evaluation.ap.T.to_dict("list"),
        "detections": len(evaluation.detections),
        "classification": classification(scores, dataset),
        "other_rule": _by_other_rule(result, dataset, protocol),
        "whole_video": {"mean_ap": whole.mean_ap.tolist(), "average": whole.average,
                        "resampled": resampled_averages(whole, dataset).tolist()},
        "held_out": _held_out(result, dataset, device),
        "resampled": resampled_averages(evaluation, dataset).tolist(),
        "separation": separations,
        "consistency": {
            stream: consistency(own, dataset, experiment).mean(numeric_only=True).to_dict()
            for stream, own in scores.items()},
        "collapsed": [stream for stream, area in separations.items() if area < CHANCE],
        "losses": {stream: history.drop(columns="epoch").to_dict("list")
                   for stream, history in result.histories.items()}}


def _by_other_rule(result: Result, dataset: Dataset, protocol: str) -> dict | None:
    """The same scores localised by the method's other threshold rule, if it has one."""
    rule = method_of(result.experiment).other_rule
    if rule is None:
        return None
    config = rule(result.experiment.localization)
    other = evaluate_test(
        detect(result.scores, dataset, replace(result.experiment, localization=config), protocol),
        dataset, protocol)
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


def _held_out(result: Result, dataset: Dataset, device: str) -> dict | None:
    """How well the held-out training videos are classified: mAP, and mean binary cross-entropy."""
    _, videos = training_videos(dataset, result.experiment)
    if not videos:
        return None
    scores = {stream: predict(model, dataset, stream, videos, result.experiment, device)
              for stream, model in result.models.items()}
    labels, probability = dataset.labels(videos), video_probability(scores, dataset)
    likelihood = np.where(labels > 0, probability, 1 - probability)
    return {"videos": len(videos), "classification": classification_mean_ap(probability, labels),
            "loss": float(-np.log(likelihood.clip(1e-6)).mean())}


def classification(scores: dict[str, Scores], dataset: Dataset) -> float:
    """Video classification mAP of the test videos in percent, by the mean over streams."""
    return classification_mean_ap(
        video_probability(scores, dataset), dataset.labels(dataset.subset("test")))


def classification_mean_ap(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Mean AP of video classification in percent, over the classes that occur.

    Parameters
    ----------
    probabilities, labels : ndarray [V, C]
        Scores, and 1 where a video has a class.
    """
    from sklearn.metrics import average_precision_score  # slow to import

    present = np.asarray(labels).any(axis=0)
    if not present.any():
        raise FacnetError("labels: no video has a class, so classification has no AP.")
    scores = np.asarray(probabilities)[:, present]
    return 100 * float(average_precision_score(np.asarray(labels)[:, present], scores))


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
        evaluation: Evaluation, dataset: Dataset, resamples: int = 200) -> np.ndarray:
    """AVG on test videos drawn again with replacement, [resamples], in percent.

    The draws depend on the test videos only, so that those of two methods can be paired.
    """
    videos = len(dataset.subset("test"))
    drawn = np.random.default_rng(0).multinomial(
        videos, np.full(videos, 1 / videos), size=resamples)
    return weighted_averages(evaluation, dataset, drawn)


def weighted_averages(evaluation: Evaluation, dataset: Dataset, drawn: np.ndarray) -> np.ndarray:
    """AVG, [R], in percent, where test video v counts as often as `drawn` [R, V] says.

    A class that a draw has no instance of is left out of its mean.
    """
    position = {video: i for i, video in enumerate(dataset.subset("test"))}
    instances, found = dataset.instances_of("test"), evaluation.detections
    interpolated = rules_of(evaluation.protocol).interpolated
    averages = []
    for label in evaluation.ap.index:
        count = drawn[:, instances.video[instances.label == label].map(position)].sum(1)  # [R]
        rows = (found.label == label).to_numpy()
        weight = drawn[:, found.video[rows].map(position)]  # [R, n]
        averages.append(np.mean([average_precision(outcome, count, interpolated, weight)
                                 for outcome in evaluation.outcomes[:, rows]], axis=0))
    return np.nanmean(averages, axis=0)


def _revision() -> str:
    """The commit of the code, "+" if it was changed since; "" outside its own checkout."""
    where = Path(__file__).resolve().parents[2]
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
    data = f"Synthetic data, not {real}" if dataset.simulated else dataset.name
    train, test = (len(dataset.subset(name)) for name in ("train", "test"))
    runs = {0: "nothing trained", 1: "1 seed"}.get(seeds, f"{seeds} seeds")
    protocol = protocol or dataset.protocol
    tious = rules_of(protocol).tiou
    return (
        f"{data}: {train} training and {test} test videos, {len(dataset.classes)} classes;"
        f" profile {profile}, {runs}, protocol {protocol} (tIoU {tious[0]:g} to {tious[-1]:g}).")
