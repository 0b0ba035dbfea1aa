"""Frames of a video file as I3D takes them: 25 a second, and optical flow between them."""

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

    seconds: float | None  # where it says so
    width: int
    height: int


def probe(path: Path) -> Clip:
    """A look into a file.

    Raises
    ------
    FacnetError
        If it holds no video.
    """
    try:
        with _opened(path) as container:
            video = container.streams.video[0]
            if video.codec_context is None:
                raise FacnetError(f"{path}: no video that can be read (of an unknown kind).")
            if video.duration:
                return Clip(float(video.duration * video.time_base), video.width, video.height)
            seconds = container.duration and container.duration / av.time_base
            return Clip(seconds, video.width, video.height)
    except (av.FFmpegError, IndexError) as error:
        reason = getattr(error, "strerror", "there is none in it")
        raise FacnetError(f"{path}: no video that can be read ({reason}).") from error


def _opened(path: Path) -> "av.container.InputContainer":
    return av.open(str(path), metadata_errors="replace")  # names in it may be in any encoding


def frames(path: Path) -> Iterator[np.ndarray]:
    """A video's frames at 25 a second, [H, W, 3] of uint8 RGB, the short side 256 pixels.

    By the times that the file gives them: of a frame that is shown for longer than 1/25 s there are
    several, of shorter ones some are left out. Where a file gives no times its rate counts. The
    first frame that cannot be decoded ends the video.

    Raises
    ------
    FacnetError
        If the file holds no video, if not one frame of it can be decoded, or if times or sizes can
        only be damaged.
    """
    probe(path)
    wanted, shown, last, gap = None, None, 0.0, 1 / FPS
    for time, image in _decoded(path):
        wanted = time if wanted is None else wanted
        if time - wanted > LONGEST:
            raise FacnetError(f"{path}: a frame at {time:.0f} s, after one at {last:.0f} s; none"
                              f" may stand longer than {LONGEST} s.")
        while wanted < time - ROUNDED:
            yield shown
            wanted += 1 / FPS
        gap = time - last if shown is not None and time > last else gap
        shown, last = image, time
    if shown is None:
        raise FacnetError(f"{path}: not one frame can be decoded.")
    while wanted < last + gap - ROUNDED:  # the last one is shown as long as the one before
        yield shown
        wanted += 1 / FPS


def _decoded(path: Path) -> Iterator[tuple[float, np.ndarray]]:
    """Each frame that can be decoded, upright and resized, and when it is shown in seconds.

    If their size changes on the way, all get the first one's.
    """
    size = None
    with _opened(path) as container:
        stream = container.streams.video[0]
        stream.thread_type = "NONE"  # files side by side share the cores instead
        try:
            for number, frame in enumerate(container.decode(stream)):
                image = frame.to_ndarray(format="rgb24")
                image = np.rot90(image, round(frame.rotation / 90) % 4)
                size = size or _resized(path, *image.shape[:2])
                time = number / stream.guessed_rate if frame.time is None else frame.time
                yield float(time), cv2.resize(image, size, interpolation=cv2.INTER_LINEAR)
        except av.FFmpegError:  # a broken tail; what came before counts
            return


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
    compute, before, moved = FLOWS[algorithm]() if "flow" in streams else None, None, None
    for image in chain(images, [None]):
        if before is not None:
            if compute and image is not None:
                grey = [cv2.cvtColor(one, cv2.COLOR_RGB2GRAY) for one in (before, image)]
                moved = cropped(compute.calc(*grey, None)).clip(-LARGEST_FLOW, LARGEST_FLOW)
            found = {"rgb": cropped(before).astype(np.float32) * (2 / 255) - 1}
            yield found | ({} if moved is None else {"flow": moved / LARGEST_FLOW})
        before = image
