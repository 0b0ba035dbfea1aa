"""Reading and writing the files that users have: detections, annotations, lists of videos.

Times are seconds (float64). Whatever is wrong with a file is raised as a
:class:`facnet.errors.FacnetError` of one line that names the file, the video and the value.
"""

import json
import os
import reprlib
import socket
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from facnet.errors import FacnetError
from facnet.importers.pickled import read_array

__all__ = [
    "Annotations", "PROTOCOL_NAMES", "check_segments", "collect", "read_annotations",
    "read_detections", "read_ignored", "read_json", "read_text", "read_videos", "write_detections",
    "write_json",
]

INTERVAL = ("video", "start", "end")
INSTANCE = ("video", "label", "start", "end")
DETECTION = (*INSTANCE, "score")
# Subsets that papers evaluate on, best first. ActivityNet's "testing" has no public instances.
TEST_SUBSETS = ("test", "testing", "validation", "val")
PROTOCOL_NAMES = ("released", "activitynet", "thumos")  # facnet.evaluation has their rules


@dataclass(frozen=True)
class Annotations:
    """Ground truth of a data set, all its subsets."""

    instances: pd.DataFrame  #: [video, label, start, end]
    ignored: pd.DataFrame  #: ambiguous intervals [video, start, end]
    #: [video, subset, duration, labels]: `labels` is the tuple of video-level labels to train on;
    #: `subset` is empty and `duration` NaN where the file gives none
    videos: pd.DataFrame
    test: str | None  #: the subset to evaluate on; None stands for all videos
    snippet_seconds: float = 0.64  #: where the file states none, that of THUMOS14's I3D features
    protocol: str = "released"  #: what detections are evaluated by, unless another is asked for
    facts: dict = field(default_factory=dict)  #: all of a JSON file

    @property
    def test_instances(self) -> pd.DataFrame:
        """The instances of the subset to evaluate on."""
        if self.test is None:
            return self.instances
        names = self.videos.video[self.videos.subset == self.test]
        return self.instances[self.instances.video.isin(names)].reset_index(drop=True)


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
    """The columns of a frame, times and scores as float64.

    Refused, in a message that begins with `source` (a file's or an argument's name): a missing
    column, a time or score that is not a finite number, a segment that ends before it starts.
    """
    for name in columns:
        if name not in frame:
            raise FacnetError(f"{source}: no column {name!r}; it needs {', '.join(columns)}.")
    frame = frame[list(columns)].copy()
    for name in columns:
        given = frame[name]
        if name not in ("video", "label"):
            frame[name] = pd.to_numeric(given, errors="coerce").astype(np.float64)
        wrong = (frame[name].isna() | frame[name].isin([np.inf, -np.inf])).to_numpy()
        if wrong.any():
            video, value = frame.video[wrong].iloc[0], given[wrong].iloc[0]
            raise FacnetError(f"{source}, {video}: {name} is {value}, not a usable value.")
    wrong = (frame.end < frame.start).to_numpy()
    if wrong.any():
        video, start, end = frame.loc[wrong, ["video", "start", "end"]].iloc[0]
        raise FacnetError(f"{source}, {video}: segment [{start}, {end}] ends before it starts.")
    return frame


def read_text(path: str | Path) -> str:
    """The text of a file in UTF-8, with or without a byte-order mark."""
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise FacnetError(f"{path}: cannot be read ({error.strerror}).") from error
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise FacnetError(
            f"{path}, line {line}: not a text file in UTF-8; save it as such.") from error


def read_json(path: str | Path, faults: list[str] | None = None) -> dict:
    """The JSON object in a file.

    A key that appears twice in one object, such as a video's name, is refused, or added to
    `faults`; the later one then counts.
    """

    def unique(pairs: list) -> dict:
        read = dict(pairs)
        if len(read) < len(pairs):
            for key, count in Counter(key for key, _ in pairs).items():
                if count > 1:
                    with collect(faults):
                        raise FacnetError(f"{path}, {key}: appears {count} times; ids are unique.")
        return read

    text = read_text(path)
    try:
        return _typed(json.loads(text, object_pairs_hook=unique), dict, path)
    except FacnetError:
        raise
    except (ValueError, RecursionError) as error:  # a number of 5,000 digits is a ValueError
        raise FacnetError(f"{path}: not valid JSON; is the file complete? ({error})") from error


def write_json(path: str | Path, value: object) -> None:
    """Write JSON so that a reader sees the old file or the new one, never half of one."""
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{socket.gethostname()}.{os.getpid()}")
    try:
        with open(temporary, "w", encoding="utf-8") as file:
            file.write(json.dumps(value, allow_nan=False) + "\n")
            file.flush()
            os.fsync(file.fileno())  # or a power cut may leave the new name on an empty file
        os.replace(temporary, path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise FacnetError(f"{path}: cannot be written ({error.strerror}).") from error


def read_detections(path: str | Path) -> pd.DataFrame:
    """Detections [video, label, start, end, score] of a file in the ActivityNet results schema.

    `{"results": {video: [{"label": "Diving", "score": 0.9, "segment": [1.2, 4.5]}, ...]}}`
    """
    rows = []
    for video, items in _get(read_json(path), "results", dict, path).items():
        where = f"{path}, {video}"
        for item in _typed(items, list, where):
            score = _number(_get(item, "score", object, where), where)
            rows.append((video, *_labelled_segment(item, where), score))
    return _frame(rows, DETECTION, path)


def write_detections(path: str | Path, detections: pd.DataFrame) -> None:
    """Write detections [video, label, start, end, score] in the ActivityNet results schema.

    The rows of a video keep their order, times and scores every digit.
    """
    detections = check_segments(detections, DETECTION, path)
    results: dict[str, list] = {}
    for video, label, start, end, score in detections.itertuples(index=False):
        item = {"label": label, "score": score, "segment": [start, end]}
        results.setdefault(video, []).append(item)
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
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        if fields := line.split():
            where = f"{path}, line {number}, {fields[0]}"
            rows.append((fields[0], *_segment(fields[1:], where)))
    return _frame(rows, INTERVAL, path)


def read_annotations(path: str | Path, faults: list[str] | None = None) -> Annotations:
    """Read ground truth in any of three layouts.

    Parameters
    ----------
    path : str or Path
        A data set's folder (it holds annotations.json); a JSON file in the ActivityNet schema,
        `{"database": {video: {"subset", "duration", "annotations": [{"label", "segment"}]}}}`,
        times as numbers or strings; or the folder of THUMOS14 annotations that W-TALC distributes
        (videoname.npy, segments.npy, ..., Ambiguous_test.txt).
    faults : list of str, optional
        In a JSON file, messages for all that is wrong are added to it, and the rest is read.
        Without it the first fault is raised.

    Returns
    -------
    Annotations
        Ends beyond the end of a video are kept: THUMOS14 has some. Ignored intervals are those
        under the key "ignored" (`{video: [[start, end], ...]}`), instances labelled "Ambiguous",
        or the lines of Ambiguous_test.txt. The subset to evaluate on is the one that the key
        "test" names, or else "test" or "validation", whichever has instances; the protocol is the
        one that the key "protocol" names, or else "released".
    """
    path = Path(path)
    if (path / "videoname.npy").is_file():
        return _read_wtalc(path)
    if path.is_dir():
        if not (path / "annotations.json").is_file():
            raise FacnetError(f"{path}: holds neither annotations.json nor videoname.npy.")
        path = path / "annotations.json"
    return _read_activitynet(path, faults)


def _read_activitynet(path: Path, faults: list[str] | None) -> Annotations:
    facts = read_json(path, faults)
    videos, instances, ignored = [], [], []
    for video, entry in _get(facts, "database", dict, path).items():
        where = f"{path}, {video}"
        labels, duration, items = [], np.nan, []
        with collect(faults):
            items = _get(entry, "annotations", list, where)
        for item in items:
            with collect(faults):
                label, *times = _labelled_segment(item, where)
                if label == "Ambiguous":
                    ignored.append((video, *times))
                else:
                    instances.append((video, label, *times))
                    labels.append(label)
        entry = entry if isinstance(entry, dict) else {}  # of anything else the items have told
        with collect(faults):
            given = entry.get("labels", labels)
            labels = [_typed(v, str, where) for v in _typed(given, list, where)]
        with collect(faults):
            duration = _number(entry["duration"], where) if "duration" in entry else np.nan
        videos.append((video, str(entry.get("subset", "")), duration, tuple(dict.fromkeys(labels))))
    with collect(faults):
        for video, segments in _typed(facts.get("ignored", {}), dict, f"{path}, ignored").items():
            where = f"{path}, ignored, {video}"
            for segment in _typed(segments, list, where):
                with collect(faults):
                    ignored.append((video, *_segment(segment, where)))
    seconds, test, protocol = 0.64, None, "released"
    with collect(faults):
        seconds = _number(facts.get("snippet_seconds", 0.64), f"{path}, snippet_seconds")
    with collect(faults):
        test = _typed(facts["test"], str, f"{path}, test") if "test" in facts else None
    with collect(faults):
        protocol = _typed(facts.get("protocol", protocol), str, f"{path}, protocol")
        if protocol not in PROTOCOL_NAMES:
            raise FacnetError(
                f"{path}, protocol: {_shown(protocol)} is none of {', '.join(PROTOCOL_NAMES)}.")
    return _annotations(path, videos, instances, ignored, test, seconds, protocol, facts)


def _read_wtalc(folder: Path) -> Annotations:
    # labels_all, the video-level labels, differ from the instances' in some videos: papers train
    # on the former and evaluate on the latter.
    names = ("videoname", "subset", "duration", "segments", "labels", "labels_all")
    arrays = {name: read_array(folder / f"{name}.npy") for name in names}
    sizes = {name: len(array) for name, array in arrays.items()}
    if len(set(sizes.values())) > 1:
        raise FacnetError(f"{folder}: arrays that should have one row a video have {sizes}.")
    names = [_text(video) for video in arrays["videoname"].ravel().tolist()]
    for video, count in Counter(names).items():
        if count > 1:
            raise FacnetError(f"{folder}, {video}: appears {count} times; ids are unique.")
    videos, instances = [], []
    for video, subset, duration, segments, labels, video_labels in zip(*arrays.values()):
        video = _text(video)
        where = f"{folder}, {video}"
        if len(_row(segments, where)) != len(_row(labels, where)):
            raise FacnetError(f"{where}: {len(segments)} segments but {len(labels)} labels.")
        for label, segment in zip(labels, segments):
            instances.append((video, _text(label), *_segment(segment, where)))
        unique = tuple(dict.fromkeys(_text(label) for label in _row(video_labels, where)))
        videos.append((video, _text(subset), _number(duration, where), unique))
    file = folder / "Ambiguous_test.txt"
    ignored = read_ignored(file).values.tolist() if file.is_file() else []
    return _annotations(folder, videos, instances, ignored, "test")


def _annotations(
    path: Path, videos: list, instances: list, ignored: list, test: str | None,
    snippet_seconds: float = 0.64, protocol: str = "released", facts: dict | None = None,
) -> Annotations:
    instances = _frame(instances, INSTANCE, path)
    videos = pd.DataFrame(videos, columns=["video", "subset", "duration", "labels"])
    if test is None:
        with_instances = videos.subset[videos.video.isin(instances.video)].unique()
        named = {subset.lower(): subset for subset in with_instances}
        test = next((named[name] for name in TEST_SUBSETS if name in named), None)
    ignored = _frame(ignored, INTERVAL, path)
    return Annotations(instances, ignored, videos, test, snippet_seconds, protocol, facts or {})


def _frame(rows: list, columns: Sequence[str], source: object) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=list(columns))
    return check_segments(frame, columns, source).astype({"video": str})


_repr = reprlib.Repr()
_repr.maxstring = _repr.maxother = 60
_repr.maxlong = 60


def _shown(value: object) -> str:
    """A value in a message, cut short however large it is."""
    return _repr.repr(value)[:80]


def _typed(value: object, kind: type, where: object) -> object:
    if not isinstance(value, kind):
        raise FacnetError(f"{where}: found {_shown(value)} where a {kind.__name__} belongs.")
    return value


def _get(mapping: object, key: str, kind: type, where: object) -> object:
    if key not in _typed(mapping, dict, where):
        raise FacnetError(f"{where}: no {key!r}, only {list(mapping)[:5]}.")
    return _typed(mapping[key], kind, f"{where}, {key}")


def _labelled_segment(item: object, where: str) -> tuple[str, float, float]:
    return _get(item, "label", str, where), *_segment(_get(item, "segment", object, where), where)


def _segment(value: object, where: str) -> tuple[float, float]:
    if len(_row(value, where)) != 2:
        raise FacnetError(f"{where}: {_shown(value)} is not a start and an end in seconds.")
    start, end = _number(value[0], where), _number(value[1], where)
    if end < start:
        raise FacnetError(f"{where}: segment [{start}, {end}] ends before it starts.")
    return start, end


def _row(value: object, where: str) -> list | np.ndarray:
    return value if isinstance(value, np.ndarray) else _typed(value, list, where)


def _number(value: object, where: str) -> float:
    try:
        number = float(np.nan if isinstance(value, bool) else np.asarray(value).item())
    except (TypeError, ValueError, OverflowError):
        number = np.nan
    if not np.isfinite(number):
        raise FacnetError(f"{where}: {_shown(value)} is not a finite number.")
    return number


def _text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
