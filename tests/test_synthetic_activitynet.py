"""The miniature of ActivityNet has its timelines and frozen constants, and can be learned from."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from facnet.data import load
from facnet.experiment import evaluate_test, run
from facnet.profiles import profile
from facnet.study.records import classification, provenance, whole_videos
from facnet.synthetic import activitynet as synthetic_activitynet

CALIBRATION = json.loads(Path(__file__).with_name("calibration_activitynet.json").read_text())
SUBSETS = ("train", "test")
# Counted from the 9,649 training and 4,728 validation videos that BSN distributes annotations of.
# Of relative lengths and coverage: 5 %, 25 %, 50 %, 75 % and 95 % of the instances or videos.
REAL = {
    "train": {"snippets": (28, 96, 178, 269, 350), "instances": 1.54, "single": 0.754,
              "lengths": (0.019, 0.076, 0.324, 0.792, 0.997), "mean coverage": 0.652,
              "coverage": (0.117, 0.436, 0.716, 0.899, 0.999), "covered whole": 0.160},
    "test": {"snippets": (27, 94, 183, 274, 352), "instances": 1.543, "single": 0.756,
             "lengths": (0.019, 0.081, 0.329, 0.798, 0.997), "mean coverage": 0.657,
             "coverage": (0.125, 0.445, 0.724, 0.902, 0.999), "covered whole": 0.167},
}
PERCENT = (5, 25, 50, 75, 95)


@pytest.fixture(scope="module", params=["quick", "full"])
def timelines(request):
    """Videos with their instances, at a size, and how much the size shrinks a video."""
    size = profile(request.param)
    # Features enter no timeline; narrow ones are made sooner.
    data = synthetic_activitynet.make_synthetic_activitynet(replace(size, feature_width=2))
    return data, (size.longest_video or 302.1) / 302.1


@pytest.fixture(params=SUBSETS)
def subset(request, timelines):
    data, shrunk = timelines
    both = data.instances_of(request.param).merge(data.videos, on="video")
    snippets = [len(data.features("rgb", video)) for video in data.subset(request.param)]
    return REAL[request.param], both, np.array(snippets), shrunk


def test_every_class_has_as_many_videos(timelines):
    data, _ = timelines
    for name in SUBSETS:
        counts = data.labels(data.subset(name)).sum(0)
        assert len(counts) == 200 and counts.min() == counts.max() >= 2


def test_videos_last_as_long_as_activitynets(subset):
    real, _, snippets, shrunk = subset
    wanted = shrunk * np.array(real["snippets"])
    assert np.percentile(snippets, PERCENT) == pytest.approx(wanted, rel=0.06, abs=1)
    shortest = 2 if shrunk == 1 else 1  # a size that shrinks videos may halve the shortest
    assert shortest <= snippets.min() <= 2 and (snippets <= 3).sum() >= 2


def test_three_quarters_of_the_videos_have_one_instance(subset):
    real, both, _, _ = subset
    counts = both.groupby("video").size()
    assert (counts == 1).mean() == pytest.approx(real["single"], abs=0.01)
    assert counts.mean() == pytest.approx(real["instances"], abs=0.05)
    assert np.percentile(counts, 95) == 4 and counts.max() >= 8


def test_instances_fill_as_much_of_their_videos_as_activitynets(subset):
    real, both, _, _ = subset
    lengths = (both.end - both.start) / both.duration
    assert np.percentile(lengths, PERCENT) == pytest.approx(real["lengths"], abs=0.035)


def test_two_thirds_of_the_time_is_action(subset):
    real, both, _, _ = subset
    shares = ((both.end - both.start) / both.duration).groupby(both.video).sum()
    assert shares.mean() == pytest.approx(real["mean coverage"], abs=0.02)
    assert np.percentile(shares, PERCENT) == pytest.approx(real["coverage"], abs=0.035)
    assert (shares > 0.95).mean() == pytest.approx(real["covered whole"], abs=0.03)


def test_instances_lie_in_their_videos_and_do_not_overlap(timelines):
    data, _ = timelines
    both = data.instances.merge(data.videos, on="video")
    assert (both.start >= 0).all() and (both.end > both.start).all()
    assert (both.end <= both.duration + 0.011).all()
    assert (both.label == both.labels.str[0]).all() and (both.labels.map(len) == 1).all()
    before = both.groupby("video").end.shift()
    assert (both.start - before).min() > -0.1
    assert data.ignored.empty


def test_whole_videos_told_their_class_score_as_on_activitynet():
    """On the real annotations 35.4, 19.7 and 4.6 at tIoU .5, .75 and .95, and 20.6 on average."""
    size = replace(profile("full"), feature_width=2)
    data = synthetic_activitynet.make_synthetic_activitynet(size)
    found = evaluate_test(whole_videos(data), data)
    assert found.tiou[0] == 0.5 and found.tiou[-1] == 0.95
    at = found.mean_ap[[0.5, 0.75, 0.95]]
    assert at.to_numpy() == pytest.approx([35.4, 19.7, 4.6], abs=4)
    assert found.average == pytest.approx(20.6, abs=4)


def test_the_same_call_gives_the_same_data():
    one, other = (load("synthetic-activitynet", "smoke") for _ in range(2))
    assert one.fingerprint == other.fingerprint != load("synthetic", "smoke").fingerprint


def test_it_is_never_passed_off_as_activitynet():
    data = load("synthetic-activitynet", "smoke")
    assert data.simulated and data.protocol == "activitynet"
    assert "Synthetic data, not ActivityNet:" in provenance(data, "smoke", 3)


def test_the_generator_is_frozen():
    """Constants and a sample of what they make; raise VERSION and measure again to change them."""
    assert synthetic_activitynet.VERSION == CALIBRATION["version"]
    assert list(synthetic_activitynet.BUMP) == CALIBRATION["bump"]
    strength = {k: list(v) for k, v in synthetic_activitynet.STRENGTH.items()}
    assert strength == CALIBRATION["strength"]
    data = load("synthetic-activitynet", "smoke")
    for (stream, video), (total, corner) in FROZEN.items():
        x = data.features(stream, video)
        assert float(x.sum()) == pytest.approx(total, rel=1e-4)
        assert float(x[1, :4].sum()) == pytest.approx(corner, rel=1e-3)


FROZEN = {  # sum of all features; of four channels of one snippet
    ("rgb", "synthetic_activitynet_train_0001"): (165.02, 1.5843),
    ("rgb", "synthetic_activitynet_test_0009"): (143.35, 1.1838),
    ("flow", "synthetic_activitynet_train_0001"): (187.12, 0.9858),
    ("flow", "synthetic_activitynet_test_0009"): (184.21, 0.8202),
}


def test_the_recorded_difficulty_is_in_its_band():
    """Three seeds, recorded by calibrate_activitynet.py."""
    measured = CALIBRATION["quick"]
    trained, untrained = measured["facnet"], measured["untrained"]
    assert len(trained["average"]) == 3
    assert min(trained["classification"]) > 60
    assert min(trained["average"]) > 5 * max(untrained["average"])
    assert 15 <= trained["mean_average"] <= 50


def test_the_quick_miniature_is_learned():
    """One recorded seed again; machines may differ by rounding, which training amplifies."""
    from calibrate_activitynet import recipe

    data = load("synthetic-activitynet", "quick")
    result = run(data, recipe("quick"))
    assert classification(result.scores, data) > 60
    untrained = max(CALIBRATION["quick"]["untrained"]["average"])
    assert result.evaluation.average > max(5 * untrained, 10)


def test_the_data_page_shows_the_frozen_constants_and_the_recorded_difficulty():
    from calibrate_activitynet import PAGE, SIZES, as_table

    assert PAGE.read_text() == as_table(CALIBRATION, SIZES)
    page = (PAGE.parent / "data.md").read_text()
    table = page[page.index("synthetic-activitynet"):]
    for part, (rgb, flow) in synthetic_activitynet.STRENGTH.items():
        row = next(line for line in table.splitlines()
                   if line.startswith(f"| {part.replace('_', '-')} |"))
        assert [float(cell) for cell in row.split("|")[2:4]] == [rgb, flow], part
