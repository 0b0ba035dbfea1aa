"""Reading and writing the files that users have: detections, annotations, lists of videos.

Times are seconds (float64). Whatever is wrong with a file is raised as a
:class:`facnet.errors.FacnetError` of one line that names the file, the video and the value.
"""

import hashlib
import json
import os
import re
import socket
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryFile

import numpy as np
import pandas as pd

from facnet.errors import FacnetError, check_choice, normal

INTERVAL = ("video", "start", "end")
INSTANCE = ("video", "label", "start", "end")
DETECTION = (*INSTANCE, "score")
VIDEO = ("video", "subset", "duration", "labels")
AMBIGUOUS = "Ambiguous"  # a label of intervals that no one is scored on, as in THUMOS14
# Subsets that papers evaluate on, best first. ActivityNet's "testing" has no public instances.
TEST_SUBSETS = ("test", "testing", "validation", "valid", "val")
DECIMAL = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?\s*", re.ASCII | re.IGNORECASE)
STRIDES = 0.001, 1e6  # seconds between the starts of two snippets that can be
PROTOCOL_NAMES = ("released", "seconds", "activitynet", "thumos")  # facnet.evaluation: their rules


@dataclass(frozen=True)
class Annotations:
    """Ground truth of a data set, all its subsets."""

    instances: pd.DataFrame  #: [video, label, start, end]
    ignored: pd.DataFrame  #: ambiguous intervals [video, start, end]
    #: [video, subset, duration, labels]: `labels` is the tuple of video-level labels to train on;
    #: `subset` is empty and `duration` NaN where the file gives none
    videos: pd.DataFrame
    test: str | None  #: the subset to evaluate on; None if the file does not tell
    snippet_seconds: float = 0.64  #: where the file states none, that of THUMOS14's I3D features
    protocol: str = "seconds"  #: what detections are evaluated by, unless another is asked for
    facts: dict = field(default_factory=dict)  #: all of a JSON file

    @property
    def test_instances(self) -> pd.DataFrame:
        """The instances of the subset to evaluate on, or all."""
        if self.test is None:
            return self.instances
        names = self.videos.video[self.videos.subset == self.test]
        return self.instances[self.instances.video.isin(names)].reset_index(drop=True)

    def tested(self, path: str | Path) -> str:
        """The subset to evaluate on: that of the file at `path`, or the only one with instances.

        Raises
        ------
        FacnetError
            If it has no instance, or if it cannot be told which one it is.
        """
        timed = self.videos.subset[self.videos.video.isin(self.instances.video)].unique().tolist()
        if not timed:
            raise FacnetError(f"{path}: no video has an instance with start and end. Labels alone"
                              " are enough to train and localize; to score takes segments.")
        name = timed[0] if self.test is None and len(timed) == 1 else self.test
        if name not in timed:
            raise FacnetError(
                f"{path}: no instance is in a subset"
                f" {', '.join(TEST_SUBSETS) if name is None else name or repr(name)}; those with"
                f" instances are {', '.join(map(repr, timed))}. Say which to evaluate on in a key"
                ' "test" beside "database".')
        return name


@contextmanager
def collect(faults: list[str] | None) -> Iterator[None]:
    """Add the message of a FacnetError to `faults` and go on; without a list let it rise."""
    try:
        yield
    except FacnetError as error:
        if faults is None:
            raise
        faults.append(str(error))


def check_segments(frame: pd.DataFrame, columns: Sequence[str], source: object) -> pd.DataFrame:
    """A copy of `columns` of `frame`, times and scores as float64; `source` is named in errors.

    Raises
    ------
    FacnetError
        If a column is missing, a value unusable, or an end lies before its start.
    """
    for name in sorted(set(columns) - set(frame)):
        raise FacnetError(f"{source}: no column {name!r}; it needs {', '.join(columns)}.")
    frame = frame[list(columns)].copy()
    for name in columns:
        given = frame[name]
        if name not in ("video", "label"):
            frame[name] = pd.to_numeric(given, errors="coerce").astype(np.float64)
        wrong = frame[name].isna() | frame[name].isin([np.inf, -np.inf])
        for video, value in zip(frame.video[wrong], given[wrong]):
            raise FacnetError(f"{source}, {video}: {name} is {value}, not a usable value.")
    wrong = frame[frame.end < frame.start]
    for video, start, end in zip(wrong.video, wrong.start, wrong.end):
        raise FacnetError(f"{source}, {video}: segment [{start}, {end}] ends before it starts.")
    return frame


@contextmanager
def _allowed(path: str | Path, use: str = "read") -> Iterator[None]:
    """Whatever the system has against this use of `path` becomes one line that names it."""
    try:
        yield
    except OSError as error:
        raise FacnetError(f"{path}: cannot be {use} ({error.strerror or error}).") from error


def files_in(folder: str | Path, ending: str) -> list[Path]:
    """The files of a folder whose names end so, in order; a FacnetError if it cannot be read."""
    with _allowed(folder):
        return sorted(Path(folder, name) for name in os.listdir(folder) if name.endswith(ending))


def read_text(path: str | Path) -> str:
    """The text of a file in UTF-8, with or without a byte-order mark, its names as `normal`."""
    try:
        with _allowed(path):
            return normal(Path(path).read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise FacnetError(f"{path}, line {line}: not a text file in UTF-8; save it so.") from error


def read_json(path: str | Path, faults: list[str] | None = None) -> dict:
    """The JSON object in a file.

    A key that appears twice in one object, such as a video's name, is refused, or added to
    `faults`; the later one then counts.
    """

    def unique(pairs: list) -> dict:
        pairs = [(normal(key), _normal_text(value)) for key, value in pairs]
        for key, count in Counter(key for key, _ in pairs).items():
            if count > 1:
                with collect(faults):
                    raise FacnetError(f"{path}, {key}: appears {count} times; ids are unique.")
        return dict(pairs)

    try:
        return typed(json.loads(read_text(path), object_pairs_hook=unique), path, dict)
    except FacnetError:
        raise
    except (ValueError, RecursionError) as error:  # a number of 5,000 digits is a ValueError
        raise FacnetError(f"{path}: not valid JSON; is the file complete? ({error})") from error


def _normal_text(value: object) -> object:
    """A value of JSON with its text as `normal`; the objects in it are so already."""
    if isinstance(value, list):
        return [_normal_text(one) for one in value]
    return normal(value) if isinstance(value, str) else value


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """A file to write to. What it holds at the end becomes `path`: whole, or not at all.

    Its mode is what the user's umask makes of a new file, whatever writes it. A link stays one.

    Raises
    ------
    FacnetError
        If it cannot be written; with the reason.
    """
    with _writing(path):
        target = Path(path).resolve()
        partial = target.with_name(f".{target.name}.{socket.gethostname()}.{os.getpid()}")
        partial.touch()
        try:
            mode = partial.stat().st_mode
            yield partial
            with open(partial, "rb+") as file:
                os.fsync(file.fileno())  # or a power cut may leave the new name on an empty file
            partial.chmod(mode)
            os.replace(partial, target)
        finally:
            partial.unlink(missing_ok=True)


@contextmanager
def _writing(path: str | Path) -> Iterator[None]:
    """The same of writing to it, which takes a plain file if it is there."""
    with _allowed(path, "written"):
        if Path(path).exists() and not Path(path).is_file():
            raise OSError(0, "it is there and no plain file")
        yield


def is_over(process: str) -> bool:
    """Whether this is the number of a process of this machine that is no more."""
    try:
        os.kill(int(process), 0)  # asks only
    except ProcessLookupError:
        return True
    except (PermissionError, ValueError):  # somebody else's, or no number
        pass
    return False


def remove_leftovers(folder: Path) -> None:
    """Remove what `replacing` left half-written in processes of this machine that are no more."""
    for partial in folder.glob(f".*.{socket.gethostname()}.*"):
        if is_over(partial.name.rpartition(".")[2]):
            partial.unlink(missing_ok=True)


def digest_of(path: str | Path) -> str:
    """The SHA-256 of a file's bytes; a FacnetError if it cannot be read."""
    with _allowed(path), open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_writable(path: str | Path) -> None:
    """A FacnetError if `path` cannot be written; to be asked before hours are spent on it."""
    with _writing(path):
        TemporaryFile(dir=Path(path).resolve().parent).close()


def write_text(path: str | Path, text: str) -> None:
    """Write text in UTF-8, so that a reader sees the old file or the new one, never half of one."""
    with replacing(path) as partial:
        # A file's name that is no UTF-8 is written with its bytes as escapes.
        partial.write_text(text, "utf-8", "backslashreplace", newline="\n")


def write_json(path: str | Path, value: object) -> None:
    """Write JSON, as `write_text` does."""
    write_text(path, json.dumps(value, allow_nan=False) + "\n")


@contextmanager
def remembered_digests() -> Iterator[Callable[[str], str]]:
    """A function from a file to the hash of its bytes, which reads a file only if it is new.

    It is known again by its path, size and time of change (`ctime`, which nothing sets back), from
    digests.json in the user's cache folder.
    """
    folder = Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")) / "facnet"
    store, known, new = folder / "digests.json", {}, {}
    with suppress(FacnetError):  # none yet, or none that can be read: then all files are
        known = read_json(store)

    def digest(path: str) -> str:
        path = os.path.realpath(path)
        state = os.stat(path)
        key = f"{path} {state.st_size} {state.st_ctime_ns}"
        if key not in known:
            known[key] = new[key] = digest_of(path)
        return known[key]

    yield digest
    if new:
        with suppress(FacnetError, OSError):  # no place to keep them costs time and nothing else
            folder.mkdir(parents=True, exist_ok=True)
            write_json(store, known)


def read_detections(path: str | Path) -> pd.DataFrame:
    """Detections [video, label, start, end, score] of a file in the ActivityNet results schema.

    `{"results": {video: [{"label": "Diving", "score": 0.9, "segment": [1.2, 4.5]}, ...]}}`
    """
    rows = []
    for video, items in _get(read_json(path), "results", path, dict).items():
        where = f"{path}, {video}"
        for item in typed(items, where, list):
            score = number(_get(item, "score", where, object), f"{where}, score")
            rows.append((video, *_labelled_segment(item, where), score))
    return frame_of(rows, DETECTION)


def write_detections(path: str | Path, detections: pd.DataFrame) -> None:
    """Write detections [video, label, start, end, score] in the ActivityNet results schema.

    The rows of a video keep their order, times and scores every digit.
    """
    results: dict[str, list] = {}
    for row in check_segments(detections, DETECTION, path).itertuples():
        item = {"label": row.label, "score": row.score, "segment": [row.start, row.end]}
        results.setdefault(row.video, []).append(item)
    write_json(path, {"version": "VERSION 1.3", "results": results, "external_data": {}})


def read_videos(path: str | Path) -> tuple[str, ...]:
    """Names of videos, one a line."""
    names = dict.fromkeys(line.strip() for line in read_text(path).splitlines() if line.strip())
    if not names:
        raise FacnetError(f"{path}: names no video; write one name a line.")
    return tuple(names)


def read_ignored(path: str | Path) -> pd.DataFrame:
    """Ambiguous intervals [video, start, end] of a text file, `video start end` a line."""
    rows = []
    for line_number, line in enumerate(read_text(path).splitlines(), start=1):
        if fields := line.split():
            where = f"{path}, line {line_number}, {fields[0]}"
            rows.append((fields[0], *segment(fields[1:], where)))
    return frame_of(rows, INTERVAL)


def read_annotations(path: str | Path, faults: list[str] | None = None) -> Annotations:
    """Read ground truth in the ActivityNet schema.

    `{"database": {video: {"subset", "duration", "annotations": [{"label", "segment"}]}}}`, times as
    numbers or strings. Ends beyond the end of a video are kept: THUMOS14 has some. Ignored
    intervals are instances labelled "Ambiguous" and those under the key "ignored", `{video:
    [[start, end], ...]}`. The keys "test", "protocol" and "snippet_seconds" stand for the fields of
    that name; without "test" it is "test" or "validation", whichever has instances.

    Parameters
    ----------
    path : str or Path
        A JSON file, or a folder that holds annotations.json.
    faults : list of str, optional
        Messages for all that is wrong are added to it, and the rest is read. Without it the first
        fault is raised.
    """
    path = Path(path)
    if path.is_dir():
        path = path / "annotations.json"
    facts = read_json(path, faults)
    videos, instances, ignored, spellings = [], [], [], {}
    for video, entry in _get(facts, "database", path, dict).items():
        where = f"{path}, {video}"
        own, subset, duration, labels = [], "", np.nan, None
        with collect(faults):
            subset = str(typed(entry, where, dict).get("subset") or "").strip()
            other = spellings.setdefault(subset.casefold(), subset)
            if other != subset:
                raise FacnetError(f"{where}: subset {subset!r}, but {other!r} in others; names that"
                                  " differ in case alone are one: write it one way.")
            for item in _get(entry, "annotations", where, list):
                with collect(faults):
                    own.append((video, *_labelled_segment(item, where)))
            if "duration" in entry:
                duration = number(entry["duration"], f"{where}, duration")
            if "labels" in entry:
                labels = [typed(label, where) for label in typed(entry["labels"], where, list)]
        ignored += [(video, start, end) for _, label, start, end in own if is_ambiguous(label)]
        shown = [instance for instance in own if not is_ambiguous(instance[1])]
        instances += shown
        labels = [label for _, label, _, _ in shown] if labels is None else labels
        videos.append((video, subset, duration, tuple(dict.fromkeys(labels))))
    with collect(faults):
        for video, segments in typed(facts.get("ignored", {}), f"{path}, ignored", dict).items():
            where = f"{path}, ignored, {video}"
            for one in typed(segments, where, list):
                with collect(faults):
                    ignored.append((video, *segment(one, where)))
    known = {}
    for key, check in (("snippet_seconds", number), ("test", typed), ("protocol", _protocol)):
        with collect(faults):
            known |= {key: check(facts[key], f"{path}, {key}")} if key in facts else {}
    return annotations_of(videos, instances, ignored, facts=facts, **known)


def annotations_of(videos: list, instances: list, ignored: list, **known: object) -> Annotations:
    """Annotations of rows that have been checked, and of the other fields that are known.

    The subset to evaluate on is, unless it is known, the first of `TEST_SUBSETS` that has an
    instance, as it is written there.
    """
    videos, instances = pd.DataFrame(videos, columns=VIDEO), frame_of(instances, INSTANCE)
    timed = {name.lower(): name for name in videos.subset[videos.video.isin(instances.video)]}
    best = next((timed[name] for name in TEST_SUBSETS if name in timed), None)
    return Annotations(instances, frame_of(ignored, INTERVAL), videos, **{"test": best} | known)


def is_ambiguous(label: str) -> bool:
    """Whether a label says that an interval is not to be judged; case does not count."""
    return label.strip().casefold() == AMBIGUOUS.casefold()


def frame_of(rows: list[tuple], columns: Sequence[str]) -> pd.DataFrame:
    """Rows that have been checked; without any the columns have their types all the same."""
    numbers = dict.fromkeys(set(columns) - {"video", "label"}, np.float64)
    return pd.DataFrame(rows, columns=list(columns)).astype({"video": str, **numbers})


def typed(value: object, where: object, kind: type = str) -> object:
    """`value`, if it is of this kind; `where`, as below, begins the error's message."""
    if not isinstance(value, kind):
        raise FacnetError(f"{where}: found {value!r:.80} where a {kind.__name__} belongs.")
    return value


def _get(mapping: object, key: str, where: object, kind: type) -> object:
    if key not in typed(mapping, where, dict):
        raise FacnetError(f"{where}: no {key!r}, only {list(mapping)[:5]}.")
    return typed(mapping[key], f"{where}, {key}", kind)


def _protocol(value: object, where: str) -> str:
    check_choice(value, PROTOCOL_NAMES, f"{where}: {value!r:.80} is no protocol")
    return value


def _labelled_segment(item: object, where: str) -> tuple[str, float, float]:
    return _get(item, "label", where, str), *segment(_get(item, "segment", where, object), where)


def segment(value: object, where: str) -> tuple[float, float]:
    """A list of start and end, in seconds."""
    if len(typed(value, where, list)) != 2:
        raise FacnetError(f"{where}: {value!r:.80} is not a start and an end in seconds.")
    start, end = (number(time, f"{where}, {key}") for key, time in zip(("start", "end"), value))
    if end < start:
        raise FacnetError(f"{where}: segment [{start}, {end}] ends before it starts.")
    return start, end


def number(value: object, where: str) -> float:
    """A finite number, or a string or array of one.

    Not in Python's own ways to write it, in which `1_0` is ten.
    """
    with suppress(TypeError, ValueError, OverflowError):
        item = np.asarray(value).item()
        text = item.decode() if isinstance(item, bytes) else str(item)
        if DECIMAL.fullmatch(text) and np.isfinite(found := float(text)):
            return found
    raise FacnetError(f"{where}: {value!r:.80} is not a finite number.")
