# %% [markdown]
# # The model, equation by equation
#
# What does FAC-Net compute? The whole network in one picture, then every equation of the paper's
# section 3 in a line or two of plain PyTorch, on a network of the paper's size and a video of
# random features. What the module returns, and its losses, are checked against these lines.

# %% tags=["parameters"]
import os

dataset: str = os.environ.get("FACNET_DATASET", "synthetic")  # not used
profile: str = os.environ.get("FACNET_PROFILE", "quick")  # not used
seeds: int = 1  # not used
output: str = os.environ.get("FACNET_OUTPUT", "results")  # for what is saved

# %% tags=["remove-input"]
from dataclasses import replace
import matplotlib.pyplot as plt
import torch
from facnet import preset
from facnet.config import flat, to_dict
from facnet.model import fac_net_losses, FACNet
from facnet.study import check_parameters, plots

check_parameters(globals())
plots.use_style()

# %% [markdown]
# ![Boxes and arrows from top to bottom. Embedded snippets feed two columns that mirror each other: on the left the action classifier gives the attention and the foreground classifier the score (CW); on the right they change places (CA). A third column, MIL, takes activation and attention from the first. Each ends in its loss, and their weighted sum is the loss of the whole](../book/_static/overview.svg)
#
# FAC-Net for one stream, after the paper's Fig. 2: what each box computes, its equation and its
# shape, for $T$ snippets, $D$ channels, $C$ actions and a background.
#
# CW and CA mirror each other: in CW the action classifier (solid) directs the attention and the
# foreground classifier (dashed) scores what it gathers, in CA they change places. A box drawn three
# times has a copy for each temperature. The sizes below are those of I3D features
# {cite}`carreira2017i3d`.

# %% tags=["nbval-check-output"]
_ = torch.manual_seed(0)
T, C, recipe = 300, 20, preset("released")
model = FACNet(input_width=1024, classes=C, config=recipe.model)
model = model.double().eval().requires_grad_(False)
x = torch.rand(T, 1024, dtype=torch.float64)
out = model(x, lengths=torch.tensor([T]))
delta, delta_video, taus = recipe.model.scale, recipe.model.video_scale, recipe.model.temperatures
for name, parameter in model.named_parameters():
    print(f"{name:20s} {str(list(parameter.shape)):13s} {parameter.numel():>9,}")

# %% [markdown]
# ## Embedding (section 3.1)
# Two layers turn a snippet's features into $X_e(t) \in \mathbb{R}^D$: temporal convolutions, in the
# released code with kernel 1, which is a linear layer, each followed by a ReLU. Dropout is off
# here. The module's $X_e$ has a row for each snippet; its scores, such as $R_a$, one for each video.

# %% tags=["nbval-check-output"]
def check(name, ours, expected):
    """Print a shape; fail if ours and the module's disagree."""
    torch.testing.assert_close(ours, expected)
    print(f"{name:4s} {list(ours.shape)}")


X_e = x
for layer in model.embedding:
    X_e = torch.relu(X_e @ layer.weight.T + layer.bias)
check("X_e", X_e, out.X_e)

# %% [markdown]
# ## Two classifiers and cosines
# The action classifier $W_a$ has a row for each action and one for the background. The foreground
# classifier $W_f$ is a single vector, which starts as minus the background's row. Without a row for
# the background every snippet has to look like some action. With it, one may look like none: MIL is
# told that every video shows background, CW and CA that this is no foreground. So the classes'
# probabilities can fall where nothing happens. A snippet's class activation and foreground activation
# are scaled cosines:
#
# $$ S_a(t, j) = \delta \cos(X_e(t), W_a(j)) \qquad (1) \qquad\qquad
# S_f(t) = \delta \cos(X_e(t), W_f) \qquad (8) $$

# %% tags=["nbval-check-output"]
def cos(a, b):
    """Cosines of rows: [..., D] and [K, D] to [..., K]."""
    return (a / a.norm(dim=-1, keepdim=True)) @ (b / b.norm(dim=-1, keepdim=True)).T


W_a, W_f = model.W_a, model.W_f
S_a, S_f = delta * cos(X_e, W_a), delta * cos(X_e, W_f).squeeze(-1)
check("S_a", S_a, out.S_a)
check("S_f", S_f, out.S_f)

# %% [markdown]
# ## Hybrid attention (section 3.5)
# Attention is a softmax *over time* at each temperature $\tau$ (elsewhere it would be an inverse
# temperature). A large $\tau$ looks at key snippets only, a small one takes in less telling ones:
#
# $$ A_a(t, j) = \frac{\exp(\tau S_a(t, j))}{\sum_k \exp(\tau S_a(k, j))} \quad (2) \qquad
# A_f(t) = \frac{\exp(\tau S_f(t))}{\sum_k \exp(\tau S_f(k))} \quad (9) $$

# %% tags=["nbval-check-output"]
A_a = torch.stack([torch.softmax(tau * S_a, dim=0) for tau in taus])
A_f = torch.stack([torch.softmax(tau * S_f, dim=0) for tau in taus])
print("A_a", list(A_a.shape), " A_f", list(A_f.shape), " temperatures", taus)

# %% mystnb={"image": {"alt": "Above, a made-up sequence of scores over sixty snippets with a high and a lower bump. Below, its softmax over time: at temperature 1 both bumps have attention, at 5 almost only the higher one; the mean of the three lies between"}, "figure": {"name": "fig-hybrid", "caption": "Hybrid attention, after the paper's Fig. 3, on made-up scores of one class. Below: the attention of each temperature with the class's score by equation 13, and the means of both, which the model uses."}}
t = torch.arange(60.0)
S = 1.5 * torch.exp(-(((t - 14) / 6) ** 4)) + torch.exp(-(((t - 40) / 9) ** 4)) - 0.5
A = torch.stack([torch.softmax(tau * S, dim=0) for tau in taus])  # [H, T]
R = (A * S).sum(1)
figure, (upper, lower) = plt.subplots(
    2, 1, figsize=(7.2, 4.2), sharex=True, height_ratios=(1, 2))
upper.plot(t, S, color="0.3")
upper.set_ylabel("score $S(t)$")
names = [*(rf"$\tau$ = {tau:g}" for tau in taus), "mean of the three"]
for name, attention, score in zip(names, [*A, A.mean(0)], [*R, R.mean()]):
    (line,) = lower.plot(t, attention)
    lower.text(21, attention.max(), f"{name}: $R$ = {score:.2f}", color=line.get_color())
lower.set(xlabel="snippet $t$", ylabel="attention $A(t)$")
plots.save_figure(figure, "fig3", output, "Made-up scores; no data.")

# %% [markdown]
# ## Class-wise foreground classification, CW (section 3.2)
# *Actions must be foreground.* The attention of each class pools one feature of the video. The
# foreground classifier scores these features, and a softmax *over classes* makes them compete:
#
# $$ F_a(j) = \sum_t A_a(t, j) X_e(t) \quad (3) \qquad
# R_a(j) = \delta \cos(F_a(j), W_f) \quad (4) $$
#
# $$ P_a(j) = \frac{\exp R_a(j)}{\sum_i \exp R_a(i)} \quad (5) $$
#
# Scores are averaged over $\tau$ *before* the softmax. The released code has two $\delta$: 5 for
# snippets, 10 for videos.

# %% tags=["nbval-check-output"]
F_a = torch.einsum("htj,td->hjd", A_a, X_e)  # [H, C+1, D]
R_a = delta_video * cos(F_a, W_f).squeeze(-1).mean(0)
P_a = torch.softmax(R_a, dim=-1)
check("R_a", R_a, out.R_a[0])
check("P_a", P_a, out.R_a.softmax(-1)[0])

# %% [markdown]
# ## Class-agnostic attention, CA (section 3.3)
# *The foreground must be an action.* The same the other way round. $P_f$ also decides, at test
# time, which classes a video is searched for:
#
# $$ F_f = \sum_t A_f(t) X_e(t) \quad (10) \qquad
# P_f(j) = \frac{\exp(\delta \cos(F_f, W_a(j)))}{\sum_i \exp(\delta \cos(F_f, W_a(i)))} \; (11) $$

# %% tags=["nbval-check-output"]
F_f = torch.einsum("ht,td->hd", A_f, X_e)  # [H, D]
P_f = torch.softmax(delta_video * cos(F_f, W_a).mean(0), dim=-1)
check("P_f", P_f, out.R_f.softmax(-1)[0])

# %% [markdown]
# ## Multiple instance learning, MIL (section 3.4)
# In place of the mean of the top-$k$ snippets, the attention of equation 2 weights the activations.
# These are scaled by 5 and a video's scores by 10: the released code doubles the sum, to match.
#
# $$ R_m(j) = \sum_t A_a(t, j) S_a(t, j) \quad (13) $$

# %% tags=["nbval-check-output"]
R_m = delta_video / delta * (A_a * S_a).sum(1).mean(0)
P_m = torch.softmax(R_m, dim=-1)
check("R_m", R_m, out.R_m[0])

# %% [markdown]
# ## Losses (equations 6, 12 and 14)
# Cross-entropies against normalised labels $\hat y = y / \sum_i y(i)$. Every video holds
# background, so the labels of MIL have it ($y(C+1) = 1$). Those of CW and CA are of foreground, and
# leave it out ($y(C+1) = 0$). $\mathcal{L}_{mil}$ has $P_m$, the softmax of $R_m$, in place of
# $P_a$. The released weights $\lambda$ are 1, 0.1 and 0.1.
#
# $$ \mathcal{L}_{cw} = -\mathbb{E}[\hat y^\top \log P_a] \quad (6) \qquad
# \mathcal{L}_{ca} = -\mathbb{E}[\hat y^\top \log P_f] \quad (12) $$
#
# $$ \mathcal{L} = \lambda_{cw} \mathcal{L}_{cw} + \lambda_{ca} \mathcal{L}_{ca}
#     + \lambda_{mil} \mathcal{L}_{mil} \quad (14) $$

# %% tags=["nbval-check-output"]
labels = torch.zeros(1, C, dtype=torch.float64)
labels[0, [4, 7]] = 1  # CliffDiving and Diving: a cliff dive is a dive too
y, y_mil = (torch.nn.functional.pad(labels[0], (0, 1), value=value) for value in (0, 1))
by_hand = {"cw": -(y / y.sum() * P_a.log()).sum(), "ca": -(y / y.sum() * P_f.log()).sum(),
           "mil": -(y_mil / y_mil.sum() * P_m.log()).sum()}
by_hand["total"] = sum(getattr(recipe.training, f"lambda_{name}") * by_hand[name]
                       for name in ("cw", "ca", "mil"))
losses = fac_net_losses(out, labels, recipe.training)
for name, value in by_hand.items():
    # The released code, and the module, divide labels by their sum + 1e-8.
    torch.testing.assert_close(value, losses[name][0], rtol=1e-6, atol=1e-9)
    print(f"{name:6s} {float(value):.4f}")

# %% [markdown]
# Equation 7 reads equation 5 as one positive against $C$ negatives, as in noise-contrastive
# estimation: a smaller $\mathcal{L}_{cw}$ would mean a larger bound on the mutual information of
# $W_f$ and the true action's $F_a(j)$. [Does it?](13_what_the_features_learned.ipynb)
#
# ## Where the text and the released code differ
# In three fields here, and in [how detections are made](04_from_features_to_detections.ipynb):

# %% tags=["nbval-check-output"]
released, paper = (flat(to_dict(preset(name).model)) for name in ("released", "paper"))
for name, value in released.items():
    if value != paper[name]:
        print(f"{name:18s} released {value!s:18s} paper {paper[name]}")

# %% [markdown]
# ## To remember, and to try
# - CW and CA are mirror images: attention of one side, classifier of the other.
# - The softmax over time makes attentions, the one over classes makes probabilities.
#
# **Exercise.** How many more parameters has the model with five temperatures in place of three?

# %% tags=["hide-cell", "nbval-check-output"] mystnb={"code_prompt_show": "Solution"}
five = FACNet(1024, C, replace(recipe.model, temperatures=(1.0, 2.0, 5.0, 7.0, 10.0)))
for name, one in {"three temperatures": model, "five": five}.items():
    print(name, sum(own.numel() for own in one.parameters()))
