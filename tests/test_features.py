"""What features hold of foreground, and what equation 7 bounds."""

from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch

from facnet.config import changed, profile
from facnet.data import load
from facnet.errors import FacnetError
from facnet.experiment import RESULT_VERSION
from facnet.methods import preset
from facnet.model import normalised_cross_entropy
from facnet.study import information, plots, separation
from facnet.study.records import write_record
from facnet.training import fit, frame_labels

RELEASED = changed(profile("smoke").apply(preset("released")), {"training.epochs": 2})


@pytest.fixture(scope="module")
def data():
    return load("synthetic", "smoke")


@pytest.fixture(scope="module")
def snippets(data):
    return separation.drawn_snippets(data, 300)


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
    none, some, much = (separation.separation_of(cloud(snippets, d), snippets) for d in (0, 1, 6))
    assert abs(none["silhouette"]) < 2 and 40 < none["probe"] < 60
    assert none["silhouette"] < some["silhouette"] < much["silhouette"]
    assert none["probe"] < some["probe"] < much["probe"] == pytest.approx(100, abs=0.5)


def test_the_probe_is_judged_on_videos_that_it_was_not_fitted_to(snippets):
    """Features that only say which video it is are worth nothing, and would be worth much."""
    share = snippets.groupby("video").foreground.mean()
    names = pd.get_dummies(snippets.video).to_numpy(float)
    assert share.max() - share.min() > 0.3
    assert separation.separation_of(names, snippets)["probe"] < 60


def test_models_are_measured_by_seed_and_input_features_once(data, snippets, tmp_path):
    models = {"input": None, "untrained": changed(RELEASED, {"training.epochs": 0}),
              "trained": RELEASED}
    found, measured = separation.measure(data, models, "flow", snippets, 2, tmp_path)
    assert list(found) == [("input", 0), *((n, s) for n in ("untrained", "trained")
                                           for s in (0, 1))]
    assert measured.features.tolist() == [name for name, _ in found]
    assert measured.silhouette.nunique() == 5
    table = separation.summary_of(measured).set_index("features")
    intervals = ["[" in "".join(table.loc[name]) for name in ("input", "trained")]
    assert intervals == [False, True]


def test_differences_are_paired_by_seed():
    measured = pd.DataFrame([
        {"features": name, "seed": seed, "silhouette": value + 10 * seed, "probe": 50.0 - value}
        for name, value in (("ca", 1.0), ("full", 2.0)) for seed in range(3)
    ] + [{"features": "input", "seed": 0, "silhouette": 0.0, "probe": 49.0}])
    found = separation.differences(measured, "full", ["ca", "input"]).set_index(["measure", "less"])
    assert found.loc[("silhouette", "ca"), ["mean", "low", "high"]].tolist() == [1, 1, 1]
    assert found.loc[("silhouette", "input"), "mean"] == 12 and (found.n == 3).all()
    assert found.verdict.tolist() == ["holds", "holds", "does not hold", "does not hold"]


def test_several_classes_take_their_entropy_from_what_can_be_reached():
    labels = np.array([[1, 0, 0, 0], [0, 1, 1, 0], [0, 0, 0, 0]])
    classes, of_video = information.label_entropy(labels)
    assert of_video == pytest.approx(np.log(2) / 2)  # the last shows nothing: left out
    assert classes == pytest.approx(-0.5 * np.log(0.5) - 2 * 0.25 * np.log(0.25))
    # No scores have a smaller loss than the entropy of the labels.
    perfect = torch.tensor([[0.0, 50.0, 50.0, 0.0]])
    loss = normalised_cross_entropy(perfect, torch.tensor([[0.0, 1.0, 1.0, 0.0]]))
    assert loss.item() == pytest.approx(np.log(2))


@pytest.mark.parametrize("scale", [1.0, 5.0])
def test_no_features_past_a_relu_bring_the_loss_below_its_least(scale):
    """And those that come from a W_f of both signs and two features reach it."""
    w, there, absent = np.array([1, -1]) / np.sqrt(2), np.array([1, 0]), np.array([0, 1])
    scores = scale * np.array([there @ w, *[absent @ w] * 6])
    loss = np.log(np.exp(scores).sum()) - scores[0]
    assert loss == pytest.approx(information.least_cw_loss(7, scale))
    rng = np.random.default_rng(0)
    w, F = rng.normal(size=(5000, 1, 4)), rng.random((5000, 7, 4)) ** 4
    cos = (F * w).sum(-1) / np.linalg.norm(F, axis=-1) / np.linalg.norm(w, axis=-1)
    losses = np.log(np.exp(scale * cos).sum(1)) - scale * cos[:, 0]
    assert losses.min() > information.least_cw_loss(7, scale)


def test_the_loss_after_training_is_equation_6_without_dropout(data):
    model, _ = fit(data, "flow", RELEASED, progress=False)
    videos, losses = data.subset("test")[:5], []
    for video, labels in zip(videos, data.labels(videos)):
        x = torch.from_numpy(np.float32(data.features("flow", video)))
        with torch.inference_mode():
            R_a = model(x, torch.tensor([len(x)])).R_a
        losses.append(normalised_cross_entropy(R_a, torch.tensor([[*labels, 0.0]])).item())
    got = information.cw_loss(model, data, "flow", videos, RELEASED)
    assert got == pytest.approx(np.mean(losses), rel=1e-5)


def test_a_bound_is_log_n_less_the_loss_of_videos_that_have_labels(data, tmp_path):
    video = data.subset("train")[0]
    videos = data.videos.copy()
    videos["labels"] = videos.labels.where(videos.video != video, pd.Series([()] * len(videos)))
    some = replace(data, videos=videos)
    bare = changed(RELEASED, {"model.background_class": False})
    curves, ends = information.information(
        some, {"with": (RELEASED, "rgb"), "without": (bare, "flow")}, 2, tmp_path)
    assert ends.candidates.tolist() == [6, 6, 5, 5] and len(curves) == 2 * 2 * 2
    np.testing.assert_allclose(ends.ceiling, np.log(ends.candidates))
    assert (ends[["train", "test"]].max(axis=1) < ends.reachable).all()
    assert (ends.reachable < ends.ceiling).all()  # some videos show two classes
    entropy, _ = information.label_entropy(some.labels(some.subset("test")))  # no log N in it
    np.testing.assert_allclose(ends.classes, entropy - (ends.ceiling - ends.test))
    _, history = fit(some, "rgb", RELEASED, progress=False)
    of_labelled = history.cw * len(some.subset("train")) / (len(some.subset("train")) - 1)
    first = curves[(curves.model == "with") & (curves.seed == 0)]
    np.testing.assert_allclose(first.bound, np.log(6) - of_labelled, rtol=1e-4)


def test_bounds_and_areas_come_from_records(data, tmp_path):
    write_record(tmp_path, {
        "key": "k", "result_version": RESULT_VERSION,
        "experiment": {"model": {"background_class": True}},
        "separation": {"rgb": 0.4, "flow": 0.8},
        "losses": {"rgb": {"cw": [1.0, 0.5]}, "flow": {"cw": [1.0, 0.25]}}})
    frame = pd.DataFrame({"variant": "a", "seed": 3, "tiou": [0.1, 0.2], "key": "k"})
    rows = information.bounds_and_areas(frame, tmp_path, data).to_dict("records")
    assert rows == [
        {"stream": "rgb", "seed": 3, "bound": np.log(6) - 0.5, "area": 0.4},
        {"stream": "flow", "seed": 3, "bound": np.log(6) - 0.25, "area": 0.8}]


def test_figure_8_shows_every_snippet_once_in_each_panel(snippets):
    inside = snippets.foreground.to_numpy(bool)
    places = {name: separation.laid_out(cloud(snippets, d)) for name, d in
              (("near", 0), ("far", 9))}
    figure = plots.embeddings(places, inside)
    for axes, (name, own) in zip(figure.axes, places.items()):
        assert axes.get_title() == name and "no unit" in axes.get_xlabel() + axes.get_ylabel()
        foreground, background = (np.column_stack(line.get_data()) for line in axes.lines)
        np.testing.assert_array_equal(foreground, own[inside])
        np.testing.assert_array_equal(background, own[~inside])
        assert axes.lines[0].get_marker() != axes.lines[1].get_marker()  # readable in grey
    np.testing.assert_array_equal(places["far"], separation.laid_out(cloud(snippets, 9)))
    plt.close(figure)


def test_the_chart_of_bounds_has_a_line_a_seed_below_the_ceiling():
    curves = pd.DataFrame([{"model": name, "seed": seed, "epoch": epoch, "bound": 0.1 * epoch}
                           for name in "ab" for seed in range(3) for epoch in (1, 2)])
    ends = pd.DataFrame([{"model": name, "seed": seed, "candidates": 5, "ceiling": np.log(5),
                          "reachable": 1.5, "train": 0.3, "test": 0.1}
                         for name in "ab" for seed in range(3)])
    figure = plots.information(curves, ends)
    for axes in figure.axes:
        assert sum(line.get_color() == plots.COLOURS["train"] and line.get_marker() == "None"
                   for line in axes.lines) == 3
        (ceiling,) = (line for line in axes.lines if line.get_linestyle() == "--")
        assert list(ceiling.get_ydata()) == [np.log(5)] * 2
        assert axes.get_xlabel() == "epoch"
    assert "nats" in figure.axes[0].get_ylabel()
    plt.close(figure)
