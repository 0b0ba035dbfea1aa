"""How far scores and features keep action and background apart, by hand and over seeds."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from facnet.config import changed
from facnet.data import frame_labels, load
from facnet.errors import FacnetError
from facnet.experiment import stream_scores
from facnet.files import write_json
from facnet.methods import preset
from facnet.profiles import profile
from facnet.study import consistency, separation
from facnet.study.claims import compare, judge, read_claims
from facnet.study.grid import perfect_scores
from facnet.study.statistics import SEEDS, means, readable
from facnet.study.tables import variants
from facnet.training import fit

RELEASED = changed(profile("smoke").apply(preset("released")), {"training.epochs": 2})


@pytest.fixture(scope="module")
def data():
    return load("synthetic", "smoke")


@pytest.fixture(scope="module")
def snippets(data):
    return separation.drawn_snippets(data, 300)


# ---------------------------------------------------------------- scores


@pytest.fixture(scope="module")
def areas(data):
    """Of models that know every snippet, and that take all for its opposite, five seeds each."""
    scores = perfect_scores(data)
    inside = scores.activation[:, : len(data.classes)].max(1)  # of any class
    good = replace(scores, foreground=inside)
    bad = replace(scores, foreground=-inside, activation=-scores.activation)
    scores = {(name, seed): own for name, own in (("good", good), ("bad", bad))
              for seed in range(SEEDS)}
    return separation.roc_areas(data, scores, RELEASED)


def test_perfect_labels_separate_the_foreground(areas):
    of = areas.set_index(["variant", "seed"])
    assert of.loc["good"].foreground.tolist() == [100] * SEEDS
    assert of.loc["bad"].foreground.tolist() == [0] * SEEDS
    assert (of.loc["good"].sequence > 99).all() and (of.loc["bad"].sequence < 1).all()
    assert of.average.tolist() == of.foreground.tolist()  # what claims compare


def test_a_gain_is_that_of_a_measure_with_something_over_without_it(areas):
    measures = ["foreground", "sequence"]
    table = separation.gains(areas, measures, {"goodness": ("bad", "good")})
    assert table.claim.tolist() == measures and table.name.tolist() == ["goodness"] * 2
    assert table.loc[0, ["mean", "low", "high"]].tolist() == [100, 100, 100]
    assert table.verdict.tolist() == ["holds", "holds"]


def test_the_seed_to_show_is_the_one_of_median_area():
    table = pd.DataFrame({"variant": list("bbaaa"), "seed": [0, 1, 0, 1, 2],
                          "foreground": [50.0, 51.0, 60.0, 70.0, 80.0],
                          "sequence": [45.0, 48.0, 90.0, 40.0, 70.0]})
    shown = separation.typical_seeds(table)
    assert shown.seed.to_dict() == {"b": 0, "a": 2} and list(shown.index) == ["b", "a"]
    assert shown.label.tolist() == ["b\nseed 0: 50 | 45\n(collapsed)", "a\nseed 2: 80 | 70"]


def test_claims_of_figs_5_and_6_are_asked_of_the_models_that_they_name(data, tmp_path):
    asked = read_claims("fig5") + read_claims("fig6")
    untrained = changed(RELEASED, {"training.epochs": 0})
    models = {one.name: one.experiment for one in variants("table3", untrained)
              if any(one.name in which.weights for which in asked)}
    pairs = [tuple(sorted(one.weights, key=one.weights.get)) for one in asked]
    assert set(pairs[:2]) == {separation.FIG5[name] for name in separation.FIG5 if name[0] == "C"}
    scores = separation.scores_by_seed(data, models, "flow", 2, tmp_path)
    found = separation.roc_areas(data, scores, untrained)
    assert len(judge(found, asked)) == 2 and len(found) == 2 * len(models)
    name = "CW+CA+MIL, BG"
    own = stream_scores(data, replace(models[name], seed=1), "flow")
    area = found.set_index(["variant", "seed"]).average[name, 1]
    assert area == 100 * separation.foreground_separation(own, data)


def test_agreement_is_compared_over_streams_and_by_both_measures(tmp_path):
    runs = pd.DataFrame([{"variant": name, "seed": seed, "key": f"{name} {seed}"}
                         for name in ("FAC-Net", "STPN", "UM") for seed in (0, 1)])
    for key in runs.key:
        rank = 0.5 if key.startswith("FAC-Net") else 0.1
        write_json(tmp_path / f"{key}.json", {"key": key, "consistency": {
            stream: {"rank_correlation": rank + more, "support_tiou": 0.2}
            for stream, more in (("rgb", 0.0), ("flow", 0.2))}})
    compared = compare(consistency.fig1_runs(runs, tmp_path), read_claims("fig1"))
    assert compared.name.tolist() == ["rank correlation", "tIoU of supports"]
    assert compared["mean"].round(9).tolist() == [40.0, 0.0]
    measures = ["rank correlation", "tIoU of supports"]
    table = means(consistency.agreements(runs, tmp_path), ["variant", "stream"], measures)
    assert readable(table, digits=2).iloc[1].tolist() == [
        "FAC-Net", "flow", "0.70 ± 0.00", "0.20 ± 0.00"]


# ---------------------------------------------------------------- features


def cloud(snippets: pd.DataFrame, apart: float) -> np.ndarray:
    """Features in which foreground lies `apart` from background."""
    noise = np.random.default_rng(0).normal(0, 1, (len(snippets), 8))
    return noise + apart * np.outer(snippets.foreground, np.eye(8)[0])


def test_snippets_are_drawn_from_all_test_videos_with_their_labels(data, snippets):
    every = separation.drawn_snippets(data, 10**6)
    assert set(every.video) == set(data.subset("test")) and not every.duplicated().any()
    assert len(snippets) == 300 and snippets.equals(every[:300])  # a smaller draw begins a larger
    for one in snippets[:40].itertuples():
        length = len(data.features("flow", one.video))
        assert one.foreground == frame_labels(data, one.video, length)[one.snippet].any()


def test_a_video_of_which_nobody_knows_the_foreground_is_left_out(data):
    video = data.subset("test")[0]
    unknown = replace(data, instances=data.instances[data.instances.video != video])
    assert video not in set(separation.drawn_snippets(unknown, 10**6).video)
    nothing = replace(data, instances=data.instances[:0])
    with pytest.raises(FacnetError, match="0 of 0 test snippets, of 0 videos"):
        separation.drawn_snippets(nothing)


@pytest.mark.parametrize("kernel", [1, 3])
def test_features_are_those_of_the_whole_video_in_the_order_of_the_snippets(
        data, snippets, kernel):
    model, _ = fit(data, "flow", changed(RELEASED, {
        "training.epochs": 0, "model.embedding_kernel": kernel}), progress=False)
    got = separation.embedded(model, data, "flow", snippets)
    given = separation.embedded(None, data, "flow", snippets)
    for i in (0, 17, 299):
        video, row = snippets.video[i], snippets.snippet[i]
        x = data.features("flow", video)
        with torch.inference_mode():
            whole = model(torch.from_numpy(np.float32(x)), torch.tensor([len(x)])).X_e
        np.testing.assert_allclose(got[i], whole[row], rtol=1e-5, atol=1e-6)
        np.testing.assert_array_equal(given[i], x[row].astype(np.float32))


def test_what_lies_apart_measures_higher_and_what_does_not_is_at_chance(snippets):
    none, some, much = (separation.silhouette_and_probe(cloud(snippets, apart), snippets)
                        for apart in (0, 1, 6))
    assert abs(none["silhouette"]) < 2 and 40 < none["probe"] < 60
    assert none["silhouette"] < some["silhouette"] < much["silhouette"]
    assert none["probe"] < some["probe"] < much["probe"] == pytest.approx(100, abs=0.5)


def test_the_probe_is_judged_on_videos_that_it_was_not_fitted_to(snippets):
    """Features that only say which video it is are worth nothing, and would be worth much."""
    share = snippets.groupby("video").foreground.mean()
    names = pd.get_dummies(snippets.video).to_numpy(float)
    assert share.max() - share.min() > 0.3
    assert separation.silhouette_and_probe(names, snippets)["probe"] < 60


def test_models_are_measured_by_seed_and_input_features_once(data, snippets, tmp_path):
    models = {"input": None, "untrained": changed(RELEASED, {"training.epochs": 0}),
              "trained": RELEASED}
    found, measured = separation.measured_features(data, models, "flow", snippets, 2, tmp_path)
    assert list(found) == [(name, seed) for name in models for seed in (0, 1)]
    assert list(zip(measured.variant, measured.seed)) == list(found)
    assert measured.silhouette.nunique() == 5
    table = means(measured, "variant", ["silhouette", "probe"]).set_index("variant")
    assert table.silhouette_low["input"] == table.silhouette["input"]
    assert table.silhouette_low["trained"] < table.silhouette["trained"]


def test_claims_of_fig_8_are_asked_of_both_measures_seed_by_seed():
    measured = pd.DataFrame([
        {"variant": name, "seed": seed, "silhouette": value + 10 * seed, "probe": 50.0 - value}
        for name, value in (("CA only", 1.0), ("full", 2.0)) for seed in range(SEEDS)])
    found = compare(separation.by_measure(measured), read_claims("fig8"))
    assert found.name.tolist() == ["silhouette", "probe"] and (found.n == SEEDS).all()
    assert found[["mean", "low", "high"]].to_numpy().tolist() == [[1, 1, 1], [-1, -1, -1]]
    assert found.verdict.tolist() == ["holds", "fails"]


def test_the_plane_of_the_same_features_is_the_same(snippets):
    near, far = (separation.laid_out(cloud(snippets, d)) for d in (0, 9))
    assert near.shape == far.shape == (len(snippets), 2) and not np.allclose(near, far)
    np.testing.assert_array_equal(far, separation.laid_out(cloud(snippets, 9)))
