"""ActivityNet-1.3: features where they are, and the official annotations, to a container.

Annotations are kept as they are, oddities included. The features take 7 to 20 GB, so a container
holds links to their files, whatever layout these have.
"""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm import tqdm

from facnet.datasets.container import check_name, read_features
from facnet.datasets.files import Annotations, read_annotations
from facnet.datasets.importing import (
    BOTH, columns_of, find_features, link_target, places_of, refuse_existing, refuse_unlike,
    write_container,
)
from facnet.errors import FacnetError

__all__ = ["import_activitynet"]

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
        What was kept, repaired and left out, and the oddities; also in OUT/import_report.txt.

    Raises
    ------
    FacnetError
        If a file is unreadable or malformed, or if the container would have errors by
        :func:`facnet.datasets.check.check_folder`. Nothing is left of it then.
    """
    features, annotations, out = Path(features), Path(annotations), Path(out)
    refuse_existing(out)  # before anything is read
    truth = read_annotations(annotations)
    subsets = set(truth.videos.subset)
    if not {TRAIN, TEST} <= subsets <= {TRAIN, TEST, HIDDEN}:
        raise FacnetError(
            f"{annotations}: its subsets are {sorted(subsets)}; ActivityNet has 'training', to"
            " train on, 'validation', to test on, and 'testing'.")
    if not 0 < snippet_seconds < math.inf:
        raise FacnetError(f"snippet_seconds = {snippet_seconds}: must be a positive number.")
    if not features.is_dir():
        raise FacnetError(f"{features}: no such folder.")
    for video in truth.videos.video:
        check_name(video, annotations)

    found = find_features(features, _video_of(truth))
    missed = {"kept": [], "left out": []}
    videos = _with_features(features, found, truth, missed)
    videos, classes = _of_taught_classes(videos, truth, missed)
    for subset, use in ((TRAIN, "train"), (TEST, "test")):
        if not (videos.subset == subset).any():
            raise FacnetError(f"{features}: no features of a {subset} video to {use} on.")

    def write(folder: Path, report: dict[str, list[str]]) -> dict:
        report |= missed
        lengths, widths = _place(found, videos, folder, report)
        return _annotations(truth, videos, classes, lengths, widths, snippet_seconds, report)

    links = {out / "features" / place / f"{video}.npy": file
             for video in videos.video for place, file in found[video].items()}
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
    strangers = sorted(set(found) - set(truth.videos.video))
    places = places_of(folder, found, used.video)
    missing = [set(places) - set(found.get(video, {})) for video in used.video]
    lacking = used[list(map(bool, missing))]
    counts = lacking.subset.value_counts().reindex([TRAIN, TEST], fill_value=0)
    report["left out"] += [
        f"{counts[TRAIN]} training and {counts[TEST]} validation videos without features",
        f"{len(hidden)} testing videos, whose labels are hidden"
        f" ({len(hidden & set(found))} with features)",
        f"{len(strangers)} videos that have features and are not in the annotations",
        *(f"{video}: no {'features' if len(lack) == len(places) else min(lack)}"
          for video, lack in zip(used.video, missing) if lack),
        *(f"{file}: no such video in the annotations"
          for video in strangers for file in found[video].values()),
    ]
    return used[[not lack for lack in missing]]


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


def _place(
    found: dict[str, dict[str, Path]], videos: pd.DataFrame, folder: Path,
    report: dict[str, list[str]],
) -> tuple[dict[str, int], dict[str, int]]:
    """Link to the files; gives the snippets of each video and the columns of each place."""
    lengths, widths, linked = {}, {}, 0
    for video in tqdm(videos.video, desc="linking", unit="video"):
        arrays = {place: read_features(file) for place, file in sorted(found[video].items())}
        of_places = {place: len(array) for place, array in arrays.items()}
        lengths[video] = min(of_places.values())
        if max(of_places.values()) > lengths[video]:
            said = refuse_unlike(video, of_places)
            report["repaired"].append(f"{video}: {said} snippets, cut to {lengths[video]}")
        for place, array in arrays.items():
            widths.setdefault(place, array.shape[1])
            link = folder / place / f"{video}.npy"
            link.parent.mkdir(parents=True, exist_ok=True)
            if len(array) > lengths[video]:
                np.save(link, array[: lengths[video]], allow_pickle=False)
            else:
                link.symlink_to(link_target(found[video][place], link))
                linked += 1
    report["kept"].append(f"{linked} files of features where they are, with a link to each")
    return lengths, widths


def _annotations(
    truth: Annotations, videos: pd.DataFrame, classes: list[str], lengths: dict[str, int],
    widths: dict[str, int], snippet_seconds: float, report: dict[str, list[str]],
) -> dict:
    """The content of annotations.json."""
    streams = columns_of(widths, next(iter(lengths)))
    own = truth.instances[truth.instances.video.isin(videos.video)]
    counted = []
    for subset in (TRAIN, TEST):
        names = videos.video[videos.subset == subset]
        counted.append(
            f"{len(names)} {subset} videos with {own.video.isin(names).sum()} instances and"
            f" {sum(lengths[name] for name in names)} snippets of {snippet_seconds} s")
    counted.append(", ".join(
        f"{stream}: {widths[stream] if stream in widths else widths[BOTH] // 2} features a snippet"
        for stream in streams))
    report["kept"][:0] = counted
    return {
        "name": "ActivityNet-1.3", "classes": classes, "streams": streams,
        "snippet_seconds": snippet_seconds, "train": TRAIN, "test": TEST,
        "protocol": "activitynet",
        "database": {video: truth.facts["database"][video] for video in videos.video},
    }
