"""THUMOS14's features, in the layouts that people have them in, to a container.

Annotations are kept as they are, oddities included: papers have trained and tested on them.
"""

import reprlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from facnet.data import read_features
from facnet.errors import FacnetError
from facnet.files import Annotations
from facnet.importers.importing import (
    BOTH, described, find_features, read_truth, write_container, write_features)
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
    truth = read_truth(annotations, out, snippet_seconds, "THUMOS14", SUBSETS)

    def write(folder: Path, report: dict[str, list[str]]) -> dict:
        arrays = (_from_folder if features.is_dir() else _from_file)(features, truth, report)
        lengths, streams = write_features(arrays, len(truth.videos), folder, report)
        inside = truth.ignored.video.isin(list(lengths))
        report["kept"].insert(0, f"{inside.sum()} ambiguous intervals")
        report["left out"] += [
            f"{video} [{start}, {end}]: ambiguous interval of a video that is not here"
            for video, start, end in truth.ignored[~inside].itertuples(index=False)]
        return described(
            "THUMOS14", truth, lengths, streams, snippet_seconds, SUBSETS, report)

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
            raise FacnetError(
                f"{file}, {video}: holds {reprlib.repr(array)}, not numbers [T, D].")
        yield video, {BOTH: array}


def _from_folder(
    folder: Path, truth: Annotations, report: dict[str, list[str]]
) -> Iterator[tuple[str, dict[str, np.ndarray]]]:
    """The videos of a folder that have all streams, and what is left out."""
    videos = list(truth.videos.video)
    found, lacking = find_features(folder, videos, videos, report["left out"])
    for video in videos:
        if video not in lacking:
            yield video, {p: np.asarray(read_features(file)) for p, file in found[video].items()}
