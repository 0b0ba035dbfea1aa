"""THUMOS14's features, in the layouts that people have them in, to a container.

Annotations are kept as they are, oddities included: papers have trained and tested on them.
"""

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from tqdm import tqdm

from facnet.datasets.container import check_name, read_features
from facnet.datasets.files import Annotations, read_annotations
from facnet.datasets.importing import (
    BOTH, columns_of, find_features, places_of, refuse_existing, refuse_unlike, write_container,
)
from facnet.datasets.safe_pickle import read_array
from facnet.errors import FacnetError

__all__ = ["import_thumos14"]

SUBSETS = ("validation", "test")  # to train on, to test on


def import_thumos14(
    features: str | Path, annotations: str | Path, out: str | Path, snippet_seconds: float = 0.64
) -> str:
    """Write a container of THUMOS14's features, whole or not at all.

    Parameters
    ----------
    features : str or Path
        W-TALC's file (one .npy that holds a pickled array [T, D] for each video, in the order of
        videoname.npy), or a folder, searched to any depth, of plain VIDEO.npy [T, D]. Files below
        a folder called rgb or flow are that stream; others hold rgb in the first half of their
        columns and flow in the second.
    annotations : str or Path
        The W-TALC folder, or a file in the ActivityNet schema with the subsets "validation" and
        "test".
    out : str or Path
        The folder to make. It must not exist yet.
    snippet_seconds : float
        Seconds between the starts of two snippets: 16 frames at 25 fps, .64.

    Returns
    -------
    str
        What was kept, repaired and left out, and the oddities; also in OUT/import_report.txt.

    Raises
    ------
    FacnetError
        If a file is unreadable, unsafe or malformed, or if the container would have errors by
        :func:`facnet.datasets.check.check_folder`. Nothing is left of it then.

    Notes
    -----
    Of a folder, one video is in memory at a time; of W-TALC's file, all of it, once.
    """
    features, out = Path(features), Path(out)
    refuse_existing(out)  # before anything is read
    truth = read_annotations(annotations)
    unknown = set(truth.videos.subset.str.lower()) ^ set(SUBSETS)
    if unknown:
        raise FacnetError(
            f"{annotations}: its subsets are {sorted(set(truth.videos.subset))}; THUMOS14 has"
            " 'validation', to train on, and 'test'.")
    if not 0 < snippet_seconds < math.inf:
        raise FacnetError(f"snippet_seconds = {snippet_seconds}: must be a positive number.")
    for video in truth.videos.video:
        check_name(video, annotations)

    def write(folder: Path, report: dict[str, list[str]]) -> dict:
        if features.is_dir():
            videos = _from_folder(features, truth, report)
        else:
            videos = _from_file(features, truth)
        lengths, widths = _write_features(videos, folder, len(truth.videos), report)
        return _annotations(truth, lengths, widths, snippet_seconds, report)

    return write_container(features, out, write)


def _from_file(file: Path, truth: Annotations) -> Iterator[tuple[str, dict[str, np.ndarray]]]:
    """The videos of W-TALC's file."""
    arrays = read_array(file)
    names = truth.videos.video
    if arrays.shape != (len(names),):
        raise FacnetError(
            f"{file}: an array of shape {arrays.shape}, but the annotations name {len(names)}"
            " videos; it should hold one [T, D] array for each, in their order.")
    for v, video in enumerate(names):
        array, arrays[v] = arrays[v], None  # what is written need not stay in memory
        if not (isinstance(array, np.ndarray) and array.ndim == 2 and array.size
                and array.dtype.kind == "f"):
            shown = f"{array.dtype} {array.shape}" if isinstance(array, np.ndarray) else repr(array)
            raise FacnetError(f"{file}, {video}: holds {shown[:80]}, not numbers [T, D].")
        yield video, {BOTH: array}


def _from_folder(
    folder: Path, truth: Annotations, report: dict[str, list[str]]
) -> Iterator[tuple[str, dict[str, np.ndarray]]]:
    """The videos of a folder that have all streams, and what is left out."""
    found = find_features(folder)
    names = list(truth.videos.video)
    strangers = sorted(set(found) - set(names))
    report["left out"] += [f"{found[name].popitem()[1]}: no such video in the annotations"
                           for name in strangers]
    places = places_of(folder, found, names)
    for video in names:
        missing = set(places) - set(found.get(video, {}))
        if missing:
            what = "features" if len(missing) == len(places) else missing.pop()
            report["left out"].append(f"{video}: no {what}")
            continue
        yield video, {p: np.asarray(read_features(found[video][p])) for p in places}


def _write_features(
    videos: Iterator[tuple[str, dict[str, np.ndarray]]], folder: Path, count: int,
    report: dict[str, list[str]],
) -> tuple[dict[str, int], dict[str, int]]:
    """Write plain arrays; gives the snippets of each video and the columns of each place."""
    lengths, widths, wide = {}, {}, []
    for video, arrays in tqdm(videos, total=count, desc="importing", unit="video"):
        of_places = {place: len(array) for place, array in arrays.items()}
        lengths[video] = min(of_places.values())
        if max(of_places.values()) > lengths[video]:
            said = refuse_unlike(video, of_places)
            report["repaired"].append(f"{video}: {said} snippets, cut to {lengths[video]}")
        for place, array in arrays.items():
            widths.setdefault(place, array.shape[1])
            if array.dtype.itemsize > 4:
                wide.append(video)
                array = array.astype(np.float32)
            file = folder / place / f"{video}.npy"
            file.parent.mkdir(parents=True, exist_ok=True)
            np.save(file, np.ascontiguousarray(array[: lengths[video]]), allow_pickle=False)
    if wide:
        report["repaired"].append(f"{len(wide)} arrays of float64 became float32")
    return lengths, widths


def _annotations(
    truth: Annotations, lengths: dict[str, int], widths: dict[str, int], snippet_seconds: float,
    report: dict[str, list[str]],
) -> dict:
    """The content of annotations.json for the videos that have features."""
    streams = columns_of(widths, next(iter(lengths)))
    kept = truth.videos[truth.videos.video.isin(list(lengths))]
    own = truth.instances[truth.instances.video.isin(kept.video)]
    inside = truth.ignored.video.isin(kept.video)
    for subset, use in zip(SUBSETS, ("training", "test")):
        names = kept.video[kept.subset.str.lower() == subset]
        report["kept"].append(
            f"{len(names)} {use} videos with {own.video.isin(names).sum()} instances and"
            f" {sum(lengths[name] for name in names)} snippets of {snippet_seconds} s")
    report["kept"].append(f"{inside.sum()} ambiguous intervals")
    report["kept"].append(", ".join(
        f"{s}: {widths[s] if s in widths else widths[BOTH] // 2} features a snippet"
        for s in streams))
    report["left out"] += [
        f"{video} [{start}, {end}]: ambiguous interval of a video that is not here"
        for video, start, end in truth.ignored[~inside].itertuples(index=False)]

    instances, ignored = own.groupby("video"), truth.ignored[inside].groupby("video")
    database = {}
    for video, subset, duration, labels in kept.itertuples(index=False):
        rows = instances.get_group(video) if video in instances.groups else own[:0]
        database[video] = {"subset": subset.lower(), "labels": list(labels), "annotations": [
            {"label": row.label, "segment": [row.start, row.end]} for row in rows.itertuples()]}
        if np.isfinite(duration):
            database[video]["duration"] = duration
    classes = {*own.label, *(label for labels in kept.labels for label in labels)}
    return {
        "name": "THUMOS14", "classes": sorted(classes),
        "streams": streams, "snippet_seconds": snippet_seconds,
        "train": SUBSETS[0], "test": SUBSETS[1],
        "ignored": {v: rows[["start", "end"]].values.tolist() for v, rows in ignored},
        "database": database,
    }
