"""What imports share: a container that appears whole or not at all, a report, the search for files.
"""

import math
import os
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable
from itertools import groupby
from pathlib import Path

import numpy as np
from tqdm import tqdm

from facnet.data import check_name
from facnet.errors import FacnetError
from facnet.files import Annotations, write_json
from facnet.importers.check import find_faults
from facnet.importers.wtalc import read_ground_truth

STREAMS = ("rgb", "flow")
BOTH = ""  # the place of files that hold both streams
# How much longer one stream of a video may be than the other: optical flow needs a frame more, and
# extractors differ in what they do with the last chunk.
CUT_SNIPPETS = 2


def refuse_existing(out: Path) -> None:
    """An import never touches a folder that is there."""
    if out.exists() or out.is_symlink():
        raise FacnetError(f"{out}: exists already; remove it, or name another folder.")


def read_truth(annotations: Path, out: Path, snippet_seconds: float) -> Annotations:
    """The annotations, before features are read, if these arguments can be used."""
    refuse_existing(out)
    truth = read_ground_truth(annotations)
    if not 0 < snippet_seconds < math.inf:
        raise FacnetError(f"snippet_seconds = {snippet_seconds}: must be a positive number.")
    for video in truth.videos.video:
        check_name(video, annotations)
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
        Messages name the value where they would name a file of the container, the key.
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
    partial = _new_folder(out, in_place)
    unchecked = partial / "annotations.unchecked"
    renamed = {unchecked: out / "annotations.json", partial: out, **names}
    try:
        write_json(unchecked, write(partial / "features", report))
        found = find_faults(partial, unchecked)
        if found.errors:
            raise FacnetError(f"{source}: not imported.", _renamed(found.errors, renamed))
        report["oddities, kept as they are"] = _renamed(found.oddities, renamed)
        text = "\n".join(
            line for title, lines in report.items()
            for line in (f"{title}:", *(f"  {item}" for item in lines or ["nothing"])))
        (partial / "import_report.txt").write_text(text + "\n", encoding="utf-8")
        if in_place:
            for name in ("import_report.txt", unchecked.name):
                os.replace(partial / name, out / name)
        else:
            os.replace(partial, out)
        # The file without which `load` knows no data set comes last, in one step.
        os.replace(out / unchecked.name, out / "annotations.json")
    except OSError as error:
        raise FacnetError(f"{error.filename or out}: {error.strerror}; not imported.") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
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
    folder: Path, video_of: Callable[[str], str] = str
) -> dict[str, dict[str, Path]]:
    """The files VIDEO.npy below a folder, to any depth, by video and place.

    A file's place is the stream whose folder it lies below, "rgb" or "flow", or else `BOTH`.

    Parameters
    ----------
    folder : Path
    video_of : callable
        From a file's name, without its ending, to the video's.
    """
    found: dict[str, dict[str, Path]] = defaultdict(dict)
    files = sorted(Path(place, name) for place, _, names in os.walk(folder, followlinks=True)
                   for name in names if name.endswith(".npy"))
    for file in files:
        parts = (folder.resolve().name, *file.relative_to(folder).parts[:-1])
        place = next((p.lower() for p in parts if p.lower() in STREAMS), BOTH)
        video = video_of(file.stem)
        if other := found[video].get(place):
            raise FacnetError(f"{file}, {video}: {other} is the same video and stream.")
        found[video][place] = file
    return found


def incomplete(
    folder: Path, found: dict[str, dict[str, Path]], videos: Iterable[str], known: Iterable[str]
) -> tuple[dict[str, str], list[str]]:
    """Which videos lack files, where all should have one in the same places.

    Parameters
    ----------
    folder : Path
        Named in messages.
    found : dict
        As `find_features` gives it.
    videos : iterable of str
        Those that are wanted.
    known : iterable of str
        All that are in the annotations.

    Returns
    -------
    lacking : dict of str to str
        What a video lacks, in words.
    lines : list of str
        For a report: these, and the files of no known video.
    """
    videos = list(videos)
    places = {place for video in videos for place in found.get(video, {})}
    if not places:
        raise FacnetError(
            f"{folder}: no VIDEO.npy of a video in the annotations, such as {videos[0]}.npy.")
    if BOTH in places and len(places) > 1:
        raise FacnetError(
            f"{folder}: some VIDEO.npy lie below rgb or flow and some do not; name one of the two.")
    lacking = {video: min(places - set(found[video])) if video in found else "features"
               for video in videos if places - set(found.get(video, {}))}
    return lacking, [
        *(f"{video}: no {what}" for video, what in lacking.items()),
        *(f"{file}: no such video in the annotations"
          for video in sorted(set(found) - set(known)) for file in found[video].values())]


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
        lengths[video] = _common_length(video, arrays, report)
        for place, array in arrays.items():
            widths.setdefault(place, array.shape[1])
            file = folder / place / f"{video}.npy"
            file.parent.mkdir(parents=True, exist_ok=True)
            if video in files and len(array) == lengths[video]:
                file.symlink_to(link_target(files[video][place], file))
                linked += 1
                continue
            if array.dtype.itemsize > 4:
                wide += 1
                array = array.astype(np.float32)
            np.save(file, np.ascontiguousarray(array[: lengths[video]]), allow_pickle=False)
    streams, each = _streams(widths, video)
    report["kept"].insert(0, ", ".join(f"{s}: {each[s]} features a snippet" for s in streams))
    if linked:
        report["kept"].append(f"{linked} files of features where they are, with a link to each")
    if wide:
        report["repaired"].append(f"{wide} arrays of float64 became float32")
    return lengths, streams


def _common_length(
    video: str, arrays: dict[str, np.ndarray], report: dict[str, list[str]]
) -> int:
    """The snippets that all places have, if none has many more."""
    lengths = [len(array) for array in arrays.values()]
    if max(lengths) > min(lengths):
        said = " and ".join(f"{len(array)} {place}" for place, array in sorted(arrays.items()))
        if max(lengths) > min(lengths) + CUT_SNIPPETS:
            raise FacnetError(f"{video}: {said} snippets; the streams do not belong together.")
        report["repaired"].append(f"{video}: {said} snippets, cut to {min(lengths)}")
    return min(lengths)


def _streams(widths: dict[str, int], video: str) -> tuple[dict[str, dict], dict[str, int]]:
    """Where each stream is, and its features a snippet, from the number of columns of each place.

    `video` is named in messages.
    """
    if BOTH not in widths:
        return {stream: {} for stream in STREAMS if stream in widths}, widths
    half, odd = divmod(widths[BOTH], 2)
    if widths[BOTH] == 1024:
        raise FacnetError(
            f"{video}: 1024 columns are one stream of I3D; put its files in a folder called rgb or"
            " flow.")
    if odd:
        raise FacnetError(f"{video}: {widths[BOTH]} columns are not two streams.")
    return ({stream: {"columns": [i * half, (i + 1) * half]} for i, stream in enumerate(STREAMS)},
            dict.fromkeys(STREAMS, half))


def entry(
    subset: str, labels: Iterable[str], segments: Iterable[tuple[str, float, float]],
    duration: float,
) -> dict:
    """A video in the database of annotations.json; its `duration` may be NaN, unknown."""
    known = {} if math.isnan(duration) else {"duration": duration}
    return {"subset": subset, **known, "labels": list(labels), "annotations": [
        {"label": label, "segment": [start, end]} for label, start, end in segments]}


def counted(
    database: dict[str, dict], lengths: dict[str, int], snippet_seconds: float,
    subsets: dict[str, str], nouns: tuple[str, str] = ("videos", "instances"),
) -> list[str]:
    """For a report: what there is of each subset; `subsets` has how it is called there."""
    lines = []
    for subset, called in subsets.items():
        own = [video for video, one in database.items() if one["subset"] == subset]
        instances = sum(len(database[video]["annotations"]) for video in own)
        lines.append(
            f"{len(own)} {called} {nouns[0]} with {instances} {nouns[1]} and"
            f" {sum(lengths[video] for video in own)} snippets of {snippet_seconds} s")
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


def _new_folder(out: Path, in_place: bool) -> Path:
    """A hidden folder in or beside `out`; those that killed imports left are removed."""
    place, prefix = (out, ".importing-") if in_place else (out.parent, f".{out.name}.importing-")
    try:
        place.mkdir(parents=True, exist_ok=True)
        for left in place.glob(f"{prefix}*"):
            shutil.rmtree(left)
        folder = Path(tempfile.mkdtemp(prefix=prefix, dir=place))
        folder.chmod(0o755)
    except OSError as error:
        raise FacnetError(f"{out}: cannot be made ({error.strerror}).") from error
    return folder
