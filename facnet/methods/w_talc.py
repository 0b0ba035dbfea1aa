"""W-TALC (Paul, Roy and Roy-Chowdhury, ECCV 2018), with and without CW.

One model on both streams side by side. A class's score of a video is the mean of its k largest
snippet scores (MIL); videos that share a class shall be alike where that class's scores are high,
and unlike its snippets elsewhere (CASL, the co-activity similarity loss). Followed is the authors'
PyTorch code [C]. A short video is not padded here, since videos are packed.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from facnet.config import (
    CommonTraining, Config, Count, Experiment, NotNegative, Rate, Share, WholeNumber, changed)
from facnet.errors import FacnetError
from facnet.localization import ClassSequences, Scores
from facnet.methods.blocks import (
    HostModel, HostNetwork, foreground_vector, only_model as fuse, top_k_means, with_cw)
from facnet.methods.method import Method
from facnet.model import Packing, normalised_cross_entropy, xavier


@dataclass(frozen=True)
class Model(HostModel):
    """W-TALC's network.

    Attributes
    ----------
    embedding_widths
        One layer as wide as both streams [C].
    dropout
        .7, which rounds to 179/256 [C].
    top_k_divisor : int
        k is a video's snippets over this, 8 [C][R]; rounded up as in the code, down in the text
        [R].
    """

    embedding_widths: tuple[Count, ...] = (2048,)
    dropout: Rate = 0.7
    top_k_divisor: Count = 8


@dataclass(frozen=True)
class Training(CommonTraining):
    """W-TALC's training.

    Attributes
    ----------
    epochs
        The code may run 100,000 steps of 10 videos and is tested every 500 [C]; the text's number
        is not known. 300 epochs are 6,000 steps on 200 videos [P].
    learning_rate, weight_decay, batch_size, reduction
        1e-4, 5e-4, 10 and the mean [C].
    betas
        Adam's own [P].
    snippets, sampling
        A longer video is cropped to 750 in a row, a shorter one taken whole [C].
    pairs : int
        How many pairs of videos that share a class a mini-batch begins with, 3 [C]. Only between
        the two of a pair is CASL taken [C], not between all that share a class as in the text [R].
    mil_share : float
        λ: L = λ L_MIL + (1 - λ) L_CASL, .5 [C].
    margin : float
        Of CASL, .5 [C].
    lambda_cw
        .1 to start from [P].
    """

    epochs: WholeNumber = 300
    weight_decay: NotNegative = 5e-4
    snippets: Count | None = 750
    sampling: Literal["stratified", "crop"] = "crop"
    pairs: WholeNumber = 3
    mil_share: Share = 0.5
    margin: NotNegative = 0.5

    def __post_init__(self):
        super().__post_init__()
        if 2 * self.pairs > self.batch_size:
            raise FacnetError(f"Training.pairs = {self.pairs}: must be at most half of batch_size.")


@dataclass(frozen=True)
class Localization(Config):
    """W-TALC's test procedure [C].

    Attributes
    ----------
    threshold_factor : float
        A run is above this share of the way from a sequence's least to its largest score, .5. The
        authors say that without CASL about .6 to .65 is needed.
    minimum_length : int
        Snippets that a run must last, 2.
    class_weight : float
        A run is ranked by its largest score plus this times the class's score of the video, .7.
    top_k_divisor : int
        The class's score is the mean of the video's largest snippets over this, rounded down; a
        class is localised if it is above 0.
    """

    threshold_factor: Share = 0.5
    minimum_length: WholeNumber = 2
    class_weight: NotNegative = 0.7
    top_k_divisor: Count = 8


class Output(NamedTuple):
    """Of a packed mini-batch."""

    activation: Tensor  # A [N, C]
    scores: Tensor  # of a video, before the softmax [B, C]
    high: Tensor  # H, its feature where a class is active [B, C, D]
    low: Tensor  # L, its feature elsewhere [B, C, D]
    R_a: Tensor  # [B, C]


class Network(HostNetwork):
    """W-TALC on all streams side by side. Parameters as in :class:`facnet.model.FACNet`."""

    def __init__(self, input_width: int, classes: int, config: Model = Model()):
        if classes < 2:
            raise FacnetError("W-TALC: one class, whose softmax is 1 in every video; it needs two.")
        super().__init__(input_width, config)
        xavier(self.embedding)
        self.classifier = nn.Linear(self.width, classes)
        xavier(self.classifier)
        # Without a background class, one vector for the foreground has nothing to be mistaken for.
        self.W_f = foreground_vector(self.width)

    def compute(self, x: Tensor, videos: Packing) -> Output:
        """Embedded snippets [N, D] of packed videos to `Output`.

        With a(t) the softmax over time of the class's scores, H = Σ a x is a video's feature where
        the class is active, L = Σ (1 - a) x / max(T - 1, 1) elsewhere.
        """
        activation = self.classifier(x)
        k = [-(-length // self.config.top_k_divisor) for length in videos.lengths]  # rounded up
        scores = top_k_means(activation, videos, k)
        a = videos.softmax(activation, (1.0,))  # [N, 1, C]
        high = videos.weighted_sums(a, x).squeeze(1)
        count = torch.tensor(videos.lengths, device=x.device).view(-1, 1, 1)
        # Not Σ x - H: of a video of one snippet that is 0 but for rounding, a direction by chance.
        low = videos.weighted_sums(1 - a, x).squeeze(1) / (count - 1).clamp_min(1)
        return Output(activation, scores, high, low, self.class_wise(x, activation, videos))


def batches(labels: Tensor, config: Training) -> Iterable[Tensor]:
    """As many mini-batches as the videos would fill: pairs that share a class, then any videos.

    A class is drawn at random, then two of its videos; each with replacement [C].
    """
    rest = config.batch_size - 2 * config.pairs
    present = labels.any(0).nonzero().squeeze(1)
    if config.pairs and not len(present):
        raise FacnetError("W-TALC: no training video has a label, so no two share one.")
    for _ in range(-(-len(labels) // config.batch_size)):
        chosen = present[torch.randint(len(present), (config.pairs,))]
        pairs = [of[torch.randint(len(of), (2,))]
                 for of in (labels[:, c].nonzero().squeeze(1).cpu() for c in chosen)]
        yield torch.cat([*pairs, torch.randint(len(labels), (rest,))])


def co_activity(output: Output, labels: Tensor, config: Training) -> Tensor:
    """CASL, a number: the mean over a batch's first pairs and the classes that a pair shares.

    With d(u, v) = 1 - cos(u, v):

    ½ [d(H_m, H_n) - d(H_m, L_n) + margin]₊ + ½ [d(H_m, H_n) - d(L_m, H_n) + margin]₊
    """
    H, L, margin = output.high, output.low, config.margin
    m, n = slice(0, 2 * config.pairs, 2), slice(1, 2 * config.pairs, 2)

    def d(u: Tensor, v: Tensor) -> Tensor:
        return 1 - torch.cosine_similarity(u, v, dim=-1)

    alike = d(H[m], H[n])  # [pairs, C]
    each = (0.5 * (alike - d(H[m], L[n]) + margin).relu()
            + 0.5 * (alike - d(L[m], H[n]) + margin).relu())
    shared = labels[m] * labels[n]
    return (each * shared).sum() / shared.sum().clamp_min(1)


def losses(output: Output, labels: Tensor, config: Training) -> dict[str, Tensor]:
    """λ L_MIL + (1 - λ) L_CASL; [B] each, CASL the batch's one number for all of them."""
    mil = normalised_cross_entropy(output.scores, labels)
    casl = co_activity(output, labels, config).expand_as(mil)
    return with_cw({"mil": (config.mil_share, mil), "casl": (1 - config.mil_share, casl)},
                   output.R_a, labels, config)


def predictions(output: Output, config: Training) -> tuple[Tensor, Tensor]:
    """Softmax of the video's scores and A; it has nothing for the foreground."""
    return output.scores.softmax(-1), output.activation


def sequence(scores: Scores, config: Localization) -> np.ndarray:
    """A, the logits."""
    return scores.activation


def thresholds(sequence: np.ndarray, columns: int, config: Localization) -> tuple[float]:
    """A part of the way from the smallest to the largest score of the video and class.

    Of a video's scores [T, C] it is each class's, [C].
    """
    low, high = sequence.min(0), sequence.max(0)
    return (low + config.threshold_factor * (high - low),)


def localize(scores: dict[str, Scores], stream: str, classes: tuple[str, ...],
             snippet_seconds: float, config: Localization) -> pd.DataFrame:
    """Runs above one threshold of each video's and class's own; no run overlaps another."""
    own = scores[stream]
    videos = np.split(np.asarray(own.activation, np.float64), own.offsets[1:-1])
    of_video = np.stack([np.sort(one, axis=0)[-max(1, len(one) // config.top_k_divisor):].mean(0)
                         for one in videos])  # [V, C]
    threshold = np.stack([thresholds(one, one.shape[1], config)[0] for one in videos])  # [V, C]

    kept = ClassSequences(own, of_video > 0)
    values = kept.values(own.activation)
    runs = kept.runs(values, threshold[kept.video, kept.column][:, None], config.minimum_length)
    largest = np.array([values[a:b].max() for a, b in zip(runs.start, runs.end)])
    score = largest + config.class_weight * of_video[kept.video, kept.column][runs.pair]
    return kept.detections(runs, score, classes, snippet_seconds)


HOST = Experiment("W-TALC", Model(), Training(), Localization())
METHOD = Method(
    name="W-TALC",
    recipes={"W-TALC": HOST, "W-TALC + CW": changed(HOST, {"training.lambda_cw": 0.1})},
    joint=True, network=Network, losses=losses, predictions=predictions, sequence=sequence,
    thresholds=thresholds, localize=localize, fuse=fuse, batches=batches)
