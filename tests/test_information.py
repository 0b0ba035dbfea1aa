"""What equation 7 bounds, in nats."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from facnet.config import changed
from facnet.data import load
from facnet.model import normalised_cross_entropy
from facnet.methods import preset
from facnet.profiles import profile
from facnet.study import separation
from facnet.training import fit

RELEASED = changed(profile("smoke").apply(preset("released")), {"training.epochs": 2})


@pytest.fixture(scope="module")
def data():
    return load("synthetic", "smoke")


def test_several_classes_take_their_entropy_from_what_can_be_reached():
    labels = np.array([[1, 0, 0, 0], [0, 1, 1, 0], [0, 0, 0, 0]])
    classes, of_video = separation.label_entropy(labels)
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
    assert loss == pytest.approx(separation.least_cw_loss(7, scale))
    rng = np.random.default_rng(0)
    w, F = rng.normal(size=(5000, 1, 4)), rng.random((5000, 7, 4)) ** 4
    cos = (F * w).sum(-1) / np.linalg.norm(F, axis=-1) / np.linalg.norm(w, axis=-1)
    losses = np.log(np.exp(scale * cos).sum(1)) - scale * cos[:, 0]
    assert losses.min() > separation.least_cw_loss(7, scale)


def test_the_loss_after_training_is_equation_6_without_dropout(data):
    model, _ = fit(data, "flow", RELEASED, progress=False)
    videos, losses = data.subset("test")[:5], []
    for video, labels in zip(videos, data.labels(videos)):
        x = torch.from_numpy(np.float32(data.features("flow", video)))
        with torch.inference_mode():
            R_a = model(x, torch.tensor([len(x)])).R_a
        losses.append(normalised_cross_entropy(R_a, torch.tensor([[*labels, 0.0]])).item())
    got = separation.cw_loss(model, data, "flow", videos, RELEASED)
    assert got == pytest.approx(np.mean(losses), rel=1e-5)


def test_a_bound_is_log_n_less_the_loss_of_videos_that_have_labels(data, tmp_path):
    video = data.subset("train")[0]
    videos = data.videos.copy()
    videos["labels"] = videos.labels.where(videos.video != video, pd.Series([()] * len(videos)))
    some = replace(data, videos=videos)
    bare = changed(RELEASED, {"model.background_class": False})
    curves, ends = separation.bounds(
        some, {"with": (RELEASED, "rgb"), "without": (bare, "flow")}, 2, tmp_path)
    assert ends.candidates.tolist() == [6, 6, 5, 5] and len(curves) == 2 * 2 * 2
    np.testing.assert_allclose(ends.ceiling, np.log(ends.candidates))
    assert (ends[["train", "test"]].max(axis=1) < ends.reachable).all()
    assert (ends.reachable < ends.ceiling).all()  # some videos show two classes
    entropy, _ = separation.label_entropy(some.labels(some.subset("test")))  # no log N in it
    np.testing.assert_allclose(ends.classes, entropy - (ends.ceiling - ends.test))
    _, history = fit(some, "rgb", RELEASED, progress=False)
    of_labelled = history.cw * len(some.subset("train")) / (len(some.subset("train")) - 1)
    first = curves[(curves.model == "with") & (curves.seed == 0)]
    np.testing.assert_allclose(first.bound, np.log(6) - of_labelled, rtol=1e-4)
