"""What imports share: a container that appears whole or not at all, a report, the search for files.
"""

import math
import os
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterable
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from tqdm import tqdm

from facnet.data import check_name
from facnet.errors import FacnetError
from facnet.files import Annotations, write_json
from facnet.importers.check import find_faults
from facnet.importers.wtalc import read_ground_truth

STREAMS = ("rgb", "flow")
BOTH = ""  # the place of files that hold both streams
PREFIX = "v_"  # of files' names in most distributions of ActivityNet, not of its annotations
# How much longer one stream of a video may be than the other: optical flow needs a frame more, and
# extractors differ in what they do with the last chunk.
CUT_SNIPPETS = 2


def refuse_existing(out: Path) -> None:
    """An import never touches a folder that is there."""
    if out.exists() or out.is_symlink():
        raise FacnetError(f"{out}: exists already; remove it, or name another folder.")


def read_truth(
    annotations: Path, out: Path, snippet_seconds: float, name: str, subsets: Iterable[str],
    hidden: str = "",
) -> Annotations:
    """The annotations, before features are read, if these arguments can be used.

    `subsets` are the two of the data set called `name`, to train and to test on, in lower case;
    there may be one more, `hidden`.
    """
    refuse_existing(out)
    truth = read_ground_truth(annotations)
    if not 0 < snippet_seconds < math.inf:
        raise FacnetError(f"snippet_seconds = {snippet_seconds}: must be a positive number.")
    for video in truth.videos.video:
        check_name(video, annotations)
    truth.videos["subset"] = truth.videos.subset.str.lower()
    given, (train, test) = set(truth.videos.subset), subsets
    if given - {hidden} != {train, test}:
        raise FacnetError(
            f"{annotations}: its subsets are {sorted(given)}; {name} has {train!r}, to train on,"
            f" and {test!r}, to test on.")
    return truth


def write_container(
    source: Path, out: Path, write: Callable[[Path, dict[str, list[str]]], dict],
    names: dict[Path, Path] = {}, in_place: bool = False,
) -> str:
    """Make the container `out`, whole or not at all.

    Parameters
    ----------
    source : Path
        Named in messages.
    out : Path
        It must not exist yet, unless `in_place`.
    write : callable
        `write(folder, report)` puts features below `folder`, which it makes, adds to the lists
        "kept", "repaired" and "left out" of `report`, and gives the content of annotations.json.
    names : dict of Path to Path
        Messages name the value where they would name a file of the container, the key; `write` may
        still add to them.
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
    if not in_place:
        refuse_existing(out)
    report = {"kept": [], "repaired": [], "left out": []}
    prefix = f".{out.name}.importing-"
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        for left in out.parent.glob(f"{prefix}*"):  # by an import that was killed
            shutil.rmtree(left)
        with TemporaryDirectory("", prefix, out.parent, ignore_cleanup_errors=True) as place:
            folder, unchecked = Path(place), Path(place, "annotations.unchecked")
            folder.chmod(0o755)
            write_json(unchecked, write(folder / "features", report))
            found = find_faults(folder, unchecked)
            names = {unchecked: out / "annotations.json", folder: out, **names}
            if found.errors:
                raise FacnetError(f"{source}: not imported.", _renamed(found.errors, names))
            report["oddities, kept as they are"] = _renamed(found.oddities, names)
            text = "\n".join(
                line for title, lines in report.items()
                for line in (f"{title}:", *(f"  {item}" for item in lines or ["nothing"])))
            (folder / "import_report.txt").write_text(text + "\n", encoding="utf-8")
            os.replace(unchecked, folder / "annotations.json")
            if in_place:
                for name in ("import_report.txt", "annotations.json"):
                    os.replace(folder / name, out / name)
            else:
                os.replace(folder, out)
    except OSError as error:
        raise FacnetError(f"{error.filename or out}: {error.strerror}; not imported.") from error
    return text


def _renamed(lines: list[str], names: dict[Path, Path]) -> list[str]:
    """Messages with paths by other names, which are applied in order."""
    for before, after in names.items():
        lines = [line.replace(str(before), str(after)) for line in lines]
    return lines


def shortened(text: str, most: int = 12) -> str:
    r"""A report for the screen: of each title the first lines, and how many more there are.

    >>> print(shortened("\n".join(["left out:", *(f"  video {i}" for i in range(1000))]), most=2))
    left out:
      video 0
      video 1
      and 998 more
    """
    lines = []
    for is_item, own in groupby(text.splitlines(), lambda line: line.startswith(" ")):
        own = list(own)
        if is_item and len(own) > most:
            own = [*own[:most], f"  and {len(own) - most} more"]
        lines += own
    return "\n".join(lines)


def find_features(
    folder: Path, wanted: Iterable[str], known: Iterable[str], left_out: list[str]
) -> tuple[dict[str, dict[str, Path]], set[str]]:
    """The files VIDEO.npy or v_VIDEO.npy below a folder, to any depth, by video and place.

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
    found : dict of str to dict of str to Path
    lacking : set of str
        Which of `wanted` lack a file.
    """
    if not folder.is_dir():
        raise FacnetError(f"{folder}: no such folder.")
    wanted, known, found = list(wanted), set(known), defaultdict(dict)
    for file in sorted(Path(place, name) for place, _, names in os.walk(folder, followlinks=True)
                       for name in names if name.endswith(".npy")):
        parts = (folder.resolve().name, *file.relative_to(folder).parts[:-1])
        place = next((p.lower() for p in parts if p.lower() in STREAMS), BOTH)
        short = file.stem.removeprefix(PREFIX)
        video = short if short in known else file.stem  # some videos' own names begin with v_ too
        if other := found[video].get(place):
            raise FacnetError(f"{file}, {video}: {other} is the same video and stream.")
        found[video][place] = file
    places = {place for video in wanted for place in found.get(video, ())}
    if not places:
        raise FacnetError(
            f"{folder}: no VIDEO.npy of a video in the annotations, such as {wanted[0]}.npy.")
    if BOTH in places and len(places) > 1:
        raise FacnetError(
            f"{folder}: some VIDEO.npy lie below rgb or flow and some do not; name one of the two.")
    lacking = {video: min(places - set(found[video])) if video in found else "features"
               for video in wanted if places - set(found.get(video, ()))}
    left_out += [f"{video}: no {what}" for video, what in lacking.items()]
    left_out += [f"{file}: no such video in the annotations"
                 for video in sorted(set(found) - known) for file in found[video].values()]
    return found, set(lacking)


def write_features(
    videos: Iterable[tuple[str, dict[str, np.ndarray]]], count: int, folder: Path,
    report: dict[str, list[str]], files: dict[str, dict[str, Path]] = {},
) -> tuple[dict[str, int], dict[str, dict]]:
    """Write plain arrays below `folder`, or links to files that can stay as they are.

    Parameters
    ----------
    videos : iterable of (str, dict of str to ndarray)
        A video's name and its arrays [T, D] by place. Where one stream is a snippet or two longer
        than the other, it is cut.
    count : int
        How many videos that are.
    folder : Path
    report : dict of str to list of str
        What was done is added to it.
    files : dict
        Where the arrays lie, as `find_features` gives it; without it they are copied.

    Returns
    -------
    lengths : dict of str to int
        Snippets of each video.
    streams : dict of str to dict
        The entry "streams" of annotations.json.
    """
    lengths, widths, wide, linked = {}, {}, 0, 0
    for video, arrays in tqdm(videos, total=count, desc="importing", unit="video"):
        snippets = {len(array) for array in arrays.values()}
        length = lengths[video] = min(snippets)
        if len(snippets) > 1:
            said = " and ".join(f"{len(array)} {place}" for place, array in sorted(arrays.items()))
            if max(snippets) > length + CUT_SNIPPETS:
                raise FacnetError(f"{video}: {said} snippets; the streams do not belong together.")
            report["repaired"].append(f"{video}: {said} snippets, cut to {length}")
        for place, array in arrays.items():
            widths.setdefault(place, array.shape[1])
            file = folder / place / f"{video}.npy"
            file.parent.mkdir(parents=True, exist_ok=True)
            if video in files and len(array) == length:
                file.symlink_to(link_target(files[video][place], file))
                linked += 1
                continue
            if array.dtype.itemsize > 4:
                wide += 1
                array = array.astype(np.float32)
            np.save(file, np.ascontiguousarray(array[:length]), allow_pickle=False)
    streams = {stream: {} for stream in STREAMS if stream in widths}
    if width := widths.get(BOTH):
        if width == 1024:
            raise FacnetError(
                f"{video}: 1024 columns are one stream of I3D; put its files in a folder called rgb"
                " or flow.")
        if width % 2:
            raise FacnetError(f"{video}: {width} columns are not two streams.")
        streams = {"rgb": {"columns": [0, width // 2]}, "flow": {"columns": [width // 2, width]}}
        widths = dict.fromkeys(STREAMS, width // 2)
    report["kept"].insert(0, ", ".join(f"{s}: {widths[s]} features a snippet" for s in streams))
    if linked:
        report["kept"].append(f"{linked} files of features where they are, with a link to each")
    if wide:
        report["repaired"].append(f"{wide} arrays of float64 became float32")
    return lengths, streams


def entry(
    subset: str, labels: Iterable[str], segments: Iterable[tuple[str, float, float]],
    duration: float,
) -> dict:
    """A video in the database of annotations.json; its `duration` may be NaN, unknown."""
    known = {} if math.isnan(duration) else {"duration": duration}
    return {"subset": subset, **known, "labels": list(labels), "annotations": [
        {"label": label, "segment": [start, end]} for label, start, end in segments]}


def described(
    name: str, truth: Annotations, lengths: dict[str, int], streams: dict[str, dict],
    snippet_seconds: float, subsets: dict[str, str], report: dict[str, list[str]],
) -> dict:
    """The content of annotations.json for the videos that have `lengths`; counted in the report.

    `subsets` has how the two, to train and to test on, are called in the report.
    """
    videos = truth.videos[truth.videos.video.isin(list(lengths))]
    instances, ignored = (
        {video: rows[columns].values.tolist()
         for video, rows in frame[frame.video.isin(videos.video)].groupby("video")}
        for frame, columns in ((truth.instances, ["label", "start", "end"]),
                               (truth.ignored, ["start", "end"])))
    database = {video: entry(subset, labels, instances.get(video, ()), duration)
                for video, subset, duration, labels in videos.itertuples(index=False)}
    report["kept"][:0] = counted(database, lengths, snippet_seconds, subsets)
    shown = [{*one["labels"], *(item["label"] for item in one["annotations"])}
             for one in database.values()]
    train, test = subsets
    return {
        "name": name, "classes": sorted(set.union(*shown)), "streams": streams,
        "snippet_seconds": snippet_seconds, "train": train, "test": test, "ignored": ignored,
        "database": database}


def counted(
    database: dict[str, dict], lengths: dict[str, int], snippet_seconds: float,
    subsets: dict[str, str], nouns: tuple[str, str] = ("videos", "instances"),
) -> list[str]:
    """For a report: what there is of each subset; `subsets` has how it is called there."""
    lines = []
    for subset, called in subsets.items():
        own = {video: len(one["annotations"]) for video, one in database.items()
               if one["subset"] == subset}
        lines.append(f"{len(own)} {called} {nouns[0]} with {sum(own.values())} {nouns[1]} and"
                     f" {sum(map(lengths.get, own))} snippets of {snippet_seconds} s")
    return lines


def link_target(source: Path, link: Path) -> str:
    """What a link to `source` holds.

    Relative where both lie below the current folder, so that this may be moved or copied whole;
    absolute elsewhere.
    """
    here, source, place = Path.cwd().resolve(), source.resolve(), link.parent.resolve()
    if source.is_relative_to(here) and place.is_relative_to(here):
        return os.path.relpath(source, place)
    return str(source)
