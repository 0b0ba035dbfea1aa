"""Where snippets come from: one object for data in memory and data in a folder.

A folder holds plain [T, D] .npy arrays, either `features/<stream>/<video>.npy` or one
`features/<video>.npy` whose column ranges annotations.json names per stream, and
`annotations.json`: the ActivityNet schema (`database`) and, beside it, `name`, `classes`,
`streams`, `snippet_seconds`, `train` and `test` (the subsets to train and to test on) and,
optionally, `ignored` intervals. `data/README.md` shows one.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from facnet.datasets.files import read_annotations, read_json
from facnet.errors import FacnetError, suggest

__all__ = ["Dataset", "open_folder"]


@dataclass(frozen=True)
class Dataset:
    """Videos, their labels and their features.

    Attributes
    ----------
    name : str
    classes : tuple of str
        The C actions, in the order of the model's columns.
    streams : tuple of str
        Such as ("rgb", "flow").
    snippet_seconds : float
        Seconds between the starts of two snippets (THUMOS14's I3D: 16 frames at 25 fps, .64).
    videos : DataFrame [video, subset, duration, labels]
        `subset` is "train" or "test", `labels` the tuple of video-level labels.
    instances : DataFrame [video, label, start, end]
        Ground truth in seconds.
    ignored : DataFrame [video, start, end]
        Ambiguous intervals in seconds.
    read : callable
        `read(stream, video)` gives the features, [T, D].
    simulated : bool
        Whether the features were made by a program and prove nothing about the world.
    """

    name: str
    classes: tuple[str, ...]
    streams: tuple[str, ...]
    snippet_seconds: float
    videos: pd.DataFrame
    instances: pd.DataFrame
    ignored: pd.DataFrame
    read: Callable[[str, str], np.ndarray]
    simulated: bool = False

    def features(self, stream: str, video: str) -> np.ndarray:
        """Features of a video, [T, D] with T at least 1."""
        if stream not in self.streams:
            raise FacnetError(f"{self.name}: no stream {stream!r}.{suggest(stream, self.streams)}")
        array = self.read(stream, video)
        if array.ndim != 2 or len(array) == 0:
            raise FacnetError(
                f"{self.name}, {stream}, {video}: features of shape {array.shape}, not [T, D]."
            )
        return array

    def subset(self, name: str) -> tuple[str, ...]:
        """Names of the videos of "train" or "test"."""
        names = tuple(self.videos.loc[self.videos.subset == name, "video"])
        if not names:
            raise FacnetError(f"{self.name}: no video in subset {name!r}.")
        return names

    def labels(self, videos: tuple[str, ...]) -> np.ndarray:
        """Video-level labels, [V, C] of zeros and ones."""
        labels = self.videos.set_index("video").loc[list(videos), "labels"]
        return np.array([[c in present for c in self.classes] for present in labels], np.float32)

    def instances_of(self, subset: str) -> pd.DataFrame:
        """Ground truth of a subset's videos."""
        return self.instances[self.instances.video.isin(self.subset(subset))]

    def fingerprint(self) -> str:
        """Hash of names, labels, intervals and of the features of the first and last video."""
        digest = hashlib.sha256()
        digest.update(repr((self.name, self.classes, self.streams, self.snippet_seconds)).encode())
        for frame in (self.videos, self.instances, self.ignored):
            digest.update(frame.to_csv(index=False).encode())
        for stream in self.streams:
            for video in (self.videos.video.iloc[0], self.videos.video.iloc[-1]):
                digest.update(np.ascontiguousarray(self.features(stream, video)).tobytes())
        return digest.hexdigest()[:16]


def open_folder(folder: Path) -> Dataset:
    """The data set in `folder`; features stay on disk and are memory-mapped.

    Raises
    ------
    FacnetError
        If annotations.json is missing or malformed, or names a split without videos. What else
        can be wrong with features is found when a video is read.
    """
    path = folder / "annotations.json"
    facts = read_json(path)
    required = ("name", "classes", "streams", "snippet_seconds", "train", "test")
    missing = [key for key in required if key not in facts]
    if missing:
        raise FacnetError(f"{path}: no {missing[0]!r}; a container needs {', '.join(required)}.")
    annotations = read_annotations(folder)
    subsets = {facts["train"]: "train", facts["test"]: "test"}
    videos = annotations.videos[annotations.videos.subset.isin(subsets)].copy()
    videos["subset"] = videos.subset.map(subsets)
    classes = tuple(facts["classes"])
    for video, labels in zip(videos.video, videos.labels):
        for label in set(labels) - set(classes):
            raise FacnetError(f"{path}, {video}: unknown label {label!r}.{suggest(label, classes)}")

    def read(stream: str, video: str) -> np.ndarray:
        columns = facts["streams"][stream].get("columns")
        parts = (f"{video}.npy",) if columns else (stream, f"{video}.npy")
        file = folder.joinpath("features", *parts)
        try:
            array = np.load(file, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise FacnetError(f"{file}: cannot be read as a plain .npy array ({error}).") from error
        return array[:, slice(*columns)] if columns else array

    dataset = Dataset(
        facts["name"], classes, tuple(facts["streams"]), float(facts["snippet_seconds"]),
        videos.reset_index(drop=True), annotations.instances, annotations.ignored, read,
    )
    for subset in ("train", "test"):
        dataset.subset(subset)
    return dataset
