"""A folder of anyone's features and a CSV of their segments to a container, without a line of code.
"""

import csv
import io
import os
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd

from facnet.data import on_disk, read_features
from facnet.errors import FacnetError, normal, suggest
from facnet.files import (
    AMBIGUOUS, INSTANCE, TEST_SUBSETS, VIDEO, Annotations, collect, is_ambiguous, read_text)
from facnet.importers.check import SLACK_SECONDS, SLACK_SNIPPETS, tell
from facnet.importers.importing import ONE, described, entries, link_target, write_container

SUBSET, SUBSETS = "subset", ("train", "test")
# What a subset of this name is for, as long as no other one is for the same.
USES = dict.fromkeys(("train", "training"), "train") | dict.fromkeys(TEST_SUBSETS, "test")
SEPARATORS = ",;\t"  # the first that is most frequent in the header
# Where more than a tenth of the segments end later than features may end before their video does,
# times are not seconds or the grid is another.
LATE_SHARE = 0.1


def init_folder(features: str | Path, annotations: str | Path, out: str | Path,
                snippet_seconds: float, streams: tuple[str, ...] = (), test_share: float = 0.3,
                seed: int = 0) -> str:
    """Make a container of a folder of features and a CSV of segments.

    Parameters
    ----------
    features : str or Path
        A folder of plain arrays [T, D], STREAM/VIDEO.npy or VIDEO.npy. They are not copied:
        OUT/features becomes a link to it.
    annotations : str or Path
        A CSV (its separator a comma, a semicolon or a tab) with the columns video, label, start and
        end (in seconds) and, if the split is given, subset: train or training, and one of test,
        testing, val, valid and validation. A row is an instance.
        Without start and end it says that the video shows the label somewhere, which is enough to
        train on; a file of such rows needs no columns for them. "Ambiguous" is no label: such
        intervals are those that evaluation may ignore.
    out : str or Path
        The folder to make. It must not exist yet.
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
        If an option, the rows (all faults are listed) or the files that they name cannot be used;
        or if the container would have errors by :func:`facnet.importers.check.check_folder`, which
        are listed. Nothing is left then.
    """
    features, annotations, out = Path(features), Path(annotations), Path(out)
    for value, name, limit in ((snippet_seconds, "snippet seconds", 1e6),
                               (test_share, "test share", 1)):
        if not 0 < value < limit:
            raise FacnetError(f"{name} = {value}: must be above 0 and below {limit:g}.")
    places = _places(features)
    rows, unused = _read_rows(annotations)
    lengths, widths, unreadable = {}, Counter(), []
    for place, there in places.items():
        for video in sorted(there.intersection(rows.video)):
            with collect(unreadable):
                array = read_features(on_disk(features / place / f"{video}.npy"))
                lengths[video] = min(len(array), lengths.get(video, len(array)))
                widths[array.shape[1]] += 1
    rows["lasts"] = rows.video.map(lengths).astype(float) * snippet_seconds
    if faults := _faults(rows, features, places, snippet_seconds) + unreadable:
        raise FacnetError(f"{annotations}: not imported.", faults)
    called = _called(rows, annotations)
    ambiguous = rows.label == AMBIGUOUS
    rows = rows.assign(timed=rows.end.notna(), labels=rows.label.mask(ambiguous))
    videos = rows.groupby("video", sort=False).agg(
        {"subset": "max", "timed": "all", "labels": lambda own: [*own.dropna().unique()]})
    videos["duration"] = videos.index.map(lengths) * snippet_seconds
    split = called or _split(videos, annotations, test_share, seed)
    truth = Annotations(rows[~ambiguous & rows.timed], rows[ambiguous],
                        videos.reset_index()[[*VIDEO]], "test")
    target = link_target(features, out / "features")

    def write(folder: Path, report: dict[str, list[str]]) -> dict:
        folder.symlink_to(target, target_is_directory=True)
        shown = videos.labels.explode().value_counts().sort_index().astype(str)
        report["kept"] += [
            f"split {split}", "videos of the classes: " + ", ".join(shown.index + " " + shown),
            f"{out / 'features'} is a link to {target}",
            f"{(~videos.timed).sum()} videos have labels without times",
            f"{ambiguous.sum()} rows labelled {AMBIGUOUS}: intervals that evaluation may ignore"]
        report["left out"] += [f"{annotations}: column {name!r}" for name in unused]
        columns = entries([*places], streams, widths.most_common(1)[0][0], ONE, report)
        facts = described(
            out.resolve().name, truth, videos.index, columns, snippet_seconds, *SUBSETS)
        return facts | {"split": split}

    return write_container(annotations, out, write)


def _places(features: Path) -> dict[str, set[str]]:
    """The videos of each stream that is a folder of its own, rgb first; of "" if there are none."""
    if not features.is_dir():
        raise FacnetError(f"{features}: no such folder.")
    names = sorted(os.listdir(features), key=lambda name: (name.lower() != "rgb", name))
    found = {place: {normal(file.stem) for file in (features / place).glob("*.npy")}
             for place in ("", *names)}
    places = {place: videos for place, videos in found.items() if videos}
    if not places:
        raise FacnetError(f"{features}: holds neither VIDEO.npy nor STREAM/VIDEO.npy.")
    if ("" in places and len(places) > 1) or not set.intersection(*places.values()):
        raise FacnetError(
            f"{features}: VIDEO.npy lie in {', '.join(place or 'itself' for place in places)}, no"
            " streams of the same videos; put all into one folder, or into one a stream.")
    return places


def _read_rows(path: Path) -> tuple[pd.DataFrame, list[str]]:
    """The rows of the CSV, and the columns that mean nothing here.

    Beside its own columns a row has `where`, to begin a message with; `values` and `columns`, how
    many it has and how many belong; and `given`, its start and end as text. `start` and `end` are
    NaN where they are no numbers.
    """
    text = read_text(path)
    separator = max(SEPARATORS, key=text.lstrip().partition("\n")[0].count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        lines = {reader.line_num: [value.strip() for value in fields]
                 for fields in reader if any(map(str.strip, fields))}
    except csv.Error as error:
        raise FacnetError(f"{path}, row {reader.line_num}: not a CSV ({error}).") from error
    if len(lines) < 2:
        raise FacnetError(f"{path}: no row below a header {','.join(INSTANCE)}.")
    first = min(lines)
    header = [name.lower() for name in lines.pop(first)]
    # Times may be left out, but not by a slip: then no column is unknown.
    for name in INSTANCE[:2] if set(header) <= {*INSTANCE[:2], SUBSET} else INSTANCE:
        if header.count(name) != 1:
            raise FacnetError(
                f"{path}, row {first}: {','.join(header)[:80]!r} has not one column {name!r}; it"
                f" needs {','.join(INSTANCE)}, or video,label alone, and may have {SUBSET}.")
    rows = pd.DataFrame([dict(zip(header, values)) for values in lines.values()],
                        columns=[*INSTANCE, SUBSET], dtype=object).fillna("")
    rows["subset"] = rows.subset.str.lower()
    rows.loc[rows.label.map(is_ambiguous), "label"] = AMBIGUOUS
    times = rows[["start", "end"]].apply(pd.to_numeric, errors="coerce").astype(float)
    rows = rows.assign(
        where=[f"{path}, row {number}" for number in lines], columns=len(header),
        values=list(map(len, lines.values())), given=rows.start.str.cat(rows.end, " to "),
        **times.where(np.isfinite(times)))
    return rows, [name for name in header if name not in (*INSTANCE, SUBSET, "")]


def _faults(rows: pd.DataFrame, features: Path, places: dict, seconds: float) -> list[str]:
    """What is wrong with the rows, the first fault of each."""
    absent = {}
    for place, there in places.items():
        unused = there.difference(rows.video)
        for video in set(rows.video) - there:
            hint = suggest(video, unused) if unused else ""
            absent[video] = f"{features / place / f'{video}.npy'}.{hint}"
    known = rows.subset.where(rows.subset != "")
    rows = rows.assign(before=known.groupby(rows.video).transform("first"),
                       absent=rows.video.map(absent))
    late = rows.end > rows.lasts + max(SLACK_SECONDS, SLACK_SNIPPETS * seconds)
    first = ~rows.duplicated("video")
    timed = (rows.given != " to ") | (rows.label == AMBIGUOUS)
    return tell(rows, {
        "{values} values, but {columns} columns.": rows["values"] != rows["columns"],
        "no {absent}": rows.absent.notna() & first,
        f"subset {{subset!r:.40}} is none of {', '.join(USES)}.": ~rows.subset.isin(["", *USES]),
        "subset {subset}, but {before} in an earlier row.": known.notna() & (known != rows.before),
        "no subset, but other videos have one.": rows.before.isna() & known.any() & first,
        "no label.": rows.label == "",
        "start and end are {given!r:.60}, not two numbers of seconds like 12.4 to 15.":
            timed & rows[["start", "end"]].isna().any(axis=1),
        "{label} [{start}, {end}] ends before it starts, or starts before 0.":
            (rows.end < rows.start) | (rows.start < 0),
        "ends at {end:g} s, but the features after {lasts:g} s. Are times in seconds, and is there"
        f" a snippet every {seconds:g} s? {late.sum()} of {rows.end.count()} end too late.":
            late & (late.cumsum() == 1) & (late.sum() > LATE_SHARE * rows.end.count())})


def _called(rows: pd.DataFrame, path: Path) -> str:
    """Call the subsets, if any are given, train and test; say how they were called."""
    names = sorted(set(rows.subset) - {""})
    if len(names) > len({USES[name] for name in names}):
        raise FacnetError(f"{path}: which of the subsets {', '.join(names)} are to train and to"
                          " test on? Call these train and test, and leave out the others.")
    rows["subset"] = rows.subset.replace(USES)
    given = " and ".join(f"{name!r} to {USES[name]} on" for name in names)
    return given and f"as {path.name} gives it, {given}"


def _split(videos: pd.DataFrame, path: Path, share: float, seed: int) -> str:
    """Draw the videos to test on, fill the subsets in and say how."""
    candidates = sorted(videos.index[videos.timed]) or sorted(videos.index)
    wanted = max(1, round(share * len(videos)))
    left, test = Counter(videos.labels.explode()), []
    for i in np.random.default_rng(seed).permutation(len(candidates)):
        labels = videos.labels[candidates[i]]
        if len(test) < wanted and all(left[label] > 1 for label in labels):
            test.append(candidates[i])
            left.subtract(labels)
    if not test:
        raise FacnetError(f"{path}: cannot be split, as each video is the only one with one of its"
                          f" labels; say in a column {SUBSET} what to train and to test on.")
    videos["subset"] = np.where(videos.index.isin(test), "test", "train")
    fewer = "" if len(test) == wanted else f" ({wanted} were wanted)"
    return (f"by video with seed {seed}: {len(test)} of {len(videos)} to test{fewer}, each label"
            " kept in a video to train on")
