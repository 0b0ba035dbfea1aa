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

from facnet.config import CommonTraining, Config, Count, Rate
from facnet.localization import Scores, suppress
from facnet.model import Embedding, Packing, class_wise_foreground, normalised_cross_entropy


@dataclass(frozen=True)
class HostModel(Config):
    """What every host's network has.

    Attributes
    ----------
    embedding_widths : tuple of int
        Channels of the layers that learn features; none leaves the features as they are. The CW
        branch then has nothing to teach [F], and `fit` refuses it.
    dropout : float
        Rate in the embedding, FAC-Net's .5 [P].
    """

    embedding_widths: tuple[Count, ...] = (1024,)
    dropout: Rate = 0.5


def foreground_vector(width: int) -> nn.Parameter:
    """A new W_f, [1, D], Xavier uniform. To be drawn last: the host then begins alike without."""
    return nn.Parameter(nn.init.xavier_uniform_(torch.empty(1, width)))


class HostNetwork(nn.Module):
    """An embedding of snippets, to which each host adds a `classifier`, W_f and more.

    Its `compute` makes its Output of embedded snippets [N, D] and their `Packing`.

    Parameters
    ----------
    input_width : int
        Features a snippet.
    config : HostModel
    kernel : int
        Snippets that a layer of the embedding sees.
    """

    def __init__(self, input_width: int, config: HostModel, kernel: int = 1):
        super().__init__()
        self.config, self.input_width = config, input_width
        self.embedding = Embedding(input_width, config.embedding_widths, kernel, config.dropout)
        self.width = (input_width, *config.embedding_widths)[-1]

    def forward(self, x: Tensor, lengths: Tensor, bfloat16: bool = False,
                key: Tensor | None = None) -> Any:
        """Packed snippets [N, input_width] of videos [B], as `FACNet.forward`, to Output."""
        videos = Packing(lengths, x, key)
        return self.compute(self.embedding(x, videos, bfloat16), videos)

    def class_wise(self, x: Tensor, activation: Tensor, videos: Packing) -> Tensor | None:
        """R_a [B, K], the scores of the CW branch in this host; None where it has no W_f.

        Parameters
        ----------
        x : Tensor [N, D]
            Embedded snippets.
        activation : Tensor [N, K]
            The host's scores of snippets.
        videos : Packing
        """
        if self.W_f is None:
            return None
        # S_a is the host's own scores; one attention, since the hosts have no hybrid one [P]; δ of
        # equation 4 is the released code's 10 [C], where the text has 5 [F].
        return class_wise_foreground(x, activation, self.W_f, videos, (1.0,), 10.0)


def with_cw(losses: dict[str, tuple[float, Tensor]], R_a: Tensor, labels: Tensor,
            config: CommonTraining) -> dict[str, Tensor]:
    """A host's losses, that of the CW branch where it is on, and "total", their weighted sum.

    Parameters
    ----------
    losses : dict of str to (float, Tensor [B])
        By name, each with its weight.
    R_a : Tensor [B, K]
        With a background column: it is no class's foreground, so its label is 0.
    labels : Tensor [B, C]
    config : CommonTraining
        For λ_cw.
    """
    if config.lambda_cw > 0:
        present = nn.functional.pad(labels, (0, R_a.shape[1] - labels.shape[1]))
        losses = losses | {"cw": (config.lambda_cw, normalised_cross_entropy(R_a, present))}
    total = sum(weight * loss for weight, loss in losses.values())
    return {name: loss for name, (_, loss) in losses.items()} | {"total": total}


def top_k_means(scores: Tensor, videos: Packing, k: list[int]) -> Tensor:
    """Mean of each video's k largest scores, each column by itself: [N, K] to [B, K]."""
    return torch.stack([own.topk(size, dim=0).values.mean(0)
                        for own, size in zip(scores.split(videos.lengths), k)])


def means_where_largest(x: Tensor, values: Tensor, videos: Packing, k: list[int]) -> Tensor:
    """Mean of x [N, D] over the k snippets of each video whose values [N] are largest: [B, D]."""
    each = zip(x.split(videos.lengths), values.split(videos.lengths), k)
    return torch.stack([own[by.topk(size).indices].mean(0) for own, by, size in each])


def binary_cross_entropy(scores: Tensor, labels: Tensor) -> Tensor:
    """-ŷ log p - (1 - ŷ) log(1 - p), its mean over classes; ŷ = y / Σy, p a softmax: [B, C] to [B].

    As `normalised_cross_entropy`, to which it adds that a class is not there.
    """
    target = labels / (labels.sum(1, keepdim=True) + 1e-8)
    each = nn.functional.binary_cross_entropy(scores.softmax(-1), target, reduction="none")
    return each.mean(-1)


def fuse_by_nms(detections: dict[str, pd.DataFrame], snippet_seconds: float,
                config: Any) -> pd.DataFrame:
    """NMS over the proposals of all streams, at `config.nms_threshold`."""
    pooled = pd.concat(detections.values(), ignore_index=True)
    return suppress(pooled, snippet_seconds, config.nms_threshold)


def only_model(detections: dict[str, pd.DataFrame], snippet_seconds: float,
               config: Any) -> pd.DataFrame:
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
