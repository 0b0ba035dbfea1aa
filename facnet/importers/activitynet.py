"""ActivityNet-1.3: features where they are, and the official annotations, to a container.

Annotations are kept as they are, oddities included. The features take 7 to 20 GB, so a container
holds links to their files, whatever layout these have.
"""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from facnet.data import read_features
from facnet.errors import FacnetError
from facnet.files import Annotations
from facnet.importers.importing import (
    described, find_features, read_truth, write_container, write_features)

TRAIN, TEST, HIDDEN = "training", "validation", "testing"  # no labels are published of the last


def import_activitynet(features: str | Path, annotations: str | Path, out: str | Path,
                       snippet_seconds: float = 0.64, streams: Sequence[str] = ()) -> str:
    """Make a container of ActivityNet-1.3's features without copying them.

    What is trained and tested on are the training and validation videos that have features. A
    class that none of the training videos shows cannot be learned; it is left out, and so are the
    validation videos that show it. With all of the features there is none.

    Parameters
    ----------
    features : str or Path
        A folder, searched to any depth, of plain VIDEO.npy or v_VIDEO.npy [T, D]. Files below a
        folder called rgb or flow are that stream; others hold all streams side by side.
        OUT/features gets a link to each file that is used.
    annotations : str or Path
        The official json, activity_net.v1-3.min.json. The classes are the labels of its training
        and validation videos, with features or without: 200.
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
    """
    features, annotations, out = Path(features), Path(annotations), Path(out)
    truth = read_truth(annotations, snippet_seconds, TRAIN, TEST, HIDDEN)

    def write(folder: Path, report: dict[str, list[str]]) -> dict:
        files = _usable(features, truth, report)
        arrays = ((video, {place: read_features(file) for place, file in row.items()})
                  for video, row in files.iterrows())
        entries = write_features(arrays, len(files), folder, streams, report)
        report["kept"].append("features where they are, with a link to each file")
        return {"protocol": "activitynet", **described(
            "ActivityNet-1.3", truth, files.index, entries, snippet_seconds, TRAIN, TEST)}

    return write_container(annotations, out, write)


def _usable(folder: Path, truth: Annotations, report: dict[str, list[str]]) -> pd.DataFrame:
    """The files of the training and validation videos that have all and show taught classes only.
    """
    missing: list[str] = []
    used = truth.videos[truth.videos.subset != HIDDEN]
    files = find_features(folder, used.video, truth.videos.video, missing)
    here = used.video.isin(files.index)
    videos, without = used[here], used.subset[~here]
    classes = set(used.labels.explode().dropna())
    taught = set(videos.labels[videos.subset == TRAIN].explode().dropna())
    kept = videos[videos.labels.map(taught.issuperset)]
    if lacking := {TRAIN, TEST} - set(kept.subset):
        raise FacnetError(f"{folder}: no features to use of {' or '.join(lacking)} videos.")
    report["kept"].append(f"{len(taught)} of {len(classes)} classes")
    if lost := sorted(classes - taught):
        report["left out"].append(
            f"{len(lost)} classes, since no training video with features shows them, and with"
            f" them {len(videos) - len(kept)} validation videos: {', '.join(lost)}")
    report["left out"] += [
        f"{(without == TRAIN).sum()} training and {(without == TEST).sum()} validation videos"
        " without features",
        f"{len(truth.videos) - len(used)} testing videos, whose labels are hidden", *missing]
    return files.loc[kept.video]
