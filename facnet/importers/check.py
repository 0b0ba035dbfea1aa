"""Everything that is wrong with a data set's folder, at once; and what it holds, in numbers."""

import os
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm import tqdm

from facnet.data import (
    CUT_SNIPPETS, Dataset, Header, content_faults, on_disk, open_folder, read_features,
    read_header, used_videos)
from facnet.errors import normal, one_line
from facnet.files import Annotations, collect, read_annotations

# Features end up to a stride before their video does, and extractors round frame rates.
SLACK_SECONDS, SLACK_SNIPPETS, SLACK_SHARE = 1.0, 2, 0.05
USUAL_SECONDS = 0.02, 5.0  # between two snippets; other numbers are frames or frame rates


@dataclass
class Report:
    """What `check_folder` found.

    Attributes
    ----------
    errors : list of str
        Training or evaluation would fail or be wrong.
    oddities : list of str
        Worth a look; nothing fails. THUMOS14's annotations have some.
    assumed : list of str
        What no file says and what results rest on.
    portrait : DataFrame or None
        As :func:`portrait` gives it, if there is no error.
    """

    errors: list[str] = field(default_factory=list)
    oddities: list[str] = field(default_factory=list)
    assumed: list[str] = field(default_factory=list)
    portrait: pd.DataFrame | None = None


def check_folder(folder: Path, path: Path | None = None) -> Report:
    """Look at every file of a container and list all faults, each with file, video and value.

    Where the keys beside `database` are faulty, these are listed and the rest is not looked at.

    Parameters
    ----------
    folder : Path
        Laid out as :mod:`facnet.data` says.
    path : Path, optional
        Its annotations, where these are not yet called annotations.json.

    Returns
    -------
    Report

    Raises
    ------
    FacnetError
        If annotations.json cannot be read at all.
    """
    folder, report = Path(folder), Report()
    path = path or folder / "annotations.json"
    annotations = read_annotations(path, report.errors)
    if header := read_header(path, annotations.facts, report.errors):
        _check_content(folder, path, annotations, header, report)
    report.errors = list(map(one_line, dict.fromkeys(report.errors)))
    report.oddities = list(map(one_line, report.oddities))
    if not report.errors:
        report.portrait = portrait(open_folder(folder, path))
    return report


def tell(rows: pd.DataFrame, rules: dict[str, pd.Series]) -> list[str]:
    """A message about each row [where, video, ...] that breaks a rule.

    `rules` has for each message, to be filled in with a row's values, which rows break it. Of a row
    the first is told.
    """
    wrong = pd.concat([rows[broken].assign(message=rule) for rule, broken in rules.items()])
    wrong = wrong[~wrong.index.duplicated()].sort_index()
    return [f"{row['where']}, {row['video']}: {row['message'].format(**row)}"
            for row in wrong.to_dict("records")]


def _check_content(folder: Path, path: Path, annotations: Annotations, header: Header,
                   report: Report) -> None:
    """Look at the features, and at all that annotations with a sound header say."""
    seconds = header.snippet_seconds
    report.assumed.append(f"a feature is of the {seconds:g} s from its snippet's start to the next;"
                          " if its window is longer, detections are half of the rest too early")
    if len(header.streams) > 1 and "rgb" not in map(str.lower, header.streams):
        report.assumed.append(f"streams {', '.join(header.streams)} count the same, as none is"
                              " called rgb, which localization.rgb_weight is for")
    videos = used_videos(annotations, header).assign(where=path)
    own = annotations.instances[annotations.instances.video.isin(videos.video)].assign(where=path)
    report.errors += content_faults(path, videos, own, header)
    report.errors += tell(own, {"{label} [{start}, {end}] starts before 0.": own.start < 0})
    lengths = _check_features(folder / "features", videos, header, report)
    videos["snippets"] = videos.video.map(lengths).astype(float)
    _check_durations(path, videos, seconds, report)
    _check_classes(path, videos, own, header.classes, report)

    unused = annotations.videos[~annotations.videos.video.isin(videos.video)]
    for subset, others in unused.groupby("subset"):
        report.oddities.append(f"{path}: {len(others)} videos of subset {subset!r}, such as"
                               f" {others.video.iloc[0]}, are neither trained nor tested on.")
    if strangers := set(annotations.ignored.video) - set(annotations.videos.video):
        report.oddities.append(f"{path}: ignored intervals of {min(strangers)}, not in it.")
    ends = videos.duration.fillna(videos.snippets * seconds).set_axis(videos.video)
    own["ends"] = own.video.map(ends).astype(float)
    report.oddities += _implausible(path, videos, own, seconds)
    last = own.sort_values("end").drop_duplicates("video", keep="last").index
    report.oddities += tell(own, {"{label} [{start}, {end}] ends after the video's {ends:.1f} s.":
                                      own.index.isin(last) & (own.end > own.ends + seconds),
                                  "{label} at {start} has no length.": own.end == own.start,
                                  "{label} [{start}, {end}] is there twice.": own.duplicated()})


def _implausible(path: Path, videos: pd.DataFrame, own: pd.DataFrame, seconds: float) -> list[str]:
    """Signs of times in other units, and of features that are on no grid of time."""
    signs = {f"a snippet every {seconds:g} s; of 16 frames at 25 fps it is .64 s.":
                 not USUAL_SECONDS[0] <= seconds <= USUAL_SECONDS[1]}
    for subset, some in videos.groupby("subset"):
        shown = own[own.video.isin(some.video)]
        short = (shown.end - shown.start < seconds).mean()
        early = (shown.end <= shown.ends / 10).mean()
        snippets, count = next(iter(some.snippets.value_counts().items()), (0, 0))
        signs |= {f"of the instances to {subset} on {short:.0%} are shorter than a snippet,"
                  f" {early:.0%} in a video's first tenth; are times in seconds?":
                      short > 0.5 or early > 0.95,
                  f"{count} of {len(some)} videos to {subset} on have the same {snippets:.0f}"
                  " snippets; are features rescaled, or turned, [D, T]?":
                      count > max(2, len(some) / 2)}
    return [f"{path}: {sign}" for sign, seen in signs.items() if seen]


def _check_features(features: Path, videos: pd.DataFrame, header: Header, report: Report) -> dict:
    """Look at every row of every file; gives the snippets of each video that could be read."""
    lengths, shortest = {}, {}  # of each video: snippets of its first stream, and what is used
    places = defaultdict(dict)  # a folder of features: the streams that lie in it, their columns
    for stream, columns in header.streams.items():
        places["" if columns else stream][stream] = columns
    for place, streams in places.items():
        where, files = _target(on_disk(features / place)), []
        if not where.is_dir():
            report.errors.append(f"{where}: no such folder, for stream {' and '.join(streams)}.")
            continue
        for video in tqdm(videos.video, desc=f"checking {place or 'features'}", unit="video"):
            with collect(report.errors):
                file = _target(header.file(features, next(iter(streams)), video))
                array = np.array(read_features(file))
                first = lengths.setdefault(video, len(array))
                if abs(len(array) - first) <= CUT_SNIPPETS:  # or else it is an error of its own
                    shortest[video] = min(len(array), shortest.get(video, first))
                files.append((file, video, len(array), array.shape[1], first))
                _check_values(f"{file}, {video}", array, report)
        there = {normal(file.stem) for file in where.glob("*.npy")}
        if strangers := there - set(videos.video):
            report.oddities.append(
                f"{where}: {len(strangers)} files of no video used, such as {min(strangers)}.npy.")
        files = pd.DataFrame(files, columns=["where", "video", "length", "width", "first"])
        files["usual"], files["streams"] = files.width.mode().max(), " and ".join(streams)
        files["needed"] = max(columns[1] if columns else 0 for columns in streams.values())
        other = files.width != files.usual
        if other.mean() >= 0.5 and files.length.nunique() == 1:
            report.errors.append(
                f"{where}: every file has {files.length.max()} rows, and from {files.width.min()}"
                f" to {files.width.max()} columns; a row is a snippet: turn them, array.T.")
            continue
        apart, message = files.length - files["first"], "{length} snippets, but {first} in another"
        report.oddities += tell(files, {f"{message} stream; the longer is cut when it is read.":
                                        apart.abs().between(1, CUT_SNIPPETS)})
        report.errors += tell(files, {
            f"{message} stream.": apart.abs() > CUT_SNIPPETS,
            "{width} columns, but {streams} take {needed}.": files.width < files.needed,
            "{width} features a snippet, but {usual} in most videos.": other})
    return shortest


def _target(file: Path) -> Path:
    """The file, or where it lies if it is a link or in a folder that is one."""
    linked = any(path.is_symlink() for path in (file, *file.parents[:2]))
    return Path(os.path.realpath(file)) if linked else file  # of links that go round in circles too


def _check_values(about: str, array: np.ndarray, report: Report) -> None:
    with np.errstate(over="ignore"):
        bad = ~np.isfinite(array.astype(np.float32, copy=False))  # what training makes of it
    for snippet, column in np.argwhere(bad)[:1]:
        report.errors.append(f"{about}: {bad.sum()} values are NaN or infinite, the first"
                             f" ({array[snippet, column]}) in snippet {snippet}, column {column}.")
    if len(zero := np.flatnonzero((array == 0).all(axis=1))):
        report.oddities.append(f"{about}: {len(zero)} of {len(array)} snippets are all zeros, the"
                               f" first is snippet {zero[0]}.")


def _check_durations(path: Path, videos: pd.DataFrame, seconds: float, report: Report) -> None:
    """Length times stride against duration."""
    known = videos.dropna(subset=["duration", "snippets"])
    known = known.assign(lasts=known.snippets * seconds, seconds=seconds)
    if lacking := len(videos) - len(known):
        report.oddities.append(f"{path}: a duration or features of {lacking} videos are missing.")
    slack = np.maximum(SLACK_SHARE * known.duration, max(SLACK_SECONDS, SLACK_SNIPPETS * seconds))
    odd = (known.lasts - known.duration).abs() > slack
    implied = (known.duration / known.snippets).median()
    if odd.mean() > 0.1:  # not a few odd videos: the grid is wrong
        report.errors.append(
            f"{path}: snippet_seconds is {seconds}, but lengths and durations disagree in"
            f" {odd.sum()} of {len(known)} videos; by the median a snippet lasts {implied:.4g} s.")
        return
    if abs(implied / seconds - 1) > 0.02:
        report.oddities.append(f"{path}: the median video is {implied / seconds - 1:+.1%} longer"
                               " than its snippets; is their frame rate another?")
    report.oddities += tell(known, {"{snippets:.0f} snippets last {lasts:.1f} s at {seconds} s"
                                    " each, but its duration is {duration:.1f} s.": odd})


def _check_classes(path: Path, videos: pd.DataFrame, own: pd.DataFrame, classes: tuple[str, ...],
                   report: Report) -> None:
    """Whether there is something of each class to train and to test on, in labels that agree."""
    training, testing = videos.subset == "train", videos.subset == "test"
    taught = set(videos.labels[training].explode())
    tested = set(own.label[own.video.isin(videos.video[testing])])
    alike = defaultdict(list)
    for label in classes:
        alike["".join(filter(str.isalnum, label.casefold()))].append(repr(label))
        if training.any() and label not in taught:
            report.errors.append(f"{path}: no training video has class {label!r}.")
        if tested and label not in tested:
            report.oddities.append(f"{path}: no test video has an instance of {label!r}.")
    report.oddities += [f"{path}: {', '.join(labels)} are different classes; is one mistyped?"
                        for labels in alike.values() if len(labels) > 1]
    if testing.any() and not tested:
        report.oddities.append(
            f"{path}: no test video has an instance; detections can be made, but not evaluated.")
    shown = own.groupby("video").label.agg(lambda labels: ", ".join(sorted(set(labels))))
    videos = videos.assign(seen=videos.video.map(shown), given=[
        ", ".join(sorted(labels)) or "nothing" for labels in videos.labels])
    report.oddities += tell(videos, {
        "a training video without a label.": training & (videos.given == "nothing"),
        "a test video without an instance.": testing & videos.seen.isna() & bool(tested),
        "labelled {given}, but its instances show {seen}.":
            videos.seen.notna() & (videos.seen != videos.given)})


def portrait(dataset: Dataset) -> pd.DataFrame:
    """What a data set holds, by subset.

    Returns
    -------
    DataFrame [train, test], or [test] alone
        Rows: videos; videos of several classes (by their video-level labels); instances; classes
        (with an instance); hours of video; snippets (of the first stream); foreground share (time
        inside any instance, of all time); median instance, in seconds. NaN where durations or
        training instances are not given.
    """
    columns = {}
    for subset in ("train", "test"):
        videos = dataset.videos[dataset.videos.subset == subset]
        if videos.empty:  # there are none to train on where models are only asked
            continue
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
            "median instance (s)": lengths.median()}
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
    ordered = instances.assign(start=np.minimum(instances.start, ends),
                               end=np.minimum(instances.end, ends)).sort_values(["video", "start"])
    # What an instance adds begins where all earlier ones of its video have ended.
    reached = ordered.groupby("video").end.cummax().groupby(ordered.video).shift(fill_value=0.0)
    return float((ordered.end - np.maximum(ordered.start, reached)).clip(lower=0).sum())
