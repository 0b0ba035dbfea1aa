"""Trained models on disk: safetensors with the whole recipe in the metadata."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from facnet.config import Experiment, ModelConfig, from_dict, preset, to_dict
from facnet.errors import FacnetError
from facnet.model import FACNet

__all__ = ["Checkpoint", "import_released", "load_checkpoint", "save_checkpoint"]

# The authors' state dict, and the parameter that each of its entries becomes.
RELEASED_KEYS = {
    "feature_embedding.process.0.weight": "embedding.0.weight",
    "feature_embedding.process.0.bias": "embedding.0.bias",
    "feature_embedding.process.3.weight": "embedding.1.weight",
    "feature_embedding.process.3.bias": "embedding.1.bias",
    "ac_center": "W_a",
    "fg_center": "W_f",
}


@dataclass(frozen=True)
class Checkpoint:
    """A model of one stream and what it was trained on.

    Attributes
    ----------
    model : FACNet, in evaluation mode
    stream : str
    classes : tuple of str
    experiment : Experiment
    dataset : str
        Name of the training data.
    """

    model: FACNet
    stream: str
    classes: tuple[str, ...]
    experiment: Experiment
    dataset: str


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write `checkpoint` to `path`, whole or not at all."""
    facts = {
        "stream": checkpoint.stream,
        "classes": json.dumps(checkpoint.classes),
        "dataset": checkpoint.dataset,
        "experiment": json.dumps(to_dict(checkpoint.experiment)),
    }
    partial = path.with_name(path.name + ".partial")
    tensors = {name: value.contiguous() for name, value in checkpoint.model.state_dict().items()}
    save_file(tensors, partial, facts)
    os.replace(partial, path)


def load_checkpoint(path: Path, device: str = "cpu") -> Checkpoint:
    """Read what `save_checkpoint` wrote.

    Raises
    ------
    FacnetError
        If the file is missing, truncated, or not one of this package's.
    """
    try:
        with safe_open(path, "pt") as file:
            facts = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}
        experiment = from_dict(Experiment, json.loads(facts["experiment"]))
        classes = tuple(json.loads(facts["classes"]))
        stream, dataset = facts["stream"], facts["dataset"]
        model = _build(tensors, experiment.model)
    except FileNotFoundError as error:
        raise FacnetError(f"{path}: no such checkpoint.") from error
    except (SafetensorError, KeyError, RuntimeError, json.JSONDecodeError) as error:
        raise FacnetError(f"{path}: not a checkpoint of this package ({error}).") from error
    return Checkpoint(model.to(device), stream, classes, experiment, dataset)


def import_released(path: Path, stream: str, classes: tuple[str, ...]) -> Checkpoint:
    """The authors' released state dict (.pkl) as a checkpoint with the `released` preset.

    Parameters
    ----------
    path : Path
        Read with weights only: nothing but tensors is unpickled.
    stream : str
        Which stream it was trained on; the file does not say.
    classes : tuple of str
        Names of its C classes, sorted in the authors' data; the file does not say.

    Raises
    ------
    FacnetError
        If the file cannot be read, a key is missing or unknown, or shapes disagree.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise FacnetError(f"{path}: no such file.") from error
    except Exception as error:  # torch raises many kinds; none may pass for a checkpoint
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise FacnetError(f"{path}: cannot be read with weights only ({reason}).") from error
    state = {name.removeprefix("module."): value for name, value in dict(state).items()}
    for name in RELEASED_KEYS.keys() ^ state.keys():
        fault = "misses" if name in RELEASED_KEYS else "has the unknown key"
        raise FacnetError(f"{path}: {fault} {name!r}; it is not a released FAC-Net state dict.")
    tensors = {ours: state[theirs].float() for theirs, ours in RELEASED_KEYS.items()}
    rows = len(tensors["W_a"])
    if rows != len(classes) + 1:
        raise FacnetError(
            f"{path}: ac_center has {rows} rows, for {rows - 1} classes and the background,"
            f" but {len(classes)} classes are named."
        )
    released = preset("released")
    widths = (len(tensors["embedding.0.weight"]), len(tensors["embedding.1.weight"]))
    experiment = Experiment(
        ModelConfig(embedding_widths=widths), released.training, released.localization
    )
    try:
        model = _build(tensors, experiment.model)
    except RuntimeError as error:
        reason = str(error).splitlines()[-1].strip()
        raise FacnetError(f"{path}: shapes disagree ({reason}).") from error
    return Checkpoint(model, stream, classes, experiment, f"imported from {path.name}")


def _build(tensors: dict[str, torch.Tensor], config: ModelConfig) -> FACNet:
    """The model that fits the tensors."""
    input_width = tensors["embedding.0.weight"].shape[1] // config.embedding_kernel
    model = FACNet(input_width, len(tensors["W_a"]) - config.background_class, config)
    model.load_state_dict(tensors)
    return model.eval()
