"""A folder of anyone's features and a CSV of their segments to a container, without a line of code.
"""

import csv
import io
import math
import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from facnet.datasets.check import find_faults
from facnet.datasets.container import check_name, read_features
from facnet.datasets.files import read_text, write_json
from facnet.datasets.importing import (
    as_text, link_target, refuse_existing, refuse_faults, write_container,
)
from facnet.errors import FacnetError, suggest

__all__ = ["init_folder"]

COLUMNS, SUBSET = ("video", "label", "start", "end"), "subset"
SUBSETS = ("train", "test")
AMBIGUOUS = "Ambiguous"  # a label of intervals that no one is scored on, as in THUMOS14
# Features end up to two snippets before their video does. Where more than a tenth of the segments
# end later than that, their times are not seconds or the grid is another.
SLACK_SECONDS, SLACK_SNIPPETS, LATE_SHARE = 1.0, 2, 0.1


@dataclass
class Video:
    """What the rows of one video say."""

    row: int  #: its first; the header is row 1
    labels: list[str] = field(default_factory=list)
    segments: list[tuple[int, str, float, float]] = field(default_factory=list)  #: row, label, ...
    ambiguous: list[list[float]] = field(default_factory=list)
    subset: str = ""
    timed: bool = True  #: whether all its rows have a start and an end


def init_folder(
    features: str | Path, annotations: str | Path, out: str | Path, snippet_seconds: float,
    streams: tuple[str, ...] = (), test_share: float = 0.3, seed: int = 0,
) -> str:
    """Make a container of a folder of features and a CSV of segments.

    Parameters
    ----------
    features : str or Path
        A folder of plain arrays [T, D], STREAM/VIDEO.npy or VIDEO.npy. They are not copied: unless
        the folder is OUT/features itself, OUT/features becomes a link to it.
    annotations : str or Path
        A CSV with the columns video, label, start and end (in seconds) and, if the split is given,
        subset (train or test). A row is an instance. Without start and end it says that the video
        shows the label somewhere, which is enough to train on. "Ambiguous" is no label: such
        intervals are those that evaluation may ignore.
    out : str or Path
        The folder to make. It must not exist yet, unless it holds the features.
    snippet_seconds : float
        Seconds from the start of one snippet to that of the next.
    streams : tuple of str
        What the columns of VIDEO.npy hold side by side, in equal parts, such as ("rgb", "flow");
        by default one stream, "features".
    test_share, seed
        Of the split where the CSV gives none: videos are drawn to test on, up to this share, such
        that each label keeps a video to train on. Videos whose segments are not all known are
        trained on, unless that is so of every video.

    Returns
    -------
    str
        What was made of it, and the oddities; also in OUT/import_report.txt.

    Raises
    ------
    FacnetError
        If a row, a file or an option cannot be used, or if the container would have errors by
        :func:`facnet.datasets.check.check_folder`. Nothing is left then.
    """
    features, annotations, out = Path(features), Path(annotations), Path(out)
    in_place = out.exists() and features.resolve() == (out / "features").resolve()
    if not in_place:
        refuse_existing(out)
    elif (out / "annotations.json").exists():
        raise FacnetError(f"{out / 'annotations.json'}: exists already; remove it first.")
    for value, name, limit in ((snippet_seconds, "snippet seconds", 1e6),
                               (test_share, "test share", 1)):
        if not 0 < value < limit:
            raise FacnetError(f"{name} = {value}: must be above 0 and below {limit:g}.")
    places = _places(features)
    videos, unused = _read_rows(annotations)
    lengths, width = _lengths(features, places, videos, annotations)
    _check_times(videos, lengths, snippet_seconds, annotations)
    split = _split(videos, annotations, test_share, seed)
    facts = {
        "name": out.resolve().name,
        "classes": sorted({label for video in videos.values() for label in video.labels}),
        "streams": _columns(places, streams, width, features),
        "snippet_seconds": snippet_seconds, "train": "train", "test": "test", "split": split,
        "ignored": {name: v.ambiguous for name, v in videos.items() if v.ambiguous},
        "database": {name: {
            "subset": video.subset, "duration": lengths[name] * snippet_seconds,
            "labels": video.labels,
            "annotations": [{"label": label, "segment": [start, end]}
                            for _, label, start, end in video.segments],
        } for name, video in videos.items()},
    }
    target = link_target(features, out / "features")
    where = "nothing was moved" if in_place else f"{out / 'features'} is a link to {target}"
    report = {
        "kept": [*_counts(videos), f"split {split}",
                 f"features of {', '.join(facts['streams'])} where they are: {where}"],
        "left out": [f"{annotations}: column {name!r}" for name in unused]}
    if in_place:
        return _write_beside(out, facts, report, annotations)

    def write(folder: Path, lines: dict[str, list[str]]) -> dict:
        folder.symlink_to(target, target_is_directory=True)
        lines |= report
        return facts

    return write_container(annotations, out, write, {
        out / "annotations.json": annotations, out / "features": features})


def _write_beside(out: Path, facts: dict, report: dict[str, list[str]], source: Path) -> str:
    """Write annotations.json and the report into a folder that has its features already."""
    unchecked = out / ".annotations.unchecked"
    try:
        write_json(unchecked, facts)
        oddities = refuse_faults(source, find_faults(out, unchecked), {unchecked: source})
        text = as_text(report | {"oddities, kept as they are": oddities})
        (out / "import_report.txt").write_text(text + "\n", encoding="utf-8")
        os.replace(unchecked, out / "annotations.json")
    except OSError as error:
        raise FacnetError(f"{error.filename or out}: {error.strerror}; not imported.") from error
    finally:
        unchecked.unlink(missing_ok=True)
    return text


# ----------------------------------------------------------------------------------- the features


def _places(features: Path) -> tuple[str, ...]:
    """The streams that are folders of their own, rgb first; ("",) where a video is one file."""
    if not features.is_dir():
        raise FacnetError(f"{features}: no such folder.")
    joint = any(features.glob("*.npy"))
    streams = sorted((folder.name for folder in features.iterdir() if any(folder.glob("*.npy"))),
                     key=lambda name: (name != "rgb", name))
    if joint and streams:
        raise FacnetError(
            f"{features}: holds VIDEO.npy and {streams[0]}/VIDEO.npy; name a folder of one kind.")
    if not joint and not streams:
        raise FacnetError(f"{features}: holds neither VIDEO.npy nor STREAM/VIDEO.npy.")
    for name in streams:
        if "+" in name:
            raise FacnetError(f"{features / name}: a stream's name cannot hold '+'.")
    return ("",) if joint else tuple(streams)


def _lengths(
    features: Path, places: tuple[str, ...], videos: dict[str, Video], annotations: Path
) -> tuple[dict[str, int], int]:
    """Snippets of each video, and columns of the first file; every video must have its files."""
    lengths, width = {}, 0
    for name, video in videos.items():
        for place in places:
            file = features / place / f"{name}.npy"
            if not file.is_file():
                there = sorted(other.stem for other in file.parent.glob("*.npy"))
                close = name.removesuffix(".npy")
                hint = suggest(close, there) if close in there else f" It has {there[0]}.npy."
                raise FacnetError(
                    f"{annotations}, row {video.row}, {name}: no {file}.{hint}")
            array = read_features(file)
            lengths.setdefault(name, len(array))
            width = width or array.shape[1]
    return lengths, width


def _columns(
    places: tuple[str, ...], streams: tuple[str, ...], width: int, features: Path
) -> dict[str, dict]:
    """The entry "streams" of annotations.json."""
    if places != ("",):
        if streams and set(streams) != set(places):
            raise FacnetError(
                f"streams = {','.join(streams)}: {features} has the folders {', '.join(places)}.")
        return {name: {} for name in streams or places}
    streams = streams or ("features",)
    if len(set(streams)) < len(streams) or width % len(streams):
        raise FacnetError(
            f"streams = {','.join(streams)}: {width} columns, those of the files in {features}, are"
            " not so many different streams of one width.")
    part = width // len(streams)
    return {name: {"columns": [i * part, (i + 1) * part]} for i, name in enumerate(streams)}


# ---------------------------------------------------------------------------------------- the CSV


def _read_rows(path: Path) -> tuple[dict[str, Video], list[str]]:
    """The videos of the CSV in its order, and the columns that mean nothing here."""
    reader = csv.reader(io.StringIO(read_text(path), newline=""), strict=True)
    videos: dict[str, Video] = {}
    try:
        header = [name.strip().lower() for name in next(reader, [])]
        for name in COLUMNS:
            if header.count(name) != 1:
                raise FacnetError(
                    f"{path}, row 1: {','.join(header)[:80]!r} has not one column {name!r}; it"
                    f" needs {','.join(COLUMNS)}, and may have {SUBSET}.")
        for fields in reader:
            if any(value.strip() for value in fields):
                _read_row(path, reader.line_num, header, fields, videos)
    except csv.Error as error:
        raise FacnetError(f"{path}, row {reader.line_num}: not a CSV ({error}).") from error
    if not videos:
        raise FacnetError(f"{path}: no row below the header.")
    return videos, [name for name in header if name not in (*COLUMNS, SUBSET)]


def _read_row(
    path: Path, number: int, header: list[str], fields: list[str], videos: dict[str, Video]
) -> None:
    """Add what a row says to its video."""
    where = f"{path}, row {number}"
    if len(fields) != len(header):
        raise FacnetError(f"{where}: {len(fields)} values, but {len(header)} columns.")
    row = {name: value.strip() for name, value in zip(header, fields)}
    name, label = row["video"], row["label"]
    check_name(name, where)
    where = f"{where}, {name}"
    video = videos.setdefault(name, Video(number))
    if not label:
        raise FacnetError(f"{where}: no label.")
    if label != AMBIGUOUS and label not in video.labels:
        video.labels.append(label)

    given = row.get(SUBSET, "")
    if given not in ("", *SUBSETS):
        raise FacnetError(f"{where}: subset {given[:40]!r} is neither train nor test.")
    if given and video.subset not in ("", given):
        raise FacnetError(f"{where}: subset {given}, but {video.subset} in an earlier row.")
    video.subset = given or video.subset

    if not row["start"] and not row["end"] and label != AMBIGUOUS:
        video.timed = False
        return
    start, end = (_seconds(row[key], key, where) for key in ("start", "end"))
    if not 0 <= start <= end:
        fault = "ends before it starts" if end < start else "starts before 0"
        raise FacnetError(f"{where}: {label} [{start}, {end}] {fault}.")
    if label == AMBIGUOUS:
        video.ambiguous.append([start, end])
    else:
        video.segments.append((number, label, start, end))


def _seconds(text: str, name: str, where: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise FacnetError(f"{where}: {name} is {text[:40]!r}, not a number of seconds.")
    return value


def _check_times(
    videos: dict[str, Video], lengths: dict[str, int], seconds: float, path: Path
) -> None:
    """Refuse segments that lie on another grid than the features."""
    count, late = 0, []
    for name, video in videos.items():
        reach = lengths[name] * seconds + max(SLACK_SECONDS, SLACK_SNIPPETS * seconds)
        count += len(video.segments)
        late += [(row, name, end) for row, _, _, end in video.segments if end > reach]
    if len(late) > LATE_SHARE * count:
        row, name, end = late[0]
        raise FacnetError(
            f"{path}, row {row}, {name}: ends at {end:g} s, but {lengths[name]} snippets of"
            f" {seconds:g} s last {lengths[name] * seconds:.1f} s; of {count} segments {len(late)}"
            " end too late. Are times in seconds, and is there a snippet every so many seconds?")


# -------------------------------------------------------------------------------------- the split


def _split(videos: dict[str, Video], path: Path, share: float, seed: int) -> str:
    """Fill in the subsets where none are given; says how."""
    if any(video.subset for video in videos.values()):
        for name, video in videos.items():
            if not video.subset:
                raise FacnetError(
                    f"{path}, row {video.row}, {name}: no subset, but other videos have one.")
        return f"as {path.name} gives it"
    candidates = sorted(name for name, video in videos.items() if video.timed) or sorted(videos)
    wanted = max(1, round(share * len(videos)))
    left = Counter(label for video in videos.values() for label in video.labels)
    test = []
    for i in np.random.default_rng(seed).permutation(len(candidates)):
        labels = videos[candidates[i]].labels
        if len(test) < wanted and all(left[label] > 1 for label in labels):
            test.append(candidates[i])
            left.subtract(labels)
    if not test:
        raise FacnetError(
            f"{path}: cannot be split, as each video is the only one with one of its labels; say"
            f" in a column {SUBSET} what to train and to test on.")
    for name, video in videos.items():
        video.subset = "test" if name in test else "train"
    fewer = "" if len(test) == wanted else f" ({wanted} were wanted)"
    return (f"by video with seed {seed}: {len(test)} of {len(videos)} to test{fewer}, each label"
            " kept in a video to train on")


def _counts(videos: dict[str, Video]) -> list[str]:
    lines = []
    for subset, use in zip(SUBSETS, ("training", "test")):
        own = [video for video in videos.values() if video.subset == subset]
        untimed = sum(not video.timed for video in own)
        lines.append(
            f"{len(own)} {use} videos with {sum(len(video.segments) for video in own)} segments"
            + (f"; {untimed} of them have labels without times" if untimed else ""))
    return lines
