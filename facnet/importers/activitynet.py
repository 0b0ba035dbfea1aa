"""ActivityNet-1.3: features where they are, and the official annotations, to a container.

Annotations are kept as they are, oddities included. The features take 7 to 20 GB, so a container
holds links to their files, whatever layout these have.
"""

from collections.abc import Callable
from pathlib import Path

import pandas as pd

from facnet.data import read_features
from facnet.errors import FacnetError
from facnet.files import Annotations
from facnet.importers.importing import (
    counted, find_features, incomplete, read_truth, write_container, write_features,
)

TRAIN, TEST, HIDDEN = "training", "validation", "testing"  # no labels are published of the last
PREFIX = "v_"  # of files' names in most distributions, and never of the official annotations


def import_activitynet(
    features: str | Path, annotations: str | Path, out: str | Path, snippet_seconds: float = 0.64
) -> str:
    """Make a container of ActivityNet-1.3's features without copying them.

    What is trained and tested on are the training and validation videos that have features. A
    class that none of the training videos shows cannot be learned; it is left out, and so are the
    validation videos that show it. With all of the features there is none.

    Parameters
    ----------
    features : str or Path
        A folder, searched to any depth, of plain VIDEO.npy or v_VIDEO.npy [T, D]. Files below a
        folder called rgb or flow are that stream; others hold rgb in the first half of their
        columns and flow in the second. OUT/features gets a link to each file that is used. Only
        where one stream of a video is a snippet or two longer than the other is it copied, cut.
    annotations : str or Path
        The official json, activity_net.v1-3.min.json. The classes are the labels of its training
        and validation videos, with features or without: 200.
    out : str or Path
        The folder to make. It must not exist yet.
    snippet_seconds : float
        Seconds between the starts of two snippets: 16 frames at 25 fps, .64.

    Returns
    -------
    str
        The report of :func:`facnet.importers.importing.write_container`, which also says what is
        refused.
    """
    features, annotations, out = Path(features), Path(annotations), Path(out)
    truth = read_truth(annotations, out, snippet_seconds)
    subsets = set(truth.videos.subset)
    if not {TRAIN, TEST} <= subsets <= {TRAIN, TEST, HIDDEN}:
        raise FacnetError(
            f"{annotations}: its subsets are {sorted(subsets)}; ActivityNet has 'training', to"
            " train on, 'validation', to test on, and 'testing'.")
    if not features.is_dir():
        raise FacnetError(f"{features}: no such folder.")

    found = find_features(features, _video_of(truth))
    missed = {"kept": [], "left out": []}
    videos = _with_features(features, found, truth, missed)
    videos, classes = _of_taught_classes(videos, truth, missed)
    for subset, use in ((TRAIN, "train"), (TEST, "test")):
        if not (videos.subset == subset).any():
            raise FacnetError(f"{features}: no features of a {subset} video to {use} on.")
    files = {video: found[video] for video in videos.video}

    def write(folder: Path, report: dict[str, list[str]]) -> dict:
        report |= missed
        arrays = ((video, {place: read_features(file) for place, file in own.items()})
                  for video, own in files.items())
        lengths, streams = write_features(arrays, len(files), folder, report, files)
        database = {video: truth.facts["database"][video] for video in files}
        report["kept"][:0] = counted(
            database, lengths, snippet_seconds, {TRAIN: TRAIN, TEST: TEST})
        return {
            "name": "ActivityNet-1.3", "classes": classes, "streams": streams,
            "snippet_seconds": snippet_seconds, "train": TRAIN, "test": TEST,
            "protocol": "activitynet", "database": database}

    links = {out / "features" / place / f"{video}.npy": file
             for video, own in files.items() for place, file in own.items()}
    return write_container(features, out, write, {out / "annotations.json": annotations, **links})


def _video_of(truth: Annotations) -> Callable[[str], str]:
    """From a file's name to its video's. Some videos' own names begin with v_ too."""
    names = set(truth.videos.video)

    def video_of(name: str) -> str:
        short = name.removeprefix(PREFIX)
        return short if short in names else name

    return video_of


def _with_features(
    folder: Path, found: dict[str, dict[str, Path]], truth: Annotations,
    report: dict[str, list[str]],
) -> pd.DataFrame:
    """The training and validation videos that have all their files; counts and lists the others."""
    used = truth.videos[truth.videos.subset != HIDDEN]
    hidden = set(truth.videos.video) - set(used.video)
    lacking, lines = incomplete(folder, found, used.video, truth.videos.video)
    lacks = used.video.isin(list(lacking))
    counts = used.subset[lacks].value_counts().reindex([TRAIN, TEST], fill_value=0)
    report["left out"] += [
        f"{counts[TRAIN]} training and {counts[TEST]} validation videos without features",
        f"{len(hidden)} testing videos, whose labels are hidden"
        f" ({len(hidden & set(found))} with features)",
        f"{len(set(found) - set(truth.videos.video))} videos that have features and are not in the"
        " annotations",
        *lines,
    ]
    return used[~lacks]


def _of_taught_classes(
    videos: pd.DataFrame, truth: Annotations, report: dict[str, list[str]]
) -> tuple[pd.DataFrame, list[str]]:
    """The videos, without those of classes that no training video shows; and the other classes."""
    classes = sorted({c for labels in truth.videos.labels for c in labels})
    taught = {c for labels in videos.labels[videos.subset == TRAIN] for c in labels}
    lost = [c for c in classes if c not in taught]
    kept = videos[[taught.issuperset(labels) for labels in videos.labels]]
    report["kept"].append(f"{len(classes) - len(lost)} of {len(classes)} classes")
    if lost:
        report["left out"].insert(
            0, f"{len(lost)} classes, since no training video with features shows them, and with"
            f" them {len(videos) - len(kept)} validation videos: {', '.join(lost)}")
    return kept, [c for c in classes if c in taught]
