"""What imports share: a container that appears whole or not at all, a report, the search for files.
"""

import math
import os
import shutil
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm import tqdm

from facnet.data import Dataset, check_name, open_folder
from facnet.errors import FacnetError, normal
from facnet.files import INSTANCE, INTERVAL, Annotations, is_over, write_json, write_text
from facnet.importers.check import check_folder
from facnet.importers.wtalc import read_ground_truth

Arrays = Iterable[tuple[str, dict[str, np.ndarray]]]  # a video's name, its arrays [T, D] by place
STREAMS = ("rgb", "flow")
ONE = ("features",)  # what a stream is called of which nothing is known
BOTH = ""  # the place of files that hold all streams
I3D = 2048  # columns of files that hold both streams of I3D features
PREFIX = "v_"  # of files' names in most distributions of ActivityNet, not of its annotations


def read_truth(annotations: Path, snippet_seconds: float, train: str, test: str,
               hidden: str = "") -> Annotations:
    """The annotations, before features are read, if these arguments can be used.

    `train` and `test` are the subsets, in lower case; there may be one more, `hidden`.
    """
    truth = read_ground_truth(annotations)
    if not 0 < snippet_seconds < math.inf:
        raise FacnetError(f"snippet_seconds = {snippet_seconds}: must be a positive number.")
    for video in truth.videos.video:
        check_name(video, annotations)
    truth.videos["subset"] = truth.videos.subset.str.lower()
    given = set(truth.videos.subset)
    if given - {hidden} != {train, test}:
        raise FacnetError(f"{annotations}: subsets are {sorted(given)}, not {train} and {test}.")
    return truth


def write_container(
        source: Path, out: Path, write: Callable[[Path, dict[str, list[str]]], dict]) -> str:
    """Make the container `out`, whole or not at all.

    Parameters
    ----------
    source : Path
        The annotations, or what holds them: messages name it in place of OUT/annotations.json.
    out : Path
        It must not exist yet.
    write : callable
        `write(folder, report)` puts features below `folder`, which it makes, adds to the lists
        "kept", "assumed", "repaired" and "left out" of `report`, and gives the content of
        annotations.json.

    Returns
    -------
    str
        What was kept, assumed, repaired and left out, and the oddities; also in
        OUT/import_report.txt.

    Raises
    ------
    FacnetError
        If `write` raises one, if the container would have errors by
        :func:`facnet.importers.check.check_folder`, or if the disk is full. Nothing is left then.
    """
    if out.exists() or out.is_symlink():
        raise FacnetError(f"{out}: exists already; remove it, or name another folder.")
    report = {"kept": [], "assumed": [], "repaired": [], "left out": []}
    prefix = f".{out.name}.importing-"
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        for left in out.parent.glob(f"{prefix}*"):
            if is_over(left.name.removeprefix(prefix)):  # an import that was killed has left it
                shutil.rmtree(left)
        folder = out.parent / f"{prefix}{os.getpid()}"
        unchecked = folder / "annotations.unchecked"
        with ExitStack() as at_the_end:
            folder.mkdir()  # not by tempfile, whose folders are for their owner alone
            at_the_end.callback(shutil.rmtree, folder, ignore_errors=True)
            write_json(unchecked, write(folder / "features", report))
            found = check_folder(folder, unchecked)
            errors, oddities = (
                [line.replace(str(unchecked), str(source)).replace(str(folder), str(out))
                 for line in lines] for lines in (found.errors, found.oddities))
            if errors:
                raise FacnetError(f"{source}: not imported.", errors)
            os.replace(unchecked, folder / "annotations.json")
            report["kept"][:0] = _counted(open_folder(folder), found.portrait)
            report["assumed"] += found.assumed
            report["oddities, kept as they are"] = oddities
            text = "\n".join("\n  ".join([f"{title}:", *(lines or ["nothing"])])
                             for title, lines in report.items())
            write_text(folder / "import_report.txt", text + "\n")
            os.replace(folder, out)
    except OSError as error:
        raise FacnetError(f"{error.filename or out}: {error.strerror}; not imported.") from error
    return text


def _counted(dataset: Dataset, portrait: pd.DataFrame) -> list[str]:
    """What a container has to train and to test on, and how many features of each stream."""
    sizes = [f"to {subset} on: {own.videos:.0f} videos with {own.instances:.0f} instances and"
             f" {own.snippets:.0f} snippets of {dataset.snippet_seconds} s"
             for subset, own in portrait.fillna(0).items()]
    first = dataset.videos.video[0]
    return sizes + [f"{stream}: {dataset.features(stream, first).shape[1]} features a snippet"
                    for stream in dataset.streams]


def find_features(folder: Path, wanted: Iterable[str], known: Iterable[str],
                  left_out: list[str]) -> pd.DataFrame:
    """The files VIDEO.npy or v_VIDEO.npy below a folder, to any depth.

    A file's place is the stream whose folder it lies below, "rgb" or "flow", or else `BOTH`.

    Parameters
    ----------
    folder : Path
    wanted, known : iterable of str
        The videos that should all have files in the same places, and all in the annotations.
    left_out : list of str
        Gets a line for each of `wanted` that lacks a file and for each file of no known video.

    Returns
    -------
    DataFrame
        The file of each video, a row, in each place, a column, if the video is wanted and has all.
    """
    known, found = set(known), {}
    for file in sorted(Path(place, name) for place, _, names in os.walk(folder, followlinks=True)
                       for name in names if name.endswith(".npy")):
        parts = (folder.resolve().name, *file.relative_to(folder).parts[:-1])
        place = next((p for p in map(str.lower, map(str.strip, parts)) if p in STREAMS), BOTH)
        stem = normal(file.stem)
        short = stem.removeprefix(PREFIX)
        video = short if short in known else stem  # some videos' own names begin with v_ too
        if other := found.setdefault(place, {}).get(video):
            raise FacnetError(f"{file}, {video}: {other} is the same video and stream.")
        found[place][video] = file
    files = pd.DataFrame(found)
    here = files.reindex(list(wanted)).dropna(axis=1, how="all")
    if here.empty:
        raise FacnetError(f"{folder}: no VIDEO.npy that is annotated, such as {here.index[0]}.npy.")
    if BOTH in here and len(here.columns) > 1:
        raise FacnetError(f"{folder}: some VIDEO.npy lie below rgb or flow and some do not.")
    lacking = here.isna()
    left_out += [f"{video}: no {'features' if row.all() else row.idxmax()}"
                 for video, row in lacking[lacking.any(axis=1)].iterrows()]
    left_out += [f"{file}: no such video in the annotations"
                 for file in files[~files.index.isin(known)].stack().dropna()]
    return here.dropna()


def write_features(videos: Arrays, count: int, folder: Path, given: Sequence[str],
                   report: dict[str, list[str]]) -> dict[str, dict]:
    """Write plain arrays below `folder`, or links to files that can stay where they are.

    Parameters
    ----------
    videos : Arrays
        An array that is mapped from a file becomes a link to it.
    count : int
        How many videos that are.
    folder : Path
    given, report
        As in `entries`, which says what the result is.
    """
    for video, arrays in tqdm(videos, total=count, desc="importing", unit="video"):
        for place, array in arrays.items():
            file = folder / place / f"{video}.npy"
            file.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(array, np.memmap):
                file.symlink_to(link_target(Path(array.filename), file))
            else:
                kind = np.float32 if array.itemsize > 4 else array.dtype  # half of float64 will do
                np.save(file, np.ascontiguousarray(array, kind), allow_pickle=False)
    places = [place for place in (BOTH, *STREAMS) if place in arrays]
    width = arrays[places[0]].shape[1]
    return entries(places, given, width, STREAMS if width == I3D else ONE, report)


def entries(places: Sequence[str], given: Sequence[str], width: int, usual: Sequence[str],
            report: dict[str, list[str]]) -> dict[str, dict]:
    """The entry "streams" of annotations.json.

    Parameters
    ----------
    places : sequence of str
        A folder for each stream, or `BOTH`.
    given : sequence of str
        Names that were asked for: of the folders, or of equal parts of the columns.
    width : int
        How many columns there are.
    usual : sequence of str
        What columns are taken for, and `report` says so, if no names are given.

    Raises
    ------
    FacnetError
        If names are not different, not those of the folders, or columns cannot be parted evenly.
    """
    joint = BOTH in places
    names = [name.strip() for name in given or (usual if joint else places)]
    part, rest = divmod(width, len(names))
    different = {name.lower() for name in names} - {""}
    if len(different) < len(names) or (rest if joint else set(names) != set(places)):
        has = f"{width} columns" if joint else f"the folders {', '.join(places)}"
        raise FacnetError(
            f"streams = {','.join(names)}: {has} are not so many different streams of one width.")
    if joint and not given:
        report["assumed"].append(f"{width} columns hold {' and '.join(names)}, in equal parts;"
                                 " --streams A,B says what else they hold")
    return {name: {"columns": [i * part, (i + 1) * part]} if joint else {}
            for i, name in enumerate(names)}


def entry(subset: str, labels: Iterable[str], segments: Iterable[tuple], duration: float) -> dict:
    """A video in the database of annotations.json.

    `segments` are of label, start and end; `duration` may be NaN, unknown.
    """
    known = {} if math.isnan(duration) else {"duration": duration}
    return {"subset": subset, **known, "labels": list(labels), "annotations": [
        {"label": label, "segment": [start, end]} for label, start, end in segments]}


def described(name: str, truth: Annotations, kept: Iterable[str], streams: dict[str, dict],
              snippet_seconds: float, train: str, test: str) -> dict:
    """The content of annotations.json, of the annotations' videos those that are kept."""
    videos, instances, ignored = (
        frame[frame.video.isin(kept)] for frame in (truth.videos, truth.instances, truth.ignored))
    segments, ignored = (
        {video: rows.iloc[:, 1:].values.tolist() for video, rows in frame.groupby("video")}
        for frame in (instances[[*INSTANCE]], ignored[[*INTERVAL]]))
    return {"name": name, "classes": sorted({*videos.labels.explode().dropna(), *instances.label}),
            "streams": streams, "snippet_seconds": snippet_seconds, "train": train, "test": test,
            "ignored": ignored,
            "database": {video: entry(subset, labels, segments.get(video, ()), duration)
                         for video, subset, duration, labels in videos.itertuples(index=False)}}


def link_target(source: Path, link: Path) -> str:
    """What a link to `source` holds.

    Relative where both lie below the current folder, so that this may be moved or copied whole;
    absolute elsewhere.
    """
    here, source, place = Path.cwd().resolve(), source.resolve(), link.parent.resolve()
    if source.is_relative_to(here) and place.is_relative_to(here):
        return os.path.relpath(source, place)
    return str(source)
