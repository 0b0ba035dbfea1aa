"""Frames of a video file as I3D takes them: 25 a second, and optical flow between them."""

import warnings
from collections.abc import Callable, Collection, Iterator
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import numpy as np

from facnet.errors import FacnetError
from facnet.video.i3d import SIDE

try:
    import av
    import cv2
except ImportError as error:
    raise FacnetError("Video files need PyAV and OpenCV: pip install -e '.[video]' in the"
                      " repository.") from error

VERSIONS = {"av": av.__version__, "opencv": cv2.__version__}
FPS = 25  # of THUMOS14's features
SHORT_SIDE = 256  # pixels, before the crop
LONG_SIDE = 32 * SHORT_SIDE  # of a thinner picture one frame would fill memory
LONGEST = 600  # seconds that one frame may stand; damaged files ask for centuries
ROUNDED = 5e-4  # seconds by which a frame's time may be off: files round it to their unit
LARGEST_FLOW = 20  # pixels a frame; more is cut
# What I3D's flow weights were trained on comes first; the others are faster, and not it.
FLOWS: dict[str, Callable[[], object]] = {
    "tvl1": lambda: cv2.optflow.createOptFlow_DualTVL1(),
    "dis": lambda: cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)}


class Clip(NamedTuple):
    """What a file says of its video."""

    seconds: float | None  # when it ends, where the file says so
    own: bool  # whether that is of the video; or of all that is in the file, sound too


def probe(path: Path) -> Clip:
    """A look into a file.

    Raises
    ------
    FacnetError
        If it holds no video.
    """
    try:
        with _opened(path) as file:
            if file.format.name == "tty":  # FFmpeg would draw the letters
                raise FacnetError(f"{path}: no video that can be read (it is text).")
            video = file.streams.video[0]
            if video.codec_context is None:
                raise FacnetError(f"{path}: no video that can be read (of an unknown kind).")
            if video.duration:
                end = ((video.start_time or 0) + video.duration) * video.time_base
                return Clip(float(end) - _zero(file), True)
            return Clip((file.duration or 0) / av.time_base or None, len(file.streams) == 1)
    except (av.FFmpegError, IndexError) as error:
        reason = getattr(error, "strerror", "there is none in it")
        raise FacnetError(f"{path}: no video that can be read ({reason}).") from error


def _opened(path: Path) -> "av.container.InputContainer":
    # An absolute path is no address; names in the file may be in any encoding.
    return av.open(str(path.absolute()), metadata_errors="replace")


def _zero(container: "av.container.InputContainer") -> float:
    """The time in seconds from which players count: where clocks start anywhere, as in .ts, that of
    the file's start."""
    anywhere = container.format.flags & av.format.Flags.ts_discont.value
    return (container.start_time or 0) / av.time_base if anywhere else 0.0


def frames(path: Path) -> Iterator[np.ndarray]:
    """A video's frames at 25 a second, [H, W, 3] of uint8 RGB, the short side 256 pixels.

    By the times that the file gives them: of a frame that is shown for longer than 1/25 s there are
    several, of shorter ones some are left out. Time 0 is where a player's clock starts; of a video
    that begins later the first frame is shown till then. The last one is shown as long as the file
    says, or else as the one before. Where a file gives no times its rate counts. What is damaged is
    left out, and a warning says how much.

    Raises
    ------
    FacnetError
        If the file holds no video, if not one frame of it can be decoded, if times go back, or if
        times or sizes can only be damaged.
    """
    clip = probe(path)
    wanted, shown, last = 0.0, None, 0.0
    for time, image in _decoded(path):
        last = min(time, 0.0) if shown is None else last
        if time < last - ROUNDED:
            raise FacnetError(f"{path}: a frame at {time:.2f} s comes after one at {last:.2f} s;"
                              " write the file anew, as `ffmpeg -i FILE NEW.mp4` does.")
        if time - last > LONGEST:
            raise FacnetError(f"{path}: a frame at {time:.0f} s, after one at {last:.0f} s; none"
                              f" may stand longer than {LONGEST} s.")
        shown = image if shown is None else shown
        while wanted < time - ROUNDED:
            yield shown
            wanted += 1 / FPS
        shown, last = image, time
    if clip.own and clip.seconds and last < clip.seconds - 1:
        warnings.warn(f"{path}: {last:.1f} s of {clip.seconds:.1f} s can be decoded.")


def _decoded(path: Path) -> Iterator[tuple[float, np.ndarray | None]]:
    """When each frame is shown in seconds, and the frame, upright and resized; then the end, None.

    If their size changes on the way, all get the first one's.
    """
    size, last, seconds = None, None, 1 / FPS
    with _opened(path) as container:
        video, zero = container.streams.video[0], _zero(container)
        video.thread_type = "NONE"  # files side by side share the cores instead
        try:
            for i, frame in enumerate(_readable(path, container, video)):
                image = frame.to_ndarray(format="rgb24")
                image = np.rot90(image, round(frame.rotation / 90) % 4)
                size = size or _resized(path, *image.shape[:2])
                time = float(i / video.guessed_rate if frame.time is None else frame.time - zero)
                if frame.duration:
                    seconds = float(frame.duration * frame.time_base)
                elif last is not None and time > last:
                    seconds = time - last
                last = time
                yield time, cv2.resize(image, size, interpolation=cv2.INTER_LINEAR)
        except av.FFmpegError as error:
            raise FacnetError(f"{path}: cannot be decoded ({error.strerror}).") from error
    if last is None:
        raise FacnetError(f"{path}: not one frame can be decoded.")
    yield last + seconds, None


def _readable(path: Path, container: "av.container.InputContainer",
              stream: "av.VideoStream") -> Iterator["av.VideoFrame"]:
    """The frames of all packets that are not damaged; a warning says how many are."""
    packets, packet, lost = container.demux(stream), True, 0
    while packet is not None:
        try:
            packet = next(packets, None)  # None after what cannot be read on: gives what is left
            yield from stream.decode(packet)
        except av.InvalidDataError:
            lost += 1
        except av.EOFError:  # nothing was left
            break
    if lost:
        warnings.warn(f"{path}: {lost} packets of its video are damaged and left out.")


def _resized(path: Path, height: int, width: int) -> tuple[int, int]:
    """Width and height with the short side as it is to be."""
    scale = SHORT_SIDE / min(height, width)
    if scale * max(height, width) > LONG_SIDE:
        raise FacnetError(f"{path}: frames of {width} x {height} pixels; the long side may be"
                          f" {LONG_SIDE // SHORT_SIDE} times the short one.")
    return max(round(width * scale), SHORT_SIDE), max(round(height * scale), SHORT_SIDE)


def cropped(image: np.ndarray) -> np.ndarray:
    """The middle of a frame, 224 x 224 pixels."""
    top, left = ((size - SIDE) // 2 for size in image.shape[:2])
    return image[top : top + SIDE, left : left + SIDE]


def inputs(images: Iterator[np.ndarray], streams: Collection[str],
           algorithm: str = "tvl1") -> Iterator[dict[str, np.ndarray]]:
    """What the networks take of each frame, by stream, from -1 to 1.

    rgb: [224, 224, 3]. flow: [224, 224, 2], from the frame to the next one; the last frame's is the
    one before it, so that both streams are equally long.
    """
    compute = FLOWS[algorithm]() if "flow" in streams else None
    before = grey = moved = None
    for image in chain(images, [None]):
        if compute and image is not None:
            first, grey = grey, cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
            if first is not None:
                moved = cropped(compute.calc(first, grey, None)).clip(-LARGEST_FLOW, LARGEST_FLOW)
        if before is not None:
            found = {} if moved is None else {"flow": moved / LARGEST_FLOW}
            if "rgb" in streams:
                found["rgb"] = cropped(before).astype(np.float32) * (2 / 255) - 1
            yield found
        before = image
