"""BM, background modelling (Nguyen, Ramanan and Fowlkes, ICCV 2019), with and without CW.

An attention λ_t pools a video's foreground, 1 - λ_t its background; the first must be classified
as the video's action, the second as background, snippet scores guide the attention, and two
vectors tell foreground from background. No code of BM is public. Equations are recalled [R]; where
DGAM (Shi et al., CVPR 2020), which has BM's terms but the last, agrees or fills a gap, its code is
followed [C]. All snippets of a video are tested, not DGAM's 50 to 400.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from facnet.config import (
    CommonTraining, Config, Count, Experiment, NotNegative, Positive, Share, Thresholds,
    WholeNumber, changed)
from facnet.localization import ClassSequences, Scores, keep, outer_inner, softmax
from facnet.methods.blocks import (
    HostModel, HostNetwork, foreground_vector, fuse_by_nms as fuse, others, with_cw)
from facnet.methods.method import Method
from facnet.model import Packing, neighbourhood, normalised_cross_entropy, xavier


@dataclass(frozen=True)
class Model(HostModel):
    """BM's network. The classifier has no bias, and the embedding begins Xavier uniform [P].

    The weighted sums x_fg and x_bg are divided by their weights as in DGAM [C]; divided by the
    number of snippets [R], all attention falls to 0 on the synthetic data, and the classifier sees
    nothing.

    Attributes
    ----------
    embedding_widths
        One layer [P]. Recalled BM works on frozen features [R], on which CW has nothing to learn;
        the FAC-Net paper adds it without a word of an embedding, so its BM may have had one.
        `embedding_widths=()` is BM on frozen features.
    attention_width : int
        Hidden channels of the attention, 256 [C].
    """

    attention_width: Count = 256


@dataclass(frozen=True)
class Training(CommonTraining):
    """BM's training.

    Attributes
    ----------
    epochs, learning_rate, betas, batch_size, weight_decay, reduction
        200, 1e-4, Adam's own, 16, for the embedding 5e-4, and the mean [P]. DGAM has 1e-3, (.8,
        .999) and 32, no weight decay, and trains its other network up to 6,000 epochs, of which it
        keeps the best on the test set [C].
    snippets
        400, stratified [C][R].
    background, guide, cluster : float
        α, β and γ, weights of the losses beside the foreground's, .1 each [R].
    guide_sigma : float
        Width of the Gaussian that smooths the guides, 1 snippet [C]. No gradient goes into the
        classifier through them [C].
    lambda_cw
        .1 to start from [P].
    """

    epochs: WholeNumber = 200
    weight_decay: NotNegative = 5e-4
    batch_size: Count = 16
    snippets: Count | None = 400
    background: NotNegative = 0.1
    guide: NotNegative = 0.1
    cluster: NotNegative = 0.1
    guide_sigma: Positive = 1.0


@dataclass(frozen=True)
class Localization(Config):
    """BM's test procedure: of the text it is known that it takes several thresholds, not one [R].

    DGAM's [C] is not taken: its two thresholds, .03 of rgb and .08 of flow, are made for the
    scale of its own attention.

    Attributes
    ----------
    class_threshold : float
        A class is localised where its probability reaches this, .1; else the most probable is [C],
        whose code asks for more than .1.
    upsampling : int
        Samples a snippet after linear interpolation, 20 [C].
    thresholds : tuple of float
        Proposals are runs of λ_t q_t above .025, .05, ..., .5 [P]; q is the softmax over classes.
    own_share : float
        α: a run is ranked by λ_t (α q_t + (1 - α) q_t of the other stream), .5, STPN's [P] ...
    outer_weight : float
        ... its mean inside minus this times that of a ring outside, 1 [P].
    nms_threshold : float
        Largest tIoU kept when the streams are pooled, .5 [C][R].
    """

    class_threshold: Share = 0.1
    upsampling: Count = 20
    thresholds: Thresholds = tuple(round(0.025 * i, 3) for i in range(1, 21))
    own_share: Share = 0.5
    outer_weight: NotNegative = 1.0
    nms_threshold: Share = 0.5


class Output(NamedTuple):
    """Of a packed mini-batch. The background is the last of K = C + 1 columns."""

    videos: Packing
    attention: Tensor  # λ [N]
    activation: Tensor  # w_c · x_t [N, K]
    scores: Tensor  # the same of a video's pooled foreground [B, K]
    background: Tensor  # and of its pooled background [B, K]
    z_fg: Tensor  # (u_fg, u_bg) · the pooled foreground [B, 2]
    z_bg: Tensor  # and the pooled background [B, 2]
    R_a: Tensor  # [B, K]


class Network(HostNetwork):
    """BM for one stream. Parameters as in :class:`facnet.model.FACNet`."""

    def __init__(self, input_width: int, classes: int, config: Model = Model()):
        super().__init__(input_width, config)
        xavier(self.embedding)
        self.attention = nn.Sequential(  # initialised as torch does [C]
            nn.Linear(self.width, config.attention_width), nn.ReLU(),
            nn.Linear(config.attention_width, 1))
        self.classifier = nn.Linear(self.width, classes + 1, bias=False)
        # BM's u_fg is the foreground's direction [P]: L_cluster keeps it from u_bg.
        self.W_f, self.u_bg = foreground_vector(self.width), foreground_vector(self.width)

    def compute(self, x: Tensor, videos: Packing) -> Output:
        """Embedded snippets [N, D] of packed videos to `Output`."""
        attention = torch.sigmoid(self.attention(x)).squeeze(1)
        more = 1.0 if self.training else 1e-6  # of the sum of weights
        x_fg, x_bg = (  # [B, D]
            videos.sums(weight.unsqueeze(1) * x) / (videos.sums(weight) + least).unsqueeze(1)
            for weight, least in ((attention, more), (1 - attention, 1e-6)))
        activation = self.classifier(x)
        u = torch.cat([self.W_f, self.u_bg])
        return Output(videos, attention, activation, self.classifier(x_fg), self.classifier(x_bg),
                      x_fg @ u.T, x_bg @ u.T, self.class_wise(x, activation, videos))


def guides(output: Output, labels: Tensor, sigma: float) -> tuple[Tensor, Tensor]:
    """What the attention should be by the snippets' own classes, [N] each.

    g_fg is the probability of the video's class, the largest of several; g_bg that of any action.
    Both are smoothed along time by a Gaussian, cut at three times its width; its weights past a
    video's ends are left out.
    """
    with torch.no_grad():
        q = output.activation.softmax(-1)  # [N, K]
        true = (q[:, :-1] * output.videos.spread(labels)).amax(1)  # [N]
        radius = math.ceil(3 * sigma)
        offsets = torch.arange(-radius, radius + 1, device=q.device)
        weights = torch.exp(-0.5 * (offsets / sigma) ** 2).to(q.dtype)
        inside, fg, bg = (
            neighbourhood(column.unsqueeze(1), output.videos.of_snippet, len(weights)) @ weights
            for column in (torch.ones_like(true), true, 1 - q[:, -1]))
        return fg / inside, bg / inside


def losses(output: Output, labels: Tensor, config: Training) -> dict[str, Tensor]:
    """L_fg + α L_bg + β L_guide + γ L_cluster, [B] each.

    L_fg is the normalised cross-entropy of the pooled foreground, for which the background is a
    negative; L_bg = -log p_bg(background); L_guide the mean over snippets of λ's distances from
    g_fg and g_bg; L_cluster = -log z_fg - log z_bg, softmax over u_fg and u_bg of each pooled
    feature.
    """
    g_fg, g_bg = guides(output, labels, config.guide_sigma)
    off = (output.attention - g_fg).abs() + (output.attention - g_bg).abs()
    z_fg, z_bg = output.z_fg.log_softmax(-1), output.z_bg.log_softmax(-1)
    foreground = normalised_cross_entropy(output.scores, nn.functional.pad(labels, (0, 1)))
    return with_cw({"foreground": (1, foreground),
                    "background": (config.background, -output.background.log_softmax(-1)[:, -1]),
                    "guide": (config.guide, output.videos.means(off)),
                    "cluster": (config.cluster, -z_fg[:, 0] - z_bg[:, 1])},
                   output.R_a, labels, config)


def predictions(output: Output, config: Training) -> tuple[Tensor, Tensor, Tensor]:
    """Softmax of the pooled foreground, snippets' logits and λ."""
    return output.scores.softmax(-1), output.activation, output.attention


def sequence(scores: Scores, config: Localization) -> np.ndarray:
    """λ q, of each class."""
    return scores.foreground[:, None] * softmax(scores.activation)


def localize(scores: dict[str, Scores], stream: str, classes: tuple[str, ...],
             snippet_seconds: float, config: Localization) -> pd.DataFrame:
    """Proposals of one stream, scored by all streams; [video, label, start, end, score]."""
    own, share = scores[stream], config.own_share
    q = share * softmax(own.activation) + (1 - share) * softmax(others(scores, stream))
    classified = keep(own.probability[:, : len(classes)], config.class_threshold, True)
    kept = ClassSequences(own, classified, config.upsampling)
    runs = kept.runs(kept.upsampled(sequence(own, config)), config.thresholds)
    ranking = kept.upsampled(own.foreground[:, None] * q)
    score = outer_inner(ranking, runs, kept, config.outer_weight)
    return kept.detections(runs, score, classes, snippet_seconds)


HOST = Experiment("BM", Model(), Training(), Localization())
METHOD = Method(
    name="BM", recipes={"BM": HOST, "BM + CW": changed(HOST, {"training.lambda_cw": 0.1})},
    joint=False, network=Network, losses=losses, predictions=predictions, sequence=sequence,
    localize=localize, fuse=fuse, together=())
