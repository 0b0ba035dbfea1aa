"""UM, uncertainty modelling (Lee, Wang, Lu and Byun, AAAI 2021), with and without CW.

One model on both streams side by side. A snippet's feature is long if it is action and short if it
is background: lengths choose pseudo-action and pseudo-background snippets, are pushed apart, and
weigh the class scores at test. Followed is the authors' code [C] where it differs from the text
[R]. All snippets of a video are tested, of longer ones too, where the code takes 750.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from facnet.config import (CommonTraining, Config, Count, Experiment, NotNegative, Odd,
                           Rate, Share, Thresholds, WholeNumber, changed)
from facnet.errors import FacnetError
from facnet.localization import (
    ClassSequences, Runs, Scores, keep, outer_inner, softmax, stretched, suppress)
from facnet.methods.blocks import (HostModel, HostNetwork, binary_cross_entropy, foreground_vector,
                                   means_where_largest, only_model as fuse, top_k_means, with_cw)
from facnet.methods.method import Method
from facnet.model import Packing, dropout_mask


@dataclass(frozen=True)
class Model(HostModel):
    """UM's network.

    Attributes
    ----------
    embedding_widths
        One layer as wide as both streams [C].
    embedding_kernel : int
        Snippets that it sees, 3 [C]; odd.
    dropout
        In front of the classifier, .7 [C].
    selection_dropout : float
        On the lengths by which snippets are chosen in training, .7 [C]; not known to be in the
        text.
    action_divisor, background_divisor : int
        A video's pseudo-action snippets are its number of snippets over 9, the pseudo-background
        over 4, rounded down [C]; at least 1.
    """

    embedding_widths: tuple[Count, ...] = (2048,)
    embedding_kernel: Odd = 3
    dropout: Rate = 0.7
    selection_dropout: Rate = 0.7
    action_divisor: Count = 9
    background_divisor: Count = 4


@dataclass(frozen=True)
class Training(CommonTraining):
    """UM's training.

    L_cls and L_be are binary cross-entropies of a softmax, mean over classes, as in the code;
    cross-entropies in the text [R].

    Attributes
    ----------
    epochs
        10,000 steps of 16 of 200 videos [C] are 770.
    learning_rate, betas, weight_decay, batch_size, reduction
        1e-4, Adam's own, 5e-4, 16 and the mean [C].
    snippets
        750, stratified [C].
    magnitude : float
        α, weight of L_um, 5e-4 [C].
    margin : float
        m, the length that pseudo-action shall have, 100 [C].
    background : float
        β, weight of L_be, 1 [C].
    lambda_cw
        .05 to start from [P]: L_cls is a mean over classes.
    """

    epochs: WholeNumber = 770
    weight_decay: NotNegative = 5e-4
    batch_size: Count = 16
    snippets: Count | None = 750
    magnitude: NotNegative = 5e-4
    margin: NotNegative = 100.0
    background: NotNegative = 1.0


@dataclass(frozen=True)
class Localization(Config):
    """UM's test procedure [C].

    Attributes
    ----------
    class_threshold : float
        A class is localised where its probability reaches this, .2; else the most probable is.
    upsampling : int
        Samples a snippet after linear interpolation, 24.
    thresholds, foreground_thresholds : tuple of float
        Proposals are runs of a class's sequence of at least 0, .025, ..., .225, zeros excluded,
        and runs of u of at least .4, .425, ..., .6.
    class_weight : float
        Of the class's probability in the score, beside mean inside minus mean outside, .2.
    nms_threshold, nms_added : float
        Largest tIoU kept, .6; the code adds a second to each length and intersection, a quirk
        that makes short segments overlap more.
    action_divisor, background_divisor : int
        For u of the video, the model's.
    """

    class_threshold: Share = 0.2
    upsampling: Count = 24
    thresholds: Thresholds = tuple(round(0.025 * i, 3) for i in range(10))
    foreground_thresholds: tuple[NotNegative, ...] = tuple(
        round(0.4 + 0.025 * i, 3) for i in range(9))
    class_weight: NotNegative = 0.2
    nms_threshold: Share = 0.6
    nms_added: NotNegative = 1.0
    action_divisor: Count = 9
    background_divisor: Count = 4


class Output(NamedTuple):
    """Of a packed mini-batch."""

    length: Tensor  # ‖f‖ [N]
    activation: Tensor  # a [N, C]
    scores: Tensor  # of a video, before the softmax [B, C]
    background: Tensor  # of a video's pseudo-background, likewise [B, C]
    x_action: Tensor  # mean of f over the pseudo-action [B, D]
    x_background: Tensor  # and the pseudo-background [B, D]
    R_a: Tensor  # [B, C]


class Network(HostNetwork):
    """UM on all streams side by side. Parameters as in :class:`facnet.model.FACNet`."""

    def __init__(self, input_width: int, classes: int, config: Model = Model()):
        if classes < 2:
            raise FacnetError("UM: one class, whose softmax is 1 in every video; it needs two.")
        # Initialised as torch does a convolution [C].
        super().__init__(input_width, config, config.embedding_kernel)
        self.embedding.dropout = 0.0  # it comes after, in front of the classifier
        self.classifier = nn.Linear(self.width, classes, bias=False)
        self.W_f = foreground_vector(self.width)

    def compute(self, x: Tensor, videos: Packing) -> Output:
        """Embedded snippets [N, D] of packed videos to `Output`."""
        config, keep = self.config, [1.0, 1.0]
        length = torch.linalg.vector_norm(x, dim=1)
        if self.training:
            keep = [dropout_mask(like, rate, videos.key(i)) for i, (like, rate) in enumerate(
                ((x, config.dropout), (length, config.selection_dropout)))]
        activation = self.classifier(x * keep[0])
        k_action, k_background = ([max(1, n // divisor) for n in videos.lengths]
                                  for divisor in (config.action_divisor, config.background_divisor))
        with torch.no_grad():
            longest = torch.stack([own.max() for own in length.split(videos.lengths)])
            longness, shortness = (by * keep[1] for by in (length, videos.spread(longest) - length))
        return Output(length, activation, top_k_means(activation, videos, k_action),
                      means_where_largest(activation, shortness, videos, k_background),
                      means_where_largest(x, longness, videos, k_action),
                      means_where_largest(x, shortness, videos, k_background),
                      self.class_wise(x, activation, videos))


def losses(output: Output, labels: Tensor, config: Training) -> dict[str, Tensor]:
    """L_cls + α L_um + β L_be, [B] each.

    L_um = (max(0, m - ‖mean f of pseudo-action‖) + ‖mean f of pseudo-background‖)²; L_be is the
    distance of the pseudo-background's class probabilities from uniform.
    """
    action, quiet = (torch.linalg.vector_norm(x, dim=1)
                     for x in (output.x_action, output.x_background))
    even = binary_cross_entropy(output.background, torch.ones_like(labels))
    return with_cw({"classification": (1, binary_cross_entropy(output.scores, labels)),
                    "magnitude": (config.magnitude, ((config.margin - action).relu() + quiet) ** 2),
                    "background": (config.background, even)}, output.R_a, labels, config)


def predictions(output: Output, config: Training) -> tuple[Tensor, Tensor, Tensor]:
    """Softmax of the video's scores, a, and the features' lengths."""
    return output.scores.softmax(-1), output.activation, output.length


def action_probability(scores: Scores, config: Localization) -> np.ndarray:
    """u of each snippet, [N]: its length between those of the video's own pseudo-background and
    pseudo-action, their means. The text has min(m, length) / m [R].
    """
    length = np.asarray(scores.foreground, np.float64)
    parts = []
    for own in np.split(length, scores.offsets[1:-1]):
        ordered = np.sort(own)
        high = ordered[-max(1, len(own) // config.action_divisor):].mean()
        low = ordered[: max(1, len(own) // config.background_divisor)].mean()
        parts.append(np.clip((own - low) / max(high - low, 1e-12), 0, 1))
    return np.concatenate(parts)


def sequence(scores: Scores, config: Localization) -> np.ndarray:
    """c: softmax over classes of a, times u, each class scaled to its video's own range."""
    c = softmax(scores.activation) * action_probability(scores, config)[:, None]
    return stretched(c, scores.offsets)


def localize(scores: dict[str, Scores], stream: str, classes: tuple[str, ...],
             snippet_seconds: float, config: Localization) -> pd.DataFrame:
    """Runs of the class's sequence and of u together, ranked by the former; then NMS."""
    own = scores[stream]
    classified = keep(own.probability, config.class_threshold, True)
    kept = ClassSequences(own, classified, config.upsampling)
    values = kept.upsampled(sequence(own, config))
    action = kept.upsampled(action_probability(own, config))
    # Strictly above 0, at least any other threshold.
    of_class = kept.runs(values, np.nextafter(config.thresholds, 0), minimum=2)
    of_action = kept.runs(action, np.nextafter(config.foreground_thresholds, 0), minimum=2)
    runs = Runs(*(np.concatenate(both) for both in zip(of_class, of_action)))
    probability = own.probability[kept.video, kept.column][runs.pair]
    score = outer_inner(values, runs, kept, 1.0) + config.class_weight * probability
    proposals = kept.detections(runs, score, classes, snippet_seconds)
    return suppress(proposals, 1.0, config.nms_threshold, added=config.nms_added)


HOST = Experiment("UM", Model(), Training(), Localization())
METHOD = Method(
    name="UM", recipes={"UM": HOST, "UM + CW": changed(HOST, {"training.lambda_cw": 0.05})},
    joint=True, network=Network, losses=losses, predictions=predictions, sequence=sequence,
    localize=localize, fuse=fuse)
