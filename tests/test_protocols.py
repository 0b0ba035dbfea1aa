"""What a rule of evaluation is worth, and what choosing the epoch on the test videos is."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from test_evaluation import detections_of, in_seconds, instances_of

from facnet.config import changed
from facnet.data import load
from facnet.evaluation import Protocol, evaluate, rules_of
from facnet.experiment import evaluate_test, run
from facnet.importers.wtalc import read_wtalc
from facnet.methods import preset
from facnet.profiles import profile
from facnet.study import protocols, published
from facnet.study.records import resampled_averages, weighted_averages

RELEASED = rules_of("released")
SHORT = changed(profile("smoke").apply(preset("released")), {"training.epochs": 4})


@pytest.fixture(scope="module")
def data():
    return load("synthetic", "smoke")


@pytest.fixture(scope="module")
def through(data):
    return protocols.scores_by_epoch(data, SHORT, looks=2)


# ---------------------------------------------------------------- rules


def test_each_single_rule_differs_from_the_released_ones_in_one_field():
    assert protocols.RULES[protocols.BASE] == RELEASED
    for name, rules in protocols.RULES.items():
        differing = [f for f, value in vars(RELEASED).items()
                     if f != "source" and getattr(rules, f) != value]
        wanted = 0 if name == protocols.BASE else 1
        assert len(differing) == wanted or name in protocols.WHOLE, (name, differing)
    assert set(protocols.WHOLE) < set(protocols.RULES)


def test_the_first_match_takes_the_instance_that_a_later_detection_needed():
    instances = instances_of([("v", "a", 0, 10), ("v", "a", 2, 12)])
    detections = detections_of([("v", "a", 2, 12, 0.9), ("v", "a", 0, 8, 0.8)])
    first = replace(RELEASED, matching="first")
    outcomes = {rules.matching: evaluate(detections, instances, rules, [0.6], snippet_seconds=1.0)
                .outcomes.tolist() for rules in (RELEASED, first)}
    # Both reach .6 with [0, 10), which is listed first; the second detection with nothing else.
    assert outcomes == {"best": [[1, 1]], "first": [[1, 0]]}


def test_an_ambiguous_interval_can_be_kept_dropped_or_uncounted():
    instances = instances_of([("v", "a", 20, 30)])
    detections = detections_of([("v", "a", 0, 10, 0.9), ("v", "a", 20, 30, 0.8)])
    ignored = pd.DataFrame({"video": ["v"], "start": [5.0], "end": [8.0]})

    def score(word: str, where: pd.DataFrame = ignored) -> float:
        rules = replace(RELEASED, ignored=word)
        return evaluate(detections, instances, rules, [0.5], ignored=where).average

    assert (score("dropped"), score("uncounted"), score("kept")) == (100, 100, 50)
    on_the_match = ignored.assign(start=21.0, end=22.0)
    assert [score(word, on_the_match) for word in ("dropped", "uncounted", "kept")] == [0, 50, 50]


def test_rules_that_others_code_have_give_what_others_measured(reference):
    """W-TALC's code, and the ActivityNet toolkit in seconds on 212 and 210 videos."""
    truth = read_wtalc(reference / "data/thumos14/Thumos14reduced-Annotations")
    videos = truth.videos.video[truth.videos.subset == "test"].tolist()
    classes = sorted(set(truth.instances.label))
    found = in_seconds(np.load(reference / "oracles/det_noisy_out.npz")["segs_fused"], videos,
                       classes)

    def score(rule: str, left_out: tuple[str, ...] = ()) -> list[float]:
        chosen = set(videos) - set(left_out)
        return evaluate(found, truth.test_instances, protocols.RULES[rule], videos=chosen,
                        ignored=truth.ignored).mean_ap.tolist()

    from count_protocols import LEFT_OUT

    assert score("W-TALC's code") == pytest.approx(
        [66.15, 57.77, 45.79, 35.57, 24.93, 14.35, 6.31], abs=0.006)
    assert score(protocols.TOOLKIT) == pytest.approx(
        [66.80, 57.92, 46.82, 34.34, 23.91, 13.61, 6.56], abs=0.006)
    assert score(protocols.TOOLKIT, LEFT_OUT[210]) == pytest.approx(
        [67.26, 58.31, 47.14, 34.63, 24.14, 13.74, 6.63], abs=0.006)


def test_the_table_of_public_detections_is_what_they_score(reference):
    from count_protocols import FILE, count

    data = reference / "data"
    counted = count(data / "thumos14_stpn_detections",
                    data / "thumos14/Thumos14reduced-Annotations")
    pd.testing.assert_frame_equal(
        counted.reset_index(drop=True), pd.read_csv(FILE), check_exact=False, atol=5e-5, rtol=0)


def test_public_detections_score_what_was_printed_for_them():
    counted = published.read("thumos14_protocols", index_col=0).loc["as published"]
    printed = published.read("thumos14_stpn", index_col=0).loc["reproduction"]
    tious = [name for name in printed.index if name.startswith("0.")]
    assert len(tious) == 7
    gap = counted[tious].astype(float) - printed[tious].astype(float)
    assert gap.abs().max() < 0.1


def test_all_rules_here_judge_the_same_detections(data, through):
    table = protocols.by_rule_here({0: through[4], 1: through[2]}, data, SHORT)
    assert table.groupby("seed").rule.apply(list).map(set).eq(set(protocols.RULES)).all()
    shown = protocols.rule_changes(table)
    ends = ["change", "change_low", "change_high"]
    assert shown.rule.tolist() == list(protocols.RULES) and shown.loc[0, ends].tolist() == [0] * 3
    assert shown.columns[-4:].tolist() == ["average", *ends]
    averages = table.pivot(index="seed", columns="rule", values="average")
    change = averages["precision as it is"] - averages[protocols.BASE]
    assert shown.set_index("rule").change["precision as it is"] == pytest.approx(change.mean())
    whole = run(data, SHORT, "thumos", progress=False).evaluation
    mine = table[(table.seed == 0) & (table.rule == "THUMOS14's kit")].iloc[0]
    assert mine.average == pytest.approx(whole.average)


# ---------------------------------------------------------------- epochs


def test_looking_at_a_training_does_not_change_it(data, through):
    assert list(through) == [2, 4] and set(through[2]) == set(data.streams)
    whole = run(data, SHORT, progress=False)
    for stream, scores in whole.scores.items():
        np.testing.assert_array_equal(through[4][stream].activation, scores.activation)
    half = replace(SHORT, training=replace(SHORT.training, epochs=2))
    early = run(data, half, progress=False).scores["flow"]
    np.testing.assert_array_equal(through[2]["flow"].activation, early.activation)


def evaluation_of(data, right: set[str]):
    """Each instance of some videos found exactly, those of the others missed."""
    instances = data.instances_of("test")
    found = instances[instances.video.isin(right)].assign(score=1.0)
    return evaluate_test(found, data, replace(RELEASED, snippet_grid=False, ignored="kept"))


def test_an_epoch_that_is_best_by_luck_gains_nothing_on_other_videos(data):
    """Ten epochs that find the actions of a random half each: the best is the luckiest."""
    videos, rng = np.array(data.subset("test")), np.random.default_rng(0)
    lucky = {epoch: evaluation_of(data, set(rng.permutation(videos)[: len(videos) // 2]))
             for epoch in range(1, 11)}
    found = protocols.best_on_test(lucky, data)
    averages = [one.average for one in lucky.values()]
    assert found["last"] == averages[-1] and found["best"] == max(averages)
    assert found["gain"] == pytest.approx(max(averages) - averages[-1])
    assert found["epoch"] == 1 + int(np.argmax(averages))
    assert found["same"] > found["gain"] / 2 and found["other"] < found["same"] - 10


def test_an_epoch_that_is_better_everywhere_gains_as_much_on_other_videos(data):
    every = set(data.subset("test"))
    found = protocols.best_on_test(
        {1: evaluation_of(data, every), 2: evaluation_of(data, {min(every)})}, data)
    assert found["epoch"] == 1 and found["best"] == 100
    assert found["other"] == pytest.approx(found["same"]) and found["other"] > 50


def test_videos_that_count_once_give_the_average_and_draws_what_they_gave(data, through):
    found = run(data, SHORT, progress=False).evaluation
    videos = len(data.subset("test"))
    once = weighted_averages(found, data, np.ones((1, videos), int))
    assert once[0] == pytest.approx(found.average)
    assert len(resampled_averages(found, data, 3)) == 3


def test_rules_are_their_own_protocol():
    assert rules_of(RELEASED) is RELEASED and isinstance(RELEASED, Protocol)
