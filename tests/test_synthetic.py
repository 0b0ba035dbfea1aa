"""The synthetic data have THUMOS14's counts and frozen constants; nothing of them drifts unseen."""

import json
import time
from pathlib import Path

import numpy as np
import pytest

from facnet.data import frame_labels, load
from facnet.experiment import run
from facnet.profiles import profile
from facnet.study.records import classification
from facnet.synthetic import thumos14 as synthetic

CALIBRATION = json.loads(Path(__file__).with_name("calibration.json").read_text())


@pytest.fixture(scope="module")
def full():
    started = time.perf_counter()
    data = load("synthetic", "full")
    assert time.perf_counter() - started < 20, "seconds to make the whole data set"
    return data


def test_videos_and_instances_are_thumos14s(full):
    counts = {s: (len(full.subset(s)), len(full.instances_of(s))) for s in ("train", "test")}
    assert counts == {"train": (200, 3007), "test": (212, 3358)}


@pytest.mark.parametrize("split, subset", [(0, "train"), (1, "test")])
def test_every_class_has_its_videos_and_instances(full, split, subset):
    instances = full.instances_of(subset)
    labels = full.videos[full.videos.subset == subset].labels
    for name, action in synthetic.CLASSES.items():
        assert (instances.label == name).sum() == action.instances[split], name
        assert labels.map(lambda own: name in own).sum() == action.videos[split], name


@pytest.mark.parametrize("subset, seconds, foreground, multiple", [
    ("train", 209.0, 0.279, 0.135), ("test", 216.8, 0.307, 0.160)])
def test_timelines_resemble_thumos14s(full, subset, seconds, foreground, multiple):
    videos = full.videos[full.videos.subset == subset]
    assert videos.duration.mean() == pytest.approx(seconds, rel=0.25)
    shown = [frame_labels(full, v, len(full.features("rgb", v))).any(1) for v in videos.video]
    assert np.concatenate(shown).mean() == pytest.approx(foreground, rel=0.2)
    assert (videos.labels.map(len) > 1).mean() == pytest.approx(multiple, abs=0.01)
    instances = full.instances_of(subset)
    assert (instances.end - instances.start).median() == pytest.approx(3.0, rel=0.2)
    assert (instances.groupby("video").size().median()) == pytest.approx(9, abs=2)


def test_every_cliff_dive_is_a_dive(full):
    keys = ["video", "start", "end"]
    cliff = full.instances[full.instances.label == "CliffDiving"]
    dives = full.instances[full.instances.label == "Diving"]
    assert len(cliff.merge(dives, on=keys)) >= len(cliff) > 0


def test_a_cricket_shot_follows_its_bowling(full):
    cricket = full.videos.labels.map(lambda own: own == ("CricketBowling", "CricketShot"))
    own = full.instances[full.instances.video.isin(full.videos.video[cricket])]
    bowled = own[own.label == "CricketBowling"]
    shot = own[own.label == "CricketShot"]
    assert len(bowled) == len(shot) == 140 + 120
    assert np.array_equal(bowled.end.to_numpy(), shot.start.to_numpy())


@pytest.mark.parametrize("size", ["smoke", "quick", "full"])
def test_instances_lie_in_their_videos_and_match_the_labels(size):
    data = load("synthetic", size)
    joined = data.instances.merge(data.videos, on="video")
    assert (joined.start >= 0).all() and (joined.end > joined.start).all()
    assert (joined.end <= joined.duration + 0.2).all()
    for row in data.videos.itertuples():
        present = set(data.instances.label[data.instances.video == row.video])
        assert present == set(row.labels), row.video
    for subset in ("train", "test"):
        assert data.labels(data.subset(subset)).sum(0).min() >= 1


def test_ambiguous_intervals_are_in_test_videos_outside_instances(full):
    assert 0.1 < full.ignored.video.nunique() / 212 < 0.25
    assert set(full.ignored.video) <= set(full.subset("test"))
    both = full.ignored.merge(full.instances, on="video", suffixes=("", "_instance"))
    shared = np.minimum(both.end, both.end_instance) - np.maximum(both.start, both.start_instance)
    assert shared.max() < 0.11  # times are rounded to .1 s


@pytest.mark.parametrize("size", ["smoke", "quick", "full"])
def test_features_have_the_profiles_shape_and_are_not_negative(size):
    data, one = load("synthetic", size), profile(size)
    for stream in data.streams:
        for video in data.videos.video[:5]:
            x = data.features(stream, video)
            duration = data.videos.duration[data.videos.video == video].item()
            assert x.shape == (max(1, int(duration / 0.64)), one.feature_width or 128)
            assert x.dtype == np.float32 and np.isfinite(x).all() and x.min() == 0


def test_neighbouring_snippets_resemble_each_other(full):
    x = full.features("rgb", full.subset("train")[0])
    steps = np.abs(np.diff(x, axis=0)).mean()
    strangers = np.abs(x[: len(x) // 2] - x[-(len(x) // 2) :]).mean()
    assert steps < 0.8 * strangers


def test_the_same_call_gives_the_same_data():
    assert load("synthetic", "smoke").fingerprint == load("synthetic", "smoke").fingerprint


def test_the_generator_is_frozen():
    """Constants and a sample of what they make; raise VERSION and measure again to change them."""
    assert synthetic.VERSION == CALIBRATION["version"]
    assert {k: list(v) for k, v in synthetic.STRENGTH.items()} == CALIBRATION["strength"]
    data = load("synthetic", "smoke")
    for (stream, video), (total, corner) in FROZEN.items():
        x = data.features(stream, video)
        assert float(x.sum()) == pytest.approx(total, rel=1e-4)
        assert float(x[3, :4].sum()) == pytest.approx(corner, rel=1e-3)


FROZEN = {  # sum of all features; of four channels of one snippet
    ("rgb", "synthetic_train_0001"): (1423.64, 1.238),
    ("rgb", "synthetic_test_0009"): (927.59, 2.8731),
    ("flow", "synthetic_train_0001"): (1285.58, 2.2892),
    ("flow", "synthetic_test_0009"): (937.17, 0.3545),
}


def test_the_recorded_difficulty_is_in_its_band():
    """Means over five seeds, recorded by calibrate_synthetic.py."""
    measured = CALIBRATION["quick"]
    assert len(measured["facnet"]["average"]) == 5
    assert 30 <= measured["facnet"]["mean_average"] <= 65
    assert measured["untrained"]["mean_average"] < 3
    assert np.mean(measured["facnet"]["classification"]) >= 90
    assert 50 <= measured["frame_supervised"]["mean_average"] <= 75


def test_the_quick_cut_still_learns():
    """One recorded seed again; machines may differ by rounding, which training amplifies."""
    from calibrate_synthetic import recipe

    data = load("synthetic", "quick")
    result = run(data, recipe("quick"))
    assert classification(result.scores, data) > 90
    assert 30 < result.evaluation.average < 70


def test_the_data_page_shows_the_frozen_constants_and_the_recorded_difficulty():
    from calibrate_synthetic import PAGE, as_table

    assert PAGE.read_text() == as_table(CALIBRATION)
    page = (PAGE.parent / "data.md").read_text()
    for part, (rgb, flow) in synthetic.STRENGTH.items():
        row = next(line for line in page.splitlines()
                   if line.startswith(f"| {part.replace('_', '-')} |"))
        assert [float(cell) for cell in row.split("|")[3:5]] == [rgb, flow], part
