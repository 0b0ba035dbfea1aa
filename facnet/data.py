"""Where snippets come from: one object for data in memory and data in a folder.

A folder holds plain [T, D] .npy arrays, either `features/<stream>/<video>.npy` or one
`features/<video>.npy` whose column ranges annotations.json names per stream, and
`annotations.json`: the ActivityNet schema (`database`) and, beside it, `name`, `classes`,
`streams`, `snippet_seconds`, `train` and `test` (the subsets to train on, which may be null, and to
test on) and, optionally, `ignored` intervals and the `protocol` of evaluation. `data/README.md`
shows one.
"""

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import product
from pathlib import Path
from unicodedata import normalize

import numpy as np
import pandas as pd

from facnet.errors import FacnetError, check_choice, suggest
from facnet.files import STRIDES, Annotations, read_annotations, remembered_digests
from facnet.profiles import profile as profile_of

# How much longer one stream of a video may be than another: optical flow needs a frame more, and
# extractors differ in what they do with the last chunk. What is longer is cut when it is read.
CUT_SNIPPETS = 2
SYNTHETIC = ("synthetic", "synthetic-activitynet")  # data sets that are no folder


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
    protocol : str
        What detections are evaluated by, and at which tIoUs, unless another protocol is asked for;
        a name of ``facnet.evaluation.PROTOCOLS``.
    columns : dict of str to tuple of int
        Columns [first, last) of the streams that lie side by side in one file a video.
    device : str
        Where models of it are trained and asked: cpu, cuda, cuda:1, mps.
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
    protocol: str = "seconds"
    columns: dict[str, tuple[int, int]] = field(default_factory=dict)
    device: str = "cpu"
    _snippets: dict[str, int] = field(default_factory=dict, init=False, repr=False, compare=False)

    def features(self, stream: str, video: str) -> np.ndarray:
        """Features of a video, [T, D] with T at least 1; of "rgb+flow", side by side.

        T is that of the video's shortest stream; others may be up to `CUT_SNIPPETS` longer.
        """
        if "+" in stream:
            return np.concatenate([self.features(s, video) for s in stream.split("+")], axis=1)
        check_choice(stream, self.streams, f"{self.name}: no stream {stream!r}")
        if video not in self._snippets:
            lengths = [len(self.read(one, video)) for one in self.streams]
            if max(abs(length - lengths[0]) for length in lengths) > CUT_SNIPPETS:
                raise FacnetError(f"{self.name}, {video}: streams {', '.join(self.streams)} have"
                                  f" {lengths} snippets; they must be on one grid.")
            self._snippets[video] = min(lengths)
        return self.read(stream, video)[: self._snippets[video]]

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

    @cached_property
    def fingerprint(self) -> str:
        """Hash of names, labels, intervals and of every video's features, all of their bytes."""
        about = self.name, self.classes, self.streams, self.snippet_seconds
        digest = hashlib.sha256(repr(about).encode())
        for frame in (self.videos, self.instances, self.ignored):
            digest.update(frame.to_csv(index=False).encode())
        with remembered_digests() as digest_of_file:
            for stream, video in product(self.streams, self.videos.video):
                array = self.features(stream, video)
                where = self.columns.get(stream, ())
                digest.update(repr((array.shape, array.dtype.str, *where)).encode())
                # An array that may be written to can differ from its file.
                file = getattr(array, "mode", None) == "r" and array.filename
                digest.update(digest_of_file(file).encode() if file else array.tobytes())
                digest.update(array[0].tobytes())
        return digest.hexdigest()[:16]


@dataclass(frozen=True)
class Header:
    """What annotations.json says beside its `database`.

    Attributes
    ----------
    name, classes, snippet_seconds
        As in :class:`Dataset`.
    streams : dict of str to tuple of int or None
        Columns [first, last) of each stream in the one file a video, or None for a file a stream.
    subsets : dict of str to str
        From the file's names to "train" and "test".
    """

    name: str
    classes: tuple[str, ...]
    streams: dict[str, tuple[int, int] | None]
    snippet_seconds: float
    subsets: dict[str, str]

    def file(self, features: Path, stream: str, video: str) -> Path:
        """Where a video's features lie in the folder of features."""
        check_name(video, features.parent / "annotations.json")
        folder = features if self.streams[stream] else on_disk(features / stream)
        return on_disk(folder / f"{video}.npy")


def on_disk(path: Path) -> Path:
    """A path whose last name is written as the disk has it: macOS takes letters apart (NFD)."""
    if path.name.isascii():  # asked of every read: spare the disk
        return path
    apart = path.with_name(normalize("NFD", path.name))
    return apart if os.path.exists(apart) and not os.path.exists(path) else path


def read_header(path: Path, facts: dict, faults: list[str] | None = None) -> Header | None:
    """The header of the annotations.json at `path`, whose content is `facts`.

    Parameters
    ----------
    path : Path
    facts : dict
    faults : list of str, optional
        Messages for all that is wrong are added to it, and there is no header then. Without it the
        first fault is raised: a key is missing, or its value cannot be.
    """

    def is_text(value: object) -> bool:
        return isinstance(value, str) and value != ""

    rules = {
        "name": (is_text, "a name"),
        "classes": (lambda v: isinstance(v, list) and v and all(map(is_text, v))
                    and len(set(v)) == len(v), "a list of different names"),
        "streams": (lambda v: isinstance(v, dict) and v and all(map(_are_columns, v.values()))
                    and all(_is_name(s) and s == s.strip() and "+" not in s for s in v)
                    and len(set(map(str.lower, v))) == len(v),
                    'like {"rgb": {}, "flow": {}} or {"rgb": {"columns": [0, 1024]}, ...}, with'
                    " different names without a blank around them"),
        "snippet_seconds": (lambda v: type(v) in (int, float) and STRIDES[0] <= v <= STRIDES[1],
                            "a number from 0.001 to a million"),
        "train": (lambda v: v is None or is_text(v), "the name of a subset, or null"),
        "test": (lambda v: is_text(v) and v != facts.get("train"), "the name of another subset")}
    wrong = [f"{path}, {key}: {str(facts[key])[:80]!r} is not {rule}." if key in facts
             else f"{path}: no {key!r}; a container needs {', '.join(rules)}."
             for key, (holds, rule) in rules.items() if key not in facts or not holds(facts[key])]
    if wrong and faults is None:
        raise FacnetError(wrong[0])
    if wrong:
        faults += wrong
        return None
    streams = {name: tuple(where["columns"]) if where else None
               for name, where in facts["streams"].items()}
    return Header(facts["name"], tuple(facts["classes"]), streams, float(facts["snippet_seconds"]),
                  {facts[name]: name for name in ("train", "test") if facts[name] is not None})


def _are_columns(value: object) -> bool:
    match value:
        case {"columns": [int(first), int(last)], **others}:
            return not others and bool not in map(type, (first, last)) and 0 <= first < last
    return value == {}


def _is_name(name: str) -> bool:
    return name not in ("", ".", "..") and name.isprintable() and not set(name) & set("/\\")


def check_name(video: str, where: object) -> None:
    """Refuse a video's name that would lead to another folder when it becomes a file's."""
    if not _is_name(video):
        raise FacnetError(f"{where}: {video[:80]!r} is no name for a file.")


def read_features(file: Path) -> np.ndarray:
    """The features [T, D] in a plain .npy file, memory-mapped.

    Raises
    ------
    FacnetError
        If the file is missing, truncated, pickled or not an array of floating-point numbers with
        two dimensions and at least one row.
    """
    try:
        array = np.lib.format.open_memmap(file, mode="r")
    except FileNotFoundError as error:
        raise FacnetError(f"{file}: no such file.") from error
    except Exception as error:  # numpy raises many kinds of error on a damaged file
        if "magic string" in str(error):
            raise FacnetError(f"{file}: no .npy file, whatever its name (an archive, or a pointer"
                              " to a file that Git LFS has yet to fetch?).") from error
        hint = ("; it holds pickled objects, which may run code. Of W-TALC's file `facnet data"
                " import thumos14` reads such; save others again as arrays of numbers")
        raise FacnetError(f"{file}: cannot be read as a plain .npy array ({error})"
                          f"{hint if 'Python objects' in str(error) else ''}.") from error
    if array.ndim != 2 or 0 in array.shape:
        raise FacnetError(f"{file}: features of shape {array.shape}, not [T, D].")
    if array.dtype.kind != "f":
        raise FacnetError(f"{file}: features of type {array.dtype}, not float16 or float32.")
    return array


def usable(device: str) -> str:
    """The device, or what "auto" stands for: CUDA where there is one, else Apple's, else the CPU.

    Raises
    ------
    FacnetError
        If this machine has no such device.
    """
    if device == "cpu":  # for which torch need not be imported
        return device
    import torch

    if device == "auto":
        return "cuda" if torch.cuda.is_available() else (
            "mps" if torch.backends.mps.is_available() else "cpu")
    try:
        torch.ones(1, device=device).item()  # of "meta" there is nothing to read
    except (AssertionError, RuntimeError) as error:
        raise FacnetError(f"device {device}: {str(error).splitlines()[0]}") from error
    return device


def load(dataset: str | Path = "synthetic", profile: str = "full",
         device: str = "cpu") -> Dataset:
    """Load a data set.

    Parameters
    ----------
    dataset : str or Path
        "synthetic" or "synthetic-activitynet", made in memory to the counts of THUMOS14 and
        ActivityNet-1.3, or a folder laid out as in :mod:`facnet.data`.
    profile : {"smoke", "quick", "half", "wide", "full"}
        Size of the synthetic data sets. Data in a folder are always used whole.
    device : str
        "auto", or as in `Dataset`.

    Raises
    ------
    FacnetError
        If `dataset` is neither a known name nor a folder, if the folder's data are unusable, or if
        this machine has no such device.
    """
    size, device = profile_of(profile), usable(device)  # before anything is made or read
    from facnet.synthetic import activitynet, thumos14

    made = dict(zip(SYNTHETIC, (thumos14.make_synthetic, activitynet.make_synthetic_activitynet)))
    if Path(dataset).is_dir() and str(dataset) not in made:
        return replace(open_folder(Path(dataset)), device=device)
    check_choice(str(dataset), made, f"{str(dataset)!r} is neither a data set nor a folder")
    return replace(made[str(dataset)](size), device=device)


def open_folder(folder: Path, path: Path | None = None) -> Dataset:
    """The data set in `folder`; features stay on disk and are memory-mapped.

    Its annotations are at `path`, if that is given, in place of folder/annotations.json.

    Raises
    ------
    FacnetError
        If annotations.json is missing or malformed, or names a split without videos. What else
        can be wrong with features is found when a video is read;
        :func:`facnet.importers.check.check_folder` finds it all at once.
    """
    path = path or folder / "annotations.json"
    annotations = read_annotations(path)
    header = read_header(path, annotations.facts)
    videos = used_videos(annotations, header)
    for fault in content_faults(path, videos, annotations.instances, header):
        raise FacnetError(fault)

    def read(stream: str, video: str) -> np.ndarray:
        file, columns = header.file(folder / "features", stream, video), header.streams[stream]
        array = read_features(file)
        if columns and columns[1] > array.shape[1]:
            raise FacnetError(
                f"{file}: {array.shape[1]} columns, but {stream} is in {list(columns)}.")
        return array[:, slice(*columns)] if columns else array

    return Dataset(
        header.name, header.classes, tuple(header.streams), header.snippet_seconds, videos,
        annotations.instances, annotations.ignored, read, protocol=annotations.protocol,
        columns={name: where for name, where in header.streams.items() if where})


def used_videos(annotations: Annotations, header: Header) -> pd.DataFrame:
    """The videos to train and to test on, their subsets called so."""
    used = annotations.videos[annotations.videos.subset.isin(list(header.subsets))]
    return used.assign(subset=used.subset.map(header.subsets)).reset_index(drop=True)


def content_faults(path: Path, videos: pd.DataFrame, instances: pd.DataFrame,
                   header: Header) -> list[str]:
    """A message for each split that no video is in, and for each video's label of no class."""
    empty = [f"{path}: no video has subset {name!r}, the one to {use} on."
             for name, use in header.subsets.items() if use not in set(videos.subset)]
    own = instances[instances.video.isin(videos.video)]
    given = videos[["video", "labels"]].explode("labels").dropna()
    pairs = dict.fromkeys((*zip(given.video, given.labels), *zip(own.video, own.label)))
    return empty + [f"{path}, {video}: unknown label {label!r}.{suggest(label, header.classes)}"
                    for video, label in pairs if label not in header.classes]


def frame_labels(dataset: Dataset, video: str, snippets: int) -> np.ndarray:
    """Which classes a snippet shows, [T, C] of bool: those of instances covering half of it."""
    shown = np.zeros((snippets, len(dataset.classes)), bool)
    own = dataset.instances[dataset.instances.video == video]
    begin = np.arange(snippets) * dataset.snippet_seconds
    for label, start, end in zip(own.label, own.start, own.end):
        covered = np.minimum(end, begin + dataset.snippet_seconds) - np.maximum(start, begin)
        # Rounded, so that exactly half is half: from 1.6 s on, .32 s of the snippet at 1.28 s.
        shown[covered.round(9) >= dataset.snippet_seconds / 2, dataset.classes.index(label)] = True
    return shown
