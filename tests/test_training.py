"""Training takes the released optimiser's steps, repeats exactly, and says what is wrong."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import FIXTURES
from test_model import PARAMETERS, released_model

from facnet import training
from facnet.batches import Member, Source, membership, pack
from facnet.config import ModelConfig, TrainingConfig, changed
from facnet.data import frame_labels, load
from facnet.errors import FacnetError
from facnet.methods import METHODS, preset, recipes
from facnet.model import FACNet, Output, Packing
from facnet.profiles import profile
from facnet.training import Stack, adam, fit, losses_of, predict, stacks, train_step

FAC_NET = METHODS["FAC-Net"]


def test_two_optimiser_steps_are_those_of_the_released_code():
    case = dict(np.load(FIXTURES / "train_small.npz"))
    cw, ca, mil = case["lambdas"].tolist()
    config = TrainingConfig(
        learning_rate=float(case["lr"]), betas=tuple(case["betas"]),
        weight_decay=float(case["weight_decay"]), lambda_cw=cw, lambda_ca=ca, lambda_mil=mil)
    model = released_model(case, "init_")
    optimizer = adam(model.parameters(), config)
    videos = torch.from_numpy(case["x"]).split(case["lengths"].tolist())
    size = int(case["accumulate"])
    for step in (1, 2):
        batch = slice((step - 1) * size, step * size)
        lengths = torch.from_numpy(case["lengths"])[batch]
        losses = train_step(losses_of(FAC_NET, model, config, torch.cat(videos[batch]), lengths,
                                      torch.from_numpy(case["y"])[batch]), optimizer, config)
        losses = [value.item() for value in losses.values()]
        np.testing.assert_allclose(losses, case["losses"][batch].sum(0), rtol=1e-9)
        for theirs, ours in PARAMETERS.items():
            got = model.get_parameter(ours).detach().numpy()
            np.testing.assert_allclose(got, case[f"step{step}_{theirs}"], rtol=0, atol=1e-9)


@pytest.fixture(scope="module")
def smoke():
    return load("synthetic", "smoke")


@pytest.fixture(scope="module")
def experiment():
    return profile("smoke").apply(preset())


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
    assert history.total.iloc[-1] < 0.75 * history.total.iloc[0]


def test_mean_reduction_divides_the_gradient_by_the_mini_batch(smoke):
    names = smoke.subset("train")[:4]
    x, lengths = pack([smoke.features("rgb", name) for name in names])
    labels = torch.from_numpy(smoke.labels(names))
    gradients = []
    for reduction in ("sum", "mean"):
        torch.manual_seed(0)
        from facnet.model import FACNet

        model = FACNet(x.shape[1], len(smoke.classes),
                       ModelConfig(embedding_widths=(8, 8), dropout=0.0))
        config = TrainingConfig(reduction=reduction)
        train_step(losses_of(FAC_NET, model, config, x, lengths, labels),
                   adam(model.parameters(), config), config)
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


def test_exactly_half_is_enough(smoke):
    instances = pd.DataFrame([("v", smoke.classes[0], 1.6, 2.56)],
                             columns=["video", "label", "start", "end"])
    shown = frame_labels(replace(smoke, instances=instances), "v", 5)
    assert shown[:, 0].tolist() == [False, False, True, True, False]


def test_frame_supervision_learns_the_frames(smoke, experiment):
    video = smoke.subset("train")[0]
    shown = frame_labels(smoke, video, len(smoke.features("flow", video))).any(1)
    background = {}
    for supervision in ("video", "frame"):
        model, _ = fit(smoke, "flow", changed(
            experiment, {"training.supervision": supervision, "training.epochs": 40}))
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


def interrupted(monkeypatch, step: int, *arguments, **options) -> None:
    """`fit`, stopped by Ctrl-C inside its `step`-th optimiser step."""
    steps = iter(range(1, step + 1))

    def once(*values):
        if next(steps) == step:
            raise KeyboardInterrupt
        return train_step(*values)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(training, "train_step", once)
        fit(*arguments, **options)


@pytest.mark.parametrize("supervision", ["video", "frame"])
def test_an_interrupted_training_ends_as_the_undisturbed_one(
        smoke, experiment, monkeypatch, tmp_path, supervision):
    experiment = changed(experiment, {
        "training.epochs": 5, "training.batch_size": 6, "training.supervision": supervision})
    steps = -(-len(smoke.subset("train")) // experiment.training.batch_size)
    assert steps > 2
    options = {"state_file": tmp_path / "flow.training"}
    expected, whole = fit(smoke, "flow", experiment)
    interrupted(monkeypatch, 2, smoke, "flow", experiment, **options)
    assert not list(tmp_path.iterdir())  # not one epoch was whole
    interrupted(monkeypatch, 2 * steps + 2, smoke, "flow", experiment, **options)
    torch.rand(7)
    interrupted(monkeypatch, steps + 1, smoke, "flow", experiment, **options)
    assert [path.name for path in tmp_path.iterdir()] == ["flow.training"]

    trained = []
    monkeypatch.setattr(training, "train_step", lambda *v: trained.append(1) or train_step(*v))
    model, history = fit(smoke, "flow", experiment, **options)
    assert len(trained) == 2 * steps  # the last two epochs
    pd.testing.assert_frame_equal(history, whole)
    for a, b in zip(model.parameters(), expected.parameters()):
        torch.testing.assert_close(a, b)
    again, history = fit(smoke, "flow", experiment, **options)
    assert len(trained) == 2 * steps  # nothing is left to do
    pd.testing.assert_frame_equal(history, whole)
    assert torch.equal(again.W_a, model.W_a)


def test_saving_the_state_changes_nothing(smoke, experiment, tmp_path):
    experiment = replace(experiment, training=replace(experiment.training, epochs=2))
    plain, _ = fit(smoke, "rgb", experiment)
    saved, _ = fit(smoke, "rgb", experiment, state_file=tmp_path / "rgb.training")
    for a, b in zip(plain.parameters(), saved.parameters()):
        assert torch.equal(a, b)


@pytest.fixture
def state(smoke, experiment, tmp_path):
    """The state after one epoch of rgb."""
    path = tmp_path / "rgb.training"
    experiment = replace(experiment, training=replace(experiment.training, epochs=1))
    fit(smoke, "rgb", experiment, state_file=path)
    return path, experiment


@pytest.mark.parametrize("change, message", [
    (lambda data, e: (data, "flow", e), "stream is rgb there, flow here"),
    (lambda data, e: (data, "rgb", changed(e, {"training.supervision": "frame"})),
     "training.supervision is video there, frame here"),
    (lambda data, e: (data, "rgb", replace(e, seed=4)), "seed is 0 there, 4 here"),
    (lambda data, e: (data, "rgb", replace(e, training=replace(
        e.training, learning_rate=0.01))),
     "training.learning_rate is 0.005 there, 0.01 here"),
    (lambda data, e: (data, "rgb", replace(e, model=replace(
        e.model, embedding_widths=(32, 16)))),
     r"model.embedding_widths is \[32, 32\] there, \[32, 16\] here"),
    (lambda data, e: (replace(data, name="mine"), "rgb", e),
     "dataset is synthetic there, mine here; fingerprint is "),
    (lambda data, e: (replace(data, read=lambda s, v: data.read(s, v) + 1), "rgb", e),
     "fingerprint is [0-9a-f]+ there, [0-9a-f]+ here"),
])
def test_the_state_of_another_training_is_refused(smoke, state, change, message):
    path, experiment = state
    before = path.read_bytes()
    data, stream, experiment = change(smoke, experiment)
    with pytest.raises(FacnetError, match=f"rgb.training: .*{message}.*another folder"):
        fit(data, stream, experiment, state_file=path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("damage", [
    lambda whole: whole[: len(whole) // 2],
    lambda whole: b"",
    lambda whole: bytes(len(whole)),
    lambda whole: whole.replace(b'"experiment"', b'"experimant"'),
    lambda whole: whole.replace(b'"random"', b'"randim"'),
    lambda whole: whole.replace(b'"model.W_a"', b'"model.W_b"'),
    lambda whole: whole.replace(b'"history"', b'"histery"'),
])
def test_a_damaged_state_is_refused(smoke, state, damage):
    path, experiment = state
    whole = path.read_bytes()
    path.write_bytes(damage(whole))
    assert path.read_bytes() != whole
    with pytest.raises(FacnetError, match="rgb.training: cannot be read .* Remove it") as error:
        fit(smoke, "rgb", experiment, state_file=path)
    assert "\n" not in str(error.value)


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


def test_features_that_are_no_numbers_or_too_wide_are_named_when_scores_are_made(
        smoke, experiment):
    model, _ = fit(smoke, "rgb", replace(
        experiment, training=replace(experiment.training, epochs=0)))
    videos = smoke.subset("test")
    bad = videos[3]

    def changed(change):
        return replace(smoke, read=lambda s, v: change(smoke.read(s, v)) if v == bad
                       else smoke.read(s, v))

    with pytest.raises(FacnetError, match=f"synthetic, rgb, {bad}: the scores are not numbers"):
        predict(model, changed(lambda x: x * np.nan), "rgb", videos)
    with pytest.raises(FacnetError, match=f"rgb, {bad}: 31 features a snippet, but the model"):
        predict(model, changed(lambda x: x[:, 1:]), "rgb", videos)
    first = smoke.subset("train")[0]
    with pytest.raises(FacnetError, match="rgb, .*: 32 features a snippet, but the model takes 31"):
        fit(replace(smoke, read=lambda s, v: smoke.read(s, v)[:, int(v == first):]), "rgb",
            experiment)


def test_where_the_ca_branch_is_off_the_other_branches_predict(smoke, experiment):
    video = smoke.subset("test")[:1]
    model, _ = fit(smoke, "rgb", replace(
        experiment, training=replace(experiment.training, epochs=2)))
    x, lengths = pack([smoke.features("rgb", video[0])])
    output = model(x, lengths)
    for weights, expected in {
        (1.0, 0.1, 0.1): output.R_f.softmax(-1), (0.0, 1.0, 0.0): output.R_f.softmax(-1),
        (1.0, 0.0, 0.0): output.R_a.softmax(-1), (0.0, 0.0, 1.0): output.R_m.softmax(-1),
        (1.0, 0.0, 1.0): (output.R_a.softmax(-1) + output.R_m.softmax(-1)) / 2,
    }.items():
        config = replace(experiment.training, **dict(zip(
            ("lambda_cw", "lambda_ca", "lambda_mil"), weights)))
        got = predict(
            model, smoke, "rgb", video, replace(experiment, training=config)).probability
        np.testing.assert_allclose(got, expected.detach(), rtol=1e-6)


def test_where_several_videos_score_no_number_the_one_with_such_features_is_named(
        smoke, experiment, monkeypatch):
    model, _ = fit(smoke, "rgb", replace(
        experiment, training=replace(experiment.training, epochs=0)))
    videos = smoke.subset("test")
    monkeypatch.setattr(FACNet, "forward", lambda self, x, lengths, *options: Output(*(
        torch.full((len(of), 3), torch.nan) for of in (x, x, x, lengths, lengths, lengths))))
    bad = replace(smoke, read=lambda s, v: smoke.read(s, v) * (
        np.nan if v == videos[4] else 1))
    with pytest.raises(FacnetError, match=f"rgb, {videos[4]}: the scores are not numbers"):
        predict(model, bad, "rgb", videos)


def test_unknown_supervision_and_stream_are_refused(smoke, experiment):
    with pytest.raises(FacnetError, match="Did you mean 'frame'"):
        changed(experiment, {"training.supervision": "frames"})
    with pytest.raises(FacnetError, match="no stream 'rbg'. Did you mean 'rgb'"):
        fit(smoke, "rbg", experiment)


# Several models at once. On a CPU `fit` trains them one after the other; here they are computed as
# they would be on a GPU, on whatever there is.

def together(experiment, **fields) -> list:
    """Experiments that differ in a field each, by its dotted name with __ for the dot."""
    (place, values), = fields.items()
    return [replace(experiment, seed=value) if place == "seed" else
            changed(experiment, {place.replace("__", "."): value}) for value in values]


STACKED = {
    "λ, one seed": lambda e: together(e, training__lambda_cw=(1.0, 0.0, 0.3)),
    "τ, one seed": lambda e: together(e, model__temperatures=((1.0, 2.0, 5.0), (3.0, 3.0, 3.0))),
    "seeds": lambda e: together(e, seed=(0, 1, 7)),
    "seeds and λ": lambda e: [replace(one, seed=s) for s, one in enumerate(
        together(e, training__lambda_ca=(0.1, 1.0)))],
    "seeds, sampled and convolved": lambda e: together(changed(
        e, {"model.embedding_kernel": 3, "training.snippets": 20}), seed=(0, 1)),
    "seeds, by frames": lambda e: together(changed(e, {"training.supervision": "frame"}),
                                           seed=(0, 1)),
    "seeds, held out": lambda e: together(changed(e, {"training.held_out": 0.2}), seed=(0, 1))}


def trained_in_float64(smoke, group, steps: int = 4) -> list[dict[str, torch.Tensor]]:
    """Weights after a few steps."""
    members = [Member(smoke, "flow", one) for one in group]
    for member in members:
        member.model.double()
    stack, source = Stack(members, "cpu"), Source(smoke, "flow", members)
    for _, batch in zip(range(steps), source):
        stack.step(type(batch)(*(own.double() if own is not None and own.is_floating_point()
                                 else own for own in batch)))
    stack.hand_back()
    return [member.model.state_dict() for member in members]


@pytest.mark.parametrize("name", STACKED)
def test_what_a_model_becomes_does_not_depend_on_its_company(smoke, experiment, name):
    group = STACKED[name](experiment)
    at_once = trained_in_float64(smoke, group)
    for one, own in zip(group, at_once):
        (alone,) = trained_in_float64(smoke, [one])
        for key in own:
            torch.testing.assert_close(own[key], alone[key], rtol=0, atol=1e-12)
    assert not torch.equal(at_once[0]["W_a"], at_once[1]["W_a"])


@pytest.mark.parametrize("name", ["STPN + Embedding", "BM", "FAC-Net"])
def test_in_float32_models_trained_at_once_are_those_trained_alone_but_for_rounding(smoke, name):
    recipe = profile("smoke").apply((recipes() | {"FAC-Net": preset()})[name])
    group = together(changed(recipe, {"training.epochs": 2}), seed=(0, 1, 2))
    for (model, history), one in zip(training._fit(smoke, "rgb", group, progress=False), group):
        alone, expected = fit(smoke, "rgb", one)
        np.testing.assert_allclose(history, expected, rtol=1e-5)
        for a, b in zip(model.parameters(), alone.parameters()):
            torch.testing.assert_close(a, b, rtol=0, atol=1e-5)
        scores, expected = (predict(own, smoke, "rgb", smoke.subset("test")[:2], one).activation
                            for own in (model, alone))
        np.testing.assert_allclose(scores, expected, atol=1e-4)


def test_fit_of_several_gives_each_in_its_order(smoke, experiment):
    experiment = changed(experiment, {"training.epochs": 1})
    group = [*together(experiment, seed=(3, 1)), recipes()["STPN"], experiment]
    group[2] = changed(profile("smoke").apply(group[2]), {"training.epochs": 1})
    for one, (model, history) in zip(group, fit(smoke, "rgb", group), strict=True):
        alone, expected = fit(smoke, "rgb", one)
        pd.testing.assert_frame_equal(history, expected)
        assert all(torch.equal(a, b) for a, b in zip(model.parameters(), alone.parameters()))


def test_what_fits_together_is_trained_at_once_elsewhere_than_on_a_cpu(smoke, experiment):
    rows = [*together(experiment, training__lambda_cw=(1.0, 0.0)),
            *together(experiment, model__temperatures=((1.0,), (5.0,))),
            changed(experiment, {"model.background_class": False}),
            profile("smoke").apply(recipes()["UM"]), profile("smoke").apply(recipes()["BM"])]
    group = [replace(one, seed=seed) for one in rows for seed in range(3)]
    assert stacks(group, smoke, "rgb") == [[one] for one in group]
    found = stacks(group + group, replace(smoke, device="mps"), "rgb")
    assert sorted(map(len, found)) == [1, 1, 1, 3, 3, 6, 6]
    assert {one for stack in found for one in stack} == {*group}
    by_seed = stacks([replace(one, seed=seed) for seed in range(5) for one in together(
        experiment, training__lambda_cw=[i / 10 for i in range(7)])],
        replace(smoke, device="mps"), "rgb")
    assert max(map(len, by_seed)) == training.TOGETHER
    assert [one.seed for stack in by_seed for one in stack] == sorted(
        one.seed for stack in by_seed for one in stack)


@pytest.mark.parametrize("shape", [(5,), (5, 3), (5, 2, 3)])
def test_sums_by_membership_are_those_video_by_video(shape):
    torch.manual_seed(0)
    lengths, x = torch.tensor([2, 1, 2]), torch.randn(shape, dtype=torch.float64)
    one_by_one = Packing(lengths, x)
    filled = torch.nn.functional.pad(x, (0, 0) * (x.ndim - 1) + (0, 3), value=1e6)
    by_product = Packing(membership(lengths, 8, x), filled)
    for name in ("sums", "means"):
        torch.testing.assert_close(getattr(by_product, name)(filled), getattr(one_by_one, name)(x))
    values = torch.randn(3, *shape[1:], dtype=torch.float64)
    torch.testing.assert_close(by_product.spread(values)[:5], one_by_one.spread(values))
    if x.ndim == 2:
        weights = one_by_one.softmax(30 * x, (1.0, 9.0))
        found = by_product.softmax(30 * filled, (1.0, 9.0))
        torch.testing.assert_close(found[:5], weights)
        assert (found[5:] == 0).all()
        torch.testing.assert_close(by_product.weighted_sums(found, filled),
                                   one_by_one.weighted_sums(weights, x))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
class TestOnCuda:
    @pytest.fixture
    def there(self, smoke):
        return replace(smoke, device="cuda")

    @pytest.mark.parametrize("name", ["seeds", "λ, one seed"])
    def test_training_repeats_bit_by_bit(self, there, experiment, name):
        group = STACKED[name](changed(experiment, {"training.epochs": 3}))
        first, second = (fit(there, "rgb", group, progress=False) for _ in range(2))
        for (a, history), (b, again) in zip(first, second):
            pd.testing.assert_frame_equal(history, again)
            assert all(torch.equal(x, y) for x, y in zip(a.parameters(), b.parameters()))

    @pytest.mark.parametrize("method", METHODS)
    def test_every_method_repeats_and_is_near_the_cpu(self, smoke, there, method):
        recipe, *_ = METHODS[method].recipes.values()
        one = changed(profile("smoke").apply(recipe), {"training.epochs": 2})
        stream = METHODS[method].streams(smoke)[0]
        (a, history), (b, again) = (fit(there, stream, one) for _ in range(2))
        pd.testing.assert_frame_equal(history, again)
        assert all(torch.equal(x, y) for x, y in zip(a.parameters(), b.parameters()))
        np.testing.assert_allclose(history, fit(smoke, stream, one)[1], rtol=1e-2)

    def test_a_resumed_training_ends_as_the_undisturbed_one(
            self, there, experiment, monkeypatch, tmp_path):
        experiment = changed(experiment, {"training.epochs": 3})
        expected, _ = fit(there, "flow", experiment)
        state = tmp_path / "flow.training"
        interrupted(monkeypatch, 5, there, "flow", experiment, state_file=state)
        model, _ = fit(there, "flow", experiment, state_file=state)
        assert all(torch.equal(x, y) for x, y in zip(model.parameters(), expected.parameters()))

    def test_features_that_do_not_fit_are_read_for_each_mini_batch(
            self, there, experiment, monkeypatch):
        experiment = changed(experiment, {"training.epochs": 2})
        expected, _ = fit(there, "flow", experiment)
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (0, 0))
        model, _ = fit(there, "flow", experiment)
        assert all(torch.equal(x, y) for x, y in zip(model.parameters(), expected.parameters()))
