"""Evaluation: the recorded answers of other evaluators, and a slow, obvious one written here."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, strategies as st

from facnet.errors import FacnetError
from facnet.evaluation import (
    PROTOCOLS, average_precision, drop_ignored, evaluate, temporal_iou, to_snippets,
)
from facnet.files import PROTOCOL_NAMES, read_annotations, read_detections
from facnet.importers.wtalc import read_wtalc
from facnet.study.records import classification_mean_ap

FIXTURES = Path(__file__).parent / "fixtures"
TENTHS = np.arange(1, 8) / 10


def test_every_protocol_that_a_data_set_may_name_has_rules():
    assert tuple(PROTOCOLS) == PROTOCOL_NAMES


def detections_of(rows):
    return pd.DataFrame(rows, columns=["video", "label", "start", "end", "score"])


def instances_of(rows):
    return pd.DataFrame(rows, columns=["video", "label", "start", "end"])


def ignored_of(rows):
    return pd.DataFrame(rows, columns=["video", "start", "end"])


def in_seconds(segments, videos, classes):
    """Recorded rows (class, video, start, stored end, score), in snippets, as detections."""
    return pd.DataFrame({
        "video": [videos[int(v)] for v in segments[:, 1]],
        "label": [classes[int(c)] for c in segments[:, 0]],
        "start": segments[:, 2] * 0.64,
        "end": segments[:, 3] * 0.64,
        "score": segments[:, 4],
    })


# ---------------------------------------------------------------- recorded answers

NAMES = [f"{i:03d}" for i in range(100)]


@pytest.mark.parametrize("stream", ["rgb", "flow", "fused"])
@pytest.mark.parametrize("case", range(7))
def test_released_protocol_gives_the_recorded_ap_of_small_sets(case, stream):
    recorded = np.load(FIXTURES / f"mini_0{case}.npz")
    instances = instances_of({
        "video": [NAMES[v] for v in recorded["gt_video"]],
        "label": [NAMES[c] for c in recorded["gt_label"]],
        "start": recorded["gt_start"], "end": recorded["gt_end"],
    })
    ignored = ignored_of({
        "video": [NAMES[v] for v in recorded["amb_video"]],
        "start": recorded["amb_start"], "end": recorded["amb_end"],
    })
    detections = in_seconds(recorded[f"segs_{stream}"], NAMES, NAMES)
    result = evaluate(detections, instances, "released", ignored=ignored)
    # Every class of these sets has a detection, so the released code's mAP of 0 does not occur.
    np.testing.assert_allclose(result.ap.T / 100, recorded[f"AP_{stream}"], rtol=0, atol=1e-9)
    np.testing.assert_allclose(result.mean_ap, recorded[f"mAP_{stream}"], rtol=0, atol=1e-6)
    # These detections have been through the released filter: it keeps all of them.
    assert result.left_out == {}


@pytest.mark.parametrize("case", range(7))
def test_average_precision_gives_the_recorded_values(case):
    recorded = np.load(FIXTURES / "units.npz")
    true, count = recorded[f"ap{case}_tp"], int(recorded[f"ap{case}_npos"])
    interpolated, plain = average_precision(true, count), average_precision(true, count, False)
    assert interpolated / 100 == pytest.approx(recorded[f"ap{case}_facnet_interp"], abs=1e-12)
    assert plain / 100 == pytest.approx(recorded[f"ap{case}_wtalc_noninterp"], abs=1e-12)


@pytest.mark.parametrize("case", range(2))
def test_activitynet_protocol_gives_the_recorded_ap(case):
    recorded = np.load(FIXTURES / f"anet_rand{case}.npz")
    instances, detections = (
        instances_of({
            "video": [NAMES[v] for v in recorded[f"{kind}_video"]],
            "label": [NAMES[c] for c in recorded[f"{kind}_label"]],
            "start": recorded[f"{kind}_start"], "end": recorded[f"{kind}_end"],
        })
        for kind in ("gt", "pred")
    )
    detections["score"] = recorded["pred_score"]
    result = evaluate(detections, instances, "activitynet")
    assert list(result.ap.index) == [NAMES[c] for c in recorded["class_ids"]]
    np.testing.assert_allclose(result.tiou, recorded["tiou"])
    np.testing.assert_allclose(result.ap.T / 100, recorded["ap"], rtol=0, atol=1e-9)
    np.testing.assert_allclose(result.mean_ap / 100, recorded["mAP"], rtol=0, atol=1e-9)
    assert result.average / 100 == pytest.approx(recorded["average_mAP"], abs=1e-9)
    assert result.ap.iloc[-1].eq(0).all()  # the last class has no detection
    assert result.elsewhere > 0


@pytest.mark.parametrize("stream", ["rgb", "flow", "fused"])
def test_released_protocol_gives_the_recorded_ap_of_the_whole_thumos14_test_set(stream, reference):
    annotations = read_wtalc(reference / "data/thumos14/Thumos14reduced-Annotations")
    videos = annotations.videos.video[annotations.videos.subset == "test"].tolist()
    classes = sorted(set(annotations.instances.label))
    recorded = np.load(reference / "oracles/det_noisy_out.npz")
    detections = in_seconds(recorded[f"segs_{stream}"], videos, classes)
    result = evaluate(detections, annotations.test_instances, ignored=annotations.ignored)
    np.testing.assert_allclose(result.ap.T / 100, recorded[f"AP_{stream}"], rtol=0, atol=1e-9)
    np.testing.assert_allclose(result.mean_ap, recorded[f"mAP_{stream}"], rtol=0, atol=1e-6)
    assert result.left_out == {}
    assert (result.videos, result.instances.sum()) == (212, 3358)


def test_real_detections_get_their_published_map(reference):
    folder = reference / "data/thumos14_stpn_detections"
    detections = read_detections(folder / "results.json")
    theirs = read_annotations(folder / "gt.json").test_instances
    result = evaluate(detections, theirs, "activitynet", TENTHS)
    published = [52.1, 44.2, 34.7, 26.1, 17.7, 10.1, 4.9]
    np.testing.assert_allclose(result.mean_ap, published, rtol=0, atol=0.1)

    annotations = read_wtalc(reference / "data/thumos14/Thumos14reduced-Annotations")
    instances, ignored = annotations.test_instances, annotations.ignored
    result = evaluate(detections, instances, "thumos", ignored=ignored)
    published = [46.6, 40.3, 32.5, 25.0, 17.2, 9.7, 4.8]
    np.testing.assert_allclose(result.mean_ap, published, rtol=0, atol=0.1)
    assert (result.videos, result.instances.sum()) == (212, 3358)


# ---------------------------------------------------------------- worked numbers


@pytest.mark.parametrize(
    ("instance", "snippets", "expected", "on_grid", "in_seconds"),
    [
        ((0.3, 0.9), (0, 2), (0, 1), 0.5, 0.4688),
        ((10.0, 12.0), (15, 19), (16, 19), 0.75, 0.7812),
        ((0.2, 0.3), (0, 4), (0, 0), 0.0, 0.0391),
        ((5.0, 7.5), (8, 12), (8, 12), 1.0, 0.8881),
        ((3.0, 5.5), (4, 9), (5, 9), 0.8, 0.7813),
        ((1.0, 3.9), (2, 9), (2, 6), 0.5714, 0.5504),
    ],
)
def test_tiou_on_the_grid_and_in_seconds(instance, snippets, expected, on_grid, in_seconds):
    detection = np.array(snippets) * 0.64
    assert tuple(to_snippets(instance)) == expected
    assert tuple(to_snippets(detection)) == snippets
    grid = temporal_iou(to_snippets(instance), to_snippets(detection))
    assert grid == pytest.approx(on_grid, abs=5e-5)
    assert temporal_iou(instance, detection) == pytest.approx(in_seconds, abs=1e-4)


def test_the_grid_turns_a_false_positive_into_a_true_one():
    detections = detections_of([("v", "a", 0.0, 1.28, 1.0)])
    instances = instances_of([("v", "a", 0.3, 0.9)])
    assert evaluate(detections, instances, "released", [0.5]).average == 100
    assert evaluate(detections, instances, "activitynet", [0.5]).average == 0


@pytest.mark.parametrize(
    ("true", "n_instances", "interpolated", "plain"),
    [
        ([1, 0, 1], 3, 0.5556, 0.5556),
        ([0, 1, 1], 2, 0.6667, 0.5833),
        ([1, 0, 0, 1, 1], 3, 0.7333, 0.7000),
    ],
)
def test_interpolation_raises_average_precision(true, n_instances, interpolated, plain):
    true = np.array(true)
    assert average_precision(true, n_instances) == pytest.approx(100 * interpolated, abs=0.01)
    assert average_precision(true, n_instances, False) == pytest.approx(100 * plain, abs=0.01)


@pytest.mark.parametrize("protocol", ["released", "activitynet"])
def test_a_detection_takes_the_best_instance_rather_than_the_first(protocol):
    instances = instances_of([("v", "a", 0, 10), ("v", "a", 2, 12)])
    detections = detections_of([("v", "a", 2, 12, 0.9), ("v", "a", 0, 8, 0.8)])
    # Taking the first that reaches .6 would give [0, 10) to the first detection.
    result = evaluate(detections, instances, protocol, [0.6], snippet_seconds=1.0)
    assert result.outcomes.tolist() == [[1, 1]]


def test_an_instance_takes_the_largest_overlap_whatever_its_score_in_thumos():
    instances = instances_of([("v", "a", 0.0, 10.0)])
    detections = detections_of([("v", "a", 0.0, 6.0, 0.9), ("v", "a", 0.0, 9.0, 0.1)])
    assert evaluate(detections, instances, "thumos", [0.5]).average == 50
    assert evaluate(detections, instances, "activitynet", [0.5]).average == 100


def test_a_tiou_equal_to_the_threshold_counts_except_in_thumos():
    instances = instances_of([("v", "a", 0.0, 32.0)])  # 50 snippets
    detections = detections_of([("v", "a", 0.0, 16.0, 1.0)])
    ap = {p: evaluate(detections, instances, p, [0.5]).average for p in PROTOCOLS}
    assert ap == {"released": 100, "seconds": 100, "activitynet": 100, "thumos": 0}


def test_half_of_six_tenths_is_half_in_thumos():
    # Intersection over the sum of lengths less the intersection would be .5000000000000001.
    instances = instances_of([("v", "a", 0.0, 0.6)])
    detections = detections_of([("v", "a", 0.0, 0.3, 1.0)])
    assert evaluate(detections, instances, "thumos", [0.5]).average == 0


@pytest.mark.parametrize(("protocol", "outcomes"), [("released", [1, 0]), ("activitynet", [1, 1])])
def test_among_instances_of_equal_tiou_released_takes_the_earliest(protocol, outcomes):
    instances = instances_of([("v", "a", 4, 12), ("v", "a", 0, 8)])
    detections = detections_of([("v", "a", 2, 10, 0.9), ("v", "a", 0, 8, 0.8)])
    # The first detection has tIoU .6 with both; the second is in vain if that takes [0, 8).
    result = evaluate(detections, instances, protocol, [0.5], snippet_seconds=1.0)
    assert result.outcomes.tolist() == [outcomes]


def test_seconds_round_half_to_even_at_any_snippet_length():
    assert to_snippets([1.6, 4.8, 8.0, 0.96]).tolist() == [2, 8, 12, 2]  # 2.5, 7.5, 12.5, 1.5
    assert to_snippets([0.08, 0.24, 0.4], 0.16).tolist() == [0, 2, 2]
    assert to_snippets([4 / 15, 0.8], 16 / 30).tolist() == [0, 2]


def test_a_threshold_means_the_decimal_that_it_prints_as():
    instances = instances_of([("v", "a", 0.0, 6.4)])
    detections = detections_of([("v", "a", 0.0, 1.92, 1.0)])  # 3 of 10 snippets
    assert evaluate(detections, instances, "released", [0.1 + 0.2]).mean_ap[0.3] == 100


# ---------------------------------------------------------------- ignored intervals


def test_the_filter_drops_what_shares_a_snippet_whatever_its_class():
    detections = detections_of([
        ("v", "a", 0.0, 1.28, 0.9), ("v", "b", 0.0, 1.92, 0.8), ("w", "a", 0.0, 1.92, 0.7),
    ])
    ignored = ignored_of([("v", 1.3, 2.5)])  # snippets [2, 4)
    assert drop_ignored(detections, ignored).score.tolist() == [0.9, 0.7]
    empty = ignored_of([("v", 1.3, 1.4)])  # snippets [2, 2)
    assert len(drop_ignored(detections, empty)) == 3


def test_what_protocols_do_with_ignored_intervals():
    instances = instances_of([("v", "a", 10.0, 20.0)])
    detections = detections_of([("v", "a", 30.0, 40.0, 0.9), ("v", "a", 10.0, 20.0, 0.8)])
    ignored = ignored_of([("v", 35.0, 36.0), ("v", 11.0, 12.0)])
    assert evaluate(detections, instances, "thumos").average == 50
    result = evaluate(detections, instances, "thumos", [0.5], ignored=ignored)
    assert result.outcomes.tolist() == [[-1, 1]]  # the matched one stays true
    assert result.average == 100
    result = evaluate(detections, instances, "released", ignored=ignored)
    assert result.average == 0
    assert result.left_out == {"in an ignored interval": 2}
    assert evaluate(detections, instances, "seconds", [0.5], ignored=ignored).average == 100
    with pytest.raises(FacnetError, match="activitynet.*knows no ignored"):
        evaluate(detections, instances, "activitynet", ignored=ignored)


def test_seconds_is_activitynets_matching_at_the_tious_of_thumos():
    instances = instances_of([("v", "a", 0.1, 10.0), ("v", "a", 2.1, 12.0), ("w", "a", 0.0, 0.3)])
    detections = detections_of([("v", "a", 2.1, 11.0, 0.9), ("v", "a", 0.3, 9.0, 0.8),
                                ("w", "a", 5.0, 6.0, 0.7), ("w", "a", 0.0, 0.2, 0.6)])
    result = evaluate(detections, instances, "seconds")
    assert result.tiou == evaluate(detections, instances, "thumos").tiou
    pd.testing.assert_frame_equal(
        result.ap, evaluate(detections, instances, "activitynet", result.tiou).ap)


# ---------------------------------------------------------------- what is evaluated


def test_a_class_without_detections_lowers_the_mean_but_does_not_annul_it():
    instances = instances_of([("v", "a", 0.0, 5.0), ("v", "b", 0.0, 5.0)])
    detections = detections_of([("v", "a", 0.0, 5.0, 1.0)])
    for protocol in PROTOCOLS:
        assert evaluate(detections, instances, protocol).average == 50


def test_no_detection_at_all_scores_zero():
    for protocol in PROTOCOLS:
        result = evaluate(detections_of([]), instances_of([("v", "a", 0.0, 5.0)]), protocol)
        assert (result.average, len(result.detections)) == (0, 0)


def test_detections_that_are_not_scored_are_counted():
    instances = instances_of([("v", "a", 0.0, 5.0), ("w", "b", 0.0, 5.0)])
    detections = detections_of([
        ("v", "a", 0.0, 5.0, 0.9), ("v", "Typo", 0.0, 5.0, 0.8), ("w", "b", 0.0, 5.0, 0.7),
        ("x", "a", 0.0, 5.0, 0.6),
    ])
    result = evaluate(detections, instances)
    assert result.left_out == {"of label 'Typo', not evaluated": 1}
    assert (result.elsewhere, result.videos, len(result.detections)) == (1, 2, 3)
    result = evaluate(detections, instances, videos=["v", "empty"])
    assert result.left_out == {"in a video not evaluated": 2, "of label 'Typo', not evaluated": 1}
    assert (result.elsewhere, result.videos, list(result.ap.index)) == (0, 2, ["a"])


def test_a_class_without_instances_is_left_out_of_the_mean():
    instances = instances_of([("v", "a", 0.0, 5.0)])
    detections = detections_of([("v", "a", 0.0, 5.0, 0.9), ("v", "b", 0.0, 5.0, 0.9)])
    result = evaluate(detections, instances, classes=["b", "a"])
    assert list(result.ap.index) == ["b", "a"]
    assert result.ap.loc["b"].isna().all()
    assert result.average == 100


def test_the_curve_follows_the_ranks():
    instances = instances_of([("v", "a", 0.0, 5.0), ("v", "a", 10.0, 15.0)])
    detections = detections_of([
        ("v", "a", 10.0, 15.0, 0.1), ("v", "a", 20.0, 25.0, 0.5), ("v", "a", 0.0, 5.0, 0.9),
    ])
    curve = evaluate(detections, instances).curve("a", 0.5)
    assert curve.recall.tolist() == [0.5, 0.5, 1.0]
    assert curve.precision.tolist() == [1, 1 / 2, 2 / 3]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"protocol": "thumos14"}, "Did you mean 'thumos'"),
        ({"tiou": [0.5, 1.5]}, "tiou: .*1.5"),
        ({"videos": ["unknown"]}, "instances: none in the videos"),
        ({"detections": detections_of([("v", "a", 0, 1, np.nan)])}, "detections, v: score is nan"),
        ({"detections": detections_of([("v", "a", 9, 1, 1.0)])}, r"v: segment \[9.0, 1.0\] ends"),
        ({"instances": ignored_of([("v", 0, 1)])}, "instances: no column 'label'"),
    ],
)
def test_bad_input_is_one_line(change, message):
    good = {
        "detections": detections_of([("v", "a", 0, 1, 1.0)]),
        "instances": instances_of([("v", "a", 0, 1)]),
    }
    with pytest.raises(FacnetError, match=message) as caught:
        evaluate(**{**good, **change})
    assert "\n" not in str(caught.value)


def test_classification_map_leaves_out_classes_without_a_positive():
    labels = np.array([[1, 0, 0], [0, 1, 0], [1, 1, 0]])
    probabilities = np.array([[0.9, 0.8, 0.5], [0.1, 0.7, 0.5], [0.8, 0.1, 0.5]])
    # The second class ranks false, true, true: (1/2 + 2/3) / 2.
    expected = 100 * np.mean([1, (1 / 2 + 2 / 3) / 2])
    assert classification_mean_ap(probabilities, labels) == pytest.approx(expected)
    with pytest.raises(FacnetError, match="no video has a class"):
        classification_mean_ap(probabilities, np.zeros((3, 3)))


# ---------------------------------------------------------------- a slow, obvious evaluator

TIMES = st.integers(0, 120).map(lambda tenths: tenths / 10)
SEGMENTS = st.tuples(TIMES, st.integers(0, 60)).map(lambda s: (s[0], round(s[0] + s[1] / 10, 1)))
PLACES = st.tuples(st.sampled_from(["u", "v", "w"]), st.sampled_from(["a", "b"]))
SCORES = st.sampled_from([0.1, 0.2, 0.3, 0.4, 0.5, 0.6])  # few, so that many tie
INSTANCES = st.lists(
    st.tuples(PLACES, SEGMENTS).map(lambda r: (*r[0], *r[1])), min_size=1, max_size=14
)
DETECTIONS = st.lists(
    st.tuples(PLACES, SEGMENTS, SCORES).map(lambda r: (*r[0], *r[1], r[2])), max_size=25
)
IGNORED = st.lists(st.tuples(st.sampled_from(["u", "v"]), SEGMENTS).map(lambda r: (r[0], *r[1])))
PROTOCOL = st.sampled_from(sorted(PROTOCOLS))


def rank(detection):
    video, _, start, end, score = detection
    return -score, video, start, end


def snippets(segment):
    start, end = segment[2:4] if isinstance(segment[1], str) else segment[1:3]
    return set(range(round(start * (25 / 16)), round(end * (25 / 16))))


def shared_seconds(a, b):
    return min(a[1], b[1]) - max(a[0], b[0])


def slow_tiou(detection, instance, protocol):
    if protocol == "released":
        a, b = snippets(detection), snippets(instance)
        return len(a & b) / len(a | b) if a & b else 0
    (s, e), (s2, e2) = detection[2:4], instance[2:4]
    shared = shared_seconds((s, e), (s2, e2))
    if shared <= 0:
        return 0
    span, union = max(e, e2) - min(s, s2), (e - s) + (e2 - s2) - shared
    return shared / (span if protocol == "thumos" else union)


def slow_by_rank(detections, instances, protocol, threshold):
    """Each detection in turn looks for the best instance that is left."""
    left = sorted(instances, key=lambda g: g[2:4], reverse=protocol != "released")
    outcomes = []
    for detection in sorted(detections, key=rank):
        best = None
        for instance in left:
            if instance[0] == detection[0]:
                tiou = slow_tiou(detection, instance, protocol)
                if tiou >= threshold and (best is None or tiou > best[0]):
                    best = tiou, instance
        outcomes.append(best is not None)
        if best:
            left.remove(best[1])
    return outcomes


def slow_by_instance(detections, instances, threshold):
    """Each instance in turn takes the free detection that overlaps it most."""
    detections = sorted(detections, key=rank)
    matched = [False] * len(detections)
    for instance in sorted(instances, key=lambda g: g[2:4]):
        tious = [
            -1 if matched[k] or d[0] != instance[0] else slow_tiou(d, instance, "thumos")
            for k, d in enumerate(detections)
        ]
        if tious and max(tious) > threshold:
            matched[tious.index(max(tious))] = True
    return matched


def slow_counted(outcomes, detections, ignored):
    """The outcomes without those of unmatched detections that touch an ignored interval."""
    ambiguous = [
        any(d[0] == i[0] and shared_seconds(d[2:4], i[1:3]) > 0 for i in ignored)
        for d in sorted(detections, key=rank)
    ]
    return [true for true, out in zip(outcomes, ambiguous) if true or not out]


def slow_ap(outcomes, n_instances, interpolated):
    precisions = [sum(outcomes[: k + 1]) / (k + 1) for k in range(len(outcomes))]
    if interpolated:
        precisions = [max(precisions[k:]) for k in range(len(precisions))]
    return 100 * sum(p for p, true in zip(precisions, outcomes) if true) / n_instances


def slow_evaluate(detections, instances, protocol, threshold, ignored):
    """AP by class."""
    ap = {}
    for label in sorted({g[1] for g in instances}):
        mine = [d for d in detections if d[1] == label]
        truth = [g for g in instances if g[1] == label]
        if protocol == "released":
            mine = [
                d for d in mine
                if not any(d[0] == i[0] and snippets(d) & snippets(i) for i in ignored)
            ]
        if protocol == "thumos":
            outcomes = slow_by_instance(mine, truth, threshold)
        else:
            outcomes = slow_by_rank(mine, truth, protocol, threshold)
        if protocol in ("thumos", "seconds"):
            outcomes = slow_counted(outcomes, mine, ignored)
        ap[label] = slow_ap(outcomes, len(truth), protocol != "thumos")
    return ap


@given(PROTOCOL, DETECTIONS, INSTANCES, IGNORED)
def test_evaluation_equals_the_slow_one(protocol, detections, instances, ignored):
    ignored = [] if protocol == "activitynet" else ignored
    result = evaluate(
        detections_of(detections), instances_of(instances), protocol, TENTHS,
        ignored=ignored_of(ignored),
    )
    for threshold in TENTHS:
        slow = slow_evaluate(detections, instances, protocol, threshold, ignored)
        assert result.ap[threshold].to_dict() == pytest.approx(slow, abs=1e-9)


@given(PROTOCOL, DETECTIONS, INSTANCES, st.randoms())
def test_results_do_not_depend_on_the_order_of_rows(protocol, detections, instances, random):
    before = evaluate(detections_of(detections), instances_of(instances), protocol)
    random.shuffle(detections)
    random.shuffle(instances)
    after = evaluate(detections_of(detections), instances_of(instances), protocol)
    pd.testing.assert_frame_equal(before.ap, after.ap, check_exact=True)
    pd.testing.assert_frame_equal(before.detections, after.detections, check_exact=True)
    assert (before.outcomes == after.outcomes).all()


@given(PROTOCOL, DETECTIONS, INSTANCES, SEGMENTS, SCORES)
def test_a_false_positive_never_raises_ap(protocol, detections, instances, segment, score):
    more = [*detections, ("nothing happens here", "a", *segment, score)]
    before = evaluate(detections_of(detections), instances_of(instances), protocol)
    after = evaluate(detections_of(more), instances_of(instances), protocol)
    assert (after.ap <= before.ap + 1e-9).all(axis=None)


@given(PROTOCOL, INSTANCES)
def test_perfect_detections_score_100(protocol, instances):
    # A second more, so that none rounds to an empty range.
    instances = [(video, label, start, end + 1) for video, label, start, end in instances]
    detections = [(*instance, 1 / (1 + k)) for k, instance in enumerate(instances)]
    result = evaluate(detections_of(detections), instances_of(instances), protocol)
    np.testing.assert_allclose(result.ap, 100)


@given(DETECTIONS, INSTANCES, st.integers(1, 1000))
def test_shifting_time_by_whole_snippets_changes_nothing(detections, instances, shift):
    # Snippets of a second: a shift then leaves the roundings, and the halves, as they were ...
    frames = detections_of(detections), instances_of(instances)
    before = evaluate(*frames, snippet_seconds=1.0)
    for frame in frames:
        frame[["start", "end"]] += 2 * shift  # ... as long as even numbers stay even
    after = evaluate(*frames, snippet_seconds=1.0)
    pd.testing.assert_frame_equal(before.ap, after.ap, check_exact=True)
