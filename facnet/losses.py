"""Normalised cross-entropy and the weighted sum of three branches (equations 6, 12 and 14)."""

import torch
from torch import Tensor
from torch.nn import functional

from facnet.config import TrainingConfig
from facnet.model import Output

__all__ = ["fac_net_losses", "normalised_cross_entropy", "separate_cross_entropy"]


def normalised_cross_entropy(scores: Tensor, labels: Tensor) -> Tensor:
    """Equations 6 and 12 before the mean over videos: -ŷ·log softmax(scores), ŷ = y / Σy.

    Parameters
    ----------
    scores : Tensor [B, K]
        A video's scores before the softmax.
    labels : Tensor [B, K]
        y, zeros and ones. A video without labels has loss 0.

    Returns
    -------
    Tensor [B]
    """
    # The released 1e-8 keeps a video without any label from dividing by zero.
    normalised = labels / (labels.sum(-1, keepdim=True) + 1e-8)
    return -(normalised * torch.log_softmax(scores, dim=-1)).sum(-1)


def separate_cross_entropy(scores: Tensor, labels: Tensor) -> Tensor:
    """Binary cross-entropy of each class's sigmoid, Σ over classes / Σy.

    In place of equations 5 and 6 where a video's classes are not to compete. Parameters and result
    as in `normalised_cross_entropy`, but that a video without labels is one where all are absent.
    """
    each = functional.binary_cross_entropy_with_logits(scores, labels, reduction="none")
    return each.sum(-1) / labels.sum(-1).clamp_min(1)


def fac_net_losses(
    output: Output, labels: Tensor, config: TrainingConfig
) -> dict[str, Tensor]:
    """The three branches' losses and their weighted sum (equation 14).

    Parameters
    ----------
    output : Output
    labels : Tensor [B, C]
        Video-level labels without background.
    config : TrainingConfig
        For λ_cw, λ_ca and λ_mil.

    Returns
    -------
    dict of str to Tensor [B]
        cw, ca, mil, and total, which is equation 14.

    Notes
    -----
    With a background class y(C+1) is 0 for the CW and CA branch, since neither foreground nor
    actions are background, and 1 for the MIL branch, since every video holds some.
    """
    labels = labels.to(output.R_a.dtype)
    without = with_background = labels
    if output.R_a.shape[1] > labels.shape[1]:
        without = functional.pad(labels, (0, 1), value=0.0)
        with_background = functional.pad(labels, (0, 1), value=1.0)
    if config.cw_classes == "sigmoid":
        cw = separate_cross_entropy(output.R_a, without)
    else:
        cw = normalised_cross_entropy(output.R_a, without)
    ca = normalised_cross_entropy(output.R_f, without)
    mil = normalised_cross_entropy(output.R_m, with_background)
    total = config.lambda_cw * cw + config.lambda_ca * ca + config.lambda_mil * mil
    return {"cw": cw, "ca": ca, "mil": mil, "total": total}
