"""Models on disk, trained or half trained: safetensors, the whole recipe in the metadata."""

import json
import os
import socket
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from facnet.config import Experiment, ModelConfig, flat, to_dict
from facnet.data import Dataset
from facnet.errors import FacnetError
from facnet.methods import experiment_of, method_of, preset

__all__ = [
    "Checkpoint", "check_origin", "import_released", "load_checkpoint", "load_training", "origin",
    "save_checkpoint", "save_training",
]

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
    model : Module, in evaluation mode
        The network of the experiment's method.
    stream : str
    classes : tuple of str
    experiment : Experiment
    dataset : str
        Name of the training data.
    fingerprint : str or None
        Of the training data; None where they are unknown, as for imported models.
    """

    model: torch.nn.Module
    stream: str
    classes: tuple[str, ...]
    experiment: Experiment
    dataset: str
    fingerprint: str | None = None


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write `checkpoint` to `path`, whole or not at all."""
    facts = {
        "stream": checkpoint.stream,
        "input_width": str(checkpoint.model.input_width),
        "classes": json.dumps(checkpoint.classes),
        "dataset": checkpoint.dataset,
        "experiment": json.dumps(to_dict(checkpoint.experiment)),
    }
    if checkpoint.fingerprint is not None:
        facts["fingerprint"] = checkpoint.fingerprint
    _write(path, checkpoint.model.state_dict(), facts)


def load_checkpoint(path: Path, device: str = "cpu") -> Checkpoint:
    """Read what `save_checkpoint` wrote.

    Raises
    ------
    FacnetError
        If the file is missing, truncated, or not one of this package's.
    """
    try:
        facts, tensors = _read(path)
        experiment = experiment_of(json.loads(facts["experiment"]))
        classes = tuple(json.loads(facts["classes"]))
        stream, dataset = facts["stream"], facts["dataset"]
        model = _build(tensors, experiment, int(facts["input_width"]), len(classes))
    except FileNotFoundError as error:
        raise FacnetError(f"{path}: no such checkpoint.") from error
    except (SafetensorError, KeyError, RuntimeError, ValueError) as error:
        raise FacnetError(f"{path}: not a checkpoint of this package ({error}).") from error
    return Checkpoint(
        model.to(device), stream, classes, experiment, dataset, facts.get("fingerprint")
    )


def origin(dataset: Dataset, stream: str, experiment: Experiment) -> dict[str, str]:
    """What decides the outcome of `fit`, as metadata of its files."""
    return {
        "stream": stream, "dataset": dataset.name, "fingerprint": dataset.fingerprint(),
        "experiment": json.dumps(to_dict(experiment)),
    }


def check_origin(path: Path, expected: dict[str, str]) -> None:
    """Refuse a checkpoint or state of training whose `origin` is not the one expected.

    Raises
    ------
    FacnetError
        Names what differs, and both values; or says that the file cannot be read.
    """
    try:
        with safe_open(path, "pt") as file:
            stored = file.metadata() or {}
        there, here = (
            {name: value for name, value in facts.items() if name in expected}
            | flat(json.loads(facts["experiment"])) for facts in (stored, expected)
        )
    except (SafetensorError, KeyError, ValueError, AttributeError) as error:
        raise _damaged(path, error) from error
    differences = [
        f"{name} is {there.get(name, 'not recorded')} there, {here.get(name, 'no field')} here"
        for name in dict.fromkeys([*here, *there])
        if name != "experiment" and there.get(name) != here.get(name)
    ]
    if differences:
        raise FacnetError(
            f"{path}: comes of another training than the one asked for: {'; '.join(differences)}."
            " Train into another folder, or move this file away."
        )


def save_training(
    path: Path, origin: dict[str, str], model: torch.nn.Module, optimizer: torch.optim.Optimizer,
    history: list[dict],
) -> None:
    """Write the state of training after the last epoch of `history`, whole or not at all.

    It holds all that the rest depends on: weights, Adam's moments and step counts, the state of
    the random generators, and the `origin`.
    """
    facts = origin | {"epoch": str(len(history)), "history": json.dumps(history)}
    tensors = {f"model.{name}": value for name, value in model.state_dict().items()}
    for number, moments in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{number}.{name}": value for name, value in moments.items()}
    tensors["random.cpu"] = torch.get_rng_state()
    device = next(model.parameters()).device
    if device.type == "cuda":
        tensors["random.cuda"] = torch.cuda.get_rng_state(device)
    _write(path, tensors, facts)


def load_training(
    path: Path, origin: dict[str, str], model: torch.nn.Module, optimizer: torch.optim.Optimizer
) -> list[dict]:
    """Put model, optimiser and random generators into the state in `path`; return the history.

    Raises
    ------
    FacnetError
        If the file cannot be read, or its `origin` is another.
    """
    check_origin(path, origin)
    try:
        facts, tensors = _read(path)
        moments = {}
        for key, value in _part(tensors, "optimizer").items():
            number, _, name = key.partition(".")
            moments.setdefault(int(number), {})[name] = value
        model.load_state_dict(_part(tensors, "model"))
        optimizer.load_state_dict(optimizer.state_dict() | {"state": moments})
        torch.set_rng_state(tensors["random.cpu"])
        device = next(model.parameters()).device
        if device.type == "cuda" and "random.cuda" in tensors:
            torch.cuda.set_rng_state(tensors["random.cuda"], device)
        history = json.loads(facts["history"])
    except (SafetensorError, KeyError, RuntimeError, ValueError, TypeError) as error:
        raise _damaged(path, error) from error
    return history


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
    tensors_by_name = isinstance(state, dict) and all(
        isinstance(name, str) and isinstance(value, torch.Tensor) for name, value in state.items())
    if not tensors_by_name:
        raise FacnetError(f"{path}: holds a {type(state).__name__}, not tensors by name.")
    state = {name.removeprefix("module."): value for name, value in state.items()}
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
        model = _build(
            tensors, experiment, tensors["embedding.0.weight"].shape[1], len(classes))
    except RuntimeError as error:
        reason = str(error).splitlines()[-1].strip()
        raise FacnetError(f"{path}: shapes disagree ({reason}).") from error
    return Checkpoint(model, stream, classes, experiment, f"imported from {path.name}")


def _part(tensors: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    """Those whose name begins with the prefix and a dot, without these."""
    begin = f"{prefix}."
    return {n.removeprefix(begin): v for n, v in tensors.items() if n.startswith(begin)}


def _damaged(path: Path, error: Exception) -> FacnetError:
    return FacnetError(
        f"{path}: cannot be read ({error}). Remove it to train this stream from the start."
    )


def _read(path: Path) -> tuple[dict[str, str], dict[str, torch.Tensor]]:
    with safe_open(path, "pt") as file:
        return file.metadata() or {}, {name: file.get_tensor(name) for name in file.keys()}


def _write(path: Path, tensors: dict[str, torch.Tensor], facts: dict[str, str]) -> None:
    """A safetensors file, whole or not at all."""
    partial = path.with_name(f".{path.name}.{socket.gethostname()}.{os.getpid()}")  # as write_json
    save_file({name: value.contiguous() for name, value in tensors.items()}, partial, facts)
    os.replace(partial, path)


def _build(
    tensors: dict[str, torch.Tensor], experiment: Experiment, input_width: int, classes: int
) -> torch.nn.Module:
    """The experiment's network with these tensors."""
    model = method_of(experiment).network(input_width, classes, experiment.model)
    model.load_state_dict(tensors)
    return model.eval()
