"""False positives by cause, missed instances by kind: by hand, and what must always hold."""

from dataclasses import replace

import matplotlib
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, strategies as st

from facnet.data import load
from facnet.errors import FacnetError
from facnet.evaluation import PROTOCOLS, evaluate
from facnet.experiment import evaluate_test
from facnet.study import diagnosis, plots
from facnet.study.diagnosis import BINS, CAUSES, NOTHING, RIGHT
from facnet.study.records import whole_videos
from facnet.study.statistics import interval

matplotlib.use("Agg")
INSTANCE = ["video", "label", "start", "end"]
DETECTION = [*INSTANCE, "score"]
DIVE = pd.DataFrame([("v", "dive", 0, 10), ("v", "jump", 20, 30)], columns=INSTANCE)


def found(*rows) -> pd.DataFrame:
    """Dives in video v, or rows that say more, the first the best."""
    return pd.DataFrame([(*(("v", "dive") if len(row) == 2 else ()), *row, 1 - i / 100)
                         for i, row in enumerate(rows)], columns=DETECTION)


def of_each_kind(protocol: str = "activitynet", ignored=None, tiou=(0.5,)):
    """One detection of each kind: tIoU .9, .9 again, .9 with a jump, 1/7, 1/7 with a jump, 0."""
    rows = found((0, 9), (1, 10), (20, 29), (8, 12), (28, 32), (40, 50))
    return evaluate(rows, DIVE, protocol, tiou, ignored=ignored, snippet_seconds=1.0)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_each_cause_is_told_from_the_others(protocol):
    assert diagnosis.causes(of_each_kind(protocol))[0.5].tolist() == [RIGHT, *CAUSES]


def test_a_cause_goes_by_the_thresholds():
    table = diagnosis.causes(of_each_kind(tiou=(0.1, 0.95)))
    # At .1 the two of 1/7 overlap enough; at .95 those of .9 do not.
    assert table[0.1].tolist() == [RIGHT, CAUSES[0], CAUSES[1], CAUSES[0], CAUSES[1], CAUSES[4]]
    assert table[0.95].tolist() == [CAUSES[2]] * 2 + [CAUSES[3], CAUSES[2], *CAUSES[3:]]
    strict = diagnosis.causes(of_each_kind(), alpha=0.2)[0.5]
    assert strict.tolist() == [RIGHT, *CAUSES[:2], *[CAUSES[4]] * 3]


def test_what_does_not_count_has_no_cause():
    ignored = pd.DataFrame([("v", 45, 60)], columns=["video", "start", "end"])
    uncounted = diagnosis.causes(of_each_kind("thumos", ignored))[0.5]
    assert uncounted.tolist() == [RIGHT, *CAUSES[:4], ""]
    assert len(diagnosis.causes(of_each_kind("released", ignored))) == 5  # dropped before


def test_of_two_that_are_overlapped_alike_ones_own_class_counts():
    both = pd.DataFrame([("v", label, 0, 10) for label in ("jump", "dive", "swim")],
                        columns=INSTANCE)
    evaluation = evaluate(found((0, 10), (0, 10), (0, 1)), both, "activitynet")
    assert diagnosis.nearest(evaluation)[1].all()
    assert diagnosis.causes(evaluation)[0.5].tolist() == [RIGHT, CAUSES[0], CAUSES[2]]


def test_detections_are_grouped_by_as_many_as_their_class_has_instances():
    truth = pd.DataFrame([("v", "dive", 0, 10), ("v", "dive", 20, 30), ("v", "jump", 50, 60)],
                         columns=INSTANCE)
    rows = found((0, 10), (0, 9), (70, 80), ("v", "jump", 70, 80), ("v", "jump", 50, 60),
                 ("v", "swim", 0, 10))  # a class without instances has no group
    evaluation = evaluate(rows, truth, "activitynet", classes=["dive", "jump", "swim"])
    table = diagnosis.false_positive_profile(evaluation)[:3]
    kinds = [RIGHT, "double detection", "background error", NOTHING]
    thirds = 3 * table[kinds].to_numpy() / 100
    np.testing.assert_allclose(thirds, [[1, 1, 1, 0], [1, 0, 1, 1], [0, 0, 0, 3]])
    assert table.drop(columns=kinds).to_numpy().sum() == 0


def test_a_gain_is_what_the_ap_would_be_without_the_cause():
    rows = found((40, 50), (8, 12), (0, 10))  # a background and a localisation error come first
    gains = diagnosis.removal_gains(evaluate(rows, DIVE.iloc[:1], "activitynet", [0.5, 0.7]))
    third, half = 100 / 3, 50
    assert gains.loc["background error"].tolist() == pytest.approx([half - third] * 2)
    assert gains.loc["localisation error"].tolist() == pytest.approx([half - third] * 2)
    assert gains.loc["wrong label"].tolist() == [0, 0]
    assert gains.loc["all of them"].tolist() == pytest.approx([100 - third] * 2)
    assert gains.loc["missed instances"].tolist() == pytest.approx([0, 0])


def test_normalised_map_weighs_a_group_as_if_it_had_as_many_instances_as_a_class():
    truth = pd.DataFrame([("v", "dive", 0, 10), ("v", "dive", 20, 21), ("v", "dive", 30, 31),
                          ("v", "jump", 50, 60)], columns=INSTANCE)
    evaluation = evaluate(found((0, 10), (70, 80), (20, 21)), truth, "activitynet", [0.5])
    groups = pd.Series(["long", "short", "short", "long"])
    table = diagnosis.missed(evaluation, groups)
    assert table.instances.to_dict() == {"long": 2, "short": 2, "all": 4}
    assert table.missed.to_dict() == pytest.approx({"long": 50, "short": 50, "all": 50})
    # Two classes, four instances: N is 2. Short dives: one of two, after one false positive, is a
    # recall R of 1/2, and R N / (R N + 1) is 1/2. Long: the dive comes first; the jump is missed.
    assert table.mAP_N.to_dict() == pytest.approx({
        "short": 100 * 0.5 * 0.5, "long": 100 / 2,
        "all": 100 * (1 / 3 + (2 / 3 * 2) / (2 / 3 * 2 + 1) / 3) / 2})


def test_every_instance_is_in_the_bin_of_its_kind():
    data = load("synthetic", "smoke")
    video = data.subset("test")[0]
    duration = data.videos.set_index("video").duration[video]
    truth = pd.DataFrame([(video, "Diving", 1.2, 4.2), (video, "Diving", 0, duration),
                          (video, "GolfSwing", 5, 5)], columns=INSTANCE)
    kinds = diagnosis.characteristics(data, truth)
    assert kinds["length (s)"].tolist() == [3.0, duration, 0]
    assert kinds["coverage (%)"].tolist() == pytest.approx([300 / duration, 100, 0])
    assert kinds["instances of its class"].tolist() == [2, 2, 1]
    assert diagnosis.binned(kinds["length (s)"], (3, 6)).tolist() == ["≤ 3", "> 6", "≤ 3"]
    for bins in BINS.values():
        assert list(bins) == list(kinds)
        assert not any(diagnosis.binned(kinds[name], ends).isna().any()
                       for name, ends in bins.items())


SEGMENTS = st.lists(st.tuples(st.sampled_from("uvw"), st.sampled_from(["dive", "jump", "swim"]),
                              st.integers(0, 20), st.integers(1, 8)), min_size=1, max_size=25)


@given(SEGMENTS, SEGMENTS, st.sampled_from(list(PROTOCOLS)), st.booleans())
def test_what_holds_of_every_evaluation(detections, instances, protocol, some_ignored):
    truth = pd.DataFrame([(v, c, a, a + n) for v, c, a, n in instances], columns=INSTANCE)
    rows = found(*((v, c, a, a + n) for v, c, a, n in detections))
    ignored = pd.DataFrame([("u", 3, 9)] * (some_ignored and protocol != "activitynet"),
                           columns=["video", "start", "end"])
    evaluation = evaluate(rows, truth, protocol, ignored=ignored, snippet_seconds=1.0)
    what = diagnosis.causes(evaluation).to_numpy().T
    assert ((what == RIGHT) == (evaluation.outcomes == 1)).all()
    assert ((what == "") == (evaluation.outcomes == -1)).all()
    for matches, threshold in zip(evaluation.matches, evaluation.tiou):
        own = matches[matches >= 0]
        assert len(set(own)) == len(own)  # an instance is taken once, by one that overlaps enough
        pairs = evaluation.detections[matches >= 0], evaluation.truth.iloc[own]
        for column in ("video", "label"):
            assert (pairs[0][column].to_numpy() == pairs[1][column].to_numpy()).all()
        assert (diagnosis.nearest(evaluation)[0][matches >= 0] >= threshold).all()

    profile = diagnosis.false_positive_profile(evaluation)
    np.testing.assert_allclose(profile.sum(axis=1), 100)
    assert (profile >= 0).to_numpy().all()
    gains = diagnosis.removal_gains(evaluation)
    assert (gains >= -1e-9).to_numpy().all()
    assert (gains.loc[list(CAUSES)] <= gains.loc["all of them"] + 1e-9).to_numpy().all()
    np.testing.assert_allclose(gains.loc[["all of them", "missed instances"]].sum(),
                               [100 - evaluation.mean_ap[0.5], 100 - evaluation.average])

    groups = diagnosis.binned(evaluation.truth.end - evaluation.truth.start, (1, 4))
    table = diagnosis.missed(evaluation, groups)
    parts = table.drop(index="all")
    assert parts.instances.sum() == table.instances["all"] == len(truth)
    assert (parts.missed * parts.instances).sum() == pytest.approx(
        table.missed["all"] * len(truth))
    if evaluation.instances.nunique() == 1:  # then no class needs to be normalised
        assert table.mAP_N["all"] == pytest.approx(evaluation.mean_ap[0.5])


@given(SEGMENTS, st.sampled_from(list(PROTOCOLS)))
def test_a_perfect_detector_has_no_error(instances, protocol):
    truth = pd.DataFrame([(v, c, a, a + n) for v, c, a, n in instances],
                         columns=INSTANCE).drop_duplicates()
    evaluation = evaluate(truth.assign(score=1.0), truth, protocol, [0.5, 0.9],
                          snippet_seconds=1.0)
    assert (diagnosis.causes(evaluation) == RIGHT).to_numpy().all()
    profile = diagnosis.false_positive_profile(evaluation)
    assert profile.loc[1, RIGHT] == 100 and (profile.loc[2:, NOTHING] == 100).all()
    assert diagnosis.removal_gains(evaluation).to_numpy() == pytest.approx(0)
    table = diagnosis.missed(evaluation, pd.Series("any", evaluation.truth.index))
    assert (table.missed == 0).all() and table.mAP_N.to_numpy() == pytest.approx(100)


def test_a_tiou_that_was_not_evaluated_is_one_clear_line():
    for question in (diagnosis.false_positive_profile, diagnosis.removal_gains,
                     diagnosis.taken):
        with pytest.raises(FacnetError, match=r"tIoU 0.6: not evaluated. There are \[0.5\]."):
            question(of_each_kind(), 0.6)


def test_seeds_become_a_mean_with_its_interval():
    tables = [pd.DataFrame({"a": [value, 1.0]}, index=["x", "y"]) for value in (1.0, 3.0)]
    both = diagnosis.over_seeds(tables)
    assert both.loc["x"].tolist() == list(interval([1.0, 3.0]))
    assert both.loc["y"].tolist() == [1, 1, 1]
    assert list(both) == ["a", "a_low", "a_high"]
    assert diagnosis.over_seeds(tables[:1]).a_low.isna().all()


@pytest.mark.parametrize("name", ["synthetic", "synthetic-activitynet"])
def test_the_chart_of_errors_draws_every_kind(name):
    data = load(name, "smoke")
    if name == "synthetic":  # a test video without instances, and one class without any
        data = replace(data, instances=data.instances[data.instances.label != "GolfSwing"])
    evaluation = evaluate_test(whole_videos(data), data)
    profile = diagnosis.false_positive_profile(evaluation)
    drawn = plots.errors(diagnosis.over_seeds([profile] * 2),
                          diagnosis.over_seeds([diagnosis.removal_gains(evaluation)] * 2))
    left, right = drawn.axes
    heights = [[bar.get_height() for bar in bars] for bars in left.containers]
    np.testing.assert_allclose(heights, profile.to_numpy().T)
    assert len(right.patches) == len(CAUSES) + 2
    assert right.get_xlabel() == "points of AVG"  # what missed instances cost is no gain
