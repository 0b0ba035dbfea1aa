"""What a method is: a network, its losses, its recipes and its way from scores to detections."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from facnet.config import CommonTraining, Experiment
from facnet.data import Dataset
from facnet.localization import Scores, softmax


def shuffled(labels: Tensor, config: CommonTraining) -> Iterable[Tensor]:
    """Mini-batches of an epoch: every video once, in random order."""
    return torch.randperm(len(labels)).split(config.batch_size)


def given_thresholds(sequence: np.ndarray, columns: int, config: Any) -> tuple[float, ...]:
    """Those of the configuration, whatever the sequence is."""
    return config.thresholds


@dataclass(frozen=True)
class Method:
    """One row of `facnet.methods.METHODS`.

    `Output` stands for whatever the network's forward gives; only this method's functions read it.

    Attributes
    ----------
    name : str
    recipes : dict of str to Experiment
        By name, the default first; their classes of configuration are the method's own. A model's
        `embedding_widths` and a training's fields of `CommonTraining` are what profiles change.
    joint : bool
        One model on all streams, their features side by side, or one model a stream.
    network : callable
        (input_width, classes, model config) to a module, with an attribute input_width. Its
        forward takes what `FACNet.forward` takes.
    losses : callable
        (Output, labels [B, C], training config) to a dict of losses by name, [B] each, of which
        "total" is trained on.
    predictions : callable
        (Output, training config) to what `Scores` holds: probability [B, K], activation [N, K]
        and, where the method has it, foreground [N].
    sequence : callable
        (Scores, localization config) to [N, K]: what is thresholded, at a sample a snippet.
    thresholds : callable
        (a class's sequence in one video [T], K, localization config) to the values that it is
        compared with.
    localize : callable
        (Scores by stream, stream, classes, snippet_seconds, localization config) to the detections
        of that stream's model.
    fuse : callable
        (detections by stream, snippet_seconds, localization config) to one list of detections.
    batches : callable
        (labels [V, C], training config) to the mini-batches of an epoch, as indices of videos.
    frame_logits : callable, optional
        (network, Output) to [N, K], for training on labels of snippets.
    snippet_probability : callable
        (activation [N, K]) to the probability of each class in each snippet, [N, K].
    together : tuple of str, optional
        Settings of numbers in which models that are trained at once may differ, beside the seed, by
        dotted name. None: one by one, as where a network loops over the videos, which
        `torch.func.vmap` cannot.
    """

    name: str
    recipes: dict[str, Experiment]
    joint: bool
    network: Callable[[int, int, Any], nn.Module]
    losses: Callable[[Any, Tensor, Any], dict[str, Tensor]]
    predictions: Callable[[Any, Any], tuple[Tensor, ...]]
    sequence: Callable[[Scores, Any], np.ndarray]
    localize: Callable[[dict[str, Scores], str, tuple[str, ...], float, Any], pd.DataFrame]
    fuse: Callable[[dict[str, pd.DataFrame], float, Any], pd.DataFrame]
    thresholds: Callable[[np.ndarray, int, Any], tuple[float, ...]] = given_thresholds
    batches: Callable[[Tensor, Any], Iterable[Tensor]] = shuffled
    snippet_probability: Callable[[np.ndarray], np.ndarray] = softmax
    frame_logits: Callable[[nn.Module, Any], Tensor] | None = None
    together: tuple[str, ...] | None = None

    def streams(self, dataset: Dataset) -> tuple[str, ...]:
        """What one model each is trained on: every stream, or "rgb+flow", all side by side."""
        return ("+".join(dataset.streams),) if self.joint else dataset.streams
