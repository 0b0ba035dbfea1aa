"""A folder of anyone's features and a CSV of their segments to a container, without a line of code.
"""

import csv
import io
import math
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from facnet.data import check_name, read_features, read_header
from facnet.errors import FacnetError, suggest
from facnet.files import collect, read_text
from facnet.importers.check import SLACK_SECONDS, SLACK_SNIPPETS, Report, check_features
from facnet.importers.importing import entry, link_target, refuse_existing, write_container

COLUMNS, SUBSET = ("video", "label", "start", "end"), "subset"
SUBSETS = ("train", "test")
SEPARATORS = ",;\t"  # the first that is most frequent in the header
AMBIGUOUS = "Ambiguous"  # a label of intervals that no one is scored on, as in THUMOS14
# Where more than a tenth of the segments end later than features may end before their video does,
# times are not seconds or the grid is another.
LATE_SHARE = 0.1


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
        A CSV (its separator a comma, a semicolon or a tab) with the columns video, label, start and
        end (in seconds) and, if the split is given, subset (train or test). A row is an instance.
        Without start and end it says that the video shows the label somewhere, which is enough to
        train on; a file of such rows needs no columns for them. "Ambiguous" is no label: such
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
        If rows, files or an option cannot be used, or if the container would have errors by
        :func:`facnet.importers.check.check_folder`. It lists them all, and nothing is left.
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
    faults: list[str] = []
    videos, unused = _read_rows(annotations, faults)
    lengths, width = _lengths(features, places, videos, annotations, faults)
    if not lengths:
        raise FacnetError(f"{annotations}: not imported.", faults)
    with collect(faults):
        _check_times(videos, lengths, snippet_seconds, annotations)
    split = _split(videos, annotations, test_share, seed, faults)
    facts = {
        "name": out.resolve().name,
        "classes": sorted({label for video in videos.values() for label in video.labels}),
        "streams": _columns(places, streams, width, features),
        "snippet_seconds": snippet_seconds, "train": "train", "test": "test", "split": split,
    }
    if faults:  # nothing is made of it, but what the arrays hold should not be news the next time
        found, header = Report(), read_header(annotations, facts | {"classes": ["any"]})
        check_features(features, pd.DataFrame({"video": list(lengths)}), header, found)
        raise FacnetError(f"{annotations}: not imported.",
                          list(dict.fromkeys(faults + found.errors)))
    facts |= {
        "ignored": {name: v.ambiguous for name, v in videos.items() if v.ambiguous},
        "database": {name: entry(
            video.subset, video.labels, [segment for _, *segment in video.segments],
            lengths[name] * snippet_seconds) for name, video in videos.items()},
    }
    target = link_target(features, out / "features")
    where = "nothing was moved" if in_place else f"{out / 'features'} is a link to {target}"
    report = {
        "kept": [*_counts(videos), f"split {split}",
                 f"classes, and the videos that show them: {_shown(videos, facts['classes'])}",
                 f"features where they are, as {', '.join(facts['streams'])}: {where}"],
        "left out": [f"{annotations}: column {name!r}" for name in unused]}

    def write(folder: Path, lines: dict[str, list[str]]) -> dict:
        folder.symlink_to(features.resolve() if in_place else target, target_is_directory=True)
        lines |= report
        return facts

    return write_container(annotations, out, write, {
        out / "annotations.json": annotations, out / "features": features}, in_place)


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
        deeper = min(features.rglob("*.npy"), default=None)
        deeper = f" Its arrays lie deeper, such as {deeper}." if deeper else ""
        raise FacnetError(f"{features}: holds neither VIDEO.npy nor STREAM/VIDEO.npy.{deeper}")
    for name in streams:
        if "+" in name:
            raise FacnetError(f"{features / name}: a stream's name cannot hold '+'.")
    if len(streams) > 1 and not set.intersection(*(_stems(features / name) for name in streams)):
        raise FacnetError(
            f"{features}: its folders {', '.join(streams)} have no video in common, so they are"
            " not its streams. Put the arrays of all videos into one folder, or one a stream.")
    return ("",) if joint else tuple(streams)


def _stems(folder: Path) -> set[str]:
    return {file.stem for file in folder.glob("*.npy")}


def _lengths(
    features: Path, places: tuple[str, ...], videos: dict[str, Video], annotations: Path,
    faults: list[str],
) -> tuple[dict[str, int], int]:
    """Snippets of each video that has all its files, and the usual number of columns."""
    lengths, widths = {}, Counter()
    there = {place: _stems(features / place) for place in places}
    for name, video in videos.items():
        missing = [place for place in places if name not in there[place]]
        for place in missing:
            unused = there[place] - set(videos)
            hint = suggest(name, unused) if unused else ""
            file = features / place / f"{name}.npy"
            faults.append(f"{annotations}, row {video.row}, {name}: no {file}.{hint}")
        for place in places if not missing else ():
            with collect(faults):
                array = read_features(features / place / f"{name}.npy")
                lengths.setdefault(name, len(array))
                widths[array.shape[1]] += 1
    return lengths, max(widths, key=widths.get, default=0)


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


def _read_rows(path: Path, faults: list[str]) -> tuple[dict[str, Video], list[str]]:
    """The videos of the CSV in its order, and the columns that mean nothing here."""
    text = read_text(path)
    first = text.lstrip().partition("\n")[0]
    separator = max(SEPARATORS, key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    videos: dict[str, Video] = {}
    header: list[str] = []
    try:
        for fields in reader:
            if not any(value.strip() for value in fields):
                continue
            if header:
                with collect(faults):
                    _read_row(path, reader.line_num, header, fields, videos)
            else:
                header = [name.strip().lower() for name in fields]
                _check_columns(path, reader.line_num, header)
    except csv.Error as error:
        faults.append(f"{path}, row {reader.line_num}: not a CSV ({error}).")
    if not header:
        raise FacnetError(f"{path}: empty; it needs {','.join(COLUMNS)}.")
    if not videos:
        raise FacnetError(f"{path}: no row below the header that can be used.", faults)
    return videos, [name for name in header if name not in (*COLUMNS, SUBSET, "")]


def _check_columns(path: Path, number: int, header: list[str]) -> None:
    """Times may be left out, but not by a slip: then no column is unknown."""
    needed = COLUMNS
    if set(header) <= {"video", "label", SUBSET}:
        needed = ("video", "label")
    for name in needed:
        if header.count(name) != 1:
            raise FacnetError(
                f"{path}, row {number}: {','.join(header)[:80]!r} has not one column {name!r}; it"
                f" needs {','.join(COLUMNS)}, and may have {SUBSET}. Where no time is known,"
                " video,label will do.")


def _read_row(
    path: Path, number: int, header: list[str], fields: list[str], videos: dict[str, Video]
) -> None:
    """Add what a row says to its video."""
    where = f"{path}, row {number}"
    if len(fields) != len(header):
        raise FacnetError(f"{where}: {len(fields)} values, but {len(header)} columns.")
    row = {"start": "", "end": ""} | {k: value.strip() for k, value in zip(header, fields)}
    name, label = row["video"], row["label"]
    check_name(name, where)
    where = f"{where}, {name}"
    video = videos.setdefault(name, Video(number))
    given = row.get(SUBSET, "")
    if given not in ("", *SUBSETS):
        raise FacnetError(f"{where}: subset {given[:40]!r} is neither train nor test.")
    if given and video.subset not in ("", given):
        raise FacnetError(f"{where}: subset {given}, but {video.subset} in an earlier row.")
    video.subset = given or video.subset

    if not label:
        raise FacnetError(f"{where}: no label.")
    if label != AMBIGUOUS and label not in video.labels:
        video.labels.append(label)
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
        raise FacnetError(f"{where}: {name} is {text[:40]!r}, not a number of seconds like 12.4.")
    return value


def _check_times(
    videos: dict[str, Video], lengths: dict[str, int], seconds: float, path: Path
) -> None:
    """Refuse segments that lie on another grid than the features."""
    count, late = 0, []
    for name in lengths:
        video = videos[name]
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


def _split(
    videos: dict[str, Video], path: Path, share: float, seed: int, faults: list[str]
) -> str:
    """Fill in the subsets where none are given, if there are no faults; says how."""
    if any(video.subset for video in videos.values()):
        faults += [f"{path}, row {video.row}, {name}: no subset, but other videos have one."
                   for name, video in videos.items() if not video.subset]
        return f"as {path.name} gives it"
    if faults:
        return ""
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


def _shown(videos: dict[str, Video], classes: list[str]) -> str:
    counts = Counter(label for video in videos.values() for label in video.labels)
    return ", ".join(f"{label} {counts[label]}" for label in classes)


def _counts(videos: dict[str, Video]) -> list[str]:
    lines = []
    for subset, use in zip(SUBSETS, ("training", "test")):
        own = [video for video in videos.values() if video.subset == subset]
        untimed = sum(not video.timed for video in own)
        lines.append(
            f"{len(own)} {use} videos with {sum(len(video.segments) for video in own)} segments"
            + (f"; {untimed} of them have labels without times" if untimed else ""))
    return lines
