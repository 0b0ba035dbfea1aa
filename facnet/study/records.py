"""Records of experiments, and the running of those that are missing.

A record is a small JSON, named by a hash of what was asked. Only the calling process writes them,
each whole or not at all, so that it may be killed at any moment, and several may share a folder.
"""

import importlib.metadata
import json
import os
import platform
import socket
import subprocess
import threading
import time
import traceback
import warnings
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache
from multiprocessing import current_process
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from joblib import Parallel, delayed
from joblib.externals.loky.process_executor import TerminatedWorkerError
from tqdm import tqdm

from facnet.batches import training_videos
from facnet.config import Experiment, to_dict
from facnet.data import Dataset, load
from facnet.errors import FacnetError
from facnet.evaluation import Evaluation, average_precision, rules_of
from facnet.experiment import (
    CODE, Result, evaluate_test, experiment_key, result_of, training_of)
from facnet.files import check_writable, read_json, remove_leftovers, write_json
from facnet.localization import Scores
from facnet.methods import method_of
from facnet.study.consistency import consistency
from facnet.study.separation import CHANCE, separation
from facnet.training import fit, predict, stacks

_ONE_AT_A_TIME = threading.Lock()


def records_of(dataset: Dataset, experiments: list[Experiment], protocol: str) -> list[dict]:
    """Run experiments of one method; what is worth keeping of each, as plain numbers (JSON).

    Equal trainings run once, and together those that can. One call at a time, since threads of a
    process share torch's settings.
    """
    with _ONE_AT_A_TIME:
        started, trainings = time.perf_counter(), list(dict.fromkeys(map(training_of, experiments)))
        models = {one: {} for one in trainings}
        for stream in method_of(trainings[0]).streams(dataset):
            for one, found in zip(trainings, fit(dataset, stream, trainings, progress=False)):
                models[one][stream] = found
        share, found = (time.perf_counter() - started) / len(experiments), []
        for one in experiments:
            started = time.perf_counter()
            result = result_of(dataset, one, models[training_of(one)], protocol)
            kept = asked(dataset, one, protocol) | _measured(result, dataset, protocol)
            kept["seconds"] = share + time.perf_counter() - started
            # None where there is no number: a class without test instances.
            found.append(json.loads(json.dumps(kept), parse_constant=lambda name: None))
        return found


def asked(dataset: Dataset, experiment: Experiment, protocol: str) -> dict:
    """What was run, on what, by what."""
    data = {"name": dataset.name, "fingerprint": dataset.fingerprint,
            "simulated": dataset.simulated,
            "classes": len(dataset.classes), "streams": dataset.streams,
            "train": len(dataset.subset("train")), "test": len(dataset.subset("test"))}
    versions = {name: importlib.metadata.version(name)
                for name in ("facnet", "torch", "numpy", "pandas", "scikit-learn", "scipy")}
    return {"key": experiment_key(dataset.fingerprint, experiment, protocol), "dataset": data,
            "experiment": to_dict(experiment), "protocol": protocol, "device": dataset.device,
            "revision": REVISION, "code": CODE,
            "machine": f"{platform.system()} {platform.machine()}",
            "made": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "versions": versions | {"python": platform.python_version()}}


def _measured(result: Result, dataset: Dataset, protocol: str) -> dict:
    """What came of it."""
    experiment, evaluation, scores = result.experiment, result.evaluation, result.scores
    whole = evaluate_test(
        whole_videos(dataset, video_probability(scores, dataset)), dataset, protocol)
    separations = {stream: separation(own, dataset, experiment) for stream, own in scores.items()}
    return {"tiou": evaluation.tiou, "mean_ap": evaluation.mean_ap.tolist(),
            "average": evaluation.average, "ap": evaluation.ap.T.to_dict("list"),
            "detections": len(evaluation.detections),
            "classification": classification(scores, dataset),
            "whole_video": {"mean_ap": whole.mean_ap.tolist(), "average": whole.average,
                            "resampled": resampled_averages(whole, dataset).tolist()},
            "held_out": _held_out(result, dataset),
            "resampled": resampled_averages(evaluation, dataset).tolist(),
            "separation": separations,
            "consistency": {
                stream: consistency(own, dataset, experiment).mean(numeric_only=True).to_dict()
                for stream, own in scores.items()},
            "collapsed": [stream for stream, area in separations.items() if area < CHANCE],
            "losses": {stream: history.drop(columns="epoch").to_dict("list")
                       for stream, history in result.histories.items()}}


def whole_videos(dataset: Dataset, probability: np.ndarray | None = None) -> pd.DataFrame:
    """Every test video as one detection: what can be had without localising anything.

    A video whose duration is not known ends with its features.

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
        found = videos.explode("labels").dropna(subset="labels").rename(columns={"labels": "label"})
        found["score"] = 1.0
    else:
        found = videos.assign(label=np.array(dataset.classes, object)[probability.argmax(1)],
                              score=probability.max(1))
    known = {video: len(dataset.features(dataset.streams[0], video)) * dataset.snippet_seconds
             for video in found.video[found.duration.isna()]}
    found = found.assign(start=0.0, end=found.duration.fillna(found.video.map(known)))
    return found[["video", "label", "start", "end", "score"]].reset_index(drop=True)


def _held_out(result: Result, dataset: Dataset) -> dict | None:
    """How well the held-out training videos are classified: mAP, and mean binary cross-entropy."""
    _, videos = training_videos(dataset, result.experiment)
    if not videos:
        return None
    scores = {stream: predict(model, dataset, stream, videos, result.experiment)
              for stream, model in result.models.items()}
    labels, probability = dataset.labels(videos), video_probability(scores, dataset)
    likelihood = np.where(labels > 0, probability, 1 - probability)
    return {"videos": len(videos), "classification": classification_mean_ap(probability, labels),
            "loss": float(-np.log(likelihood.clip(1e-6)).mean())}


def video_probability(scores: dict[str, Scores], dataset: Dataset) -> np.ndarray:
    """A video's probability of each class, [V, C], the mean over streams."""
    return np.mean([own.probability for own in scores.values()], axis=0)[:, :len(dataset.classes)]


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

    present = labels.any(axis=0)
    if not present.any():
        raise FacnetError("labels: no video has a class, so classification has no AP.")
    return 100 * float(average_precision_score(labels[:, present], probabilities[:, present]))


def record_of(folder: str | Path, key: str) -> dict:
    """The record of a run that a sweep gave; a FacnetError if `folder` does not hold it."""
    if record := read_record(Path(folder), key, set_aside=False):
        return record
    raise FacnetError(f"{folder}/{key}.json: no record; name the folder that the sweep was given.")


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
        if found.get("key") != key:
            raise FacnetError(f"its key is {found.get('key')!r}")
        return found
    except FacnetError as error:
        if isinstance(error.__cause__, OSError):
            raise
        if set_aside:
            with suppress(FileNotFoundError):  # another sweep was faster
                path.replace(folder / f"{key}.aside")
                warnings.warn(f"{path} is no record of this experiment ({error}); set aside as"
                              f" {key}.aside.", stacklevel=2)
        return None


def resampled_averages(
        evaluation: Evaluation, dataset: Dataset, resamples: int = 2000) -> np.ndarray:
    """AVG on test videos drawn again with replacement, [resamples], in percent.

    The draws depend on the test videos only, so that those of two methods can be paired.
    """
    videos = len(dataset.subset("test"))
    drawn = np.random.default_rng(0).multinomial(
        videos, np.full(videos, 1 / videos), size=resamples).astype(np.int32)
    return np.concatenate([weighted_averages(evaluation, dataset, some).round(3)
                           for some in np.array_split(drawn, max(1, resamples // 200))])


def weighted_averages(evaluation: Evaluation, dataset: Dataset, drawn: np.ndarray) -> np.ndarray:
    """AVG, [R], in percent, where test video v counts as often as `drawn` [R, V] says.

    A class that a draw has no instance of is left out of its mean.
    """
    position = {video: i for i, video in enumerate(dataset.subset("test"))}
    instances, found = dataset.instances_of("test"), evaluation.detections
    interpolated = rules_of(evaluation.protocol).interpolated
    (true, true_at), (label_of, found_at) = (
        (one.label.to_numpy(), one.video.map(position).to_numpy(int)) for one in (instances, found))
    averages = []
    for label in evaluation.ap.index:
        count = drawn[:, true_at[true == label]].sum(1)  # [R]
        rows = label_of == label
        weight = drawn[:, found_at[rows]]  # [R, n]
        averages.append(np.mean([average_precision(outcome, count, interpolated, weight)
                                 for outcome in evaluation.outcomes[:, rows]], axis=0))
    return np.nanmean(averages, axis=0)


def _revision() -> str:
    """The commit of the code, "+" if it was changed since, or why git does not say it.

    "" outside its own checkout.
    """
    where = Path(__file__).resolve().parents[2]
    if not (where / ".git").exists():
        return ""
    try:
        said = subprocess.run(["git", "describe", "--always", "--dirty=+", "--abbrev=40"],
                              cwd=where, capture_output=True, text=True)
    except OSError as error:
        return f"unknown: git cannot be run ({error.strerror})"
    reason = said.stderr.partition("\n")[0].partition(" in repository at")[0]  # no path
    return f"unknown: git says {reason!r}" if said.returncode else said.stdout.strip()


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


WAIT = 60  # seconds for the first worker of a scheduler


class Failure(FacnetError):
    """Some experiments failed; the others are kept."""


@lru_cache(maxsize=2)
def load_once(dataset: str, profile: str, fingerprint: str, device: str) -> Dataset:
    """The data set as a worker keeps it; another fingerprint says that it has changed since."""
    return load(dataset, profile, device)


class Place(NamedTuple):
    """Where experiments are run, and on what."""

    folder: Path  # of the records; absolute, since workers start elsewhere
    dataset: str
    profile: str
    fingerprint: str
    protocol: str
    device: str


def run_missing(title: str, wanted: dict[str, Experiment], place: Place, jobs: int = 1,
                scheduler: str | None = None) -> dict[str, dict]:
    """The records of experiments, by key; those that are not in `place.folder` are run.

    Parameters
    ----------
    title : str
        For progress and messages.
    wanted : dict of str to Experiment
        By key.
    place : Place
    jobs : int
        Processes on this machine; on CUDA at most two a GPU, one to evaluate while one trains.
    scheduler : str, optional
        Address of a Dask scheduler, whose workers run them instead.

    Raises
    ------
    Failure
        If experiments failed; the rest is done. FOLDER/KEY.failed.json holds each traceback.
    """
    folder = place.folder
    found = {key: read_record(folder, key) for key in wanted}
    tasks = _tasks({key: wanted[key] for key, one in found.items() if one is None}, place)
    np.random.default_rng(os.getpid()).shuffle(tasks)  # two sweeps at once then seldom meet in one
    folder.mkdir(parents=True, exist_ok=True)
    check_writable(folder / "record.json")  # before hours are spent on what cannot be kept
    failed = []
    if place.device.startswith("cuda") and not scheduler:
        jobs = min(jobs, 2 * torch.cuda.device_count() if place.device == "cuda" else 2)
    results = _on_cluster(tasks, place, scheduler) if scheduler else _here(tasks, place, jobs)
    for done in tqdm(results, total=sum(map(len, tasks)), desc=title, unit="experiment"):
        failure = folder / f"{done['key']}.failed.json"
        if "traceback" in done:
            failed.append(done)
            write_json(failure, done)
            continue
        if read_record(folder, done["key"], set_aside=False) is None:
            write_json(folder / f"{done['key']}.json", done)
        failure.unlink(missing_ok=True)
        found[done["key"]] = done
    remove_leftovers(folder)
    if failed:
        raise Failure(f"{title}: {len(failed)} of {len(wanted)} experiments failed, the first with"
                      f" {failed[0]['error']}; see {folder / (failed[0]['key'] + '.failed.json')}.")
    return found


def _tasks(missing: dict[str, Experiment], place: Place) -> list[dict[str, Experiment]]:
    """Experiments that one process runs: whose training is one, or goes together."""
    alike: dict[Experiment, dict[str, Experiment]] = {}
    for key, one in missing.items():
        alike.setdefault(training_of(one), {})[key] = one
    groups = [[one] for one in alike]
    if alike and place.device != "cpu":
        data = replace(load(place.dataset, place.profile), device=place.device)
        by_stream: dict[str, list[Experiment]] = {}
        for one in alike:
            by_stream.setdefault(method_of(one).streams(data)[0], []).append(one)
        groups = [group for stream, own in by_stream.items() for group in stacks(own, data, stream)]
    return [{key: one for training in group for key, one in alike[training].items()}
            for group in groups]


def _attempt(task: dict[str, Experiment], place: Place) -> list[dict]:
    """Their records, or what went wrong. Runs in any process, on any machine."""
    ready = {key: read_record(place.folder, key, set_aside=False) for key in task}
    found = [one for one in ready.values() if one]  # somebody else may have finished some since
    task = {key: one for key, one in task.items() if ready[key] is None}
    if not task:
        return found
    try:
        data = load_once(place.dataset, place.profile, place.fingerprint, _own(place.device))
        if [experiment_key(data.fingerprint, one, place.protocol) for one in task.values()] != [
                *task]:
            raise FacnetError(
                f"{place.dataset}: on {socket.gethostname()} it is not the data set that the sweep"
                " was started on; the copies, or the versions of numpy or this package, differ.")
        return found + records_of(data, list(task.values()), place.protocol)
    except Exception as error:  # recorded, and said at the end: the other experiments go on
        if len(task) == 1:
            return found + [_failure(*pair, error) for pair in task.items()]
    torch.cuda.empty_cache()  # of what failed; its traceback held it
    # Each alone: one may have spoilt the others.
    return found + [one for key, own in task.items() for one in _attempt({key: own}, place)]


def _own(device: str) -> str:
    """Worker i of this machine takes the i-th of several GPUs."""
    number = current_process().name.rpartition("-")[2]
    if device != "cuda" or not number.isdigit():
        return device
    return f"cuda:{(int(number) - 1) % torch.cuda.device_count()}"


def _failure(key: str, experiment: Experiment, error: BaseException) -> dict:
    return {"key": key, "experiment": repr(experiment), "error": f"{type(error).__name__}: {error}",
            "traceback": "".join(traceback.format_exception(error))}


def _here(tasks: list[dict[str, Experiment]], place: Place, jobs: int) -> Iterator[dict]:
    """What `_attempt` makes of the tasks, as it comes, in processes of this machine."""
    left = list(tasks)
    while left:
        try:
            parallel = Parallel(min(jobs, len(left)), batch_size=1, return_as="generator_unordered")
            for done in parallel(delayed(_attempt)(task, place) for task in left):
                keys = {one["key"] for one in done}
                left = [task for task in left if not keys & {*task}]
                yield from done
        except TerminatedWorkerError:  # for want of memory perhaps, by one of those at work
            suspects, left = left[:jobs], left[jobs:]
            for key, one in (pair for task in suspects for pair in task.items()):
                try:  # each alone, in a process that may be killed
                    yield from Parallel(2)([delayed(_attempt)({key: one}, place)])[0]
                except TerminatedWorkerError as error:
                    yield _failure(key, one, error)


def _on_cluster(tasks: list[dict[str, Experiment]], place: Place,
                scheduler: str) -> Iterator[dict]:
    """The same by the workers of a Dask scheduler.

    Not by joblib's Dask backend, which waits for ever for a task that kills every worker.
    """
    try:
        from distributed import Client, as_completed

        client = Client(scheduler)
        client.wait_for_workers(1, timeout=WAIT)
    except ImportError as error:
        raise FacnetError(
            "A scheduler needs Dask: pip install -e '.[cluster]' in the repository.") from error
    except (OSError, ValueError) as error:  # a TimeoutError is an OSError, too
        raise FacnetError(
            f"{scheduler}: no scheduler answers, or no worker came within {WAIT} seconds ({error});"
            f" start one with `dask worker {scheduler}`.") from error
    with client:
        tasks_of = {client.submit(_attempt, task, place, pure=False): task for task in tasks}
        for future in as_completed(tasks_of):
            if future.status == "cancelled":
                raise Failure(f"{scheduler}: the scheduler is gone; what was finished is kept.")
            error = future.exception()  # such as a worker lost again and again
            yield from future.result() if error is None else [
                _failure(*pair, error) for pair in tasks_of[future].items()]
