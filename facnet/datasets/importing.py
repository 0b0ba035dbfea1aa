"""What imports share: a container that appears whole or not at all, a report, the search for files.
"""

import os
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable
from itertools import groupby
from pathlib import Path

from facnet.datasets.check import Report, find_faults
from facnet.datasets.files import write_json
from facnet.errors import FacnetError

__all__ = [
    "BOTH", "as_text", "columns_of", "find_features", "link_target", "places_of",
    "refuse_existing", "refuse_faults", "refuse_unlike", "shortened", "write_container",
]

STREAMS = ("rgb", "flow")
BOTH = ""  # the place of files that hold both streams
# How much longer one stream of a video may be than the other: optical flow needs a frame more, and
# extractors differ in what they do with the last chunk.
CUT_SNIPPETS = 2


def refuse_existing(out: Path) -> None:
    """An import never touches a folder that is there."""
    if out.exists() or out.is_symlink():
        raise FacnetError(f"{out}: exists already; remove it, or name another folder.")


def write_container(
    source: Path, out: Path, write: Callable[[Path, dict[str, list[str]]], dict],
    names: dict[Path, Path] = {},
) -> str:
    """Make the container `out`, whole or not at all.

    Parameters
    ----------
    source : Path
        Named in messages.
    out : Path
        It must not exist yet.
    write : callable
        `write(folder, report)` puts features below `folder`, which it makes, adds to the lists
        "kept", "repaired" and "left out" of `report`, and gives the content of annotations.json.
    names : dict of Path to Path
        Messages name the value where they would name a file of the container, the key.

    Returns
    -------
    str
        The report, with the oddities; also in OUT/import_report.txt.

    Raises
    ------
    FacnetError
        If `write` raises one, if the container would have errors by
        :func:`facnet.datasets.check.check_folder`, or if the disk is full. Nothing is left then.
    """
    refuse_existing(out)
    report = {"kept": [], "repaired": [], "left out": []}
    # The file without which `load` knows no data set comes last, in one step.
    partial = _new_folder(out)
    unchecked = partial / "annotations.unchecked"
    try:
        write_json(unchecked, write(partial / "features", report))
        oddities = refuse_faults(source, find_faults(partial, unchecked), {
            unchecked: out / "annotations.json", partial: out, **names})
        text = as_text(report | {"oddities, kept as they are": oddities})
        (partial / "import_report.txt").write_text(text + "\n", encoding="utf-8")
        os.replace(partial, out)
        os.replace(out / unchecked.name, out / "annotations.json")
    except OSError as error:
        shutil.rmtree(partial, ignore_errors=True)
        raise FacnetError(f"{error.filename or out}: {error.strerror}; not imported.") from error
    except BaseException:  # an interruption too
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return text


def refuse_faults(source: Path, checked: Report, names: dict[Path, Path]) -> list[str]:
    """The oddities that a check found, if it found no error; paths by other `names`, in order."""
    def renamed(line: str) -> str:
        for before, after in names.items():
            line = line.replace(str(before), str(after))
        return line

    errors = [renamed(line) for line in checked.errors]
    if errors:
        raise FacnetError(f"{source}: not imported.", errors)
    return [renamed(line) for line in checked.oddities]


def as_text(report: dict[str, list[str]]) -> str:
    """A report as it is shown, and as import_report.txt has it."""
    return "\n".join(line for title, lines in report.items()
                     for line in (f"{title}:", *(f"  {item}" for item in lines or ["nothing"])))


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


def places_of(
    folder: Path, found: dict[str, dict[str, Path]], videos: Iterable[str]
) -> list[str]:
    """The places of files that `find_features` found, which every video should have a file in."""
    videos = list(videos)
    places = {place for video in videos for place in found.get(video, {})}
    if not places:
        raise FacnetError(
            f"{folder}: no VIDEO.npy of a video in the annotations, such as {videos[0]}.npy.")
    if BOTH in places and len(places) > 1:
        raise FacnetError(
            f"{folder}: some VIDEO.npy lie below rgb or flow and some do not; name one of the two.")
    return sorted(places)


def refuse_unlike(video: str, lengths: dict[str, int]) -> str:
    """What the numbers of snippets by place are, in words, if they may be cut to the smallest."""
    said = " and ".join(f"{n} {place}" for place, n in lengths.items())
    if max(lengths.values()) > min(lengths.values()) + CUT_SNIPPETS:
        raise FacnetError(f"{video}: {said} snippets; the streams do not belong together.")
    return said


def columns_of(widths: dict[str, int], video: str) -> dict[str, dict]:
    """The entry "streams" of annotations.json, from the number of columns of each place.

    `video` is named in messages.
    """
    if BOTH not in widths:
        return {stream: {} for stream in STREAMS if stream in widths}
    half, odd = divmod(widths[BOTH], 2)
    if widths[BOTH] == 1024:
        raise FacnetError(
            f"{video}: 1024 columns are one stream of I3D; put its files in a folder called rgb or"
            " flow.")
    if odd:
        raise FacnetError(f"{video}: {widths[BOTH]} columns are not two streams.")
    return {stream: {"columns": [i * half, (i + 1) * half]} for i, stream in enumerate(STREAMS)}


def link_target(source: Path, link: Path) -> str:
    """What a link to `source` holds.

    Relative where both lie below the current folder, so that this may be moved or copied whole;
    absolute elsewhere.
    """
    here, source, place = Path.cwd().resolve(), source.resolve(), link.parent.resolve()
    if source.is_relative_to(here) and place.is_relative_to(here):
        return os.path.relpath(source, place)
    return str(source)


def _new_folder(out: Path) -> Path:
    """A hidden folder beside `out`; those that killed imports into `out` left are removed."""
    prefix = f".{out.name}.importing-"
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        for left in out.parent.glob(f"{prefix}*"):
            shutil.rmtree(left)
        folder = Path(tempfile.mkdtemp(prefix=prefix, dir=out.parent))
        folder.chmod(0o755)
    except OSError as error:
        raise FacnetError(f"{out}: cannot be made ({error.strerror}).") from error
    return folder
