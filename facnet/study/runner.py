"""Many experiments: on this machine's processes or on the workers of a Dask scheduler.
"""

import os
import socket
import tempfile
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from functools import lru_cache
from pathlib import Path

from facnet.data import Dataset, load
from facnet.errors import FacnetError
from facnet.study.records import read_record, record

__all__ = [
    "Failure", "LIVES", "WAIT",
]


LIVES = 2  # how often an experiment is tried that may have killed its worker
WAIT = 60  # seconds for the first worker of a scheduler


class Failure(FacnetError):
    """Some experiments of a sweep failed; the others are kept."""


def _check_writable(folder: Path) -> None:
    """Before hours are spent on what could not be kept."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise FacnetError(f"{folder}: no record can be written ({error.strerror}).") from error


def _remove_leftovers(folder: Path) -> None:
    """Half-written files of this machine's processes that are no more."""
    for partial in folder.glob(f".*.{socket.gethostname()}.*"):
        try:
            os.kill(int(partial.name.rpartition(".")[2]), 0)  # asks only
        except ProcessLookupError:
            partial.unlink(missing_ok=True)
        except (PermissionError, ValueError):
            continue


def _load(dataset: str, profile_name: str) -> Dataset:
    """The data set, read again when its annotations have changed."""
    annotations = Path(dataset) / "annotations.json"
    stamp = annotations.stat().st_mtime_ns if annotations.is_file() else 0
    return _load_once(dataset, profile_name, stamp)


@lru_cache(maxsize=2)
def _load_once(dataset: str, profile_name: str, stamp: int) -> Dataset:
    return load(dataset, profile_name)


def _attempt(task: tuple) -> dict:
    """One experiment: its record, or what went wrong. Runs in any process, on any machine."""
    folder, key, dataset, profile_name, experiment, protocol, device, models = task
    try:
        # Somebody else may have finished it since.
        found = read_record(Path(folder), key, set_aside=False) or record(
            _load(dataset, profile_name), experiment, protocol, device, models)
        if found["key"] != key:
            raise FacnetError(
                f"{dataset}: on {socket.gethostname()} it is not the data set that the sweep was"
                " started on; the copies, or the versions of numpy or this package, differ.")
        return found
    except Exception as error:
        return _failure(task, error)


def _failure(task: tuple, error: BaseException) -> dict:
    return {
        "key": task[1], "experiment": repr(task[4]), "error": f"{type(error).__name__}: {error}",
        "traceback": "".join(traceback.format_exception(error)),
    }


def _map(function: Callable, tasks: list, jobs: int, scheduler: str | None) -> Iterator[dict]:
    """Results as they come, from processes here or from the workers of a Dask scheduler."""
    if scheduler is not None:
        try:
            from distributed import Client, as_completed
        except ImportError as error:
            raise FacnetError(
                "A scheduler needs Dask: pip install -e '.[cluster]' in the repository."
            ) from error
        try:
            client = Client(scheduler)
            client.wait_for_workers(1, timeout=WAIT)
        except TimeoutError as error:
            raise FacnetError(
                f"{scheduler}: no worker came within {WAIT} seconds; start one with"
                f" `dask worker {scheduler}`.") from error
        except (OSError, ValueError) as error:
            raise FacnetError(f"{scheduler}: no scheduler answers ({error}).") from error
        with client:
            of_future = {future.key: (future, task) for future, task in zip(
                client.map(function, tasks, pure=False), tasks)}
            for done in as_completed(future for future, _ in of_future.values()):
                try:
                    error = done.exception()  # such as a worker lost again and again
                except CancelledError as gone:
                    raise FacnetError(
                        f"{scheduler}: the scheduler is gone; what was finished is kept.") from gone
                yield done.result() if error is None else _failure(of_future[done.key][1], error)
        return
    from joblib import Parallel, delayed
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    left = {task[1]: task for task in tasks}
    while left:
        try:
            for done in Parallel(n_jobs=jobs, return_as="generator_unordered", batch_size=1)(
                    delayed(function)(task) for task in list(left.values())):
                del left[done["key"]]
                yield done
        except TerminatedWorkerError:  # killed, by the system for want of memory perhaps
            # One of those at work did it. Alone, the culprit is known.
            for task in list(left.values())[:jobs]:
                del left[task[1]]
                yield _alone(function, task)


def _alone(function: Callable, task: tuple) -> dict:
    """One experiment in a process of its own, which it may kill."""
    from joblib import Parallel, delayed
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    for _ in range(LIVES):
        try:
            # Of two jobs, since with one it would be this process.
            return Parallel(n_jobs=2)([delayed(function)(task)])[0]
        except TerminatedWorkerError as error:
            lost = error
    return _failure(task, lost)
