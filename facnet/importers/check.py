"""Everything that is wrong with a data set's folder, at once; and what it holds, in numbers."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm import tqdm

from facnet.data import (
    Dataset, Header, empty_splits, header_faults, open_folder, read_features, read_header,
    unknown_labels, used_videos)
from facnet.errors import one_line
from facnet.files import Annotations, collect, read_annotations

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
        As :func:`portrait` gives it, if there is no error.
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
    folder = Path(folder)
    report = find_faults(folder, folder / "annotations.json")
    return report if report.errors else replace(report, portrait=portrait(open_folder(folder)))


def find_faults(folder: Path, path: Path) -> Report:
    """`check_folder` without the portrait, for annotations at any `path`."""
    found = Report()
    annotations = read_annotations(path, found.errors)
    wrong = header_faults(path, annotations.facts)
    found.errors.extend(wrong.values())
    unclear = {"train", "test"} if wrong.keys() & {"train", "test"} else set()
    guesses = _guesses(folder / "features", annotations)
    header = read_header(
        path, annotations.facts | {key: guesses[key] for key in wrong.keys() | unclear})
    videos = used_videos(annotations, header)
    own = annotations.instances[annotations.instances.video.isin(videos.video)]
    lengths = check_features(folder / "features", videos, header, found)
    if "snippet_seconds" not in wrong:
        _check_durations(path, videos, lengths, header.snippet_seconds, found)
    if "classes" not in wrong and not unclear:
        training = videos[videos.subset == "train"]
        taught = set(training.labels.explode())
        found.errors.extend(empty_splits(path, videos, header))
        found.errors.extend(f"{path}: no training video has class {label!r}." for label in
                            header.classes if len(training) and label not in taught)
        found.oddities.extend(f"{path}{said}" for said in _odd_videos(videos, annotations, header))
    found.errors.extend(unknown_labels(path, videos, own, header.classes))
    found.errors.extend(f"{path}, {i.video}: {i.label} [{i.start}, {i.end}] starts before 0."
                        for i in own[own.start < 0].itertuples())
    of_features = pd.Series(lengths, dtype=float) * header.snippet_seconds
    ends = videos.set_index("video").duration.fillna(of_features)
    found.oddities.extend(
        f"{path}{said}" for said in _odd_instances(videos, own, ends, annotations, header))
    return Report(list(map(one_line, dict.fromkeys(found.errors))),
                  list(map(one_line, found.oddities)))


def _guesses(features: Path, annotations: Annotations) -> dict[str, object]:
    """What the keys of annotations.json may have meant.

    They stand in for those that are wrong, so that all the rest is looked at in the same call.
    """
    labels = {*annotations.videos.labels.explode().dropna(), *annotations.instances.label} - {""}
    streams = {file.parent.name for file in features.glob("*/*.npy")}
    test = annotations.test or "test"
    others = annotations.videos.subset[~annotations.videos.subset.isin(["", test])]
    return {
        "name": "unnamed", "classes": sorted(labels) or ["unnamed"],
        "streams": {name: {} for name in sorted(streams) if "+" not in name}
        or {"features": {"columns": [0, 1]}},
        "snippet_seconds": 1e5,  # so that no time lies past the end
        "train": next(iter(others.mode()), "train"), "test": test,
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
    places = defaultdict(dict)  # a folder of features: the streams that lie in it, their columns
    for stream, columns in header.streams.items():
        places["" if columns else stream][stream] = columns
    for place, streams in places.items():
        where, widths = features / place, {}
        if not where.is_dir():
            link = f" It links to {features.readlink()}." if features.is_symlink() else ""
            report.errors.append(
                f"{where}: no such folder, for stream {' and '.join(streams)}.{link}")
            continue
        for video in tqdm(videos.video, desc=f"checking {place or 'features'}", unit="video"):
            with collect(report.errors):
                file = header.file(features, next(iter(streams)), video)
                array, about = np.array(read_features(file)), f"{file}, {video}"
                widths[about] = array.shape[1]
                _check_values(about, array, report)
                for stream, columns in streams.items():
                    if columns and columns[1] > array.shape[1]:
                        widths.pop(about, None)
                        report.errors.append(
                            f"{about}: {array.shape[1]} columns, but {stream} is in"
                            f" {list(columns)}.")
                if lengths.setdefault(video, len(array)) != len(array):
                    report.errors.append(
                        f"{about}: {len(array)} snippets, but {lengths[video]} in the stream before"
                        " it.")
        if extra := {file.stem for file in where.glob("*.npy")} - set(videos.video):
            report.oddities.append(
                f"{where}: {len(extra)} files belong to no video of train or test, such as"
                f" {min(extra)}.npy.")
        counts = Counter(widths.values()).most_common()
        if len(counts) > 1 and counts[0][1] <= len(widths) / 2 and len(set(lengths.values())) == 1:
            report.errors.append(
                f"{where}: every file has {lengths[video]} rows, and from {min(counts)[0]} to"
                f" {max(counts)[0]} columns; a row is a snippet: turn them, array.T.")
        else:
            report.errors.extend(
                f"{about}: {width} features a snippet, but {counts[0][0]} in most videos."
                for about, width in widths.items() if width != counts[0][0])
    return lengths


def _check_values(about: str, array: np.ndarray, report: Report) -> None:
    with np.errstate(over="ignore"):
        bad = ~np.isfinite(array.astype(np.float32, copy=False))  # what training makes of it
    if bad.any():
        snippet, column = np.argwhere(bad)[0]
        report.errors.append(
            f"{about}: {bad.sum()} values are NaN or infinite, the first"
            f" ({array[snippet, column]}) in snippet {snippet}, column {column}.")
    zero = np.flatnonzero((array == 0).all(axis=1))
    if len(zero):
        report.oddities.append(f"{about}: {len(zero)} of {len(array)} snippets are all zeros, the"
                               f" first is snippet {zero[0]}.")


def _check_durations(
    path: Path, videos: pd.DataFrame, lengths: dict[str, int], seconds: float, report: Report
) -> None:
    """Length times stride against duration."""
    known = videos.assign(snippets=videos.video.map(lengths)).dropna(
        subset=["duration", "snippets"])
    if len(known) < len(videos):
        report.oddities.append(
            f"{path}: for {len(videos) - len(known)} videos a duration or features are missing;"
            " their lengths were not compared.")
    if known.empty:
        return
    gap = (known.snippets * seconds - known.duration).abs()
    slack = max(SLACK_SECONDS, SLACK_SNIPPETS * seconds)
    odd = known[gap > np.maximum(slack, SLACK_SHARE * known.duration)]
    implied = (known.duration / known.snippets).median()
    if len(odd) > 0.1 * len(known):  # not a few odd videos: the grid is wrong
        report.errors.append(
            f"{path}: snippet_seconds is {seconds}, but lengths and durations disagree in"
            f" {len(odd)} of {len(known)} videos; by the median video a snippet lasts"
            f" {implied:.4g} s. Another stride or frame rate, or features of other videos?")
        return
    off = implied / seconds - 1
    if abs(off) > 0.02:
        report.oddities.append(
            f"{path}: the median video is {off:+.1%} longer than its snippets at {seconds} s; were"
            " they taken at another frame rate?")
    report.oddities.extend(
        f"{path}, {one.video}: {one.snippets:.0f} snippets last {one.snippets * seconds:.1f} s at"
        f" {seconds} s each, but its duration is {one.duration:.1f} s."
        for one in odd.itertuples())


def _odd_videos(
    videos: pd.DataFrame, annotations: Annotations, header: Header
) -> Iterator[str]:
    """What is odd about splits and the labels to train on."""
    unused = annotations.videos[~annotations.videos.video.isin(videos.video)]
    for subset, own in unused.groupby("subset"):
        yield (f": {len(own)} videos of subset {subset!r} are used neither to train nor to test,"
               f" such as {own.video.iloc[0]}.")
    training = videos[videos.subset == "train"]
    for video in training.video[training.labels.map(len) == 0]:
        yield f", {video}: a training video without a label."
    alike = defaultdict(list)
    for label in header.classes:
        alike["".join(filter(str.isalnum, label.casefold()))].append(repr(label))
    for labels in alike.values():
        if len(labels) > 1:
            yield f": {', '.join(labels)} are different classes; is one mistyped?"


def _odd_instances(
    videos: pd.DataFrame, own: pd.DataFrame, ends: pd.Series, annotations: Annotations,
    header: Header,
) -> Iterator[str]:
    """What is odd about instances and ignored intervals; `ends` are those of the videos."""
    late = own[own.end > own.video.map(ends) + header.snippet_seconds]
    for video, rows in late.groupby("video", sort=False):
        yield (f", {video}: {len(rows)} of {(own.video == video).sum()} instances end after the"
               f" video's {ends[video]:.1f} s, the last at {rows.end.max()} s.")
    for one in own[own.end == own.start].itertuples():
        yield f", {one.video}: {one.label} at {one.start} has no length."
    for one in own[own.duplicated()].itertuples():
        yield f", {one.video}: {one.label} [{one.start}, {one.end}] is there twice."
    testing = videos.video[videos.subset == "test"]
    tested = set(own.label[own.video.isin(testing)])
    for label in header.classes:
        if tested and label not in tested:
            yield f": no test video has an instance of {label!r}."
    if len(testing) and not tested:
        yield ": no test video has an instance; detections can be made, but not evaluated."
    shown = own.groupby("video").label.agg(set)
    for one in videos.itertuples():
        if one.video not in shown:
            if one.subset == "test" and tested:
                yield f", {one.video}: a test video without an instance."
        elif set(one.labels) != shown[one.video]:
            given, seen = (", ".join(sorted(labels)) for labels in (one.labels, shown[one.video]))
            yield f", {one.video}: labelled {given or 'nothing'}, but its instances show {seen}."
    strangers = set(annotations.ignored.video) - set(annotations.videos.video)
    if strangers:
        yield (f": ignored intervals of {len(strangers)} videos that are not in it, such as"
               f" {min(strangers)}.")


def portrait(dataset: Dataset) -> pd.DataFrame:
    """What a data set holds, by subset.

    Returns
    -------
    DataFrame [train, test]
        Rows: videos; videos of several classes (by their video-level labels); instances; classes
        (with an instance); hours of video; snippets (of the first stream); foreground share (time
        inside any instance, of all time); median instance, in seconds. NaN where durations or
        training instances are not given.
    """
    columns = {}
    for subset in ("train", "test"):
        videos = dataset.videos[dataset.videos.subset == subset]
        instances = dataset.instances_of(subset)
        lengths = instances.end - instances.start
        seconds = videos.duration.sum(skipna=False)
        columns[subset] = {
            "videos": len(videos),
            "videos of several classes": int((videos.labels.map(len) > 1).sum()),
            "instances": len(instances) or np.nan,
            "classes": instances.label.nunique() or np.nan,
            "hours": seconds / 3600,
            "snippets": sum(len(dataset.features(dataset.streams[0], v)) for v in videos.video),
            "foreground share": foreground_seconds(videos, instances) / seconds,
            "median instance (s)": lengths.median(),
        }
    return pd.DataFrame(columns)


def foreground_seconds(videos: pd.DataFrame, instances: pd.DataFrame) -> float:
    """Seconds inside any instance, overlaps counted once and nothing past a video's end.

    Parameters
    ----------
    videos : DataFrame [video, duration]
    instances : DataFrame [video, start, end]
    """
    if instances.empty:
        return np.nan
    ends = instances.video.map(videos.set_index("video").duration)
    ordered = pd.DataFrame({
        "video": instances.video, "start": np.minimum(instances.start, ends),
        "end": np.minimum(instances.end, ends),
    }).sort_values(["video", "start"])
    # What an instance adds begins where all earlier ones of its video have ended.
    reached = ordered.groupby("video").end.cummax().groupby(ordered.video).shift(fill_value=0.0)
    return float((ordered.end - np.maximum(ordered.start, reached)).clip(lower=0).sum())
