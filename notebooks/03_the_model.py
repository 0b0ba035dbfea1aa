# %% [markdown]
# # The model, equation by equation
#
# This page shows the whole network in one picture, then computes every equation of the paper's
# section 3 in a line or two of plain PyTorch, on a network of the paper's size and one video of
# random features. Each is checked against `facnet.model`: if a shape or a formula in the module
# drifted from the text, this page would fail to build.

# %% tags=["parameters"]
import os

dataset: str = os.environ.get("FACNET_DATASET", "synthetic")  # not used
profile: str = os.environ.get("FACNET_PROFILE", "quick")  # not used
seeds: int = 1  # not used
output: str = os.environ.get("FACNET_OUTPUT", "results")  # for what is saved

# %% tags=["remove-cell"]
from facnet.study.notebook import check_parameters

check_parameters(globals())

# %% tags=["hide-input"]
import torch

from facnet import methods
from facnet.config import ModelConfig
from facnet.model import FACNet, fac_net_losses
from facnet.study import diagrams, plots

_ = torch.manual_seed(0)
plots.use_style()
source = "Drawing; no data."

# %% tags=["hide-input"] mystnb={"image": {"alt": "Boxes and arrows. Embedded snippets feed two rows that mirror each other: above, the action classifier gives the attention and the foreground classifier the score (CW); below, the foreground classifier gives the attention and the action classifier the score (CA). A third row, MIL, takes activation and attention from the first. Each row ends in its loss, and their weighted sum is the loss of the whole"}, "figure": {"name": "fig-overview", "caption": "FAC-Net for one stream, after the paper's Fig. 2. Each box says what it computes, with the number of its equation and the shape of the result: $T$ snippets, $D$ channels, $C$ actions and a background, which is the hatched row of $W_a$ and column $C+1$ of all that follows from it. CW (blue) and CA (orange) mirror each other: in CW the action classifier (solid) directs the attention and the foreground classifier (dashed) scores what it gathers; in CA they change places. MIL (green) takes $S_a$ and $A_a$ from CW. Boxes in threes: one for each temperature, of which the next picture shows more. For CW and CA the background is labelled absent, for MIL present. $R_f$ is a name of ours for what stands inside equation 11."}}
figure = diagrams.overview()
plots.save_figure(figure, "fig2", output, source)

# %% [markdown]
# The `released` preset is the one whose numbers can be checked. $T$ snippets of one stream of I3D
# features {cite}`carreira2017i3d` have 1024 channels; there are $C = 20$ actions and a background.

# %% tags=["nbval-check-output"]
T, C = 300, 20
recipe = methods.preset("released")
model = FACNet(input_width=1024, classes=C, config=recipe.model).double().eval()
_ = model.requires_grad_(False)
x = torch.rand(T, 1024, dtype=torch.float64)
out = model(x, lengths=torch.tensor([T]))
delta, delta_video, taus = recipe.model.scale, recipe.model.video_scale, recipe.model.temperatures


def check(name, ours, models):
    """Print a shape; fail if the line above it and the module disagree."""
    torch.testing.assert_close(ours, models)
    print(f"{name:4s} {list(ours.shape)}")


for name, parameter in model.named_parameters():
    print(f"{name:20s} {str(list(parameter.shape)):13s} {parameter.numel():>9,}")
total = sum(p.numel() for p in model.parameters())
assert total == 2 * (1024 * 1024 + 1024) + (C + 1) * 1024 + 1024
print(f"{'all':34s} {total:>9,}")

# %% [markdown]
# ## Embedding (section 3.1)
#
# Two layers turn a snippet's features into $X_e(t) \in \mathbb{R}^D$. The text calls them a
# temporal convolutional network; the released code has a linear layer for each snippet, which is
# a convolution with kernel 1. Dropout is off here.

# %% tags=["nbval-check-output"]
X_e = x
for layer in model.embedding:
    X_e = torch.relu(X_e @ layer.weight.T + layer.bias)
check("X_e", X_e, out.X_e)

# %% [markdown]
# ## What all branches share: two classifiers and cosines
#
# The action classifier $W_a$ has a row for each action and one for the background, the foreground
# classifier $W_f$ is a single vector. A snippet's class activation (over time: the class activation
# sequence, CAS) and foreground activation are scaled cosines. The released $W_f$ starts as minus
# the background's row of $W_a$:
#
# $$
# S_a(t, j) = \delta \cos(X_e(t), W_a(j)) \qquad (1) \qquad\qquad
# S_f(t) = \delta \cos(X_e(t), W_f) \qquad (8)
# $$

# %% tags=["nbval-check-output"]
def cos(a, b):
    """Cosines of rows: [..., D] and [K, D] to [..., K]."""
    return (a / a.norm(dim=-1, keepdim=True)) @ (b / b.norm(dim=-1, keepdim=True)).T


W_a, W_f = model.W_a, model.W_f
S_a = delta * cos(X_e, W_a)
S_f = delta * cos(X_e, W_f).squeeze(-1)
check("S_a", S_a, out.S_a)
check("S_f", S_f, out.S_f)

# %% [markdown]
# ## Hybrid attention (section 3.5)
#
# Attention is a softmax *over time*, for each class and for the foreground, at each temperature
# $\tau$. It multiplies the scores: elsewhere in machine learning it would be called an inverse
# temperature. A large $\tau$ looks at key snippets only, a small one takes in less telling ones
# too:
#
# $$
# A_a(t, j) = \frac{\exp(\tau S_a(t, j))}{\sum_k \exp(\tau S_a(k, j))} \quad (2) \qquad
# A_f(t) = \frac{\exp(\tau S_f(t))}{\sum_k \exp(\tau S_f(k))} \quad (9)
# $$

# %% tags=["nbval-check-output"]
A_a = torch.stack([torch.softmax(tau * S_a, dim=0) for tau in taus])
A_f = torch.stack([torch.softmax(tau * S_f, dim=0) for tau in taus])
print("A_a", list(A_a.shape), " A_f", list(A_f.shape), " temperatures", taus)

# %% tags=["hide-input"] mystnb={"image": {"alt": "One curve of activations over sixty snippets becomes three attentions, the flattest at temperature 1, the most peaked at 5. Each pools a feature and gives a score; the mean of the three scores goes through a softmax over classes"}, "figure": {"name": "fig-hybrid", "caption": "Hybrid attention in the CW branch, after the paper's Fig. 3. Left: a made-up activation of one class over 60 snippets. Middle: what equation 2 makes of it at each temperature; each attention adds up to 1, and the words in a panel say how many of its highest snippets hold half of that. Right: each attention pools its own feature and gives its own score; the scores are averaged, and the softmax over classes comes after. CA does the same with $S_f$, and MIL averages its $R_m$."}}
figure = diagrams.hybrid_attention()
plots.save_figure(figure, "fig3", output, source)

# %% [markdown]
# ## Class-wise foreground classification, CW (section 3.2)
#
# *Actions must be foreground.* Each class gathers the feature of what looks like it; the
# foreground classifier judges all of them, and a softmax *over classes* makes the classes compete:
#
# $$
# F_a(j) = \sum_t A_a(t, j) X_e(t) \quad (3) \qquad
# R_a(j) = \delta \cos(F_a(j), W_f) \quad (4) \qquad
# P_a(j) = \frac{\exp R_a(j)}{\sum_i \exp R_a(i)} \quad (5)
# $$
#
# The scores $R_a$ of the temperatures are averaged *before* the softmax. The released code scales
# a video's scores by 10 where a snippet's have $\delta = 5$.

# %% tags=["nbval-check-output"]
F_a = torch.einsum("htj,td->hjd", A_a, X_e)
R_a = delta_video * cos(F_a, W_f).squeeze(-1).mean(0)
P_a = torch.softmax(R_a, dim=-1)
print("F_a ", list(F_a.shape))
check("R_a", R_a, out.R_a[0])
check("P_a", P_a, out.R_a.softmax(-1)[0])

# %% [markdown]
# ## Class-agnostic attention, CA (section 3.3)
#
# *The foreground must be an action.* The same, the other way round: the foreground gathers one
# feature, and the action classifier judges it. $P_f$ is also what decides, at test time, which
# classes a video is searched for:
#
# $$
# F_f = \sum_t A_f(t) X_e(t) \quad (10) \qquad
# P_f(j) = \frac{\exp(\delta \cos(F_f, W_a(j)))}{\sum_i \exp(\delta \cos(F_f, W_a(i)))} \quad (11)
# $$

# %% tags=["nbval-check-output"]
F_f = torch.einsum("ht,td->hd", A_f, X_e)
P_f = torch.softmax(delta_video * cos(F_f, W_a).mean(0), dim=-1)
print("F_f ", list(F_f.shape))
check("P_f", P_f, out.R_f.softmax(-1)[0])

# %% [markdown]
# ## Multiple instance learning, MIL (section 3.4)
#
# In place of the mean of the top-$k$ snippets, the class-wise attention of equation 2 weights the
# class activations themselves. $S_a$ has $\delta$ in it already; the released code brings the sum to
# the scale of its other video scores:
#
# $$
# R_m(j) = \sum_t A_a(t, j) S_a(t, j) \quad (13)
# $$

# %% tags=["nbval-check-output"]
R_m = delta_video / delta * (A_a * S_a).sum(1).mean(0)
P_m = torch.softmax(R_m, dim=-1)
check("R_m", R_m, out.R_m[0])

# %% [markdown]
# ## Losses (equations 6, 12 and 14)
#
# Each branch has a cross-entropy against the normalised labels $\hat y = y / \sum_i y(i)$. Every
# video holds background, and for MIL it is present ($y(C+1) = 1$). CW and CA ask what is foreground,
# which background never is: for them it is absent ($y(C+1) = 0$). It is thereby among CW's
# negatives in every video. The released weights $\lambda_{cw}$, $\lambda_{ca}$ and
# $\lambda_{mil}$ are 1, 0.1 and 0.1.
#
# $$
# \mathcal{L}_{cw} = -\mathbb{E}[\hat y^\top \log P_a] \quad (6) \qquad
# \mathcal{L}_{ca} = -\mathbb{E}[\hat y^\top \log P_f] \quad (12) \qquad
# \mathcal{L} = \lambda_{cw} \mathcal{L}_{cw} + \lambda_{ca} \mathcal{L}_{ca}
#     + \lambda_{mil} \mathcal{L}_{mil} \quad (14)
# $$

# %% tags=["nbval-check-output"]
labels = torch.zeros(1, C, dtype=torch.float64)
labels[0, [4, 7]] = 1  # a cliff dive is a dive too
y = torch.cat([labels[0], torch.zeros(1)])
y_mil = torch.cat([labels[0], torch.ones(1)])
losses = fac_net_losses(out, labels, recipe.training)
by_hand = {
    "cw": -(y / y.sum() * P_a.log()).sum(),
    "ca": -(y / y.sum() * P_f.log()).sum(),
    "mil": -(y_mil / y_mil.sum() * P_m.log()).sum(),
}
weights = (recipe.training.lambda_cw, recipe.training.lambda_ca, recipe.training.lambda_mil)
by_hand["total"] = sum(w * loss for w, loss in zip(weights, by_hand.values()))
for name, value in by_hand.items():
    torch.testing.assert_close(value, losses[name][0], rtol=1e-6, atol=1e-9)
    print(f"{name:6s} {float(value):.4f}")

# %% [markdown]
# Equation 7 rewrites equation 5 as one positive (the class that is there) against $C$ negatives
# from the same video, which resembles noise-contrastive estimation. The paper reads this as:
# minimising $\mathcal{L}_{cw}$ maximises a lower bound on the mutual information between the
# foreground classifier $W_f$ and the feature $F_a(j)$ of the true action.
# [What the features learned](13_what_the_features_learned.ipynb) asks under which conditions that
# holds, and finds them unmet.
#
# ## A mini-batch without padding
#
# Videos differ in length. Here a mini-batch is *packed*: all snippets stand in one matrix, the
# embedding is one product for all, and sums over a video's snippets are one batched product over
# chunks of 128. A video's scores do not depend on its company:

# %% tags=["nbval-check-output"]
other = torch.rand(77, 1024, dtype=torch.float64)
packed = model(torch.cat([other, x]), lengths=torch.tensor([77, T]))
check("R_a", packed.R_a[1], out.R_a[0])
check("X_e", packed.X_e[77:], out.X_e)

# %% [markdown]
# ## Where the text and the released code part
#
# The presets differ in these fields of the architecture, and in the test procedure
# ([next chapter](04_from_features_to_detections.ipynb)):

# %% tags=["nbval-check-output"]
released, paper = methods.preset("released").model, methods.preset("paper").model
for name in ModelConfig.__dataclass_fields__:
    if getattr(released, name) != getattr(paper, name):
        print(f"{name:18s} released {getattr(released, name)!s:18s} paper {getattr(paper, name)}")

# %% [markdown]
# ## To remember, and to try
#
# - CW and CA are mirror images: attention of one side, classifier of the other.
# - The softmax over time makes attentions, the one over classes makes probabilities.
# - Try `ModelConfig(temperatures=(1.0,))`: only the first axis of attentions and features changes.
#   The paper's Table 4 compares nine choices.
# - Try `background_class=False`: the released $W_f$ starts as minus the background's row of $W_a$.
#   Without that row it starts at random.
