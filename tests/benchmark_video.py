"""Frames a second of each stage from a video file to features, on one core."""

import tempfile
from collections.abc import Callable
from pathlib import Path

import av
import cv2
import numpy as np
import torch

from facnet.training import repeatable
from facnet.video.frames import FLOWS, FPS, frames
from facnet.video.i3d import CHANNELS, FRAMES, I3D, SIDE

CHUNKS = 4
SIZE = 1280, 720
STAGES = {"decoding": f"decoding H.264 of {SIZE[0]} × {SIZE[1]}, resizing",
          "tvl1": "flow, TV-L1", "dis": "flow, `--flow dis`", "rgb": "I3D, RGB",
          "flow": "I3D, flow", "rgb, together": f"I3D, RGB, {CHUNKS} chunks at once",
          "rgb, bfloat16": "I3D, RGB, `--bfloat16`",
          "rgb, channels first": "I3D, RGB, channels before time and place in memory"}


def draw(path: Path, count: int) -> None:
    """A clip of a grainy picture that drifts: every frame differs, as in a film."""
    grain = np.random.default_rng(0).integers(0, 256, (SIZE[1] // 8, SIZE[0] // 8, 3), np.uint8)
    grain = cv2.resize(grain, SIZE, interpolation=cv2.INTER_CUBIC)
    with av.open(str(path), "w") as file:
        stream = file.add_stream("libx264", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        for number in range(count):
            image = np.roll(grain, (3 * number, 5 * number), (0, 1))
            file.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        file.mux(stream.encode())


def measure_video(seconds: Callable[[Callable], float], rounds: int = 3, flows: int = 6) -> dict:
    """Frames a second by stage, a number a round; each stage has one thread."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "clip.mp4")
        draw(path, CHUNKS * FRAMES)
        images = [*frames(path)]
        stages = {"decoding": (lambda: [*frames(path)], len(images))}
        grey = [cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in images[: flows + 1]]
        for name, make in FLOWS.items():
            compute = make()
            stages[name] = (lambda compute=compute: [
                compute.calc(*pair, None) for pair in zip(grey, grey[1:])], flows)
        for name in list(STAGES)[3:]:
            stages[name] = (_network(*name.partition(", ")[::2]), CHUNKS * FRAMES)
        measured, before = {name: [] for name in stages}, torch.get_num_threads()
        cv2.setNumThreads(1)
        torch.set_num_threads(1)
        with repeatable():
            for _ in range(rounds):
                for name, (work, count) in stages.items():
                    measured[name].append(count / seconds(work))
                print(*(f"{name} {own[-1]:.1f}" for name, own in measured.items()), flush=True)
        torch.set_num_threads(before)
    return measured


def _network(stream: str, how: str) -> Callable[[], object]:
    model, last = I3D(stream).eval(), torch.channels_last_3d
    shape = torch.contiguous_format if how == "channels first" else last
    model = model.to(memory_format=shape)
    x = torch.rand(CHUNKS, CHANNELS[stream], FRAMES, SIDE, SIDE) * 2 - 1
    parts = x.split(CHUNKS if how == "together" else 1)

    def work():
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, how == "bfloat16"):
            for part in parts:
                model(part.contiguous(memory_format=shape))
    return work


def table(measured: dict, about: str) -> str:
    """As the page shows it, with how long an hour of video in two files takes on two cores."""
    speeds = {name: float(np.median(own)) for name, own in measured.items()}
    lines = ["| from a video file, one core | frames a second | an hour in two files, 2 cores |",
             "| --- | --- | --- |"]
    hours = {name: 3600 * FPS / 2 / speed / 3600 for name, speed in speeds.items()}
    lines += [f"| {STAGES[name]} | {speed:.3g} ({min(measured[name]):.3g} to"
              f" {max(measured[name]):.3g}) | {_hours(hours[name])} |"
              for name, speed in speeds.items()]
    sums = {"RGB alone": ("decoding", "rgb"), "both streams, TV-L1": (
        "decoding", "rgb", "flow", "tvl1"), "both streams, `dis`": (
        "decoding", "rgb", "flow", "dis")}
    for name, parts in sums.items():
        slowest = STAGES[max(parts, key=hours.get)]
        lines.append(f"| **all of it, {name}** | {1 / sum(1 / speeds[p] for p in parts):.3g}"
                     f" | {_hours(sum(hours[p] for p in parts))}, most of it {slowest} |")
    return "\n".join(lines) + (
        f"\n\nMedians, smallest and largest of {len(measured['rgb'])} rounds. A file takes one"
        f" core; with `--jobs 2` two are worked on at once. {about}")


def _hours(hours: float) -> str:
    return f"{hours:.1f} h" if hours >= 1 else f"{60 * hours:.0f} min"
