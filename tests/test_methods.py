"""Hosts of the CW branch: losses as slow loops give them, detections as worked out by hand."""

import json
import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from facnet import training
from facnet.batches import sampled, training_videos
from facnet.checkpoints import Checkpoint, load_checkpoint, save_checkpoint
from facnet.config import CommonTraining, Experiment, changed, to_dict
from facnet.data import load
from facnet.errors import FacnetError
from facnet.experiment import run
from facnet.localization import ClassSequences, Scores, nms
from facnet.methods import METHODS, bm, experiment_of, method_of, preset, recipes, stpn, um, w_talc
from facnet.model import Packing, class_wise_foreground
from facnet.profiles import profile
from facnet.study.records import classification
from facnet.training import fit, predict

WIDTH, CLASSES = 3, 3
HOSTS = ("STPN + Embedding", "BM", "W-TALC", "UM")
# Pairs for W-TALC: two share two classes, one of them one snippet long; one video twice; two that
# share nothing. The last video is in no pair.
LENGTHS = (5, 1, 20, 20, 12, 3, 9)
LABELS = torch.tensor([[1, 1, 0], [1, 1, 1], [0, 1, 0], [0, 1, 0], [1, 0, 0], [0, 0, 1], [0, 0, 1]],
                      dtype=torch.float64)


def tiny(recipe: str, **fields) -> Experiment:
    """A recipe at the size of these tests; `model__dropout=0` sets a field."""
    own = {"model__dropout": 0.0, "training__lambda_cw": 0.3}
    if recipe != "STPN":
        own["model__embedding_widths"] = (4,)
    if recipe.startswith(("STPN", "BM")):
        own["model__attention_width"] = 5
    if recipe.startswith("UM"):
        own["model__selection_dropout"] = 0.0
    return changed(recipes()[recipe], {
        name.replace("__", "."): value for name, value in (own | fields).items()})


def network_of(experiment: Experiment, seed: int = 0) -> nn.Module:
    """The experiment's network in training mode, all of its parameters random."""
    torch.manual_seed(seed)
    network = method_of(experiment).network(WIDTH, CLASSES, experiment.model).double()
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.7)
    return network.train()


def batch(lengths=LENGTHS, seed: int = 0) -> tuple[list[np.ndarray], torch.Tensor, torch.Tensor]:
    """Videos [T, WIDTH], the third once more as the fourth; packed; and their lengths."""
    rng = np.random.default_rng(seed)
    videos = [rng.normal(size=(length, WIDTH)) for length in lengths]
    if len(videos) > 3 and lengths[2] == lengths[3]:
        videos[3] = videos[2]
    return videos, torch.from_numpy(np.concatenate(videos)), torch.tensor(lengths)


# Slow references: one video, one snippet, one class at a time.


def numbers(parameter: torch.Tensor) -> np.ndarray:
    return parameter.detach().numpy()


def shares(values) -> list[float]:
    """Softmax."""
    total = sum(math.exp(value) for value in values)
    return [math.exp(value) / total for value in values]


def logistic(value: float) -> float:
    return 1 / (1 + math.exp(-value))


def cosine_of(u: np.ndarray, v: np.ndarray) -> float:
    lengths = math.sqrt(sum(u * u)) * math.sqrt(sum(v * v))
    return sum(u * v) / lengths if lengths > 0 else 0.0


def cross_entropy(scores, label) -> float:
    return -sum(math.log(p) for p, y in zip(shares(scores), label) if y) / sum(label)


def binary(probability, target) -> float:
    """Mean over classes of the binary cross-entropies."""
    return np.mean([-t * math.log(p) - (1 - t) * math.log(1 - p)
                    for p, t in zip(probability, target)])


def best(values, k: int) -> list[int]:
    """Where the k largest are."""
    return sorted(range(len(values)), key=lambda i: values[i])[-k:]


def embedded(network: nn.Module, video: np.ndarray) -> np.ndarray:
    """Layers of a ReLU of a linear map of each snippet between its neighbours."""
    half = network.embedding.kernel // 2
    for layer in network.embedding:
        nothing = [np.zeros(video.shape[1])] * half
        padded = [*nothing, *video, *nothing]
        video = np.array([
            np.maximum(numbers(layer.weight) @ np.concatenate(padded[t:t + 2 * half + 1])
                       + numbers(layer.bias), 0) for t in range(len(video))])
    return video


def slow_cw(x, activation, w_f, label) -> float:
    """The CW loss of one video; background is no class's foreground."""
    columns = np.array(activation).T
    pooled = [sum(a * one for a, one in zip(shares(list(own)), x)) for own in columns]
    return cross_entropy([10 * cosine_of(own, w_f) for own in pooled], [*label, 0][:len(columns)])


def attention_of(network, x) -> list[float]:
    """λ of each snippet."""
    layers = [numbers(p) for p in network.attention.parameters()]  # weight, bias, weight, bias
    if len(layers) > 2:
        x = [np.maximum(layers[0] @ own + layers[1], 0) for own in x]
    return [logistic((layers[-2] @ own + layers[-1]).item()) for own in x]


def slow_stpn(network, x, label, config) -> tuple[dict, torch.Tensor | None, tuple]:
    """A video's losses by name; W_f; probability of classes, scores of snippets, foreground."""
    W, b = numbers(network.classifier.weight), numbers(network.classifier.bias)
    attention = attention_of(network, x)
    pooled = sum(a * own for a, own in zip(attention, x)) / len(x)
    p = [logistic(s) for s in W @ pooled + b]
    return ({"classification": binary(p, label), "sparsity": sum(attention)}, network.W_f,
            (p, [W @ own for own in x], attention))


def smooth(values, sigma) -> list[float]:
    found = []
    for t in range(len(values)):
        weights = {s: math.exp(-((s - t) / sigma) ** 2 / 2) for s in range(len(values))
                   if abs(s - t) <= 3 * sigma}
        found.append(sum(w * values[s] for s, w in weights.items()) / sum(weights.values()))
    return found


def slow_bm(network, x, label, config) -> tuple[dict, torch.Tensor, tuple]:
    W = numbers(network.classifier.weight)
    u_fg, u_bg = numbers(network.W_f)[0], numbers(network.u_bg)[0]
    attention = attention_of(network, x)
    x_fg = sum(a * own for a, own in zip(attention, x))
    x_bg = sum((1 - a) * own for a, own in zip(attention, x))
    x_fg = x_fg / (sum(attention) + (1 if network.training else 1e-6))
    x_bg = x_bg / (sum(1 - a for a in attention) + 1e-6)
    logits = [W @ own for own in x]
    q = [shares(own) for own in logits]
    g_fg = smooth([max(p for p, y in zip(own, label) if y) for own in q], config.guide_sigma)
    g_bg = smooth([sum(own[:-1]) for own in q], config.guide_sigma)
    return {
        "foreground": cross_entropy(W @ x_fg, [*label, 0]),
        "background": -math.log(shares(W @ x_bg)[-1]),
        "guide": np.mean([abs(a - f) + abs(a - b) for a, f, b in zip(attention, g_fg, g_bg)]),
        "cluster": -math.log(shares([u_fg @ x_fg, u_bg @ x_fg])[0])
        - math.log(shares([u_fg @ x_bg, u_bg @ x_bg])[1])}, network.W_f, (
            shares(W @ x_fg), logits, attention)


def slow_um(network, x, label, config) -> tuple[dict, torch.Tensor, tuple]:
    model, a = network.config, np.array([numbers(network.classifier.weight) @ own for own in x])
    length = [math.sqrt(sum(own * own)) for own in x]
    k_action = max(1, len(x) // model.action_divisor)
    k_background = max(1, len(x) // model.background_divisor)
    scores = [np.mean([a[t, c] for t in best(a[:, c], k_action)]) for c in range(CLASSES)]
    action, quiet = best(length, k_action), best([-own for own in length], k_background)
    background = sum(a[t] for t in quiet) / k_background
    norms = [math.sqrt(sum((sum(x[t] for t in own) / len(own)) ** 2)) for own in (action, quiet)]
    found = {"magnitude": (max(0, config.margin - norms[0]) + norms[1]) ** 2,
             "classification": binary(shares(scores), np.array(label) / sum(label)),
             "background": binary(shares(background), [1 / CLASSES] * CLASSES)}
    return found, network.W_f, (shares(scores), a, length)


def slow_w_talc(network, x, label, config) -> tuple[dict, torch.Tensor, tuple]:
    W, b = numbers(network.classifier.weight), numbers(network.classifier.bias)
    a, k = np.array([W @ own + b for own in x]), math.ceil(len(x) / network.config.top_k_divisor)
    scores = [np.mean([a[t, c] for t in best(a[:, c], k)]) for c in range(CLASSES)]
    return {"mil": cross_entropy(scores, label)}, network.W_f, (shares(scores), a, None)


def slow_casl(videos, activations, labels, config) -> float:
    """Over the classes that the two of a pair share."""

    def high_and_low(v, c):
        x, attention = videos[v], shares(activations[v][:, c])
        high = sum(a * own for a, own in zip(attention, x))
        return high, sum((1 - a) / max(len(x) - 1, 1) * own for a, own in zip(attention, x))

    found = []
    for m in range(0, 2 * config.pairs, 2):
        for c in range(CLASSES):
            if labels[m][c] and labels[m + 1][c]:
                (H_m, L_m), (H_n, L_n) = high_and_low(m, c), high_and_low(m + 1, c)
                alike = 1 - cosine_of(H_m, H_n)
                found.append(0.5 * max(0, alike - (1 - cosine_of(H_m, L_n)) + config.margin)
                             + 0.5 * max(0, alike - (1 - cosine_of(L_m, H_n)) + config.margin))
    return sum(found) / len(found)


SLOW = {"STPN": slow_stpn, "BM": slow_bm, "W-TALC": slow_w_talc, "UM": slow_um}
WEIGHTS = {
    "STPN": lambda c: {"classification": 1, "sparsity": c.sparsity},
    "BM": lambda c: {"foreground": 1, "background": c.background, "guide": c.guide,
                     "cluster": c.cluster},
    "W-TALC": lambda c: {"mil": c.mil_share, "casl": 1 - c.mil_share},
    "UM": lambda c: {"classification": 1, "magnitude": c.magnitude, "background": c.background},
}


def slow_losses(experiment, network, videos, labels) -> tuple[dict[str, list[float]], list]:
    """Losses by name, and predictions, of each video."""
    config, x = experiment.training, [embedded(network, video) for video in videos]
    rows, predicted = [], []
    for own, label in zip(x, labels):
        row, w_f, prediction = SLOW[experiment.method](network, own, label, config)
        if config.lambda_cw:
            row["cw"] = slow_cw(own, prediction[1], numbers(w_f)[0], label)
        rows.append(row)
        predicted.append(prediction)
    for row in rows:
        if experiment.method == "W-TALC":
            row["casl"] = slow_casl(x, [a for _, a, _ in predicted], labels, config)
        weights = WEIGHTS[experiment.method](config) | {"cw": config.lambda_cw}
        row["total"] = sum(weights[name] * row[name] for name in row)
    return {name: [row[name] for row in rows] for name in rows[0]}, predicted


@pytest.mark.parametrize("recipe, fields", [
    ("STPN", {"training__lambda_cw": 0.0}),
    ("STPN + Embedding", {"model__embedding_widths": (4, 5), "training__sparsity": 0.1}),
    ("BM", {"training__background": 0.2, "training__guide": 0.3, "training__cluster": 0.4}),
    ("BM", {"training__guide_sigma": 2.0}),
    ("W-TALC", {"training__mil_share": 0.3}),
    ("W-TALC", {"training__margin": 0.2}),
    ("UM", {"training__margin": 2.0, "training__magnitude": 0.1, "training__background": 0.5}),
])
@pytest.mark.parametrize("mode", ["train", "eval"])
def test_losses_and_predictions_are_those_of_slow_loops(recipe, fields, mode):
    experiment = tiny(recipe, **fields)
    method, network = method_of(experiment), network_of(experiment).train(mode == "train")
    videos, x, lengths = batch()
    output = network(x, lengths)
    got = method.losses(output, LABELS, experiment.training)
    expected, predicted = slow_losses(experiment, network, videos, LABELS.tolist())
    assert set(got) == set(expected)
    for name, values in expected.items():
        np.testing.assert_allclose(numbers(got[name]), values, rtol=1e-6, atol=1e-9, err_msg=name)
    probability, *of_snippets = method.predictions(output, experiment.training)
    np.testing.assert_allclose(numbers(probability), [own[0] for own in predicted], rtol=1e-6)
    for i, values in enumerate(of_snippets, start=1):
        if values is None:
            assert predicted[0][i] is None
        else:
            expected = np.concatenate([own[i] for own in predicted])
            np.testing.assert_allclose(numbers(values), expected, rtol=1e-6)
    # Nothing of a video comes of its company, or of its own other end where it is alone.
    alone = method.predictions(network(x[26:46], lengths[3:4]), experiment.training)
    np.testing.assert_allclose(numbers(alone[0][0]), predicted[3][0], rtol=1e-6)
    if recipe == "BM":
        alone = bm.losses(network(x[26:46], lengths[3:4]), LABELS[3:4], experiment.training)
        torch.testing.assert_close(alone["guide"][0], got["guide"][3])


def test_co_activity_without_a_pair_that_shares_a_class_is_zero():
    experiment = tiny("W-TALC")
    network, (_, x, lengths) = network_of(experiment), batch()
    labels = LABELS[[0, 5, 2, 5, 4, 3, 6]]
    assert w_talc.co_activity(network(x, lengths), labels, experiment.training) == 0
    none = replace(experiment.training, pairs=0)
    assert w_talc.co_activity(network(x, lengths), LABELS, none) == 0


@pytest.mark.parametrize("background_class", [True, False])
@pytest.mark.parametrize("temperatures", [(1.0,), (1.0, 2.0, 5.0)])
def test_the_block_is_fac_nets_own_branch(background_class, temperatures):
    config = changed(preset(), {
        "model.embedding_widths": (4, 4), "model.temperatures": temperatures,
        "model.background_class": background_class, "model.foreground_init": "xavier"})
    network, (_, x, lengths) = network_of(config).eval(), batch()
    output = network(x, lengths)
    got = class_wise_foreground(output.X_e, output.S_a, network.W_f,
                                Packing(lengths, x), temperatures, 10.0)
    assert got.shape == (len(lengths), CLASSES + background_class)
    torch.testing.assert_close(got, output.R_a)


class Total(nn.Module):
    """The sum of a batch's losses, all parameters of it the network's."""

    def __init__(self, experiment: Experiment):
        super().__init__()
        self.experiment, self.network = experiment, network_of(experiment, seed=2)

    def forward(self, x, lengths, labels):
        output = self.network(x, lengths)
        losses = method_of(self.experiment).losses(output, labels, self.experiment.training)
        return losses["total"].sum()


@pytest.mark.parametrize("recipe, fields", [
    ("released", {"model__embedding_widths": (4, 4), "model__foreground_init": "xavier"}),
    ("STPN + Embedding", {}),
    ("BM", {}), ("W-TALC", {}),
    ("UM", {"training__magnitude": 0.1, "training__margin": 2.0}),
])
def test_gradients_are_those_of_finite_differences(recipe, fields, monkeypatch):
    total = Total(tiny(recipe, **fields))
    _, x, lengths = batch((4, 1, 9, 9, 5, 2, 3), seed=1)
    if recipe == "BM":  # no gradient passes the guides, so they must stand still
        known = bm.guides(total.network(x, lengths), LABELS, 1.0)
        monkeypatch.setattr(bm, "guides", lambda *_: known)
    names, parameters = zip(*total.named_parameters())

    def loss(*values):
        return torch.func.functional_call(total, dict(zip(names, values)), (x, lengths, LABELS))

    assert torch.autograd.gradcheck(loss, parameters, atol=1e-6, rtol=1e-5)


def test_guides_give_the_classifier_no_gradient():
    experiment = tiny("BM", training__guide=1.0)
    network, (_, x, lengths) = network_of(experiment), batch()
    losses = bm.losses(network(x, lengths), LABELS, experiment.training)
    guide, = torch.autograd.grad(losses["guide"].sum(), network.classifier.weight,
                                 retain_graph=True, allow_unused=True)
    attention, = torch.autograd.grad(losses["guide"].sum(), network.attention[2].weight)
    assert guide is None and attention.abs().max() > 0


def test_a_one_snippet_video_has_the_same_gradient_in_single_precision():
    """Nothing of it is outside its high activity, so its L is 0, which has no direction."""
    experiment = tiny("W-TALC", training__pairs=1, training__lambda_cw=0.0)
    _, x, lengths = batch((4, 1), seed=1)
    gradients = []
    for dtype in (torch.float64, torch.float32):
        network = network_of(experiment).to(dtype)
        output = network(x.to(dtype), lengths)
        loss = w_talc.co_activity(output, torch.ones(2, CLASSES).to(dtype), experiment.training)
        gradients.append(torch.autograd.grad(loss, network.embedding[0].weight)[0].double())
    torch.testing.assert_close(*gradients, rtol=1e-3, atol=1e-5)


def test_masks_choose_snippets_and_leave_um_s_features_whole(monkeypatch):
    """A dropped snippet is neither pseudo-action nor pseudo-background."""
    network = network_of(tiny("UM", model__action_divisor=2, model__embedding_widths=(),
                              model__background_divisor=3))
    x = torch.tensor([[5, 0, 0], [0, 4, 0], [0, 0, 3], [2, 0, 0], [0, 1, 0], [0, 0, 0.5]]).double()
    mask = torch.tensor([0, 2, 2, 2, 2, 0])
    monkeypatch.setattr(um, "dropout_mask", lambda v, *options: mask if v.ndim == 1 else v * 0)
    output = network(x, torch.tensor([6]))
    assert torch.equal(output.x_action[0], x[1:4].mean(0))
    assert torch.equal(output.x_background[0], x[3:5].mean(0))
    assert (output.activation == 0).all() and torch.equal(output.length, x.norm(dim=1))


# The arithmetic of two losses, all numbers written out.


def test_w_talc_s_losses_in_numbers():
    log3, root10, root370 = math.log(3), math.sqrt(10), math.sqrt(370)
    config = w_talc.Model(embedding_widths=(), top_k_divisor=2)
    network = w_talc.Network(2, 2, config).double()
    network.load_state_dict({"classifier.weight": log3 * torch.eye(2),
                             "classifier.bias": torch.zeros(2), "W_f": torch.tensor([[1.0, 0]])})
    x = torch.tensor([[1.0, 0], [0, 1], [1, 0], [1, 0], [0, 1]]).double()
    output = network(x, torch.tensor([2, 3]))
    labels = torch.tensor([[1.0, 0], [1, 1]]).double()
    # Scores are log 3 or 0. k is 1 of 2 snippets, 2 of 3: log 3 of both classes; log 3, half of it.
    np.testing.assert_allclose(numbers(output.scores), [[log3, log3], [log3, log3 / 2]], rtol=1e-7)
    # Softmax 1/2, 1/2; then 3 and sqrt(3) of their sum, of which each label has half.
    p = 3 / (3 + math.sqrt(3))
    mil = [math.log(2), -math.log(p) / 2 - math.log(1 - p) / 2]
    assert mil == pytest.approx([0.693147, 0.730399], abs=1e-6)
    # They share class 1. Its attention is 3/4, 1/4 in the one, so H = (3, 1)/4 and, of
    # (1, 1) - H over 2 - 1, L = (1, 3)/4; 3/7, 3/7, 1/7 in the other: H = (6, 1)/7 and, of
    # (2, 1) - H over 3 - 1, L = (4, 3)/7.
    d_HH, d_HL, d_LH = 1 - 19 / root370, 1 - 15 / (5 * root10), 1 - 9 / root370
    assert (d_HH, d_HL, d_LH) == pytest.approx((0.012238, 0.051317, 0.532112), abs=1e-6)
    casl = 0.5 * (d_HH - d_HL + 0.5)  # the other half is 0.012 - 0.532 + 0.5 < 0
    assert casl == pytest.approx(0.230461, abs=1e-6)
    # F of the classes are (3, 1)/4 and (1, 3)/4, cosines with W_f 3 and 1 over sqrt(10), times 10;
    # then (6, 1)/7 and, attention 1/5, 1/5, 3/5, (2, 3)/5.
    ten = 10 / math.sqrt(37) * 6, 10 / math.sqrt(13) * 2
    cw = [math.log(1 + math.exp(-20 / root10)),
          np.logaddexp(*ten) - sum(ten) / 2]
    assert cw == pytest.approx([0.001790, 2.171721], abs=1e-6)
    got = w_talc.losses(output, labels, w_talc.Training(batch_size=2, pairs=1, lambda_cw=0.1))
    np.testing.assert_allclose(numbers(got["mil"]), mil, rtol=1e-6)
    np.testing.assert_allclose(numbers(got["casl"]), [casl, casl], rtol=1e-6)
    np.testing.assert_allclose(numbers(got["cw"]), cw, rtol=1e-6)
    # 0.3466 + 0.1152 + 0.0002 and 0.3652 + 0.1152 + 0.2172
    np.testing.assert_allclose(numbers(got["total"]), [0.461983, 0.697602], atol=1e-6)


def test_um_s_losses_in_numbers():
    log2 = math.log(2)
    config = um.Model(embedding_widths=(), action_divisor=3, background_divisor=2)
    network = um.Network(2, 3, config).double().eval()
    network.load_state_dict({"W_f": torch.tensor([[1.0, 0]]),
                             "classifier.weight": log2 * torch.tensor([[1.0, 0], [0, 1], [0, 0]])})
    x = torch.tensor([[3.0, 4], [0, 2], [1, 0], [0, 1], [2, 0]]).double()
    output = network(x, torch.tensor([3, 2]))
    # Lengths 5, 2, 1 and 1, 2: one snippet is pseudo-action, one pseudo-background, of both.
    assert output.length.tolist() == [5, 2, 1, 1, 2]
    assert output.x_action.tolist() == [[3, 4], [2, 0]]
    assert output.x_background.tolist() == [[1, 0], [0, 1]]
    # The largest score of each class: its softmax is 8, 16, 1 of 25, and 4, 2, 1 of 7.
    np.testing.assert_allclose(numbers(output.scores / log2), [[3, 4, 0], [2, 1, 0]], rtol=1e-6)
    # The pseudo-background's: softmax 1/2, 1/4, 1/4, and 1/4, 1/2, 1/4.
    np.testing.assert_allclose(numbers(output.background / log2), [[1, 0, 0], [0, 1, 0]], rtol=1e-6)
    labels = torch.tensor([[0.0, 1, 0], [1, 0, 1]]).double()
    got = um.losses(output, labels, um.Training(margin=10.0))
    # -(log .68 + log .64 + log .96)/3; halves of 4/7, 3/7 and of 1/7, 6/7, and log 5/7, over 3.
    # (log 2 + 2 (log 4 + 2 log 4/3)/3)/3 = (.693147 + 2 * .653886)/3.
    np.testing.assert_allclose(numbers(got["classification"]), [0.290924, 0.696653], atol=1e-6)
    np.testing.assert_allclose(numbers(got["background"]), [0.666973] * 2, atol=1e-6)
    # (10 - 5 + 1)^2 and (10 - 2 + 1)^2, each times 5e-4 in the total: .018 and .0405.
    np.testing.assert_allclose(numbers(got["magnitude"]), [36, 81])
    np.testing.assert_allclose(numbers(got["total"]), [0.975897, 1.404126], atol=1e-6)


# Test procedures by hand.


def scores_of(activation, foreground=None, probability=None, offsets=None) -> Scores:
    activation = np.asarray(activation, np.float64)
    offsets = np.array([0, len(activation)] if offsets is None else offsets)
    videos = tuple(f"v{i}" for i in range(len(offsets) - 1))
    foreground = None if foreground is None else np.asarray(foreground, np.float64)
    return Scores(videos, offsets, np.asarray(probability, np.float64), activation, foreground)


def assert_found(got: pd.DataFrame, *expected: tuple) -> None:
    """These (video, label, start, end, score), in any order."""
    columns = ["video", "label", "start", "end", "score"]
    expected = pd.DataFrame(list(expected), columns=columns)
    order = columns[:4]
    pd.testing.assert_frame_equal(
        got.sort_values(order).reset_index(drop=True),
        expected.sort_values(order).reset_index(drop=True), check_dtype=False, rtol=1e-9)


def test_stpn_s_detections_by_hand():
    config = stpn.Localization(upsampling=1, own_share=0.25)
    # σ(0) = 1/2, so λ = .1 has ψ = .05, which is enough; σ(1) .4 = .29, σ(-1) .8 = .22.
    rgb = scores_of(np.stack([[0, 0, 1, 1, -1, 0], [4] * 6], 1), [0.1, 0.1, 0.02, 0.4, 0.8, 0],
                    [[0.11, 0.1]])  # b is not above .1
    flow = scores_of(np.stack([[2, 4, 1, 3, 5, 0], [0] * 6], 1), [0, 0, 0.6, 0.6, 0.6, 0],
                     [[0.5, 0.3]])
    scores = {"rgb": rgb, "flow": flow}
    streams = {s: stpn.localize(scores, s, ("a", "b"), 2.0, config) for s in scores}
    # λ (a/4 + 3/4 a of flow): .1 * 1.5, .1 * 3, mean .225; .4 * 2.5, .8 * 3.5, mean 1.9.
    assert_found(streams["rgb"], ("v0", "a", 0, 4, 0.225), ("v0", "a", 6, 10, 1.9))
    # .6 (1/4 + 3/4), .6 (3/4 + 3/4), .6 (5/4 - 3/4), mean .6; of b .6 * 3/4 * 4 = 1.8.
    b = ("v0", "b", 4, 10, 1.8)
    assert_found(streams["flow"], ("v0", "a", 4, 10, 0.6), b)
    # tIoU of flow's a with rgb's better one is 2/3; b of one stream stays.
    best_a = [("v0", "a", 0, 4, 0.225), ("v0", "a", 6, 10, 1.9)]
    assert_found(stpn.fuse(streams, 2.0, config), *best_a, b)
    lax = replace(config, nms_threshold=0.7)
    assert_found(stpn.fuse(streams, 2.0, lax), *best_a, b, ("v0", "a", 4, 10, 0.6))
    # A lone stream is blended with itself: .1 (2), .1 (4) without flow's ψ there.
    alone = stpn.localize({"flow": flow}, "flow", ("a", "b"), 2.0, config)
    assert_found(alone, ("v0", "a", 4, 10, 0.6 * 3), ("v0", "b", 4, 10, 0))


def test_bm_s_detections_by_hand():
    config = bm.Localization(upsampling=1, thresholds=(0.05, 0.1, 0.2), own_share=0.25)
    # q = 1/4 of four columns: λ q = .1 .1 .2 .2 .2 .2 .1 .1, nowhere above .2.
    attention = [0.4, 0.4, 0.8, 0.8, 0.8, 0.8, 0.4, 0.4]
    rgb = scores_of(np.zeros((8, 4)), attention, [[0.1, 0.09, 0.05, 0.76]])
    # q = 3/6 of a; no class reaches .1, of which b is best: λ q = 1/12, 1/6, none.
    flow = scores_of(np.tile([math.log(3), 0, 0, 0], (8, 1)), [0.5] * 4 + [0] * 4,
                     [[0.02, 0.03, 0.01, 0.94]])
    scores = {"rgb": rgb, "flow": flow}
    streams = {s: bm.localize(scores, s, ("a", "b", "c"), 1.0, config) for s in scores}
    # λ (1/4 1/4 + 3/4 1/2) = .175 and .35. Whole: .2625, no ring. Middle: .35 less .175 around.
    assert_found(streams["rgb"], ("v0", "a", 0, 8, 0.2625), ("v0", "a", 2, 6, 0.175))
    # λ q = 1/12 > .05; score .5 (1/4 1/6 + 3/4 1/4), ring 0.
    flow_b = ("v0", "b", 0, 4, 0.5 * (1 / 24 + 3 / 16))
    assert_found(streams["flow"], flow_b)
    # tIoU 4/8 is not above .5.
    fused = bm.fuse(streams, 1.0, config)
    assert_found(fused, ("v0", "a", 0, 8, 0.2625), ("v0", "a", 2, 6, 0.175), flow_b)
    strict = bm.fuse(streams, 1.0, replace(config, nms_threshold=0.49))
    assert_found(strict, ("v0", "a", 0, 8, 0.2625), flow_b)
    half = bm.localize(scores, "rgb", ("a", "b", "c"), 1.0, replace(config, outer_weight=0.5))
    assert half.score.tolist() == pytest.approx([0.2625, 0.35 - 0.0875])


def test_w_talc_s_detections_by_hand():
    a0, a1 = [-1, -1, 3, 2, -1, 2, -1, 1.25, 2], [0, 0, 4, 3, 2] + [0] * 11
    b = [-1] * 24 + [-0.5]  # everywhere below 0
    c = [-1, 0, 0, 0, -1, -1, -1, -1, -1] + [-1] * 16  # its largest is 0, which is not above it
    scores = {"rgb+flow": scores_of(np.stack([a0 + a1, b, c], 1), None,
                                    [[1.0, 0, 0]] * 2, [0, 9, 25])}
    classes, seconds = ("a", "b", "c"), 0.5
    got = w_talc.localize(scores, "rgb+flow", classes, seconds, w_talc.Localization())
    # v0: above (3 - 1)/2 = 1 are 2-4, 5-6 (too short) and 7-9; c_s = 3, the 9/8 = 1 largest.
    # v1: above (4 + 0)/2 = 2 are 2-4, for 2 itself is not; c_s = (4 + 3)/2, the 16/8 largest.
    assert_found(got, ("v0", "a", 1, 2, 3 + 0.7 * 3), ("v0", "a", 3.5, 4.5, 2 + 0.7 * 3),
                 ("v1", "a", 1, 2, 4 + 0.7 * 3.5))
    pd.testing.assert_frame_equal(w_talc.fuse({"rgb+flow": got}, seconds, None), got)
    # .25 of the way: above 0 in v0, above 1 in v1.
    low = w_talc.Localization(threshold_factor=0.25, minimum_length=1)
    got = w_talc.localize(scores, "rgb+flow", classes, seconds, low)
    assert got.end.tolist() == [2, 3, 4.5, 2.5]


UM_LENGTHS = [5, 15, 30, 60, 110, 60, 20, 30, 30]


def test_um_s_sequences_by_hand():
    log3 = math.log(3)
    activation = np.zeros((9, 2))
    activation[3, 1] = activation[5, 0] = log3  # a has 1/4 and 3/4 there
    scores = scores_of(np.concatenate([activation, activation]), UM_LENGTHS + [3] * 9,
                       [[0.6, 0.1]] * 2, [0, 9, 18])
    # The longest 9/9 is 110, the shortest 9/4 are 5 and 15: u = (m - 10)/100, not below 0.
    u = um.action_probability(scores, um.Localization())
    np.testing.assert_allclose(u[:9], [0, 0.05, 0.2, 0.5, 1, 0.5, 0.1, 0.2, 0.2])
    np.testing.assert_array_equal(u[9:], 0)  # a video of one length is no action
    # The longest 9/4 are 110 and 60, mean 85.
    u = um.action_probability(scores, um.Localization(action_divisor=4))
    np.testing.assert_allclose(u[:6], [0, 5 / 75, 20 / 75, 50 / 75, 1, 50 / 75])
    # Of a: half of u but .125 and .375; .5 at most, 0 at least.
    c = um.sequence(scores, um.Localization())
    np.testing.assert_allclose(c[:9, 0], [0, 0.05, 0.2, 0.25, 1, 0.75, 0.1, 0.2, 0.2])
    np.testing.assert_array_equal(c[9:], 0)


def test_um_s_detections_by_hand():
    log3 = math.log(3)
    activation = np.zeros((9, 2))
    activation[3, 1] = activation[5, 0] = log3  # c = 0 .05 .2 .25 1 .75 .1 .2 .2 as above
    config = um.Localization(upsampling=1, thresholds=(0.0, 0.3, 0.9),
                             foreground_thresholds=(0.5, 0.9), nms_threshold=1.0)

    def found(seconds=1.0, probability=(0.6, 0.1), **fields):
        own = scores_of(activation, UM_LENGTHS, [probability])
        return um.localize({"x": own}, "x", ("a", "b"), seconds, replace(config, **fields))

    # c > 0: 1-9, mean .34375, a ring of one 0. c >= .3: 4-6, mean .875, and .25 before (a ring of
    # half a snippet is one to the left, none to the right). c >= .9: one snippet is too short.
    # u >= .5: 3-6, mean 2/3, .2 before. u >= .9: too short. All with .2 p = .12; b is below .2.
    whole, middle = ("v0", "a", 1, 9, 0.46375), ("v0", "a", 4, 6, 0.745)
    by_u = ("v0", "a", 3, 6, 2 / 3 - 0.2 + 0.12)
    assert_found(found(), whole, middle, by_u)
    # With a second more on lengths and intersections the best has tIoU 3/(4 + 3 - 3) with 3-6 and
    # 3/(9 + 3 - 3) with 1-9; 2/(3 + 2 - 2) with 3-6 without.
    assert_found(found(nms_threshold=0.74), whole, middle)
    assert_found(found(nms_threshold=0.76), whole, middle, by_u)
    assert_found(found(nms_threshold=0.33), middle)
    assert_found(found(nms_threshold=0.7, nms_added=0.0), whole, middle, by_u)
    # At half a second a snippet, 2/(2.5 + 2 - 2).
    assert len(found(0.5, nms_threshold=0.79)) == 2 and len(found(0.5, nms_threshold=0.81)) == 3
    assert_found(found(foreground_thresholds=()), whole, middle)
    assert set(found(probability=(0.1, 0.19)).label) == {"b"}  # none reaches .2, b is best
    assert set(found(probability=(0.2, 0.3)).label) == {"a", "b"}


def test_an_added_second_counts_in_both_lengths_and_the_intersection():
    # (1.4 + 1)/(3 + 3 - 2.4) = .67, without .54. (1 + 1)/(3 + 3 - 2) = .5.
    score = np.array([2.0, 1.0])
    near, far = np.array([[0, 0.6], [2, 2.6]]), np.array([[0.0, 1.0], [2.0, 3.0]])
    assert nms(*near, score, 0.6).tolist() == [0, 1]
    assert nms(*near, score, 0.6, added=1.0).tolist() == [0]
    assert nms(*far, score, 0.51, added=1.0).tolist() == [0, 1]


@pytest.mark.parametrize("host, config, foreground", [
    (stpn, stpn.Localization(threshold=0.125), 1.0),  # ψ is 1/2 at most
    (bm, bm.Localization(thresholds=(0.0625,)), 0.75),  # q = 1/3
    (um, um.Localization(thresholds=(0.25,), foreground_thresholds=()), 100.0),
    (um, um.Localization(thresholds=(2.0,), foreground_thresholds=(0.25,)), 100.0),
])
@pytest.mark.parametrize("factor", [4, 24])
def test_upsampling_keeps_times_right_in_every_video(host, config, foreground, factor):
    # A quarter of the height is reached a quarter of the way between the centres of two snippets,
    # a quarter of a snippet before the border; never from one video into the next.
    box = np.array([0, 1, 0, 1, 1, 0, 0, 0, 1, 0, 0, 0], float) * foreground
    scores = {"x": scores_of(np.zeros((12, 3)), box, np.full((3, 2), 0.3), [0, 2, 8, 12])}
    got = host.localize(scores, "x", ("a", "b"), 0.64, replace(config, upsampling=factor))
    got = got[got.label == "b"].sort_values("video")
    assert got.video.tolist() == ["v0", "v1", "v2"]
    np.testing.assert_allclose(got.start / 0.64, [0.75, 0.75, 0])
    np.testing.assert_allclose(got.end / 0.64, [2, 3.25, 1.25])


@pytest.mark.parametrize("own_thresholds", [False, True])
def test_runs_are_those_of_a_slow_search(own_thresholds):
    rng = np.random.default_rng(0)
    offsets = np.array([0, 1, 9, 12, 40])
    sequence, action = rng.integers(0, 4, (40, 3)), rng.integers(0, 4, 40)
    chosen = np.array([[1, 0, 1], [0, 1, 1], [0, 0, 0], [1, 1, 0]], bool)
    kept = ClassSequences(scores_of(sequence, None, np.zeros((4, 3)), offsets), chosen)
    pairs = [(v, c) for v in range(4) for c in range(3) if chosen[v, c]]
    thresholds = rng.integers(0, 3, (len(pairs), 2)) if own_thresholds else np.array([0.0, 1.0])
    assert list(zip(kept.video, kept.column)) == pairs
    for samples in (sequence, np.stack([action] * 3, 1)):
        values = kept.values(samples if samples is sequence else action)
        found = kept.runs(values, thresholds, 2)
        expected = []
        for p, (v, c) in enumerate(pairs):
            own = samples[offsets[v]:offsets[v + 1], c].tolist()
            assert values[kept.begin[p]:kept.stop[p] + 1].tolist() == [*own, -np.inf]
            for threshold in (thresholds[p] if own_thresholds else thresholds):
                start = None
                for t, value in enumerate([*own, -np.inf]):
                    if value > threshold and start is None:
                        start = t
                    elif value <= threshold and start is not None:
                        expected += [(p, start, t)] if t - start >= 2 else []
                        start = None
        begin = kept.begin[found.pair]
        assert list(zip(found.pair, found.start - begin, found.end - begin)) == expected
    nothing = ClassSequences(kept.scores, np.zeros((4, 3), bool))
    assert len(nothing.runs(nothing.values(sequence), np.array([0.0])).pair) == 0


# Sampling and mini-batches.


def test_stratified_sampling_takes_one_snippet_of_each_part_and_the_next_ones_first():
    config = CommonTraining(snippets=7)
    torch.manual_seed(0)
    draws = np.array([sampled(20, config) for _ in range(300)])
    for i in range(7):
        first, last = 20 * i // 7, min(20 * (i + 1) // 7, 19)
        assert set(draws[:, i]) == set(range(first, last + 1))
    short = np.array([sampled(3, config) for _ in range(50)])
    assert short.shape == (50, 7)
    assert all(set(own) == {0, 1, 2} for own in short.tolist())
    assert (np.diff(short, axis=1) >= 0).all()


def test_a_crop_is_in_a_row_and_may_lie_anywhere():
    config = CommonTraining(snippets=10, sampling="crop")
    torch.manual_seed(0)
    crops = [np.arange(13)[sampled(13, config)] for _ in range(60)]
    assert {(own[0], own[-1], len(own)) for own in crops} == {
        (0, 9, 10), (1, 10, 10), (2, 11, 10), (3, 12, 10)}
    assert all((np.diff(own) == 1).all() for own in crops)
    assert sampled(10, config) == sampled(3, config) == slice(None)
    assert sampled(3, CommonTraining()) == sampled(3000, CommonTraining()) == slice(None)


@pytest.mark.parametrize("sampling", ["stratified", "crop"])
def test_sampling_follows_the_seed(sampling):
    config, drawn = CommonTraining(snippets=10, sampling=sampling), []
    for seed in (3, 3, 4):
        torch.manual_seed(seed)
        drawn.append([np.arange(400)[sampled(400, config)].tolist() for _ in range(3)])
    assert drawn[0] == drawn[1] != drawn[2]


@pytest.fixture(scope="module")
def smoke():
    return load("synthetic", "smoke")


def small(name: str, **training) -> Experiment:
    """A recipe at the smoke profile's sizes."""
    found = profile("smoke").apply(recipes()[name])
    return replace(found, training=replace(found.training, **training))


def test_held_out_videos_are_a_share_by_the_seed_and_never_trained_on(smoke):
    experiment, seen = small("BM", held_out=0.3, epochs=1), set()
    left, held_out = training_videos(smoke, experiment)
    every = smoke.subset("train")
    assert len(held_out) == round(0.3 * len(every))
    assert sorted([*left, *held_out]) == sorted(every)
    assert training_videos(smoke, experiment) == (left, held_out)
    assert training_videos(smoke, replace(experiment, seed=1))[1] != held_out
    assert training_videos(smoke, small("BM")) == (every, ())

    def read(stream, video):
        seen.add(video)
        return smoke.read(stream, video)

    fit(replace(smoke, read=read), "rgb", experiment)
    assert seen == set(left)
    for share, message in ((0.99, "leaves 0 of"), (0.001, "and 0 to judge by")):
        with pytest.raises(FacnetError, match=message):
            training_videos(smoke, small("BM", held_out=share))


def test_w_talc_s_mini_batches_begin_with_pairs_that_share_a_class():
    labels = torch.zeros(25, 4)
    labels[torch.arange(25), torch.arange(25) % 3] = 1  # nothing shows the last class
    labels[0] = torch.tensor([1, 1, 1, 0])
    config = w_talc.Training(batch_size=9, pairs=3)
    drawn = []
    for seed in [*range(30), 29]:
        torch.manual_seed(seed)
        drawn.append(torch.stack(list(w_talc.batches(labels, config))))
        assert drawn[-1].shape == (3, 9)  # 25 videos are two and a bit
    assert torch.equal(drawn[-1], drawn[-2]) and not torch.equal(drawn[0], drawn[1])
    every = torch.cat(drawn)
    m, n = every[:, 0:6:2], every[:, 1:6:2]
    assert (labels[m] * labels[n]).sum(-1).min() >= 1
    assert (m == n).any() and (m != n).any()  # with replacement
    for place in (m, n, every[:, 6:]):
        assert set(place.flatten().tolist()) == set(range(25))


@pytest.mark.parametrize("host", HOSTS)
def test_with_and_without_cw_begin_alike_and_see_the_same(smoke, monkeypatch, host):
    weights, batches = [], []
    for name in (host, f"{host} + CW"):
        experiment = small(name, epochs=0)
        stream = method_of(experiment).streams(smoke)[0]
        weights.append(fit(smoke, stream, experiment)[0].state_dict())
        seen = []

        def step(stack, batch):
            seen.append((batch.x.clone(), batch.lengths, batch.labels, batch.key))
            return step_taken(stack, batch)

        step_taken = training.Stack.step
        with monkeypatch.context() as patch:
            patch.setattr(training.Stack, "step", step)
            fit(smoke, stream, small(name, epochs=2))
        batches.append(seen)
    assert list(weights[0]) == list(weights[1])
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    assert len(batches[0]) == len(batches[1]) >= 2
    assert all(torch.equal(a, b) for one, other in zip(*batches) for a, b in zip(one, other))
    assert not torch.equal(batches[0][0][0], batches[0][1][0])
    longest = {int(lengths.max()) for _, lengths, *_ in batches[0]}
    assert longest == {experiment.training.snippets}  # some videos are longer


def test_plain_stpn_has_no_vector_for_the_foreground():
    plain, embedded_ = (network_of(tiny(name)) for name in ("STPN", "STPN + Embedding"))
    assert plain.W_f is None and embedded_.W_f is embedded_.attention.weight


def test_cw_is_refused_where_features_do_not_learn():
    plain = profile("smoke").apply(recipes()["STPN"])
    with pytest.raises(FacnetError, match="STPN: embedding_widths is empty, and the CW branch"):
        fit(load("synthetic", "smoke"), "rgb",
            replace(plain, training=replace(plain.training, lambda_cw=0.1)))


# Recipes from end to end.


@pytest.mark.parametrize("name", recipes())
def test_every_recipe_runs_and_survives_json(smoke, name):
    experiment = small(name, epochs=2)
    again = experiment_of(json.loads(json.dumps(to_dict(experiment))))
    assert again == experiment and type(again.training) is type(experiment.training)
    method = method_of(experiment)
    result = run(smoke, again, progress=False)
    assert set(result.scores) == ({"rgb+flow"} if method.joint else {"rgb", "flow"})
    for stream, history in result.histories.items():
        assert ("cw" in history) == (experiment.training.lambda_cw > 0)
        assert list(history.epoch) == [1, 2] and np.isfinite(history.to_numpy()).all()
        scores = result.scores[stream]
        sequence = method.sequence(scores, experiment.localization)
        assert len(sequence) == scores.offsets[-1] == len(scores.activation)
    found = result.detections
    assert list(found) == ["video", "label", "start", "end", "score"]
    assert np.isfinite(found.score).all() and (found.start < found.end).all()
    assert len(found) > 0 and 0 < classification(result.scores, smoke) <= 100


def test_unknown_methods_are_refused_with_a_guess():
    for unknown in (lambda: method_of(replace(preset(), method="W-TACL")),
                    lambda: experiment_of({"method": "W-TACL"})):
        with pytest.raises(FacnetError, match="No method 'W-TACL'. Did you mean 'W-TALC'"):
            unknown()


@pytest.mark.parametrize("name", [name for name in recipes() if METHODS[
    recipes()[name].method].joint])
def test_streams_of_different_length_are_refused_side_by_side(smoke, name):
    def read(stream, video):
        return smoke.read(stream, video)[3 * (stream == "flow"):]

    with pytest.raises(FacnetError, match=r"synthetic, .*: streams rgb, flow have \[\d+, \d+\]"):
        run(replace(smoke, read=read), small(name, epochs=1), progress=False)


@pytest.mark.parametrize("name", ["BM + CW", "W-TALC + CW"])
def test_a_saved_host_predicts_the_same(smoke, tmp_path, name):
    experiment = small(name, epochs=1)
    stream, videos = method_of(experiment).streams(smoke)[0], smoke.subset("test")[:5]
    model, _ = fit(smoke, stream, experiment)
    path = tmp_path / "model.safetensors"
    save_checkpoint(path, Checkpoint(model, stream, smoke.classes, experiment, smoke.name))
    loaded = load_checkpoint(path)
    assert loaded.experiment == experiment and type(loaded.model) is type(model)
    one, other = (predict(own, smoke, stream, videos, experiment) for own in (model, loaded.model))
    for field in ("probability", "activation", "foreground"):
        np.testing.assert_array_equal(getattr(one, field), getattr(other, field))
