"""What the hosts of Table 5 share: the CW branch as they take it in, pooling, and Adam's defaults.

Evidence tags in the docstrings of the hosts' settings: [C] read in public code, [F] stated in the
FAC-Net paper, [R] recalled from the host's own paper and not checked, [P] this book's choice where
neither says.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from facnet.config import CommonTraining, check_types, require, require_choice
from facnet.localization import Scores, suppress
from facnet.losses import normalised_cross_entropy
from facnet.model import Packing, class_wise_foreground, cosine

__all__ = [
    "HostModel", "attention_weighted", "binary_cross_entropy", "cw_loss",
    "foreground_vector", "fuse_by_nms", "only_model", "others", "sigmoid", "top_k_means",
    "top_k_rows", "with_cw",
]


@dataclass(frozen=True)
class HostModel:
    """What every host's network has.

    Attributes
    ----------
    embedding_widths : tuple of int
        Channels of the layers that learn features; none leaves the features as they are. The CW
        branch then has nothing to teach [F], and `fit` refuses it.
    dropout : float
        Rate in the embedding, FAC-Net's .5 [P].
    cw_activation : {"logits", "cosine"}
        S_a of the CW branch: the host's own scores of snippets [P], or δ times the cosine of a
        snippet and its class's row, equation 1, which has the same sharpness in every host.
    cw_snippet_scale, cw_scale : float
        δ of equations 1 and 4. The released code's, 5 and 10 [C]; the text has 5 for both [F].
    cw_temperatures : tuple of float
        τ of equation 2. One attention [P]: the hosts have no hybrid attention.
    """

    embedding_widths: tuple[int, ...] = (1024,)
    dropout: float = 0.5
    cw_activation: str = "logits"
    cw_snippet_scale: float = 5.0
    cw_scale: float = 10.0
    cw_temperatures: tuple[float, ...] = (1.0,)

    def __post_init__(self):
        check_types(self)
        object.__setattr__(self, "embedding_widths", tuple(self.embedding_widths))
        whole = all(isinstance(w, int) and w >= 1 for w in self.embedding_widths)
        require(whole, self, "embedding_widths", "positive whole numbers")
        require(0 <= self.dropout <= 255 / 256, self, "dropout", "in [0, 255/256]")
        require_choice(self, "cw_activation", ("logits", "cosine"))
        for name in ("cw_snippet_scale", "cw_scale"):
            require(getattr(self, name) > 0, self, name, "positive")
        object.__setattr__(self, "cw_temperatures", tuple(float(t) for t in self.cw_temperatures))
        positive = bool(self.cw_temperatures) and min(self.cw_temperatures) > 0
        require(positive, self, "cw_temperatures", "one or more positive numbers")


def foreground_vector(width: int) -> nn.Parameter:
    """A new W_f, [1, D], Xavier uniform. To be drawn last: the host then begins alike without."""
    return nn.Parameter(nn.init.xavier_uniform_(torch.empty(1, width)))


def cw_loss(
    x: Tensor, logits: Tensor, rows: Tensor, w_f: Tensor, videos: Packing, labels: Tensor,
    config: HostModel,
) -> Tensor:
    """The CW branch's loss in a host, equations 2 to 6, [B].

    Parameters
    ----------
    x : Tensor [N, D]
        The host's embedded snippets.
    logits : Tensor [N, K]
        Its scores of snippets. With a background column, the background is no class's foreground:
        its label is 0.
    rows : Tensor [K, D]
        Its classifier, for cw_activation = "cosine".
    w_f : Tensor [1, D]
    videos : Packing
    labels : Tensor [B, C]
    config : HostModel
    """
    activation = logits
    if config.cw_activation == "cosine":
        activation = config.cw_snippet_scale * cosine(x, rows)
    R_a = class_wise_foreground(
        x, activation, w_f, videos, config.cw_temperatures, config.cw_scale)
    missing = R_a.shape[1] - labels.shape[1]
    return normalised_cross_entropy(R_a, nn.functional.pad(labels, (0, missing)))


def with_cw(
    losses: dict[str, Tensor], output: Any, labels: Tensor, config: CommonTraining
) -> dict[str, Tensor]:
    """A host's losses and, where the CW branch is on, its own, in "total" with weight λ_cw.

    Parameters
    ----------
    losses : dict of str to Tensor [B]
        With "total".
    output : host's Output
        Has x, activation, videos and network, and the latter classifier, W_f and config.
    labels : Tensor [B, C]
    config : CommonTraining
    """
    if config.lambda_cw == 0:
        return losses
    network = output.network
    cw = cw_loss(output.x, output.activation, network.classifier.weight, network.W_f,
                 output.videos, labels, network.config)
    return losses | {"cw": cw, "total": losses["total"] + config.lambda_cw * cw}


def attention_weighted(x: Tensor, weight: Tensor, videos: Packing) -> Tensor:
    """Σ_t weight(t) x(t) of each video, [N, D] and [N] to [B, D]."""
    return videos.sums(weight.unsqueeze(1) * x)


def top_k_rows(values: Tensor, videos: Packing, k: list[int]) -> list[Tensor]:
    """Each video's k largest values [N] as rows of the packed batch."""
    starts = [0, *torch.tensor(videos.lengths).cumsum(0).tolist()]
    return [own.topk(size).indices + start
            for own, size, start in zip(values.split(videos.lengths), k, starts)]


def top_k_means(scores: Tensor, videos: Packing, k: list[int]) -> Tensor:
    """Mean of each video's k largest scores, each column by itself: [N, K] to [B, K]."""
    return torch.stack([own.topk(size, dim=0).values.mean(0)
                        for own, size in zip(scores.split(videos.lengths), k)])


def binary_cross_entropy(probability: Tensor, target: Tensor) -> Tensor:
    """Mean over classes of -t log p - (1 - t) log(1 - p): [B, C] to [B]."""
    return nn.functional.binary_cross_entropy(probability, target, reduction="none").mean(-1)


def fuse_by_nms(
    detections: dict[str, pd.DataFrame], snippet_seconds: float, config: Any
) -> pd.DataFrame:
    """NMS over the proposals of all streams, at `config.nms_threshold`."""
    pooled = pd.concat(detections.values(), ignore_index=True)
    return suppress(pooled, snippet_seconds, config.nms_threshold)


def only_model(
    detections: dict[str, pd.DataFrame], snippet_seconds: float, config: Any
) -> pd.DataFrame:
    """The one model's detections as they are."""
    (own,) = detections.values()
    return own.reset_index(drop=True)


def others(scores: dict[str, Scores], stream: str) -> np.ndarray:
    """The activation [N, K] of the other streams, their mean; a lone stream's own."""
    found = [one.activation for name, one in scores.items() if name != stream]
    return np.mean(found or [scores[stream].activation], axis=0)


def sigmoid(x: np.ndarray) -> np.ndarray:
    """Of float64."""
    return 1 / (1 + np.exp(-np.asarray(x, np.float64)))
