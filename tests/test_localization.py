"""Detections are those of the released code; the paper's variants do what they say."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from conftest import FIXTURES
from hypothesis import given, settings, strategies as st

from facnet.config import LocalizationConfig
from facnet.evaluation import drop_ignored
from facnet.localization import Scores, fuse, kept_classes, localize, nms, propose, sequences
from facnet.methods import preset

SNIPPET = 0.64
MINI = [f"mini_{i:02d}" for i in range(7)]


def scores_of(probability, frames, offsets) -> Scores:
    """Scores whose softmax is `frames`."""
    frames = np.asarray(frames, np.float64)
    videos = tuple(f"v{i:03d}" for i in range(len(offsets) - 1))
    return Scores(videos, np.asarray(offsets), np.asarray(probability, np.float64),
                  np.log(frames), np.zeros(len(frames)))


def released_at(columns: int) -> LocalizationConfig:
    """The released absolute thresholds, .03 to .05 and .1, for another number of columns."""
    config = LocalizationConfig()
    factor = columns / 21
    return replace(config, thresholds=tuple(t * factor for t in config.thresholds),
                   class_threshold=config.class_threshold * factor)


def detections_of(case) -> dict[str, pd.DataFrame]:
    columns = case["rgb_frm"].shape[1]
    classes = tuple(f"c{i:02d}" for i in range(columns - 1))
    ignored = pd.DataFrame({
        "video": [f"v{i:03d}" for i in case["amb_video"]],
        "start": case["amb_start"], "end": case["amb_end"]})
    config = released_at(columns)
    streams = {
        stream: drop_ignored(
            localize(scores_of(case[f"{stream}_vid"], case[f"{stream}_frm"], case["offsets"]),
                     classes, SNIPPET, config),
            ignored, SNIPPET)
        for stream in ("rgb", "flow")
    }
    return {**streams, "fused": fuse(streams, SNIPPET, config)}


def assert_same_detections(got: pd.DataFrame, recorded: np.ndarray, weight: float) -> None:
    """Equal as sets; of detections whose scores tie, any of the tied."""
    got = pd.DataFrame({
        "class": got.label.str[1:].astype(int), "video": got.video.str[1:].astype(int),
        "start": (got.start / SNIPPET).round(6), "end": (got.end / SNIPPET).round(6),
        "score": got.score * weight})
    recorded = pd.DataFrame(recorded, columns=got.columns).astype({"class": int, "video": int})
    assert len(got) == len(recorded)
    both = got.merge(recorded, on=["class", "video", "start", "end"], how="outer",
                     indicator=True, suffixes=("", "_recorded"))
    matched = both[both._merge == "both"]
    assert (matched.score - matched.score_recorded).abs().max() < 1e-6
    # What is left on either side must pair up with a tied one of the same video and class that
    # overlaps it: NMS kept the other of two equal scores.
    ours, theirs = both[both._merge == "left_only"], both[both._merge == "right_only"]
    assert len(ours) == len(theirs) <= 0.002 * len(got)
    for row in theirs.itertuples():
        tied = ours[(ours["class"] == row[1]) & (ours.video == row.video)
                    & ((ours.score - row.score_recorded).abs() < 1e-6)
                    & (ours.start < row.end) & (ours.end > row.start)]
        assert len(tied) == 1, row


@pytest.mark.parametrize("name", MINI)
def test_detections_are_those_of_the_released_code(name):
    case = dict(np.load(FIXTURES / f"{name}.npz"))
    got = detections_of(case)
    for stream, weight in (("rgb", 0.1), ("flow", 1.0), ("fused", 1.0)):
        assert_same_detections(got[stream], case[f"segs_{stream}"], weight)


@pytest.mark.slow
def test_detections_on_a_whole_test_set_are_those_of_the_released_code(reference):
    from facnet.importers.wtalc import read_wtalc

    case = dict(np.load(reference / "oracles" / "det_noisy_in.npz"))
    recorded = np.load(reference / "oracles" / "det_noisy_out.npz")
    truth = read_wtalc(reference / "data" / "thumos14" / "Thumos14reduced-Annotations")
    videos = truth.videos.video[truth.videos.subset == "test"].tolist()
    number = {video: i for i, video in enumerate(videos)}
    inside = truth.ignored[truth.ignored.video.isin(videos)]
    case |= {"amb_video": inside.video.map(number), "amb_start": inside.start.to_numpy(),
             "amb_end": inside.end.to_numpy()}
    got = detections_of(case)
    for stream, weight in (("rgb", 0.1), ("flow", 1.0), ("fused", 1.0)):
        assert_same_detections(got[stream], recorded[f"segs_{stream}"], weight)


@pytest.mark.parametrize("case", range(8))
@pytest.mark.parametrize("threshold", ["0.2", "0.5", "0.9"])
def test_nms_keeps_what_the_released_code_keeps(case, threshold):
    units = np.load(FIXTURES / "units.npz")
    _, start, end, score = units[f"nms{case}_segs"].T
    kept = nms(start, end, score, float(threshold), "lower_scored")
    np.testing.assert_array_equal(kept, units[f"nms{case}_keep_{threshold}"])


def slow_nms(start, end, score, threshold):
    order = sorted(range(len(score)), key=lambda i: (score[i], i), reverse=True)
    kept = []
    for i in order:
        for j in kept:
            shared = max(0.0, min(end[i], end[j]) - max(start[i], start[j]))
            union = end[i] - start[i] + end[j] - start[j] - shared
            if shared > threshold * union:
                break
        else:
            kept.append(i)
    return kept


segments = st.lists(st.tuples(st.integers(0, 20), st.integers(1, 9), st.integers(0, 5)),
                    max_size=25)


@given(segments, st.sampled_from([0.2, 0.5, 0.7]))
def test_nms_equals_a_slow_obvious_one(rows, threshold):
    start = np.array([s for s, _, _ in rows], float)
    end = start + np.array([n for _, n, _ in rows], float)
    score = np.array([q for _, _, q in rows], float)
    assert nms(start, end, score, threshold).tolist() == slow_nms(start, end, score, threshold)


@given(segments)
def test_groups_do_not_suppress_each_other(rows):
    start = np.array([s for s, _, _ in rows], float)
    end = start + np.array([n for _, n, _ in rows], float)
    score = np.array([q for _, _, q in rows], float)
    groups = np.arange(len(rows)) % 3
    kept = nms(start, end, score, 0.3, groups=groups)
    expected = [np.flatnonzero(groups == g)[i] for g in range(3)
                for i in slow_nms(start[groups == g], end[groups == g], score[groups == g], 0.3)]
    assert kept.tolist() == expected


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 30), st.sampled_from(["released", "paper"]))
def test_shifting_time_by_whole_snippets_shifts_detections(seed, shift, name):
    """A quiet stretch before and after, so that no ring or minimum changes."""
    rng = np.random.default_rng(seed)
    config = replace(preset(name).localization, class_threshold=0.0)
    action = rng.uniform(0.2, 1.0, (40, 3))
    quiet = np.tile([-4.0, -4.0, 4.0], (100, 1))

    def detect(before: int) -> pd.DataFrame:
        activation = np.concatenate([quiet[:before], action, quiet[: 100 - before]])
        scores = Scores(("v",), np.array([0, 140]), np.full((1, 3), 1 / 3), activation,
                        np.zeros(140))
        return localize(scores, ("a", "b"), SNIPPET, config).sort_values(["label", "start", "end"])

    still, moved = detect(25), detect(25 + shift)
    assert len(still) == len(moved)
    np.testing.assert_allclose(moved.start, still.start + shift * SNIPPET, atol=1e-9)
    np.testing.assert_allclose(moved.end, still.end + shift * SNIPPET, atol=1e-9)
    np.testing.assert_allclose(moved.score, still.score, atol=1e-9)


def one_sequence(values, **fields) -> pd.DataFrame:
    """Proposals of class a of one video whose probabilities are `values`."""
    values = np.asarray(values, float)
    frames = np.stack([values, 1 - values], axis=1)
    scores = scores_of([[1.0, 0.0]], frames, [0, len(values)])
    config = replace(LocalizationConfig(thresholds=(1.0,), class_threshold=1.0), **fields)
    return propose(scores, ("a",), 1.0, config)


def test_a_run_is_strictly_above_the_threshold_and_one_snippet_too_long_as_released():
    values = [0.1] * 8 + [0.9, 0.8, 0.9, 0.8] + [0.1] * 8
    got = one_sequence(values)
    assert (got.start.item(), got.end.item()) == (8.0, 13.0)
    inner = np.mean(values[8:13])
    outer = np.mean([values[7], values[13]])
    assert got.score.item() == pytest.approx(inner - 0.6 * outer)


def test_without_the_extra_snippet_a_run_ends_where_it_ends():
    values = [0.1] * 8 + [0.9, 0.8, 0.9, 0.8] + [0.1] * 8
    got = one_sequence(values, extra_end_snippet=False, outer_inner_weight=1.0)
    assert (got.start.item(), got.end.item()) == (8.0, 12.0)
    assert got.score.item() == pytest.approx(np.mean(values[8:12]) - 0.1)


def test_runs_shorter_than_the_minimum_are_left_out():
    values = [0.1, 0.9, 0.9, 0.1, 0.9, 0.9, 0.9, 0.1]
    assert one_sequence(values).start.tolist() == [4.0]
    assert one_sequence(values, minimum_length=2).start.tolist() == [1.0, 4.0]


def test_upsampling_interpolates_between_the_centres_of_snippets():
    scores = Scores(("v",), np.array([0, 2]), np.ones((1, 1)), np.array([[0.0], [4.0]]),
                    np.zeros(2))
    config = LocalizationConfig(sequence="activation", threshold_rule="range", upsampling=4)
    sequence = sequences(scores, config)
    expected = np.array([0, 0, 0.5, 1.5, 2.5, 3.5, 4, 4]) / 4
    np.testing.assert_allclose(sequence[:, 0], expected)


def test_range_thresholds_do_not_change_when_a_sequence_is_stretched():
    rng = np.random.default_rng(0)
    activation = rng.uniform(0.1, 1, (30, 1))
    config = replace(preset("paper").localization, class_threshold=0.0)

    def detect(factor: float) -> pd.DataFrame:
        scores = Scores(("v",), np.array([0, 30]), np.ones((1, 1)), factor * activation,
                        np.zeros(30))
        return localize(scores, ("a",), SNIPPET, config)

    pd.testing.assert_frame_equal(detect(1.0), detect(3.0))


def test_a_flat_or_negative_sequence_has_no_proposals_under_range_thresholds():
    for activation in (np.full((20, 1), 0.5), np.linspace(-2, -1, 20)[:, None]):
        scores = Scores(("v",), np.array([0, 20]), np.ones((1, 1)), activation,
                        np.zeros(20))
        config = preset("paper").localization
        assert propose(scores, ("a",), SNIPPET, config).empty


def test_a_class_is_kept_by_its_probability_or_as_the_best():
    scores = scores_of([[0.3, 0.2, 0.5], [0.05, 0.04, 0.91]], np.full((2, 3), 1 / 3), [0, 1, 2])
    config = LocalizationConfig(class_threshold=0.75)  # .25 of three columns
    assert kept_classes(scores, 2, config).tolist() == [[True, False], [False, False]]
    fallback = replace(config, argmax_fallback=True)
    assert kept_classes(scores, 2, fallback).tolist() == [[True, False], [True, False]]


@pytest.mark.parametrize("classes", [1, 2, 3])
def test_a_class_with_half_of_the_probability_is_kept_however_few_classes_there_are(classes):
    """2.1 times the uniform 1/2 is more than a probability can be."""
    half = [0.5, *[0.5 / classes] * classes]
    less = [0.4, *[0.6 / classes] * classes]
    scores = scores_of([half, less], np.ones((2, classes + 1)), [0, 1, 2])
    assert kept_classes(scores, 1, LocalizationConfig()).tolist() == [[True], [False]]


def test_no_class_kept_gives_an_empty_frame_with_its_columns():
    scores = scores_of([[0.0, 1.0]], np.full((5, 2), 0.5), [0, 5])
    got = localize(scores, ("a",), SNIPPET)
    assert got.empty and list(got) == ["video", "label", "start", "end", "score"]


def test_fusion_weights_rgb_and_drops_what_a_better_stream_covers():
    rgb = pd.DataFrame({"video": ["v"] * 2, "label": ["a"] * 2, "start": [0.0, 64.0],
                        "end": [6.4, 70.4], "score": [0.9, 0.8]})
    flow = rgb.iloc[:1].assign(score=0.5)
    fused = fuse({"rgb": rgb, "flow": flow}, SNIPPET)
    assert fused.score.round(6).tolist() == [0.5, 0.08]
    even = fuse({"rgb": rgb, "flow": flow}, SNIPPET, replace(LocalizationConfig(), rgb_weight=1.0))
    assert even.score.tolist() == [0.9, 0.8]


@pytest.mark.parametrize("names", [("RGB", "Flow"), ("Rgb", "FLOW")])
def test_the_weight_of_rgb_does_not_depend_on_the_case_of_its_name(names):
    columns = ["video", "label", "start", "end", "score"]
    streams = [pd.DataFrame([("v", "c", 0.0, 6.4, score)], columns=columns) for score in (0.9, 0.5)]
    expected = fuse(dict(zip(("rgb", "flow"), streams)), SNIPPET)
    assert expected.score.tolist() == [0.5]
    pd.testing.assert_frame_equal(fuse(dict(zip(names, streams)), SNIPPET), expected)
