"""Many experiments: on this machine's processes or on the workers of a Dask scheduler.

Only the calling process writes records, each whole or not at all, so that it may be killed at any
moment, and several may share a folder.
"""

import os
import random
import socket
import traceback
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from joblib import Parallel, delayed
from joblib.externals.loky.process_executor import TerminatedWorkerError
from tqdm import tqdm

from facnet.config import Experiment
from facnet.data import Dataset, load
from facnet.errors import FacnetError
from facnet.experiment import training_of
from facnet.files import write_json
from facnet.study.records import read_record, record, write_record

LIVES = 2  # how often processes are started again after one of them was killed
WAIT = 60  # seconds for the first worker of a scheduler


class Failure(FacnetError):
    """Some experiments failed; the others are kept."""


def load_once(dataset: str, profile: str) -> Dataset:
    """The data set, read again when its annotations have changed."""
    annotations = Path(dataset) / "annotations.json"
    return _load(dataset, profile, annotations.stat().st_mtime_ns if annotations.is_file() else 0)


@lru_cache(maxsize=2)
def _load(dataset: str, profile: str, stamp: int) -> Dataset:
    return load(dataset, profile)


def run_missing(title: str, wanted: dict[str, Experiment], dataset: str, profile: str,
                protocol: str, folder: Path, jobs: int = 1, scheduler: str | None = None,
                device: str = "cpu") -> dict[str, dict]:
    """The records of experiments, by key; those that are not in `folder` are run.

    Parameters
    ----------
    title : str
        For progress and messages.
    wanted : dict of str to Experiment
        By key.
    dataset, profile, protocol, device
        What they are run on.
    folder : Path
        Of the records; absolute, since workers start elsewhere.
    jobs : int
        Processes on this machine.
    scheduler : str, optional
        Address of a Dask scheduler, whose workers run them instead.

    Raises
    ------
    Failure
        If experiments failed; the rest is done. FOLDER/KEY.failed.json holds each traceback.
    """
    found = {key: read_record(folder, key) for key in wanted}
    missing = {key: wanted[key] for key, one in found.items() if one is None}
    # Experiments that differ in localisation alone share their models, on this machine.
    times = Counter(map(training_of, missing.values()))
    tasks = [(key, one, folder if times[training_of(one)] > 1 and scheduler is None else None,
              folder, dataset, profile, protocol, device) for key, one in missing.items()]
    random.Random(os.getpid()).shuffle(tasks)  # two sweeps at once then seldom meet in one
    folder.mkdir(parents=True, exist_ok=True)  # before hours are spent on what cannot be kept
    failed = []
    results = _on_cluster(tasks, scheduler) if scheduler else _here(tasks, jobs)
    for done in tqdm(results, total=len(tasks), desc=title, unit="experiment"):
        failure = folder / f"{done['key']}.failed.json"
        if "traceback" in done:
            failed.append(done)
            write_json(failure, done)
            continue
        if read_record(folder, done["key"], set_aside=False) is None:
            write_record(folder, done)
        failure.unlink(missing_ok=True)
        found[done["key"]] = done
    _remove_leftovers(folder)
    if failed:
        raise Failure(f"{title}: {len(failed)} of {len(wanted)} experiments failed, the first with"
                      f" {failed[0]['error']}; see {folder / (failed[0]['key'] + '.failed.json')}.")
    return found


def _attempt(key: str, experiment: Experiment, models: Path | None, folder: Path, dataset: str,
             profile: str, protocol: str, device: str) -> dict:
    """One experiment: its record, or what went wrong. Runs in any process, on any machine."""
    try:
        # Somebody else may have finished it since.
        found = read_record(folder, key, set_aside=False) or record(
            load_once(dataset, profile), experiment, protocol, device, models)
        if found["key"] != key:
            raise FacnetError(
                f"{dataset}: on {socket.gethostname()} it is not the data set that the sweep was"
                " started on; the copies, or the versions of numpy or this package, differ.")
        return found
    except Exception as error:  # recorded, and said at the end: the other experiments go on
        return _failure(key, experiment, error)


def _failure(key: str, experiment: Experiment, error: BaseException) -> dict:
    return {"key": key, "experiment": repr(experiment), "error": f"{type(error).__name__}: {error}",
            "traceback": "".join(traceback.format_exception(error))}


def _here(tasks: list[tuple], jobs: int) -> Iterator[dict]:
    """What `_attempt` makes of the tasks, as it comes, in processes of this machine."""
    left, lives = {task[0]: task for task in tasks}, LIVES
    while left:
        try:
            parallel = Parallel(jobs, batch_size=1, return_as="generator_unordered")
            for done in parallel(delayed(_attempt)(*task) for task in list(left.values())):
                del left[done["key"]]
                yield done
        except TerminatedWorkerError as error:  # killed, for want of memory perhaps
            lives -= 1
            if not lives:
                raise Failure(f"a worker process was killed {LIVES} times, for want of memory"
                              f" perhaps; {len(tasks) - len(left)} of {len(tasks)} experiments"
                              " are done and kept.") from error


def _on_cluster(tasks: list[tuple], scheduler: str) -> Iterator[dict]:
    """The same by the workers of a Dask scheduler.

    Not by joblib's Dask backend, which waits for ever for a task that kills every worker.
    """
    try:
        from distributed import Client, as_completed
    except ImportError as error:
        raise FacnetError(
            "A scheduler needs Dask: pip install -e '.[cluster]' in the repository.") from error
    try:
        client = Client(scheduler)
        client.wait_for_workers(1, timeout=WAIT)
    except (OSError, ValueError) as error:  # a TimeoutError is an OSError, too
        raise FacnetError(
            f"{scheduler}: no scheduler answers, or no worker came within {WAIT} seconds ({error});"
            f" start one with `dask worker {scheduler}`.") from error
    with client:
        tasks_of = {client.submit(_attempt, *task, pure=False): task for task in tasks}
        for future in as_completed(tasks_of):
            if future.status == "cancelled":
                raise Failure(f"{scheduler}: the scheduler is gone; what was finished is kept.")
            error = future.exception()  # such as a worker lost again and again
            yield future.result() if error is None else _failure(*tasks_of[future][:2], error)


def _remove_leftovers(folder: Path) -> None:
    """Half-written files of this machine's processes that are no more."""
    for partial in folder.glob(f".*.{socket.gethostname()}.*"):
        try:
            os.kill(int(partial.name.rpartition(".")[2]), 0)  # asks only
        except ProcessLookupError:
            partial.unlink(missing_ok=True)
        except (PermissionError, ValueError):
            continue
