"""THUMOS14's features, in the layouts that people have them in, to a container.

Annotations are kept as they are, oddities included: papers have trained and tested on them.
"""

import reprlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from facnet.data import read_features
from facnet.errors import FacnetError
from facnet.importers.importing import (
    BOTH, Arrays, described, find_features, read_truth, write_container, write_features)
from facnet.importers.pickled import read_array

SUBSETS = ("validation", "test")  # to train and to test on


def import_thumos14(features: str | Path, annotations: str | Path, out: str | Path,
                    snippet_seconds: float = 0.64, streams: Sequence[str] = ()) -> str:
    """Write a container of THUMOS14's features, whole or not at all.

    Parameters
    ----------
    features : str or Path
        W-TALC's file (one .npy that holds a pickled array [T, D] for each video, in the order of
        videoname.npy), or a folder, searched to any depth, of plain VIDEO.npy [T, D]. Files below
        a folder called rgb or flow are that stream; others hold all streams side by side.
    annotations : str or Path
        The W-TALC folder, or a file in the ActivityNet schema with the subsets "validation" and
        "test".
    out : str or Path
        The folder to make. It must not exist yet.
    snippet_seconds : float
        Seconds between the starts of two snippets: 16 frames at 25 fps, .64.
    streams : sequence of str
        What columns hold, in equal parts; by default 2048 are rgb and flow, others one stream.

    Returns
    -------
    str
        The report of :func:`facnet.importers.importing.write_container`, which also says what is
        refused.

    Notes
    -----
    Of a folder, one video is in memory at a time; of W-TALC's file, all of it, once.
    """
    features, annotations, out = Path(features), Path(annotations), Path(out)
    truth = read_truth(annotations, snippet_seconds, *SUBSETS)
    known = truth.videos.video

    def write(folder: Path, report: dict[str, list[str]]) -> dict:
        here, arrays = known, _from_file(features, known)
        if features.is_dir():
            files = find_features(features, known, known, report["left out"])
            here = files.index
            arrays = ((video, {place: np.asarray(read_features(file))  # a copy, not a link
                               for place, file in row.items()}) for video, row in files.iterrows())
        entries = write_features(arrays, len(here), folder, streams, report)
        inside = truth.ignored.video.isin(here)
        report["kept"].append(f"{inside.sum()} of {len(inside)} ambiguous intervals")
        return {"protocol": "released"} | described(
            "THUMOS14", truth, here, entries, snippet_seconds, *SUBSETS)

    return write_container(annotations, out, write)


def _from_file(file: Path, videos: pd.Series) -> Arrays:
    """The videos of W-TALC's file, of which nothing is left out."""
    arrays = read_array(file)
    if arrays.shape != (len(videos),):
        raise FacnetError(f"{file}: an array of shape {arrays.shape}, but the annotations name"
                          f" {len(videos)} videos, each with an array [T, D].")
    for v, video in enumerate(videos):
        array, arrays[v] = arrays[v], None  # what is written need not stay in memory
        if not (isinstance(array, np.ndarray) and array.ndim == 2 and array.size
                and array.dtype.kind == "f"):
            raise FacnetError(f"{file}, {video}: holds {reprlib.repr(array)}, not numbers [T, D].")
        yield video, {BOTH: array}
