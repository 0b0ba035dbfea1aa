"""The network computes what the authors' released code computes, whatever it is batched with."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from conftest import FIXTURES

from facnet.config import ModelConfig, TrainingConfig
from facnet.methods import preset
from facnet.model import (
    FACNet, dropout_mask, fac_net_losses, linear, normalised_cross_entropy, random_bytes,
    separate_cross_entropy,
)

PARAMETERS = {
    "W1": "embedding.0.weight", "b1": "embedding.0.bias", "W2": "embedding.1.weight",
    "b2": "embedding.1.bias", "ac_center": "W_a", "fg_center": "W_f",
}


def released_model(case, prefix="", **fields) -> FACNet:
    """The network with recorded weights, dropout off."""
    widths = (len(case[f"{prefix}W1"]), len(case[f"{prefix}W2"]))
    config = replace(ModelConfig(embedding_widths=widths, dropout=0.0), **fields)
    model = FACNet(case["x"].shape[-1], case["y"].shape[-1], config)
    state = {ours: torch.from_numpy(case[prefix + theirs]) for theirs, ours in PARAMETERS.items()}
    model.to(state["W_a"].dtype).load_state_dict(state)
    return model


@pytest.mark.parametrize("name", ["fwd_small_0", "fwd_small_1", "fwd_small_2"])
def test_forward_losses_and_gradients_are_those_of_the_released_code(name):
    case = dict(np.load(FIXTURES / f"{name}.npz"))
    scale = float(case["scale_factor"])
    model = released_model(
        case, scale=scale, video_scale=2 * scale, temperatures=tuple(case["temperature"]))
    x, y = torch.from_numpy(case["x"][0]), torch.from_numpy(case["y"])
    output = model(x, torch.tensor([len(x)]))
    losses = fac_net_losses(output, y, TrainingConfig())
    losses["total"].sum().backward()
    got = {
        "x_emb": output.X_e, "frm_scrs": output.S_a, "frm_fg_scrs": output.S_f,
        "frm_pred": output.S_a.softmax(-1), "cw_pred": output.R_a.softmax(-1),
        "ca_pred": output.R_f.softmax(-1), "mil_pred": output.R_m.softmax(-1),
        "loss_cw": losses["cw"], "loss_ca": losses["ca"], "loss_mil": losses["mil"],
        "loss_total": losses["total"],
    }
    got |= {f"grad_{theirs}": model.get_parameter(ours).grad
            for theirs, ours in PARAMETERS.items()}
    if len(x) == 1:
        # Attention over one snippet is constant: what is recorded there is rounding noise.
        assert float(got["grad_fg_center"].abs().max()) < 1e-12
        del got["grad_fg_center"]
    for key, value in got.items():
        value, recorded = value.detach().numpy().ravel(), case[key].ravel()
        if recorded.dtype == np.float64:
            np.testing.assert_allclose(value, recorded, rtol=1e-6, atol=1e-9, err_msg=key)
        else:
            error = np.abs(value - recorded).max() / np.abs(recorded).max()
            assert error < 1e-5, key


@pytest.mark.parametrize("name", ["released", "paper"])
@pytest.mark.parametrize("background_class", [True, False])
def test_a_video_scores_the_same_alone_and_in_any_company(name, background_class):
    config = replace(preset(name).model, embedding_widths=(16, 12),
                     background_class=background_class)
    torch.manual_seed(0)
    model = FACNet(8, 3, config).double().eval()
    lengths = torch.tensor([5, 1, 300, 128, 2, 129])
    x = torch.rand(int(lengths.sum()), 8, dtype=torch.float64)
    together = model(x, lengths)
    begin = 0
    for b, length in enumerate(lengths.tolist()):
        rows = slice(begin, begin + length)
        begin += length
        alone = model(x[rows], torch.tensor([length]))
        for field in ("X_e", "S_a", "S_f"):
            torch.testing.assert_close(getattr(together, field)[rows], getattr(alone, field))
        for field in ("R_a", "R_f", "R_m"):
            torch.testing.assert_close(getattr(together, field)[b], getattr(alone, field)[0])


def test_temporal_convolution_is_torchs_with_zeros_past_the_ends():
    config = ModelConfig(embedding_widths=(6, 4), embedding_kernel=3, dropout=0.0)
    torch.manual_seed(0)
    model = FACNet(5, 2, config).double()
    x = torch.rand(9, 5, dtype=torch.float64)
    got = model(x, torch.tensor([9])).X_e
    expected = x.T.unsqueeze(0)
    for layer in model.embedding:
        width = layer.in_features // 3
        kernel = layer.weight.unflatten(1, (3, width)).permute(0, 2, 1)
        expected = torch.conv1d(expected, kernel, layer.bias, padding=1).relu()
    torch.testing.assert_close(got, expected[0].T)


def test_a_dead_snippet_does_not_turn_the_model_to_nan():
    model = FACNet(4, 2, ModelConfig(embedding_widths=(4, 4), dropout=0.0))
    with torch.no_grad():
        model.embedding[1].bias.fill_(-0.1)
    x = torch.rand(6, 4)
    x[2] = 0  # its embedding is relu(-0.1) = 0
    output = model(x, torch.tensor([3, 3]))
    assert (output.X_e[2] == 0).all()
    fac_net_losses(output, torch.eye(2), TrainingConfig())["total"].sum().backward()
    for name, parameter in model.named_parameters():
        assert torch.isfinite(parameter.grad).all(), name


def test_a_video_of_dead_snippets_has_uniform_scores():
    model = FACNet(4, 2, ModelConfig(embedding_widths=(4, 4)))
    output = model.eval()(torch.zeros(3, 4), torch.tensor([3]))
    for scores in (output.R_a, output.R_f, output.R_m):
        assert (scores == 0).all()


def test_random_bytes_are_even_in_each_place_and_alike_in_none():
    like = torch.empty(4000, 64)
    drawn = {key: random_bytes(torch.tensor(key), like) for key in (5, 6, 5 + (1 << 40), 2**62 - 1)}
    for found in drawn.values():
        lanes = found.flatten().view(-1, 8).long() + 128  # the bytes of a word
        for lane in lanes.T:
            counts = torch.bincount(lane, minlength=256).double()
            expected = len(lane) / 256
            assert ((counts - expected) ** 2 / expected).sum() < 255 + 6 * (2 * 255) ** 0.5
        assert (torch.corrcoef(lanes.T.double()) - torch.eye(8)).abs().max() < 0.03
        flat = found.flatten().double()
        for apart in (1, 2, 8, 16, 64, 512):
            assert torch.corrcoef(torch.stack([flat[apart:], flat[:-apart]]))[0, 1].abs() < 0.01
    between = torch.corrcoef(torch.stack([found.flatten().double() for found in drawn.values()]))
    # Keys 5 and 6 share all words but one: a key of a step is drawn, and far from any other.
    between[0, 1] = between[1, 0] = 0
    assert (between - torch.eye(4)).abs().max() < 0.01


@pytest.mark.parametrize("rate", [0.5, 0.3, 255 / 256])
def test_dropout_keeps_the_mean_and_drops_at_its_rate(rate):
    mask = dropout_mask(torch.ones(4000, 63), rate, torch.tensor(5))
    assert float((mask == 0).float().mean()) == pytest.approx(rate, abs=0.005)
    assert float(mask.mean()) == pytest.approx(1.0, abs=0.02 if rate < 0.9 else 0.2)
    assert len(mask.unique()) == 2


def test_the_products_of_the_embedding_are_exact_to_float32():
    torch.manual_seed(0)
    layer, x = torch.nn.Linear(128, 256), torch.randn(930, 128)
    expected = 2 * (x.double() @ layer.weight.double().T + layer.bias.double())
    got = linear(x, layer, 2.0, False, True)
    assert (got - expected).abs().max() < 2e-6 * expected.abs().max()
    in_bfloat16 = linear(x, layer, 2.0, True, True).float()
    assert 1e-4 < (in_bfloat16 - expected).abs().max() / expected.abs().max() < 1e-2


def test_dropout_before_the_activation_is_dropout_after_it():
    torch.manual_seed(0)
    model = FACNet(6, 2, ModelConfig(embedding_widths=(16, 8), dropout=0.3)).double().train()
    for layer in model.embedding:  # so that some activations are negative, and biases count
        torch.nn.init.normal_(layer.bias)
    x, lengths = torch.randn(50, 6, dtype=torch.float64), torch.tensor([20, 30])
    key = torch.tensor(2**61 + 1)
    got = model(x, lengths, key=key).X_e
    gradients = torch.autograd.grad(got.square().sum(), list(model.embedding.parameters()))
    for activation_first in (True, False):
        expected = x
        for i, layer in enumerate(model.embedding):
            expected = layer(expected)
            like = expected.new_empty(64, expected.shape[1])  # of 50 snippets, rounded up
            mask = dropout_mask(like, 0.3, key + (i << 40))[:50]
            if activation_first:  # released
                expected = expected.relu() * mask
            else:  # text
                expected = (expected * mask).relu()
        torch.testing.assert_close(got, expected, rtol=1e-12, atol=1e-12)
        again = torch.autograd.grad(expected.square().sum(), list(model.embedding.parameters()))
        for a, b in zip(gradients, again):
            torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-12)


def test_evaluation_drops_nothing():
    torch.manual_seed(0)
    model = FACNet(6, 2, ModelConfig(embedding_widths=(16, 8), dropout=0.5)).eval()
    x = torch.randn(5, 6)
    first, second = model.embedding
    expected = second(first(x).relu()).relu()
    torch.testing.assert_close(model(x, torch.tensor([5])).X_e, expected)


def test_the_initial_foreground_is_minus_the_background_in_released_only():
    released = FACNet(4, 3, ModelConfig(embedding_widths=(4, 4)))
    assert torch.equal(released.W_f, -released.W_a[-1:])
    for config in (ModelConfig(embedding_widths=(4, 4), background_class=False),
                   ModelConfig(embedding_widths=(4, 4), foreground_init="xavier")):
        model = FACNet(4, 3, config)
        assert not torch.equal(model.W_f, -model.W_a[-1:])
        assert len(model.W_a) == 3 + config.background_class


def test_bfloat16_changes_scores_a_little_and_keeps_the_type():
    torch.manual_seed(0)
    model = FACNet(32, 3, ModelConfig(embedding_widths=(32, 32))).eval()
    x, lengths = torch.rand(40, 32), torch.tensor([15, 25])
    exact, rounded = model(x, lengths), model(x, lengths, bfloat16=True)
    assert rounded.R_a.dtype == torch.float32
    difference = (exact.S_a - rounded.S_a).abs().max()
    assert 0 < difference < 0.1


def test_normalised_cross_entropy_is_the_mean_over_the_labels():
    scores = torch.tensor([[1.0, 2.0, 0.5]])
    log_p = scores.log_softmax(-1)[0]
    loss = normalised_cross_entropy(scores, torch.tensor([[1.0, 1.0, 0.0]]))
    assert float(loss) == pytest.approx(-float(log_p[0] + log_p[1]) / 2, rel=1e-6)
    assert float(normalised_cross_entropy(scores, torch.zeros(1, 3))) == 0.0


def test_a_sigmoid_a_class_lets_the_classes_of_a_video_be_probable_together():
    scores, labels = torch.tensor([[1.0, 2.0, 0.5]]), torch.tensor([[1.0, 1.0, 0.0]])
    p = scores.sigmoid()[0]
    expected = -(p[0].log() + p[1].log() + (1 - p[2]).log()) / 2
    assert float(separate_cross_entropy(scores, labels)) == pytest.approx(float(expected), rel=1e-6)
    sure = torch.tensor([[50.0, 50.0, -50.0]])
    assert float(separate_cross_entropy(sure, labels)) < 1e-6
    assert float(normalised_cross_entropy(sure, labels)) > 0.6  # each has half at most
