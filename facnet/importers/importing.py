"""What imports share: a container that appears whole or not at all, a report, the search for files.
"""

import math
import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
from tqdm import tqdm

from facnet.data import check_name, open_folder
from facnet.errors import FacnetError
from facnet.files import INSTANCE, INTERVAL, Annotations, write_json
from facnet.importers.check import find_faults, portrait
from facnet.importers.wtalc import read_ground_truth

Arrays = Iterable[tuple[str, dict[str, np.ndarray]]]  # a video's name, its arrays [T, D] by place
STREAMS = ("rgb", "flow")
BOTH = ""  # the place of files that hold both streams
PREFIX = "v_"  # of files' names in most distributions of ActivityNet, not of its annotations
# How much longer one stream of a video may be than the other: optical flow needs a frame more, and
# extractors differ in what they do with the last chunk.
CUT_SNIPPETS = 2


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


def write_container(source: Path, out: Path, write: Callable[[Path, dict[str, list[str]]], dict],
                    in_place: bool = False) -> str:
    """Make the container `out`, whole or not at all.

    Parameters
    ----------
    source : Path
        The annotations, or what holds them: messages name it in place of OUT/annotations.json.
    out : Path
        It must not exist yet, unless `in_place`.
    write : callable
        `write(folder, report)` puts features below `folder`, which it makes, adds to the lists
        "kept", "repaired" and "left out" of `report`, and gives the content of annotations.json.
    in_place : bool
        `out` is there and holds its features already: what `write` makes of them only serves to
        check them.

    Returns
    -------
    str
        What was kept, repaired and left out, and the oddities; also in OUT/import_report.txt.

    Raises
    ------
    FacnetError
        If `write` raises one, if the container would have errors by
        :func:`facnet.importers.check.check_folder`, or if the disk is full. Nothing is left then.
    """
    made = out / "annotations.json" if in_place else out
    if made.exists() or made.is_symlink():
        raise FacnetError(f"{made}: exists already; remove it, or name another folder.")
    report = {"kept": [], "repaired": [], "left out": []}
    prefix = f".{out.name}.importing-"
    try:
        root = out if in_place else out.parent
        root.mkdir(parents=True, exist_ok=True)
        for left in root.glob(f"{prefix}*"):  # by an import that was killed
            shutil.rmtree(left)
        with TemporaryDirectory("", prefix, root, ignore_cleanup_errors=True) as place:
            folder, unchecked = Path(place), Path(place, "annotations.unchecked")
            folder.chmod(0o755)
            write_json(unchecked, write(folder / "features", report))
            found = find_faults(folder, unchecked)
            errors, oddities = (
                [line.replace(str(unchecked), str(source)).replace(str(folder), str(out))
                 for line in lines] for lines in (found.errors, found.oddities))
            if errors:
                raise FacnetError(f"{source}: not imported.", errors)
            os.replace(unchecked, folder / "annotations.json")
            report["kept"][:0] = counted(folder)
            report["oddities, kept as they are"] = oddities
            text = "\n".join("\n  ".join([f"{title}:", *(lines or ["nothing"])])
                             for title, lines in report.items())
            (folder / "import_report.txt").write_text(text + "\n", encoding="utf-8")
            if in_place:
                for name in ("import_report.txt", "annotations.json"):
                    os.replace(folder / name, out / name)
            else:
                os.replace(folder, out)
    except OSError as error:
        raise FacnetError(f"{error.filename or out}: {error.strerror}; not imported.") from error
    return text


def counted(folder: Path) -> list[str]:
    """What a container has to train and to test on, and how many features of each stream."""
    dataset = open_folder(folder)
    sizes = [f"to {subset} on: {own.videos:.0f} videos with {own.instances:.0f} instances and"
             f" {own.snippets:.0f} snippets of {dataset.snippet_seconds} s"
             for subset, own in portrait(dataset).fillna(0).items()]
    widths = {stream: dataset.features(stream, dataset.videos.video[0]).shape[1]
              for stream in dataset.streams}
    return [*sizes, *(f"{stream}: {width} features a snippet" for stream, width in widths.items())]


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
    if not folder.is_dir():
        raise FacnetError(f"{folder}: no such folder.")
    known, found = set(known), {}
    for file in sorted(Path(place, name) for place, _, names in os.walk(folder, followlinks=True)
                       for name in names if name.endswith(".npy")):
        parts = (folder.resolve().name, *file.relative_to(folder).parts[:-1])
        place = next((p.lower() for p in parts if p.lower() in STREAMS), BOTH)
        short = file.stem.removeprefix(PREFIX)
        video = short if short in known else file.stem  # some videos' own names begin with v_ too
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


def write_features(videos: Arrays, count: int, folder: Path, report: dict) -> dict[str, dict]:
    """Write plain arrays below `folder`, or links to files that can stay as they are.

    Parameters
    ----------
    videos : Arrays
        Where one stream is a snippet or two longer than the other, it is cut. An array that is
        mapped from a file becomes a link to it, unless it is cut.
    count : int
        How many videos that are.
    folder : Path
    report : dict of str to list of str
        What was done is added to it.

    Returns
    -------
    dict of str to dict
        The entry "streams" of annotations.json.
    """
    for video, arrays in tqdm(videos, total=count, desc="importing", unit="video"):
        lengths = {place: len(array) for place, array in sorted(arrays.items())}
        length = min(lengths.values())
        if length < max(lengths.values()):
            said = " and ".join(f"{own} {place}" for place, own in lengths.items())
            if max(lengths.values()) > length + CUT_SNIPPETS:
                raise FacnetError(f"{video}: {said} snippets; the streams do not belong together.")
            report["repaired"].append(f"{video}: {said} snippets, cut to {length}")
        for place, array in arrays.items():
            file = folder / place / f"{video}.npy"
            file.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(array, np.memmap) and len(array) == length:
                file.symlink_to(link_target(Path(array.filename), file))
            else:
                kind = np.float32 if array.itemsize > 4 else array.dtype  # half of float64 will do
                np.save(file, np.ascontiguousarray(array[:length], kind), allow_pickle=False)
    if BOTH not in arrays:
        return {stream: {} for stream in STREAMS if stream in arrays}
    half, rest = divmod(arrays[BOTH].shape[1], 2)
    if rest or half == 512:
        raise FacnetError(f"{video}: {2 * half + rest} columns are not two streams of I3D; put"
                          " files of one in a folder called rgb or flow.")
    return {"rgb": {"columns": [0, half]}, "flow": {"columns": [half, 2 * half]}}


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
