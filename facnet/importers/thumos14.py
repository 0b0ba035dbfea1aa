"""THUMOS14's features, in the layouts that people have them in, to a container.

Annotations are kept as they are, oddities included: papers have trained and tested on them.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from facnet.data import read_features
from facnet.errors import FacnetError
from facnet.files import Annotations
from facnet.importers.importing import (
    BOTH, counted, entry, find_features, incomplete, read_truth, write_container, write_features,
)
from facnet.importers.pickled import read_array

SUBSETS = {"validation": "training", "test": "test"}  # and what they are for


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
        The report of :func:`facnet.importers.importing.write_container`, which also says what is
        refused.

    Notes
    -----
    Of a folder, one video is in memory at a time; of W-TALC's file, all of it, once.
    """
    features, out = Path(features), Path(out)
    truth = read_truth(annotations, out, snippet_seconds)
    if set(truth.videos.subset.str.lower()) != set(SUBSETS):
        raise FacnetError(
            f"{annotations}: its subsets are {sorted(set(truth.videos.subset))}; THUMOS14 has"
            " 'validation', to train on, and 'test'.")

    def write(folder: Path, report: dict[str, list[str]]) -> dict:
        arrays = (_from_folder if features.is_dir() else _from_file)(features, truth, report)
        lengths, streams = write_features(arrays, len(truth.videos), folder, report)
        return _annotations(truth, lengths, streams, snippet_seconds, report)

    return write_container(features, out, write)


def _from_file(
    file: Path, truth: Annotations, report: dict[str, list[str]]
) -> Iterator[tuple[str, dict[str, np.ndarray]]]:
    """The videos of W-TALC's file, of which nothing is left out."""
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
    found, videos = find_features(folder), list(truth.videos.video)
    lacking, lines = incomplete(folder, found, videos, videos)
    report["left out"] += lines
    for video in videos:
        if video not in lacking:
            yield video, {p: np.asarray(read_features(file)) for p, file in found[video].items()}


def _annotations(
    truth: Annotations, lengths: dict[str, int], streams: dict[str, dict], snippet_seconds: float,
    report: dict[str, list[str]],
) -> dict:
    """The content of annotations.json for the videos that have features."""
    kept = truth.videos[truth.videos.video.isin(list(lengths))]
    own = truth.instances[truth.instances.video.isin(kept.video)]
    inside = truth.ignored.video.isin(kept.video)
    segments = {video: rows[["label", "start", "end"]].values.tolist()
                for video, rows in own.groupby("video")}
    database = {
        video: entry(subset.lower(), labels, segments.get(video, []), duration)
        for video, subset, duration, labels in kept.itertuples(index=False)}
    report["kept"][:0] = [
        *counted(database, lengths, snippet_seconds, SUBSETS),
        f"{inside.sum()} ambiguous intervals"]
    report["left out"] += [
        f"{video} [{start}, {end}]: ambiguous interval of a video that is not here"
        for video, start, end in truth.ignored[~inside].itertuples(index=False)]
    train, test = SUBSETS
    return {
        "name": "THUMOS14",
        "classes": sorted({*own.label, *(label for labels in kept.labels for label in labels)}),
        "streams": streams, "snippet_seconds": snippet_seconds, "train": train, "test": test,
        "ignored": {video: rows[["start", "end"]].values.tolist()
                    for video, rows in truth.ignored[inside].groupby("video")},
        "database": database,
    }
