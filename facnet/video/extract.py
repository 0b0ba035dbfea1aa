"""Video files to a data set's folder: chunks of 16 frames through I3D, a row of features each."""

import hashlib
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import torch
from joblib import Parallel, delayed
from tqdm import tqdm

from facnet.errors import FacnetError, normal
from facnet.files import read_json, remove_leftovers, replacing, write_json
from facnet.training import repeatable
from facnet.video.frames import FPS, frames, inputs, probe
from facnet.video.i3d import FEATURES, FRAMES, I3D, load_i3d


@dataclass(frozen=True)
class Recipe:
    """How features are made.

    Attributes
    ----------
    weights : tuple of (str, Path)
        Streams, rgb and flow, and the weights of each.
    flow : str
        A key of `facnet.video.frames.FLOWS`.
    bfloat16 : bool
        Whether products are in bfloat16.
    """

    weights: tuple[tuple[str, Path], ...]
    flow: str = "tvl1"
    bfloat16: bool = False

    def facts(self) -> dict[str, object]:
        """What decides the features, beside the video."""
        streams = dict(self.weights)
        return {"fps": FPS, "frames": FRAMES, "bfloat16": self.bfloat16,
                "flow": self.flow if "flow" in streams else None,
                "weights": {stream: _digest(path) for stream, path in streams.items()}}


def _digest(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def extract(videos: Sequence[Path], out: Path, recipe: Recipe, classes: Sequence[str] = ("action",),
            jobs: int = 1) -> list[str]:
    """Write the features of video files to a data set's folder.

    OUT/features/STREAM/VIDEO.npy, and annotations.json, in which each video stands as one to test
    on, without labels, with its provenance. A video whose features are there, made of the same file
    in the same way, is not done again. A file that holds less than it says it does is used as far
    as it goes, and a warning says so.

    Parameters
    ----------
    videos : sequence of Path
        Their names without endings become the videos' names.
    out : Path
    recipe : Recipe
    classes : sequence of str
        Of the models that will be asked about them.
    jobs : int
        Files at once, each on one core.

    Returns
    -------
    list of str
        What went wrong, a line a file; the others are done.

    Raises
    ------
    FacnetError
        If the weights are not I3D's, two files would have one name, or OUT holds what was made in
        another way.
    """
    by_name: dict[str, Path] = {}
    for path in videos:
        if (other := by_name.setdefault(name := normal(path.stem), path)) != path:
            raise FacnetError(f"{path}: {other} would have the same name, {name}.")
    for stream, path in recipe.weights:  # before anything is decoded
        network(stream, path)
    facts, failed = recipe.facts(), []
    database = _earlier(out / "annotations.json", facts)
    for stream, _ in recipe.weights:
        (out / "features" / stream).mkdir(parents=True, exist_ok=True)
        remove_leftovers(out / "features" / stream)
    remove_leftovers(out)
    if database:  # the classes may be others now
        _write(out, database, recipe, classes)
    wanted = {name: path for name, path in by_name.items()
              if name not in database or database[name]["extracted"] != _origin(path, facts)}
    work = Parallel(jobs, return_as="generator")(
        delayed(_attempt)(name, path, out, recipe) for name, path in wanted.items())
    for (name, path), (seconds, fault) in zip(wanted.items(), work):
        if fault:
            failed.append(fault)
            continue
        database[name] = {"subset": "test", "duration": seconds, "labels": [], "annotations": [],
                          "extracted": _origin(path, facts)}
        _write(out, database, recipe, classes)
    return failed


def _earlier(annotations: Path, facts: dict) -> dict:
    """The videos that are done; a FacnetError if what is there was made in another way."""
    database = read_json(annotations).get("database") if annotations.exists() else {}
    if not isinstance(database, dict) or not all(
            isinstance(one, dict) and "extracted" in one for one in database.values()):
        raise FacnetError(f"{annotations}: not made from video files; give another --out.")
    for name, one in database.items():
        for key, value in facts.items():
            if (made := one["extracted"].get(key)) != value:
                raise FacnetError(f"{annotations}, {name}: made with {key} {made}, not {value};"
                                  " give another --out.")
    return database


def _write(out: Path, database: dict, recipe: Recipe, classes: Sequence[str]) -> None:
    write_json(out / "annotations.json", {
        "name": out.resolve().name, "classes": list(classes), "train": None, "test": "test",
        "streams": {stream: {} for stream, _ in recipe.weights},
        "snippet_seconds": FRAMES / FPS, "database": dict(sorted(database.items()))})


def _origin(path: Path, facts: dict) -> dict:
    """A video's provenance."""
    return facts | {"file": path.name, "sha256": _digest(path)}


@lru_cache
def network(stream: str, path: Path) -> I3D:
    """The network for a stream, loaded once a process."""
    return load_i3d(stream, path).to(memory_format=torch.channels_last_3d)


def _attempt(name: str, path: Path, out: Path, recipe: Recipe) -> tuple[float, str]:
    """Features of one file written; its length in seconds, and what went wrong."""
    cv2.setNumThreads(1)
    try:
        seconds = probe(path).seconds
        models = {stream: network(stream, weights) for stream, weights in recipe.weights}
        values = inputs(frames(path), models.keys(), recipe.flow)
        total = seconds and int(seconds * FPS / FRAMES)
        with tqdm(total=total, desc=path.name, unit="row") as bar:
            found, count = rows(models, values, recipe.bfloat16, bar.update)
        if not len(found[next(iter(found))]):
            return 0.0, f"{path}: {count} frames at {FPS} a second; a row takes {FRAMES}."
        if seconds and count / FPS < seconds - 1:
            warnings.warn(f"{path}: {count / FPS:.1f} s of {seconds:.1f} s can be decoded.")
        for stream, array in found.items():
            with replacing(out / "features" / stream / f"{name}.npy") as partial:
                with open(partial, "wb") as file:
                    np.save(file, array)
        return count / FPS, ""
    except FacnetError as error:
        return 0.0, str(error)


def rows(models: dict[str, I3D], values: Iterator[dict[str, np.ndarray]], bfloat16: bool = False,
         told: Callable[[int], object] = lambda count: None) -> tuple[dict[str, np.ndarray], int]:
    """Features [T, 1024] by stream, 16 frames a row, and the number of frames.

    What is left over at the end has no row. However long the video, one chunk is in memory.

    Parameters
    ----------
    models : dict of str to I3D
        By stream.
    values : iterator of dict of str to ndarray
        As `facnet.video.frames.inputs` gives them.
    bfloat16 : bool
    told : callable
        Called with 1 for each row that is done.
    """
    found = {stream: [np.empty((0, FEATURES), np.float32)] for stream in models}
    count = 0
    with repeatable(), torch.inference_mode(), torch.autocast(
            "cpu", torch.bfloat16, enabled=bfloat16):
        while len(chunk := [*islice(values, FRAMES)]) == FRAMES:
            count += FRAMES
            for stream, model in models.items():
                x = torch.from_numpy(np.stack([one[stream] for one in chunk]))  # [16, 224, 224, C]
                x = x[None].permute(0, 4, 1, 2, 3)  # channels stay last in memory: a sixth faster
                found[stream].append(model(x).float().numpy())
            told(1)
    return {stream: np.concatenate(parts) for stream, parts in found.items()}, count + len(chunk)
