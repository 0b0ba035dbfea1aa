"""A folder of anyone's features and a CSV of their segments to a container, without a line of code.
"""

import csv
import io
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd

from facnet.data import Header, read_features
from facnet.errors import FacnetError, suggest
from facnet.files import Annotations, collect, read_text
from facnet.importers.check import SLACK_SECONDS, SLACK_SNIPPETS, Report, check_features
from facnet.importers.importing import described, link_target, refuse_existing, write_container

COLUMNS, SUBSET = ["video", "label", "start", "end"], "subset"
SUBSETS = {"train": "training", "test": "test"}  # and how they are called in the report
SEPARATORS = ",;\t"  # the first that is most frequent in the header
AMBIGUOUS = "Ambiguous"  # a label of intervals that no one is scored on, as in THUMOS14
# Where more than a tenth of the segments end later than features may end before their video does,
# times are not seconds or the grid is another.
LATE_SHARE = 0.1


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
    refuse_existing(out / "annotations.json" if in_place else out)
    for value, name, limit in ((snippet_seconds, "snippet seconds", 1e6),
                               (test_share, "test share", 1)):
        if not 0 < value < limit:
            raise FacnetError(f"{name} = {value}: must be above 0 and below {limit:g}.")
    faults: list[str] = []
    places = _places(features)
    rows, unused = _read_rows(annotations, faults)
    videos = _videos(rows)
    lengths, width = _lengths(features, places, videos, annotations, faults)
    if not lengths:
        raise FacnetError(f"{annotations}: not imported.", faults)
    segments = rows[(rows.label != AMBIGUOUS) & rows.end.notna()]
    with collect(faults):
        _check_times(segments, lengths, snippet_seconds, annotations)
    split = _split(videos, annotations, test_share, seed, faults)
    entries = _columns(places, streams, width, features)
    if faults:  # nothing is made of it, but what the arrays hold should not be news the next time
        found, header = Report(), Header("", (), {
            name: tuple(one["columns"]) if one else None for name, one in entries.items()}, 1, {})
        whole = sorted(set(lengths).intersection(*places.values()))
        check_features(features, pd.DataFrame({"video": whole}), header, found)
        raise FacnetError(f"{annotations}: not imported.",
                          list(dict.fromkeys(faults + found.errors)))
    videos["duration"] = videos.index.map(lengths) * snippet_seconds
    truth = Annotations(segments, rows[rows.label == AMBIGUOUS],
                        videos.reset_index()[["video", "subset", "duration", "labels"]], "test")
    target = features.resolve() if in_place else link_target(features, out / "features")

    def write(folder: Path, report: dict[str, list[str]]) -> dict:
        folder.symlink_to(target, target_is_directory=True)
        facts = described(
            out.resolve().name, truth, lengths, entries, snippet_seconds, SUBSETS, report)
        shown = videos.labels.explode().value_counts()[facts["classes"]]
        report["kept"] += [
            f"split {split}", "classes, and the videos that show them: "
            + ", ".join(f"{label} {count}" for label, count in shown.items()),
            f"features where they are, as {', '.join(entries)}: "
            + ("nothing was moved" if in_place else f"{out / 'features'} is a link to {target}")]
        if not videos.timed.all():
            report["kept"].append(f"{(~videos.timed).sum()} videos have labels without times")
        report["left out"] += [f"{annotations}: column {name!r}" for name in unused]
        return facts | {"split": split}

    return write_container(annotations, out, write, {
        out / "annotations.json": annotations, out / "features": features}, in_place)


# ----------------------------------------------------------------------------------- the features


def _places(features: Path) -> dict[str, set[str]]:
    """The videos of each stream that is a folder of its own, rgb first; of "" if there are none."""
    if not features.is_dir():
        raise FacnetError(f"{features}: no such folder.")
    joint = {file.stem for file in features.glob("*.npy")}
    folders = sorted(features.iterdir(), key=lambda folder: (folder.name != "rgb", folder.name))
    streams = {folder.name: {file.stem for file in folder.glob("*.npy")}
               for folder in folders if any(folder.glob("*.npy"))}
    if bool(joint) == bool(streams):
        deeper = min(features.rglob("*.npy"), default="")
        raise FacnetError(
            f"{features}: holds both VIDEO.npy and STREAM/VIDEO.npy; name a folder of one kind."
            if joint else f"{features}: holds neither VIDEO.npy nor STREAM/VIDEO.npy."
            f"{deeper and ' Its arrays lie deeper, such as '}{deeper}")
    if streams and not set.intersection(*streams.values()):
        raise FacnetError(
            f"{features}: its folders {', '.join(streams)} have no video in common, so they are"
            " not its streams. Put the arrays of all videos into one folder, or one a stream.")
    return streams or {"": joint}


def _lengths(
    features: Path, places: dict[str, set[str]], videos: pd.DataFrame, annotations: Path,
    faults: list[str],
) -> tuple[dict[str, int], int]:
    """Snippets of each video that has files, and the usual number of columns."""
    lengths, widths = {}, Counter()
    for name, row in videos.row.items():
        for place, there in places.items():
            file = features / place / f"{name}.npy"
            with collect(faults):
                if name not in there:
                    unused = there - set(videos.index)
                    hint = suggest(name, unused) if unused else ""
                    raise FacnetError(f"{annotations}, row {row}, {name}: no {file}.{hint}")
                array = read_features(file)
                lengths.setdefault(name, len(array))
                widths[array.shape[1]] += 1
    return lengths, max(widths, key=widths.get, default=0)


def _columns(
    places: dict[str, set[str]], streams: tuple[str, ...], width: int, features: Path
) -> dict[str, dict]:
    """The entry "streams" of annotations.json."""
    if "" not in places:
        if streams and set(streams) != set(places):
            raise FacnetError(
                f"streams = {','.join(streams)}: {features} has the folders {', '.join(places)}.")
        return {name: {} for name in streams or places}
    streams = streams or ("features",)
    part, rest = divmod(width, len(streams))
    if len(set(streams)) < len(streams) or rest:
        raise FacnetError(
            f"streams = {','.join(streams)}: {width} columns, those of the files in {features}, are"
            " not so many different streams of one width.")
    return {name: {"columns": [i * part, (i + 1) * part]} for i, name in enumerate(streams)}


# ---------------------------------------------------------------------------------------- the CSV


def _read_rows(path: Path, faults: list[str]) -> tuple[pd.DataFrame, list[str]]:
    """Rows [video, label, start, end, subset], and the columns that mean nothing here.

    The index is a row's number in the file, where the header is row 1. Times are NaN where the file
    has none.
    """
    text = read_text(path)
    separator = max(SEPARATORS, key=text.lstrip().partition("\n")[0].count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    lines = {}
    try:
        for fields in reader:
            if any(map(str.strip, fields)):
                lines[reader.line_num] = [value.strip() for value in fields]
    except csv.Error as error:
        faults.append(f"{path}, row {reader.line_num}: not a CSV ({error}).")
    if len(lines) < 2:
        raise FacnetError(f"{path}: no row below a header {','.join(COLUMNS)}.", faults)
    first = next(iter(lines))
    header = [name.lower() for name in lines.pop(first)]
    # Times may be left out, but not by a slip: then no column is unknown.
    for name in COLUMNS[:2] if set(header) <= {*COLUMNS[:2], SUBSET} else COLUMNS:
        if header.count(name) != 1:
            raise FacnetError(
                f"{path}, row {first}: {','.join(header)[:80]!r} has not one column {name!r}; it"
                f" needs {','.join(COLUMNS)}, and may have {SUBSET}. Where no time is known,"
                " video,label will do.")
    rows = pd.DataFrame([dict(zip(header, values)) for values in lines.values()], lines,
                        [*COLUMNS, SUBSET], object).fillna("")
    times = rows[["start", "end"]].apply(pd.to_numeric, errors="coerce").astype(float)
    times = times.where(np.isfinite(times))
    timed = (rows.start != "") | (rows.end != "") | (rows.label == AMBIGUOUS)
    given = rows.subset.where(rows.subset != "")
    said = rows.assign(
        first=given.groupby(rows.video).transform("first"), begins=times.start, ends=times.end,
        values=list(map(len, lines.values())), columns=len(header))
    rules = {  # of a row the first that is broken
        "{values} values, but {columns} columns": said["values"] != len(header),
        "subset {subset!r:.40} is neither train nor test": ~rows.subset.isin(["", *SUBSETS]),
        "subset {subset}, but {first} in an earlier row": given.notna() & (given != said["first"]),
        "no label": rows.label == "",
        "start is {start!r:.40}, not a number of seconds like 12.4": timed & times.start.isna(),
        "end is {end!r:.40}, not a number of seconds like 12.4": timed & times.end.isna(),
        "{label} [{begins}, {ends}] ends before it starts": times.end < times.start,
        "{label} [{begins}, {ends}] starts before 0": times.start < 0,
    }
    told: dict[int, str] = {}
    for rule, wrong in rules.items():
        for row, one in said[wrong].iterrows():
            told.setdefault(row, f"{path}, row {row}, {one.video}: {rule.format(**one)}.")
    faults += [told[row] for row in sorted(told)]
    return rows.assign(start=times.start, end=times.end), [
        name for name in header if name not in (*COLUMNS, SUBSET, "")]


def _videos(rows: pd.DataFrame) -> pd.DataFrame:
    """By video: its first row, its labels, its subset, and whether all its rows have times."""
    own = rows.assign(row=rows.index, timed=rows.end.notna()).groupby("video", sort=False)
    labels = own.label.agg(lambda given: [one for one in given.unique() if one != AMBIGUOUS])
    return own.agg({"row": "first", "subset": "max", "timed": "all"}).assign(labels=labels)


def _check_times(
    segments: pd.DataFrame, lengths: dict[str, int], seconds: float, path: Path
) -> None:
    """Refuse segments that lie on another grid than the features."""
    last = segments.video.map(lengths) * seconds
    late = segments[segments.end > last + max(SLACK_SECONDS, SLACK_SNIPPETS * seconds)]
    if len(late) > LATE_SHARE * last.count():
        first = late.iloc[0]
        raise FacnetError(
            f"{path}, row {first.name}, {first.video}: ends at {first.end:g} s, but"
            f" {lengths[first.video]} snippets of {seconds:g} s last {last[first.name]:.1f} s; of"
            f" {last.count()} segments {len(late)} end too late. Are times in seconds, and is there"
            " a snippet every so many seconds?")


def _split(
    videos: pd.DataFrame, path: Path, share: float, seed: int, faults: list[str]
) -> str:
    """Fill in the subsets where none are given, if there are no faults; says how."""
    if videos.subset.any():
        faults += [f"{path}, row {row}, {name}: no subset, but other videos have one."
                   for name, row in videos.row[videos.subset == ""].items()]
        return f"as {path.name} gives it"
    if faults:
        return ""
    candidates = sorted(videos.index[videos.timed]) or sorted(videos.index)
    wanted = max(1, round(share * len(videos)))
    left = Counter(videos.labels.explode())
    test = []
    for i in np.random.default_rng(seed).permutation(len(candidates)):
        labels = videos.labels[candidates[i]]
        if len(test) < wanted and all(left[label] > 1 for label in labels):
            test.append(candidates[i])
            left.subtract(labels)
    if not test:
        raise FacnetError(
            f"{path}: cannot be split, as each video is the only one with one of its labels; say"
            f" in a column {SUBSET} what to train and to test on.")
    videos["subset"] = np.where(videos.index.isin(test), "test", "train")
    fewer = "" if len(test) == wanted else f" ({wanted} were wanted)"
    return (f"by video with seed {seed}: {len(test)} of {len(videos)} to test{fewer}, each label"
            " kept in a video to train on")
