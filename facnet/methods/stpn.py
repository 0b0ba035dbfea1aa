"""STPN (Nguyen et al., CVPR 2018), and the FAC-Net paper's STPN + Embedding with and without CW.

An attention λ_t in (0, 1) for each snippet; the video is the attention-weighted mean of its
snippets, one sigmoid a class says what it shows, and few snippets shall get attention. Followed is
the code that reproduces the paper's numbers (bellos1203/STPN). No code or description exists of
STPN + Embedding but that it is "STPN plus a feature embedding module" [F]: it is FAC-Net's two
layers in front [P]. Tested are all snippets of a video, not the code's 400: its sampling is for
batches of one length, and would drop snippets of long videos.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from facnet.config import (
    CommonTraining, Config, Count, Experiment, NotNegative, Share, WholeNumber, changed)
from facnet.localization import ClassSequences, Scores, outer_inner
from facnet.methods.blocks import (
    HostModel, HostNetwork, fuse_by_nms as fuse, others, sigmoid, with_cw)
from facnet.methods.method import Method
from facnet.model import Packing, xavier


@dataclass(frozen=True)
class Model(HostModel):
    """STPN's network.

    It pools attention-weighted features by their mean as in the code; with the sum of the text [R]
    logits begin as many times as large as a video has snippets.

    Attributes
    ----------
    embedding_widths
        None in STPN [C]; FAC-Net's two layers in STPN + Embedding [P].
    attention_width : int
        Hidden channels of the attention with their ReLU, 256 [C][R]. With an embedding, whose
        layers are hidden ones already, the attention is a vector alone [P]: the foreground's
        direction, W_f of the CW branch.
    """

    embedding_widths: tuple[Count, ...] = ()
    attention_width: Count = 256


@dataclass(frozen=True)
class Training(CommonTraining):
    """STPN's training.

    Attributes
    ----------
    epochs
        24,000 steps of 6 of 200 videos [C] are 720; with an embedding 120 [P], which has two
        million weights for 200 videos.
    learning_rate, betas, reduction
        1e-4 [C], Adam's own and the mean [P].
    weight_decay
        None [C]; 5e-4 with an embedding [P].
    batch_size
        6 [C].
    snippets
        400, stratified [C][R].
    sparsity : float
        β, weight of Σ_t λ_t [C][R].
    lambda_cw
        .05 to start from [P]: the classification loss is a mean over classes.
    """

    epochs: WholeNumber = 720
    batch_size: Count = 6
    snippets: Count | None = 400
    sparsity: NotNegative = 1e-4


@dataclass(frozen=True)
class Localization(Config):
    """STPN's test procedure.

    Attributes
    ----------
    class_threshold : float
        A class is localised where its probability is above this, .1 [C].
    upsampling : int
        Samples a snippet after linear interpolation, 24 [C].
    threshold : float
        A proposal is a run of λ_t σ(a_t) of at least this, .05 [C][R].
    own_share : float
        α: the score of a run is the mean of λ_t (α a_t + (1 - α) a_t of the other stream), both
        logits, .5 [C].
    nms_threshold : float
        Largest tIoU kept when the streams are pooled, .5 [C]. The code's exception, proposals of a
        class that only one stream keeps go without NMS, is not taken over [P].
    """

    class_threshold: Share = 0.1
    upsampling: Count = 24
    threshold: Share = 0.05
    own_share: Share = 0.5
    nms_threshold: Share = 0.5


class Output(NamedTuple):
    """Of a packed mini-batch; symbols are STPN's, R_a FAC-Net's."""

    videos: Packing
    attention: Tensor  # λ [N]
    activation: Tensor  # a, the T-CAM, without the classifier's bias [N, C]
    logits: Tensor  # of a video [B, C]
    R_a: Tensor | None  # [B, C]; features that do not learn have no W_f of their own


class Network(HostNetwork):
    """STPN for one stream. Parameters as in :class:`facnet.model.FACNet`."""

    def __init__(self, input_width: int, classes: int, config: Model = Model()):
        super().__init__(input_width, config)
        width, hidden = self.width, config.attention_width
        self.attention = nn.Linear(width, 1) if config.embedding_widths else (
            nn.Sequential(nn.Linear(width, hidden), nn.ReLU(), nn.Linear(hidden, 1)))
        self.classifier = nn.Linear(width, classes)
        xavier(self)  # [C]

    @property
    def W_f(self) -> Tensor | None:
        """The foreground's direction, [1, D]."""
        return self.attention.weight if self.config.embedding_widths else None

    def compute(self, x: Tensor, videos: Packing) -> Output:
        """Embedded snippets [N, D] of packed videos to `Output`."""
        attention = torch.sigmoid(self.attention(x)).squeeze(1)
        activation = x @ self.classifier.weight.T
        pooled = videos.means(attention.unsqueeze(1) * x)
        return Output(videos, attention, activation, self.classifier(pooled),
                      self.class_wise(x, activation, videos))


def losses(output: Output, labels: Tensor, config: Training) -> dict[str, Tensor]:
    """Classification, mean over classes of binary cross-entropies, and β Σ_t λ_t; [B] each."""
    each = nn.functional.binary_cross_entropy_with_logits(output.logits, labels, reduction="none")
    return with_cw({"classification": (1, each.mean(1)),
                    "sparsity": (config.sparsity, output.videos.sums(output.attention))},
                   output.R_a, labels, config)


def predictions(output: Output, config: Training) -> tuple[Tensor, Tensor, Tensor]:
    """σ(s), the T-CAM a and λ."""
    return torch.sigmoid(output.logits), output.activation, output.attention


def sequence(scores: Scores, config: Localization) -> np.ndarray:
    """The weighted T-CAM ψ = λ σ(a)."""
    return scores.foreground[:, None] * sigmoid(scores.activation)


def thresholds(sequence: np.ndarray, columns: int, config: Localization) -> tuple[float]:
    """One for all."""
    return (config.threshold,)


def localize(scores: dict[str, Scores], stream: str, classes: tuple[str, ...],
             snippet_seconds: float, config: Localization) -> pd.DataFrame:
    """Proposals of one stream, scored by all streams; [video, label, start, end, score]."""
    own, share = scores[stream], config.own_share
    blend = share * own.activation + (1 - share) * others(scores, stream)
    kept = ClassSequences(own, own.probability > config.class_threshold, config.upsampling)
    runs = kept.runs(kept.upsampled(sequence(own, config)), [np.nextafter(config.threshold, 0)])
    ranking = kept.upsampled(own.foreground[:, None] * blend)
    score = outer_inner(ranking, runs, kept, 0.0)  # the mean inside, nothing outside
    return kept.detections(runs, score, classes, snippet_seconds)


EMBEDDING = Experiment("STPN", Model(embedding_widths=(1024, 1024)),
                       Training(epochs=120, weight_decay=5e-4), Localization())
METHOD = Method(
    name="STPN",
    recipes={"STPN": Experiment("STPN", Model(), Training(), Localization()),
             "STPN + Embedding": EMBEDDING,
             "STPN + Embedding + CW": changed(EMBEDDING, {"training.lambda_cw": 0.05})},
    joint=False, network=Network, losses=losses, predictions=predictions, sequence=sequence,
    thresholds=thresholds, localize=localize, fuse=fuse, snippet_probability=sigmoid,
    together=())
