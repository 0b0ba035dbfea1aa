"""Training takes the released optimiser's steps, repeats exactly, and says what is wrong."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import FIXTURES
from test_model import PARAMETERS, released_model

from facnet.config import Experiment, ModelConfig, TrainingConfig, profile
from facnet.datasets import load
from facnet.errors import FacnetError
from facnet.training import adam, fit, frame_labels, predict, train_step


def test_two_optimiser_steps_are_those_of_the_released_code():
    case = dict(np.load(FIXTURES / "train_small.npz"))
    cw, ca, mil = case["lambdas"].tolist()
    config = TrainingConfig(
        learning_rate=float(case["lr"]), betas=tuple(case["betas"]),
        weight_decay=float(case["weight_decay"]), lambda_cw=cw, lambda_ca=ca, lambda_mil=mil)
    model = released_model(case, "init_")
    optimizer = adam(model, config)
    videos = torch.from_numpy(case["x"]).split(case["lengths"].tolist())
    size = int(case["accumulate"])
    for step in (1, 2):
        batch = slice((step - 1) * size, step * size)
        lengths = torch.from_numpy(case["lengths"])[batch]
        losses = train_step(model, optimizer, torch.cat(videos[batch]), lengths,
                            torch.from_numpy(case["y"])[batch], config)
        np.testing.assert_allclose(losses.numpy(), case["losses"][batch].sum(0), rtol=1e-9)
        for theirs, ours in PARAMETERS.items():
            got = model.get_parameter(ours).detach().numpy()
            np.testing.assert_allclose(got, case[f"step{step}_{theirs}"], rtol=0, atol=1e-9)


@pytest.fixture(scope="module")
def smoke():
    return load("synthetic", "smoke")


@pytest.fixture(scope="module")
def experiment():
    return profile("smoke").apply(Experiment())


def test_training_repeats_exactly_and_depends_on_the_seed(smoke, experiment):
    experiment = replace(experiment, training=replace(experiment.training, epochs=2))
    first, history = fit(smoke, "flow", experiment)
    torch.rand(3)  # the global generator must not matter
    second, again = fit(smoke, "flow", experiment)
    other, _ = fit(smoke, "flow", replace(experiment, seed=1))
    pd.testing.assert_frame_equal(history, again)
    for a, b, c in zip(first.parameters(), second.parameters(), other.parameters()):
        assert torch.equal(a, b)
        assert not torch.equal(a, c)


def test_training_leaves_the_global_generator_alone(smoke, experiment):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    fit(smoke, "rgb", replace(experiment, training=replace(experiment.training, epochs=1)))
    assert torch.equal(torch.rand(3), expected)


def test_losses_fall(smoke, experiment):
    _, history = fit(smoke, "flow", experiment)
    assert list(history.epoch) == list(range(1, experiment.training.epochs + 1))
    assert history.total.iloc[-1] < 0.7 * history.total.iloc[0]


def test_mean_reduction_divides_the_gradient_by_the_mini_batch(smoke):
    names = smoke.subset("train")[:4]
    from facnet.training import pack

    x, lengths = pack([smoke.features("rgb", name) for name in names])
    labels = torch.from_numpy(smoke.labels(names))
    gradients = []
    for reduction in ("sum", "mean"):
        torch.manual_seed(0)
        from facnet.model import FACNet

        model = FACNet(x.shape[1], len(smoke.classes),
                       ModelConfig(embedding_widths=(8, 8), dropout=0.0))
        config = TrainingConfig(reduction=reduction)
        train_step(model, adam(model, config), x, lengths, labels, config)
        gradients.append(model.W_a.grad)
    torch.testing.assert_close(gradients[0], 4 * gradients[1])


def test_prediction_does_not_depend_on_the_company_of_videos(smoke, experiment):
    model, _ = fit(smoke, "flow", replace(
        experiment, training=replace(experiment.training, epochs=1)))
    videos = smoke.subset("test")
    every = predict(model, smoke, "flow", videos)
    one = predict(model, smoke, "flow", videos[3:4])
    np.testing.assert_allclose(every.probability[3], one.probability[0], rtol=1e-5)
    np.testing.assert_allclose(every.activation[every.rows(videos[3])], one.activation,
                               rtol=1e-4, atol=1e-5)


def test_a_snippet_shows_the_classes_that_cover_half_of_it(smoke):
    instances = pd.DataFrame([("v", smoke.classes[1], 0.32, 1.5)],
                             columns=["video", "label", "start", "end"])
    shown = frame_labels(replace(smoke, instances=instances), "v", 4)
    assert shown[:, 1].tolist() == [True, True, False, False]
    assert shown.sum() == 2


def test_frame_supervision_learns_the_frames(smoke, experiment):
    video = smoke.subset("train")[0]
    shown = frame_labels(smoke, video, len(smoke.features("flow", video))).any(1)
    background = {}
    for supervision in ("video", "frame"):
        model, _ = fit(smoke, "flow", experiment, supervision=supervision)
        scores = predict(model, smoke, "flow", (video,))
        p = torch.from_numpy(10 / 5 * scores.activation).softmax(-1).numpy()[:, -1]
        background[supervision] = p[~shown].mean() - p[shown].mean()
    assert background["frame"] > max(0.3, background["video"])


def test_a_loss_that_is_not_a_number_is_one_clear_error(smoke, experiment):
    bad = smoke.subset("train")[0]

    def read(stream, video):
        array = smoke.read(stream, video).copy()
        if video == bad:
            array[0, 0] = np.nan
        return array

    with pytest.raises(FacnetError, match="synthetic, rgb: the loss is nan in epoch 1"):
        fit(replace(smoke, read=read), "rgb", experiment)


@pytest.mark.parametrize("capability", ["avx512_bf16", "amx_bf16", "bf16", None])
def test_bfloat16_says_when_the_processor_makes_it_slow(
        smoke, experiment, monkeypatch, recwarn, capability):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True, capability: True})
    fit(smoke, "rgb", replace(experiment, training=TrainingConfig(epochs=0)))
    assert not recwarn  # float32 never warns
    fit(smoke, "rgb", replace(experiment, training=TrainingConfig(epochs=0, bfloat16=True)))
    messages = [str(warning.message) for warning in recwarn]
    if capability:
        assert not messages
    else:
        assert len(messages) == 1 and "no instructions for it" in messages[0]
        assert "\n" not in messages[0]


def test_unknown_supervision_and_stream_are_refused(smoke, experiment):
    with pytest.raises(FacnetError, match="Did you mean 'frame'"):
        fit(smoke, "rgb", experiment, supervision="frames")
    with pytest.raises(FacnetError, match="no stream 'rbg'. Did you mean 'rgb'"):
        fit(smoke, "rbg", experiment)
