"""Video files to a data set's folder: chunks of 16 frames through I3D, a row of features each."""

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
from facnet.files import digest_of, read_json, remove_leftovers, replacing, write_json
from facnet.training import repeatable
from facnet.video.frames import (
    FPS, LARGEST_FLOW, SHORT_SIDE, VERSIONS, frames, inputs, probe)
from facnet.video.i3d import FEATURES, FRAMES, I3D, SIDE, load_i3d


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
        weights = {stream: digest_of(path) for stream, path in self.weights}
        flow = "flow" in weights
        return {"streams": " and ".join(weights), "fps": FPS, "frames": FRAMES,
                "short_side": SHORT_SIDE, "crop": SIDE, "bfloat16": self.bfloat16,
                "flow": self.flow if flow else None, "largest_flow": LARGEST_FLOW if flow else None,
                "weights": weights}


def extract(videos: Sequence[Path], out: Path, recipe: Recipe,
            classes: Sequence[str] | None = None, jobs: int = 1) -> list[str]:
    """Write the features of video files to a data set's folder.

    OUT/features/STREAM/VIDEO.npy, and annotations.json, in which each video stands as one to test
    on, without labels, with its provenance. What is added to that file later stays in it. A video
    whose features are there, made of the same file in the same way, is not done again. A file that
    holds less than it says it does is used as far as it goes, and a warning says so. One process at
    a time may write to OUT.

    Parameters
    ----------
    videos : sequence of Path
        Their names without endings become the videos' names.
    out : Path
    recipe : Recipe
    classes : sequence of str, optional
        Of the models that will be asked about them. Without, those that OUT has, or "action".
    jobs : int
        Files at once, each on one core.

    Returns
    -------
    list of str
        What went wrong, a line a file, in their order; the others are done.

    Raises
    ------
    FacnetError
        If the weights are not I3D's, or OUT holds what was made in another way.
    """
    facts, annotations = recipe.facts(), out / "annotations.json"
    for stream, path in recipe.weights:  # before anything is decoded
        network(stream, path, facts["weights"][stream])
    known = {"name": out.resolve().name, "classes": ["action"], "train": None, "test": "test",
             "streams": {stream: {} for stream, _ in recipe.weights},
             "snippet_seconds": FRAMES / FPS} | _earlier(annotations, facts)
    known["classes"] = list(classes or known["classes"])
    folders = [out / "features" / stream for stream, _ in recipe.weights]
    for folder in (*folders, out):
        folder.mkdir(parents=True, exist_ok=True)
        remove_leftovers(folder)
    made, failed = _sorted_out(videos, facts)
    lost = {path.name for path in failed}  # what was made of others of that name does not stay
    known["database"] = database = {
        name: one for name, one in known["database"].items()
        if name in made or one["extracted"].get("file") not in lost}
    if annotations.exists():
        _write(annotations, known)
    wanted = {name: path for name, (path, origin) in made.items() if not (
        name in database and database[name]["extracted"] | {"versions": VERSIONS} == origin
        and all((folder / f"{name}.npy").exists() for folder in folders))}
    work = Parallel(jobs, return_as="generator_unordered")(
        delayed(_attempt)(name, path, out, recipe, facts["weights"])
        for name, path in wanted.items())
    for name, seconds, fault in work:
        path, origin = made[name]
        before = database.pop(name, {})
        if fault:
            failed[path] = fault
        else:
            database[name] = {"subset": "test", "labels": [], "annotations": []} | before | {
                "duration": seconds, "extracted": origin}
        if before or not fault:
            _write(annotations, known)
    return [failed[path] for path in videos if path in failed]


def _sorted_out(videos: Sequence[Path], facts: dict) -> tuple[dict, dict]:
    """Videos by name, with their provenance, and what is wrong with the other files."""
    made: dict[str, tuple[Path, dict]] = {}
    failed: dict[Path, str] = {}
    for path in videos:
        try:
            probe(path)
            own = {"file": path.name, "sha256": digest_of(path), "versions": VERSIONS}
            other, _ = made.setdefault(normal(path.stem), (path, facts | own))
            if other != path:
                raise FacnetError(f"{path}: {other} has the same name, {normal(path.stem)}.")
        except FacnetError as error:
            failed[path] = str(error)
    return made, failed


def _earlier(annotations: Path, facts: dict) -> dict:
    """What the file says; a FacnetError if what is there was made in another way."""
    known = read_json(annotations) if annotations.exists() else {"database": {}}
    database = known.get("database")
    if not isinstance(database, dict) or not all(
            isinstance(one, dict) and isinstance(one.get("extracted"), dict)
            for one in database.values()):
        raise FacnetError(f"{annotations}: not made from video files; give another --out.")
    for name, one in database.items():
        for key, value in facts.items():
            if (made := one["extracted"].get(key)) != value:
                raise FacnetError(f"{annotations}, {name}: made with {key} {made}, not {value};"
                                  " give another --out.")
    if not database:
        known.pop("streams", None)  # of none
    return known


def _write(annotations: Path, known: dict) -> None:
    write_json(annotations, known | {"database": dict(sorted(known["database"].items()))})


@lru_cache
def network(stream: str, path: Path, digest: str) -> I3D:
    """The network for a stream, loaded once a process and state of the file."""
    return load_i3d(stream, path).to(memory_format=torch.channels_last_3d)


def _attempt(name: str, path: Path, out: Path, recipe: Recipe,
             digests: dict[str, str]) -> tuple[str, float, str]:
    """Features of one file written; its name, its length in seconds, and what went wrong."""
    cv2.setNumThreads(1)
    try:
        seconds = probe(path).seconds
        models = {stream: network(stream, file, digests[stream]) for stream, file in recipe.weights}
        values = inputs(frames(path), models.keys(), recipe.flow)
        total = seconds and int(seconds * FPS / FRAMES)
        with tqdm(total=total, desc=path.name, unit="row") as bar:
            found, count = rows(models, values, recipe.bfloat16, bar.update)
        if not len(found[next(iter(found))]):
            return name, 0.0, f"{path}: {count} frames at {FPS} a second; a row takes {FRAMES}."
        for stream, array in found.items():
            with replacing(out / "features" / stream / f"{name}.npy") as partial:
                with open(partial, "wb") as file:
                    np.save(file, array)
        return name, count / FPS, ""
    except (FacnetError, OSError) as error:
        return name, 0.0, str(error)


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
