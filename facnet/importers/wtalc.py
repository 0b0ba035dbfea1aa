"""The folder of THUMOS14 annotations that W-TALC distributes, which much of the field reads."""

from pathlib import Path

import numpy as np

from facnet.errors import FacnetError, normal
from facnet.files import (
    Annotations, annotations_of, number, read_annotations, read_ignored, segment, typed)
from facnet.importers.pickled import read_array

ARRAYS = ("videoname", "subset", "duration", "segments", "labels", "labels_all")


def read_ground_truth(path: str | Path) -> Annotations:
    """Ground truth of W-TALC's folder, or of what `facnet.files.read_annotations` reads."""
    path = Path(path)
    if (path / "videoname.npy").is_file():
        return read_wtalc(path)
    return read_annotations(path)


def read_wtalc(folder: Path) -> Annotations:
    """Ground truth and ambiguous intervals of videoname.npy, ..., Ambiguous_test.txt.

    The subset to evaluate on is the first of `facnet.files.TEST_SUBSETS` that has instances.

    Raises
    ------
    FacnetError
        If a file is missing, damaged or holds more than arrays of strings and numbers, or if a
        value cannot be.
    """
    arrays = {name: read_array(folder / f"{name}.npy") for name in ARRAYS}
    sizes = {name: len(array) for name, array in arrays.items()}
    if len(set(sizes.values())) > 1:
        raise FacnetError(f"{folder}: arrays that should have one row a video have {sizes}.")
    videos, instances, seen = [], [], set()
    for video, subset, duration, segments, labels, video_labels in zip(*arrays.values()):
        video = _text(video)
        where = f"{folder}, {video}"
        if video in seen:
            raise FacnetError(f"{where}: appears more than once; ids are unique.")
        seen.add(video)
        segments, labels = _row(segments, where), _row(labels, where)
        if len(segments) != len(labels):
            raise FacnetError(f"{where}: {len(segments)} segments but {len(labels)} labels.")
        for label, one in zip(labels, segments):
            instances.append((video, _text(label), *segment(_row(one, where), where)))
        # Those to train on, labels_all, differ from the instances' in some videos.
        unique = tuple(dict.fromkeys(_text(label) for label in _row(video_labels, where)))
        videos.append((video, _text(subset), number(duration, where), unique))
    file = folder / "Ambiguous_test.txt"
    ignored = read_ignored(file) if file.is_file() else []
    return annotations_of(videos, instances, ignored, protocol="released")


def _row(value: object, where: str) -> list:
    return typed(value.tolist() if isinstance(value, np.ndarray) else value, where, list)


def _text(value: object) -> str:
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    return normal(text)
