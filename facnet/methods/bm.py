"""BM, background modelling (Nguyen, Ramanan and Fowlkes, ICCV 2019), with and without CW.

An attention λ_t pools a video's foreground, 1 - λ_t its background; the first must be classified
as the video's action, the second as background, snippet scores guide the attention, and two
vectors tell foreground from background. No code of BM is public. Equations are recalled [R]; where
DGAM (Shi et al., CVPR 2020), which has BM's terms but the last, agrees or fills a gap, its code is
followed [C]. All snippets of a video are tested, not DGAM's 50 to 400.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from facnet.config import (
    CommonTraining, Experiment, check_types, require, require_choice, require_not_negative,
)
from facnet.localization import (
    Kept, Scores, detections_of, keep, outer_inner, running_sums, softmax, upsample,
)
from facnet.losses import normalised_cross_entropy
from facnet.methods.blocks import (
    HostModel, attention_weighted, foreground_vector, fuse_by_nms as fuse, others, with_cw,
)
from facnet.methods.method import Method
from facnet.model import Embedding, Packing, neighbourhood

__all__ = ["METHOD", "Localization", "Model", "Network", "Training", "guides"]


@dataclass(frozen=True)
class Model(HostModel):
    """BM's network. The classifier has no bias, and the embedding begins Xavier uniform [P].

    Attributes
    ----------
    embedding_widths
        One layer [P]. Recalled BM works on frozen features [R], on which CW has nothing to learn;
        the FAC-Net paper adds it without a word of an embedding, so its BM may have had one.
        `embedding_widths=()` is BM on frozen features.
    pooling : {"mean", "normalised"}
        What the weighted sums x_fg and x_bg are divided by: the number of snippets [R], or their
        weights as in DGAM [C], which is followed: with the mean, all attention falls to 0 on the
        synthetic data, and the classifier sees nothing.
    attention_width : int
        Hidden channels of the attention, 256 [C].
    """

    pooling: str = "normalised"
    attention_width: int = 256

    def __post_init__(self):
        super().__post_init__()
        require_choice(self, "pooling", ("mean", "normalised"))
        require(self.attention_width >= 1, self, "attention_width", "positive")


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

    epochs: int = 200
    weight_decay: float = 5e-4
    batch_size: int = 16
    snippets: int | None = 400
    background: float = 0.1
    guide: float = 0.1
    cluster: float = 0.1
    guide_sigma: float = 1.0

    def __post_init__(self):
        super().__post_init__()
        require_not_negative(self, "background", "guide", "cluster")
        require(self.guide_sigma > 0, self, "guide_sigma", "positive")


@dataclass(frozen=True)
class Localization:
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

    class_threshold: float = 0.1
    upsampling: int = 20
    thresholds: tuple[float, ...] = tuple(round(0.025 * i, 3) for i in range(1, 21))
    own_share: float = 0.5
    outer_weight: float = 1.0
    nms_threshold: float = 0.5

    def __post_init__(self):
        check_types(self)
        require(self.upsampling >= 1, self, "upsampling", "at least 1")
        object.__setattr__(self, "thresholds", tuple(float(t) for t in self.thresholds))
        known = bool(self.thresholds) and min(self.thresholds) >= 0
        require(known, self, "thresholds", "one or more numbers, none negative")
        require_not_negative(self, "outer_weight")
        for name in ("class_threshold", "own_share", "nms_threshold"):
            require(0 <= getattr(self, name) <= 1, self, name, "in [0, 1]")


@dataclass(frozen=True)
class Output:
    """Of a packed mini-batch. The background is the last of K = C + 1 columns."""

    x: Tensor  # [N, D]
    attention: Tensor  # λ [N]
    activation: Tensor  # w_c · x_t [N, K]
    x_fg: Tensor  # [B, D]
    x_bg: Tensor  # [B, D]
    videos: Packing
    network: "Network"


class Network(nn.Module):
    """BM for one stream. Parameters as in :class:`facnet.model.FACNet`."""

    def __init__(self, input_width: int, classes: int, config: Model = Model()):
        super().__init__()
        self.config, self.input_width = config, input_width
        self.embedding = Embedding(input_width, config.embedding_widths, 1, config.dropout)
        self.embedding.reset_parameters()
        width = (input_width, *config.embedding_widths)[-1]
        self.attention = nn.Sequential(  # initialised as torch does [C]
            nn.Linear(width, config.attention_width), nn.ReLU(),
            nn.Linear(config.attention_width, 1))
        self.classifier = nn.Linear(width, classes + 1, bias=False)
        self.u_fg, self.u_bg = foreground_vector(width), foreground_vector(width)

    @property
    def W_f(self) -> Tensor:
        """The foreground's direction, u_fg [P]: L_cluster keeps it from the background's."""
        return self.u_fg

    def forward(self, x: Tensor, lengths: Tensor, bfloat16: bool = False) -> Output:
        """Packed snippets [N, input_width] of videos [B] to `Output`."""
        videos = Packing(lengths, x.device)
        x = self.embedding(x, videos, bfloat16)
        attention = torch.sigmoid(self.attention(x)).squeeze(1)
        x_fg, x_bg = (
            attention_weighted(x, weight, videos) / self._denominator(weight, more, videos)
            for weight, more in ((attention, 1.0), (1 - attention, 1e-6)))
        return Output(x, attention, self.classifier(x), x_fg, x_bg, videos, self)

    def _denominator(self, weight: Tensor, more: float, videos: Packing) -> Tensor:
        """What the weighted sums are divided by, [B, 1]; in training `more` than the weights."""
        if self.config.pooling == "mean":
            return torch.tensor(videos.lengths, device=weight.device).unsqueeze(1)
        return videos.sums(weight).unsqueeze(1) + (more if self.training else 1e-6)


def guides(output: Output, labels: Tensor, sigma: float) -> tuple[Tensor, Tensor]:
    """What the attention should be by the snippets' own classes, [N] each.

    g_fg is the probability of the video's class, the largest of several; g_bg that of any action.
    Both are smoothed along time by a Gaussian, cut at three times its width; its weights past a
    video's ends are left out.
    """
    with torch.no_grad():
        q = output.activation.softmax(-1)  # [N, K]
        of_video = labels[output.videos.of_snippet]
        true = (q[:, :-1] * of_video).amax(1)
        both = torch.stack([true, 1 - q[:, -1]])  # [2, N]
        radius = math.ceil(3 * sigma)
        offsets = torch.arange(-radius, radius + 1, device=q.device)
        weights = torch.exp(-0.5 * (offsets / sigma) ** 2).to(q.dtype)
        inside, *smoothed = (
            neighbourhood(column.unsqueeze(1), output.videos.of_snippet, len(weights)) @ weights
            for column in (torch.ones_like(true), *both))
        return smoothed[0] / inside, smoothed[1] / inside


def losses(output: Output, labels: Tensor, config: Training) -> dict[str, Tensor]:
    """L_fg + α L_bg + β L_guide + γ L_cluster, [B] each.

    L_fg is the normalised cross-entropy of the pooled foreground, for which the background is a
    negative; L_bg = -log p_bg(background); L_guide the mean over snippets of |λ - g_fg| +
    |λ - g_bg|; L_cluster = -log z_fg - log z_bg, softmax over u_fg and u_bg of each pooled feature.
    """
    network, videos = output.network, output.videos
    foreground = normalised_cross_entropy(
        network.classifier(output.x_fg), nn.functional.pad(labels, (0, 1)))
    background = -network.classifier(output.x_bg).log_softmax(-1)[:, -1]
    g_fg, g_bg = guides(output, labels, config.guide_sigma)
    guide = videos.means((output.attention - g_fg).abs() + (output.attention - g_bg).abs())
    u = torch.cat([network.u_fg, network.u_bg])
    z_fg, z_bg = ((x @ u.T).log_softmax(-1) for x in (output.x_fg, output.x_bg))
    cluster = -z_fg[:, 0] - z_bg[:, 1]
    found = {"foreground": foreground, "background": background, "guide": guide,
             "cluster": cluster}
    total = (foreground + config.background * background + config.guide * guide
             + config.cluster * cluster)
    return with_cw(found | {"total": total}, output, labels, config)


def predictions(output: Output, config: Training) -> tuple[Tensor, Tensor, Tensor]:
    """Softmax of the pooled foreground, snippets' logits and λ."""
    probability = output.network.classifier(output.x_fg).softmax(-1)
    return probability, output.activation, output.attention


def sequence(scores: Scores, config: Localization) -> np.ndarray:
    """λ q, of each class."""
    return scores.foreground[:, None] * softmax(scores.activation)


def localize(
    scores: dict[str, Scores], stream: str, classes: tuple[str, ...], snippet_seconds: float,
    config: Localization,
) -> pd.DataFrame:
    """Proposals of one stream, scored by all streams; [video, label, start, end, score]."""
    own, share, factor = scores[stream], config.own_share, config.upsampling
    q = share * softmax(own.activation) + (1 - share) * softmax(others(scores, stream))
    ranking = own.foreground[:, None] * q
    classified = keep(own.probability[:, : len(classes)], config.class_threshold, True)

    kept = Kept(classified, own.offsets * factor)
    values, ranking = (kept.values(upsample(one, own.offsets, factor))
                       for one in (sequence(own, config), ranking))
    runs = kept.runs(values, config.thresholds)
    score = outer_inner(running_sums(ranking), runs, kept, config.outer_weight)
    return detections_of(own.videos, classes, kept, runs, score, snippet_seconds / factor)


HOST = Experiment(Model(), Training(), Localization())
METHOD = Method(
    name="BM",
    recipes={"BM": HOST, "BM + CW": replace(HOST, training=replace(HOST.training, lambda_cw=0.1))},
    joint=False, network=Network, losses=losses, predictions=predictions, sequence=sequence,
    localize=localize, fuse=fuse,
)
