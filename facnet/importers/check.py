"""Everything that is wrong with a data set's folder, at once."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm import tqdm

from facnet.data import (
    Header, empty_splits, header_faults, open_folder, read_features, read_header, unknown_labels,
    used_videos,
)
from facnet.errors import one_line
from facnet.files import Annotations, collect, read_annotations
from facnet.importers.portrait import portrait

# Features end up to a stride before their video does, and extractors round frame rates.
SLACK_SECONDS, SLACK_SNIPPETS, SLACK_SHARE = 1.0, 2, 0.05


@dataclass(frozen=True)
class Report:
    """What `check_folder` found.

    Attributes
    ----------
    errors : list of str
        Training or evaluation would fail or be wrong.
    oddities : list of str
        Worth a look; nothing fails. THUMOS14's annotations have some.
    portrait : DataFrame or None
        As :func:`facnet.importers.portrait.portrait` gives it, if there is no error.
    """

    errors: list[str] = field(default_factory=list)
    oddities: list[str] = field(default_factory=list)
    portrait: pd.DataFrame | None = None


def check_folder(folder: Path) -> Report:
    """Look at every file of a container and list all faults, each with file, video and value.

    Parameters
    ----------
    folder : Path
        Laid out as :mod:`facnet.data` says.

    Returns
    -------
    Report

    Raises
    ------
    FacnetError
        If annotations.json cannot be read at all.
    """
    report = find_faults(Path(folder), Path(folder) / "annotations.json")
    if report.errors:
        return report
    return Report([], report.oddities, portrait(open_folder(Path(folder))))


def find_faults(folder: Path, path: Path) -> Report:
    """`check_folder` without the portrait, for annotations at any `path`."""
    found = Report()
    annotations = read_annotations(path, found.errors)
    wrong = header_faults(path, annotations.facts)
    found.errors.extend(wrong.values())
    subsets = {"train", "test"} if wrong.keys() & {"train", "test"} else set()
    guesses = _guesses(folder, annotations)
    header = read_header(
        path, annotations.facts | {key: guesses[key] for key in wrong.keys() | subsets})
    videos = used_videos(annotations, header)
    lengths = check_features(folder / "features", videos, header, found)
    if "snippet_seconds" not in wrong:
        _check_durations(path, videos, lengths, header.snippet_seconds, found)
    if "classes" not in wrong and not subsets:
        _check_videos(path, videos, annotations, header, found)
    _check_instances(path, videos, annotations, lengths, header, found)
    return Report([one_line(line) for line in dict.fromkeys(found.errors)],
                  [one_line(line) for line in found.oddities])


def _guesses(folder: Path, annotations: Annotations) -> dict[str, object]:
    """What the keys of annotations.json may have meant.

    They stand in for those that are wrong, so that all the rest is looked at in the same call.
    """
    features = folder / "features"
    given = [*annotations.videos.labels.explode().dropna(), *annotations.instances.label]
    streams = {file.parent.name for file in features.glob("*/*.npy")}
    subsets = Counter(annotations.videos.subset)
    test = annotations.test or "test"
    del subsets[test]
    return {
        "name": "unnamed",
        "classes": sorted({str(label) for label in given if label}) or ["unnamed"],
        "streams": {name: {} for name in sorted(streams) if "+" not in name}
        or {"features": {"columns": [0, 1]}},
        "snippet_seconds": 1e5,  # so that no time lies past the end
        "train": max(subsets, key=subsets.get, default="") or "train",
        "test": test,
    }


def check_features(
    features: Path, videos: pd.DataFrame, header: Header, report: Report
) -> dict[str, int]:
    """Every row of every file; gives the snippets of each video that could be read.

    Parameters
    ----------
    features : Path
        The folder of VIDEO.npy or STREAM/VIDEO.npy.
    videos : DataFrame [video, ...]
    header : Header
    report : Report
        What is found is added to it.
    """
    lengths: dict[str, int] = {}
    places = {}  # a folder of features, and the streams that lie in it
    for stream, columns in header.streams.items():
        places.setdefault(stream if columns is None else "", []).append(stream)
    widths = {place: [] for place in places}  # of its files: (file, video, width)
    for place, streams in places.items():
        where = features / place
        if not where.is_dir():
            link = f" It links to {features.readlink()}." if features.is_symlink() else ""
            report.errors.append(
                f"{where}: no such folder, for stream {' and '.join(streams)}.{link}")
            continue
        for video in tqdm(videos.video, desc=f"checking {place or 'features'}", unit="video"):
            with collect(report.errors):
                file = header.file(features, streams[0], video)
                array = np.array(read_features(file))
                _check_values(file, video, array, report)
                width = array.shape[1]
                beyond = {stream: columns for stream, columns in header.streams.items()
                          if stream in streams and columns and columns[1] > width}
                for stream, columns in beyond.items():
                    report.errors.append(
                        f"{file}, {video}: {width} columns, but {stream} is in {list(columns)}.")
                if not beyond:
                    widths[place].append((file, video, width))
                if lengths.setdefault(video, len(array)) != len(array):
                    report.errors.append(
                        f"{file}, {video}: {len(array)} snippets, but {lengths[video]} in the"
                        " stream before it.")
        extra = {f.stem for f in where.glob("*.npy")} - set(videos.video)
        if extra:
            report.oddities.append(
                f"{where}: {len(extra)} files belong to no video of train or test, such as"
                f" {min(extra)}.npy.")
    for place, files in widths.items():
        _check_widths(features / place, files, lengths, report)
    return lengths


def _check_widths(
    where: Path, files: list[tuple[Path, str, int]], lengths: dict[str, int], report: Report
) -> None:
    """All files must have as many columns."""
    counts = Counter(width for _, _, width in files).most_common()
    if len(counts) < 2:
        return
    if counts[0][1] <= len(files) / 2 and len({lengths[video] for _, video, _ in files}) == 1:
        report.errors.append(
            f"{where}: every file has {lengths[files[0][1]]} rows, and from"
            f" {min(counts)[0]} to {max(counts)[0]} columns; a row is a snippet: turn them,"
            " array.T.")
        return
    report.errors.extend(
        f"{file}, {video}: {width} features a snippet, but {counts[0][0]} in most videos."
        for file, video, width in files if width != counts[0][0])


def _check_values(file: Path, video: str, array: np.ndarray, report: Report) -> None:
    with np.errstate(over="ignore"):
        bad = ~np.isfinite(array.astype(np.float32, copy=False))  # what training makes of it
    if bad.any():
        snippet, column = np.argwhere(bad)[0]
        report.errors.append(
            f"{file}, {video}: {bad.sum()} values are NaN or infinite, the first"
            f" ({array[snippet, column]}) in snippet {snippet}, column {column}.")
    zero = np.flatnonzero((array == 0).all(axis=1))
    if len(zero):
        report.oddities.append(
            f"{file}, {video}: {len(zero)} of {len(array)} snippets are all zeros, the first is"
            f" snippet {zero[0]}.")


def _check_durations(
    path: Path, videos: pd.DataFrame, lengths: dict[str, int], seconds: float, report: Report
) -> None:
    """Length times stride against duration."""
    known = videos[videos.video.isin(list(lengths))].dropna(subset="duration")
    if len(known) < len(videos):
        report.oddities.append(
            f"{path}: for {len(videos) - len(known)} videos a duration or features are missing;"
            " their lengths were not compared.")
    if known.empty:
        return
    snippets = known.video.map(lengths)
    gap = (snippets * seconds - known.duration).abs()
    slack = np.maximum(SLACK_SECONDS, SLACK_SNIPPETS * seconds)
    odd = gap > np.maximum(slack, SLACK_SHARE * known.duration)
    if odd.mean() > 0.1:  # not a few odd videos: the grid is wrong
        implied = (known.duration / snippets).median()
        report.errors.append(
            f"{path}: snippet_seconds is {seconds}, but lengths and durations disagree in"
            f" {odd.sum()} of {len(known)} videos; by the median video a snippet lasts"
            f" {implied:.4g} s. Another stride or frame rate, or features of other videos?")
        return
    off = float((known.duration / (snippets * seconds)).median()) - 1
    if abs(off) > 0.02:
        report.oddities.append(
            f"{path}: the median video is {off:+.1%} longer than its snippets at {seconds} s; were"
            " they taken at another frame rate?")
    for video, count, duration in zip(known.video[odd], snippets[odd], known.duration[odd]):
        report.oddities.append(
            f"{path}, {video}: {count} snippets last {count * seconds:.1f} s at"
            f" {seconds} s each, but its duration is {duration:.1f} s.")


def _check_videos(
    path: Path, videos: pd.DataFrame, annotations: Annotations, header: Header, report: Report
) -> None:
    """Splits, and the labels to train on."""
    report.errors.extend(empty_splits(path, videos, header))
    unused = annotations.videos[~annotations.videos.video.isin(videos.video)]
    for subset, own in unused.groupby("subset"):
        report.oddities.append(
            f"{path}: {len(own)} videos of subset {subset!r} are used neither to train nor to test,"
            f" such as {own.video.iloc[0]}.")
    training = videos[videos.subset == "train"]
    taught = {label for labels in training.labels for label in labels}
    for label in header.classes:
        if len(training) and label not in taught:
            report.errors.append(f"{path}: no training video has class {label!r}.")
    for video in training.video[training.labels.map(len) == 0]:
        report.oddities.append(f"{path}, {video}: a training video without a label.")
    alike = {}
    for label in header.classes:
        alike.setdefault("".join(filter(str.isalnum, label.casefold())), []).append(label)
    for labels in alike.values():
        if len(labels) > 1:
            report.oddities.append(
                f"{path}: {', '.join(map(repr, labels))} are different classes; is one mistyped?")


def _check_instances(
    path: Path, videos: pd.DataFrame, annotations: Annotations, lengths: dict[str, int],
    header: Header, report: Report,
) -> None:
    """Labels and times of the instances and ignored intervals."""
    own = annotations.instances[annotations.instances.video.isin(videos.video)]
    report.errors.extend(unknown_labels(path, videos, own, header.classes))
    of_features = pd.Series(lengths, dtype=float) * header.snippet_seconds
    ends = videos.set_index("video").duration.fillna(of_features)
    for video, label, start, end in own.itertuples(index=False):
        if start < 0:
            report.errors.append(f"{path}, {video}: {label} [{start}, {end}] starts before 0.")
    late = own[own.end > own.video.map(ends) + header.snippet_seconds]
    for video, rows in late.groupby("video", sort=False):
        report.oddities.append(
            f"{path}, {video}: {len(rows)} of {(own.video == video).sum()} instances end after the"
            f" video's {ends[video]:.1f} s, the last at {rows.end.max()} s.")
    for video, label, start, _ in own[own.end == own.start].itertuples(index=False):
        report.oddities.append(f"{path}, {video}: {label} at {start} has no length.")
    tested = own[own.video.isin(videos.video[videos.subset == "test"])]
    for label in header.classes:
        if len(tested) and label not in set(tested.label):
            report.oddities.append(f"{path}: no test video has an instance of {label!r}.")
    twice = own[own.duplicated(keep="first")]
    for video, label, start, end in twice.itertuples(index=False):
        report.oddities.append(f"{path}, {video}: {label} [{start}, {end}] is there twice.")
    shown = own.groupby("video").label.agg(set)
    if tested.empty and (videos.subset == "test").any():
        report.oddities.append(
            f"{path}: no test video has an instance; detections can be made, but not evaluated.")
    for video, subset, labels in zip(videos.video, videos.subset, videos.labels):
        if video not in shown.index:
            if subset == "test" and len(tested):
                report.oddities.append(f"{path}, {video}: a test video without an instance.")
        elif set(labels) != shown[video]:
            report.oddities.append(
                f"{path}, {video}: labelled {_listed(labels)}, but its instances show"
                f" {_listed(shown[video])}.")
    strangers = set(annotations.ignored.video) - set(annotations.videos.video)
    if strangers:
        report.oddities.append(
            f"{path}: ignored intervals of {len(strangers)} videos that are not in it, such as"
            f" {min(strangers)}.")


def _listed(labels) -> str:
    return ", ".join(sorted(labels)) or "nothing"
