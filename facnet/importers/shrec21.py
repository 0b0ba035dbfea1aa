"""SHREC'21, gestures of a hand in continuous recordings, to a container.

A Leap Motion sensor tracked 20 joints of a hand at 50 frames a second. Two streams are made of
them, in the spirit of rgb and flow: `pose`, what the hand looks like, and `motion`, how it moves.
What is faulty in the files is repaired by a rule or left out, and reported.
"""

import re
from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from tqdm import tqdm

from facnet.data import check_name
from facnet.errors import FacnetError
from facnet.files import read_json, read_text, typed
from facnet.importers.importing import entry, write_container

CLASSES = ("CIRCLE", "CROSS", "DENY", "EXPAND", "FOUR", "GRAB", "KNOB", "LEFT", "MENU", "OK",
           "ONE", "PINCH", "RIGHT", "TAP", "THREE", "TWO", "V")
SUBSETS = ("training", "test")
STREAMS = ("pose", "motion")
FRAME_RATE = 50  # of the recordings; annotations count their frames, from 1
RATE = 25  # of what is read of them: every second frame
# Of a frame: position (metres) and quaternion (x, y, z, w) of the palm, then of three joints of the
# thumb and four of each finger.
JOINTS, NUMBERS = 20, 7

# The compact form: the same frames as whole numbers, which are divided by SCALE.
POSES, ANNOTATIONS = "poses_25fps_int16.npz", "annotations_50fps_frames.json"
SCALE = np.array([10000.0] * 3 + [32767.0] * 4)

# The shortest gestures last .18 s; a snippet is about that long, and its features are of a window
# around its middle. `motion` looks through two: a short one tells when, a long one what. How well
# held-out training sequences were classified chose them.
SNIPPET_SECONDS = 0.16
POSE_WINDOW, MOTION_WINDOWS = 0.64, (0.64, 1.28)  # seconds
# Amplitudes of cosines of 0, 1/2, ..., 2 periods in a window. `pose` keeps the first, the mean;
# `motion` the mean and the root of the sum of the others' squares, since the phase at which a
# window meets a gesture says nothing of it.
COEFFICIENTS = 5

# Of a sound recording no joint is as far from the palm's point (.20 m at most), and no coordinate
# as large (2.9 m at most); the compact form cuts positions off at 3.28 m.
REACH, ROOM = 0.3, 3.2
# One sequence is known to have such positions, in 3 % of its frames. More may not be repaired.
HELD_SHARE = 0.05
UNIT_TOLERANCE = 0.01
# An annotation that ends this much past its sequence means a file that was cut short.
PAST_END_FRAMES = 25
# Features are cut off at so many deviations: .1 % of the values of test sequences and fewer of
# training ones. Where tracking jumps, velocities are up to a hundred deviations high; such a
# snippet would outweigh all others.
LIMIT = 10.0


# A recording as its annotations have it. `gestures` are of label, first and last frame, from 1;
# `where` begins a message about the annotations; `frames` [n, 20, 7] are at 25 a second, or None if
# they are not there.
Sequence = namedtuple("Sequence", "name subset gestures where file frames")


def import_shrec21(source: str | Path, out: str | Path) -> str:
    """Write a container of SHREC'21's sequences, whole or not at all.

    Parameters
    ----------
    source : str or Path
        A folder that holds, at any depth, the distribution as published: for training and test a
        file annotations*.txt (of several the one called "revised") beside a folder sequences of
        NUMBER.txt. Or a folder with the compact form, poses_25fps_int16.npz and
        annotations_50fps_frames.json.
    out : str or Path
        The folder to make. It must not exist yet.

    Returns
    -------
    str
        The report of :func:`facnet.importers.importing.write_container`, which also says what is
        refused. Faults that no rule repairs are.

    Notes
    -----
    These faults are known, and repaired in whatever sequence they are found:

    - An end before its start: the gesture is left out, and its label stays one to train on. Nobody
      knows which of the two is wrong.
    - An end half a second past the sequence's, or less: it becomes the sequence's.
    - Positions where no hand can be: the frame takes the nearest good frame's numbers, in at most
      5 % of a sequence.

    Sequences that are annotated but not there, and those that are there but not annotated, are left
    out. Of the published form every second frame is read, as the compact one has them, so that
    both give the same features to the latter's rounding.
    """
    source, out = Path(source), Path(out)
    recordings = _compact if (source / POSES).is_file() else _published

    def write(folder: Path, report: dict[str, list[str]]) -> dict:
        database, streams = {}, {stream: {} for stream in STREAMS}
        for one in tqdm(recordings(source, report["left out"]), desc="importing", unit="sequence"):
            check_name(one.name, one.where)
            if one.name in database:
                raise FacnetError(f"{one.where}: there is another one of this name.")
            if one.frames is None:
                report["left out"].append(f"{one.name}: no {one.file}")
                continue
            poses = _plausible(one, report)
            labels = dict.fromkeys(label for label, _, _ in one.gestures)
            segments = _repaired(one, len(poses) * FRAME_RATE // RATE, report)
            database[one.name] = entry(one.subset, labels, segments, len(poses) / RATE)
            for stream, array in features(poses).items():
                streams[stream][one.name] = array
        training = [name for name, one in database.items() if one["subset"] == SUBSETS[0]]
        if not training:
            raise FacnetError(f"{source}: none of its training sequences is there.")
        scales = {stream: _write_standardised(folder / stream, arrays, training)
                  for stream, arrays in streams.items()}
        return {"name": "SHREC'21", "streams": {stream: {} for stream in STREAMS},
                "classes": sorted({label for one in database.values() for label in one["labels"]}),
                "snippet_seconds": SNIPPET_SECONDS, "train": SUBSETS[0], "test": SUBSETS[1],
                "protocol": "released",
                "standardised": scales, "database": database}

    return write_container(source, out, write)


def _write_standardised(folder: Path, arrays: dict, training: list[str]) -> dict[str, list[float]]:
    """Write a stream, each feature to mean 0 and deviation 1 over the training sequences' snippets.

    What a hand does changes its joints' places less than their means differ from joint to joint.
    Without this, training on what all sequences share takes most of its steps.
    """
    seen = np.concatenate([arrays[name] for name in training])
    mean, deviation = seen.mean(0), seen.std(0)
    deviation[deviation < 1e-6] = 1  # of a feature that never changes
    folder.mkdir(parents=True)
    for name, array in arrays.items():
        array = ((array - mean) / deviation).clip(-LIMIT, LIMIT).astype(np.float32)
        np.save(folder / f"{name}.npy", array, allow_pickle=False)
    return {"mean": mean.tolist(), "deviation": deviation.tolist()}


# ------------------------------------------------------------------- what the two forms look like


def _published(source: Path, left_out: list[str]) -> Iterator[Sequence]:
    """The text files of the distribution; those that nothing annotates are left out."""
    for subset in SUBSETS:
        path = _annotation_file(source, subset)
        folder = path.parent / "sequences"
        unknown = set(folder.glob("*.txt"))
        for number, line in enumerate(read_text(path).splitlines(), start=1):
            name, *fields = [field.strip() for field in line.rstrip("; ").split(";")]
            where, file = f"{path}, line {number}, sequence {name}", folder / f"{name}.txt"
            if name or fields:
                items = [fields[i : i + 3] for i in range(0, len(fields), 3)]
                yield Sequence(name, subset, _gestures(items, where), where, file,
                               _read_text(file, name) if file in unknown else None)
            unknown.discard(file)
        left_out += [f"{file}: no such sequence in {path.name}" for file in sorted(unknown)]


def _annotation_file(source: Path, subset: str) -> Path:
    """The annotations of a subset, whose name is in the path; revised ones are preferred."""
    found = [path.relative_to(source) for path in sorted(source.rglob("annotations*.txt"))]
    found = [path for path in found if subset in str(path).lower()]
    found = [path for path in found if "revised" in path.stem] or found
    if len(found) != 1:
        raise FacnetError(
            f"{source}: {', '.join(map(str, found)) or 'none'} found where one annotations*.txt"
            f" below a folder {subset}_set belongs; there is no {POSES} either.")
    return source / found[0]


def _gestures(items: object, where: str) -> tuple[tuple[str, int, int], ...]:
    """Gestures [label, start, end]: a known label, and two whole numbers from 1."""
    gestures = []
    for item in typed(items, where, list) or [[]]:
        match item:
            case [str(label), *times] if label in CLASSES and len(times) == 2 and all(
                    re.fullmatch("0*[1-9][0-9]{0,7}", str(time)) for time in times):
                gestures.append((label, *map(int, times)))
            case _:
                raise FacnetError(
                    f"{where}: {str(item)[:80]} is no gesture, which is a label, a first and a last"
                    f" frame, counted from 1; revised labels are {', '.join(CLASSES)}.")
    return tuple(gestures)


def _read_text(file: Path, name: str) -> np.ndarray:
    """Every second of a sequence's frames: 140 numbers a line, a ";" after each."""
    frames, lines = [], read_text(file).rstrip().split("\n")
    for number, line in enumerate(lines, start=1):
        *values, rest = line.rstrip().split(";")
        try:
            if rest:
                raise ValueError(f"no ';' after {rest[:40]!r}")
            frames.append(np.reshape([float(value) for value in values], (JOINTS, NUMBERS)))
        except ValueError as error:  # such as: could not convert string to float: 'abc'
            raise FacnetError(
                f"{file}, sequence {name}, line {number} of {len(lines)}: not 140 numbers with a"
                f" ';' after each; is the file complete? ({str(error)[:90]})") from error
    return np.array(frames[:: FRAME_RATE // RATE])


def _compact(source: Path, left_out: list[str]) -> Iterator[Sequence]:
    """The arrays of the compact form; those that nothing annotates are left out."""
    path, poses, arrays = source / ANNOTATIONS, source / POSES, {}
    annotated, where = read_json(path), f"{poses}"
    try:
        with np.load(poses, allow_pickle=False) as archive:
            for name in archive.files:
                where = f"{poses}, sequence {name}"
                arrays[name] = archive[name].reshape(-1, JOINTS, NUMBERS) / SCALE
    except Exception as error:  # numpy raises many kinds of error on a damaged file
        raise FacnetError(f"{where}: cannot be read ({error}); is the file complete?") from error
    left_out += [f"{poses}, {name}: no such sequence in {path.name}"
                 for name in arrays if name not in annotated]
    for name, one in annotated.items():
        where = f"{path}, sequence {name}"
        if not (isinstance(one, dict) and one.get("split") in ("train", "test")):
            raise FacnetError(f"{where}: {str(one)[:60]!r} has no split 'train' or 'test'.")
        yield Sequence(name, SUBSETS[one["split"] == "test"], _gestures(one.get("segs"), where),
                       where, poses, arrays.get(name))


# ------------------------------------------------------------------------------- what is repaired


def _plausible(sequence: Sequence, report: dict[str, list[str]]) -> np.ndarray:
    """Frames [n, 20, 7] with impossible positions replaced by those of the nearest good frame."""
    frames, where = sequence.frames, f"{sequence.file}, sequence {sequence.name}"
    if len(frames) < 2:
        raise FacnetError(f"{where}: {len(frames)} frames; a movement takes at least two.")
    lengths = np.linalg.norm(frames[..., 3:], axis=-1)
    sound = np.isfinite(frames).all(-1) & (np.abs(lengths - 1) < UNIT_TOLERANCE)
    for frame, joint in np.argwhere(~sound):
        raise FacnetError(
            f"{where}, at {frame / RATE:.2f} s: joint {joint} is {frames[frame, joint].tolist()},"
            " not three metres and a quaternion of length 1; are columns missing?")
    position = frames[..., :3]
    reach = np.linalg.norm(position - position[:, :1], axis=-1).max(1)
    impossible = (reach > REACH) | (np.abs(position).max((1, 2)) > ROOM)
    if not impossible.any():
        return frames
    seconds, most = impossible.argmax() / RATE, np.abs(position[impossible]).max()
    said = (f"{impossible.sum()} of {len(frames)} frames, the first at {seconds:.2f} s, have"
            f" impossible positions, up to {most:.3g} m")
    if impossible.mean() > HELD_SHARE:
        raise FacnetError(f"{where}: {said}; more than {HELD_SHARE:.0%} are not repaired.")
    good = np.flatnonzero(~impossible)[::-1]  # of two that are equally near, the later one
    nearest = good[np.abs(np.arange(len(frames))[:, None] - good).argmin(1)]
    report["repaired"].append(f"{sequence.name}: {said}; replaced by the nearest good frame")
    return frames[nearest]


def _repaired(sequence: Sequence, last: int, report: dict) -> list[tuple[str, float, float]]:
    """Gestures in seconds, the known faults repaired or left out; `last` is the last frame."""
    kept, before = [], 0
    for label, start, end in sorted(sequence.gestures, key=lambda gesture: gesture[1]):
        said = f"{sequence.name}: {label} [{start}, {end}]"
        if end < start:
            report["left out"].append(f"{said} ends before it starts; its label stays")
            continue
        if start <= before or start > last or end > last + PAST_END_FRAMES:
            raise FacnetError(
                f"{sequence.where}: {label} [{start}, {end}] overlaps the gesture before it, or"
                f" lies past the {last} frames of {sequence.file}; is it complete?")
        if end > last:
            report["repaired"].append(f"{said} ends after the sequence's {last} frames, cut")
        kept.append((label, (start - 1) / FRAME_RATE, min(end, last) / FRAME_RATE))
        before = end
    return kept


# ---------------------------------------------------------------------------------------- features


def features(poses: np.ndarray) -> dict[str, np.ndarray]:
    """The streams of a recording, [T, D] of float64 each, not standardised.

    Parameters
    ----------
    poses : ndarray [n, 20, 7]
        Positions in metres and quaternions of the palm and the joints, at 25 a second.

    Returns
    -------
    dict of str to ndarray
        `pose`, what the hand looks like: of the 19 joints' positions as seen from the palm, and of
        two axes of the palm in the room, the direction of its fingers and its normal, the means in
        a window. `motion`, how it moves: of the velocity and the rotation of the palm along its own
        axes (m/s, rad/s for small angles), and of the velocities of the joints as seen from it
        (m/s), the means in a window and how strongly they change there, for each window.
    """
    palm, axes = poses[:, 0, :3], rotation(poses[:, 0, 3:])  # [n, 3]; [n, 3, 3], an axis a column
    joints = np.einsum("nji,nkj->nki", axes, poses[:, 1:, :3] - palm[:, None])  # [n, 19, 3]
    joints = joints.reshape(len(poses), -1)
    pose = np.concatenate([joints, axes[:, :, :2].reshape(len(poses), -1)], axis=1)

    # Over two frames: over one, the compact form's tenths of a millimetre weigh twice as much.
    frame = np.arange(len(poses))
    before, after = np.maximum(frame - 1, 0), np.minimum(frame + 1, len(poses) - 1)
    seconds = ((after - before) / RATE)[:, None]
    velocity = np.einsum("nji,nj->ni", axes, palm[after] - palm[before])
    turn = np.einsum("nji,njk->nik", axes[before], axes[after])
    # What is antisymmetric in a rotation is its axis times the sine of its angle.
    spin = (turn - turn.swapaxes(1, 2))[:, [2, 0, 1], [1, 2, 0]] / 2
    motion = np.concatenate([velocity, spin, joints[after] - joints[before]], axis=1) / seconds

    moving = [amplitudes(motion, window) for window in MOTION_WINDOWS]
    strength = [np.linalg.norm(own[:, 1:], axis=1) for own in moving]
    return {"pose": amplitudes(pose, POSE_WINDOW)[:, 0],
            "motion": np.concatenate([*(own[:, 0] for own in moving), *strength], axis=1)}


def rotation(quaternion: np.ndarray) -> np.ndarray:
    """Rotation matrices [n, 3, 3] of quaternions [n, 4] in the order x, y, z, w."""
    x, y, z, w = (quaternion / np.linalg.norm(quaternion, axis=1, keepdims=True)).T
    return np.stack([
        x * x - y * y - z * z + w * w, 2 * (x * y - z * w), 2 * (x * z + y * w),
        2 * (x * y + z * w), y * y - x * x - z * z + w * w, 2 * (y * z - x * w),
        2 * (x * z - y * w), 2 * (y * z + x * w), z * z - x * x - y * y + w * w,
    ], axis=1).reshape(-1, 3, 3)


def amplitudes(signal: np.ndarray, seconds: float) -> np.ndarray:
    """Amplitudes of cosines in a window around each snippet, [T, COEFFICIENTS, S].

    Parameters
    ----------
    signal : ndarray [n, S]
        At 25 a second.
    seconds : float
        Length of the window.

    Notes
    -----
    Cosines of 0, 1/2, 1, ... periods in the window; the first amplitude is the mean. This is a
    discrete cosine transform of type I: the integrals of a Fourier series by the trapezoidal rule,
    the first and last sample lying on the window's ends. Past the ends of a recording the signal
    is mirrored.
    """
    stride, window = round(SNIPPET_SECONDS * RATE), round(seconds * RATE)
    padded = np.pad(signal, ((window, window), (0, 0)), "reflect")
    first = window + stride // 2 - window // 2
    seen = np.lib.stride_tricks.sliding_window_view(padded, window + 1, axis=0)
    cosines = np.cos(np.pi / window * np.outer(np.arange(window + 1), np.arange(COEFFICIENTS)))
    cosines[[0, -1]] /= 2
    cosines[:, 0] /= 2  # a wave's mean square is half of its amplitude's
    return (seen[first : first + len(signal) : stride] @ cosines).swapaxes(1, 2) * 2 / window
