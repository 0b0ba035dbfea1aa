"""Models on disk, trained or half trained: safetensors, the whole recipe in the metadata."""

import json
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from facnet.config import Experiment, changed, flat, to_dict
from facnet.data import Dataset
from facnet.errors import FacnetError
from facnet.files import replacing
from facnet.methods import experiment_of, method_of, preset

# The authors' state dict, and the parameter that each of its entries becomes.
RELEASED_KEYS = {"ac_center": "W_a", "fg_center": "W_f"} | {
    f"feature_embedding.process.{theirs}.{kind}": f"embedding.{ours}.{kind}"
    for theirs, ours in ((0, 0), (3, 1)) for kind in ("weight", "bias")}
REMEDY = " Remove it to train this stream from the start."
SAME_GRID = 0.01  # relative: 0.1333 s and 4/30 s are one grid, 29.97 and 30 frames a second too


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
    fingerprint : str
        Of the training data; "not recorded" where they are unknown, as for imported models.
    snippet_seconds : float or None
        Of the training data; None where it is unknown.
    columns : dict of str to sequence of int
        As the training data have them.
    """

    model: torch.nn.Module
    stream: str
    classes: tuple[str, ...]
    experiment: Experiment
    dataset: str
    fingerprint: str = "not recorded"
    snippet_seconds: float | None = None
    columns: dict[str, Sequence[int]] = field(default_factory=dict)


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write `checkpoint` to `path`, whole or not at all."""
    facts = {name: getattr(checkpoint, name) for name in ("stream", "dataset", "fingerprint")}
    _write(path, checkpoint.model.state_dict(), facts | {
        "input_width": str(checkpoint.model.input_width), "classes": json.dumps(checkpoint.classes),
        "experiment": json.dumps(to_dict(checkpoint.experiment)),
        "input": json.dumps([checkpoint.snippet_seconds, checkpoint.columns])})


def load_checkpoint(path: Path, device: str = "cpu") -> Checkpoint:
    """Read what `save_checkpoint` wrote.

    Raises
    ------
    FacnetError
        If the file is missing, truncated, not one of this package's, or holds weights that are not
        finite.
    """
    with _refusing(path, "not a checkpoint of this package"):
        facts, tensors = _read(path)
        experiment = experiment_of(json.loads(facts["experiment"]))
        classes = tuple(json.loads(facts["classes"]))
        model = _build(tensors, experiment, int(facts["input_width"]), len(classes)).to(device)
        found = Checkpoint(model, facts["stream"], classes, experiment, facts["dataset"],
                           facts["fingerprint"], *json.loads(facts.get("input", "[null, {}]")))
    _check_finite(path, tensors)
    return found


def check_fits(path: Path, checkpoint: Checkpoint, dataset: Dataset) -> None:
    """Refuse a model that was trained on other classes, another grid or other columns.

    Raises
    ------
    FacnetError
        Names what differs from the data set, and both values. Where the checkpoint does not say
        what it was trained on, as older and imported ones, a warning does.
    """
    for number, (there, here) in enumerate(zip_longest(checkpoint.classes, dataset.classes), 1):
        if there != here:
            raise FacnetError(f"{path}: trained on other classes than {dataset.name} has; number"
                              f" {number} is {there!r} there, {here!r} here."
                              + " Give the --profile that it was trained at." * dataset.simulated)
    there, here = checkpoint.snippet_seconds, dataset.snippet_seconds
    if there is None:
        warnings.warn(f"{path}: does not say on which grid and columns it was trained; here a"
                      f" snippet is every {here:g} s.", stacklevel=2)
    elif abs(there / here - 1) > SAME_GRID:
        raise FacnetError(f"{path}: trained on a snippet every {there:g} s, but {dataset.name} has"
                          f" one every {here:g} s; train on features of that grid.")
    for stream in checkpoint.stream.split("+"):
        there, here = (own.columns.get(stream) for own in (checkpoint, dataset))
        if there and here and [*there] != [*here]:  # a stream in files of its own has none
            raise FacnetError(f"{path}: {stream} was columns {[*there]} in training, but is"
                              f" {[*here]} in {dataset.name}; are streams exchanged?")


def origin(dataset: Dataset, stream: str, experiment: Experiment) -> dict[str, str]:
    """What decides the outcome of `fit`, as metadata of its files."""
    return {"stream": stream, "dataset": dataset.name, "fingerprint": dataset.fingerprint,
            "experiment": json.dumps(to_dict(experiment))}


def check_origin(path: Path, expected: dict[str, str]) -> None:
    """Refuse a checkpoint or state of training whose `origin` is not the one expected.

    Raises
    ------
    FacnetError
        Names what differs, and both values; or says that the file cannot be read.
    """
    with _refusing(path, "cannot be read", REMEDY):
        there, here = (
            {name: facts[name] for name in expected if name in facts and name != "experiment"}
            | flat(json.loads(facts["experiment"])) for facts in (_facts(path), expected))
    differences = [
        f"{name} is {there.get(name, 'not recorded')} there, {here.get(name, 'no field')} here"
        for name in here | there if there.get(name) != here.get(name)]
    if differences:
        raise FacnetError(f"{path}: comes of another training: {'; '.join(differences)}."
                          " Train into another folder, or move this file away.")


def save_training(path: Path, origin: dict[str, str], model: torch.nn.Module,
                  optimizer: torch.optim.Optimizer, history: list[dict],
                  random: torch.Tensor) -> None:
    """Write the state of training after the last epoch of `history`, whole or not at all.

    It holds all that the rest depends on: weights, Adam's moments and step counts, the state of
    the model's random numbers, and the `origin`.
    """
    state = {"model": model.state_dict(), "optimizer": optimizer.state_dict()["state"],
             "random": random}
    _write(path, flat(state), origin | {"history": json.dumps(history)})


def load_training(path: Path, origin: dict[str, str], model: torch.nn.Module,
                  optimizer: torch.optim.Optimizer) -> tuple[list[dict], torch.Tensor]:
    """Put model and optimiser into the state in `path`; return the history and random state.

    Raises
    ------
    FacnetError
        If the file cannot be read, or its `origin` is another.
    """
    check_origin(path, origin)
    with _refusing(path, "cannot be read", REMEDY):
        facts, tensors = _read(path)
        moments = {}
        for number, name in (key.split(".")[1:] for key in tensors if key.startswith("optimizer")):
            moments.setdefault(int(number), {})[name] = tensors[f"optimizer.{number}.{name}"]
        model.load_state_dict({name: tensors[f"model.{name}"] for name in model.state_dict()})
        optimizer.load_state_dict(optimizer.state_dict() | {"state": moments})
        return json.loads(facts["history"]), tensors["random"]


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
        If the file cannot be read, a key or shape is not the released one's, or weights are not
        finite.
    """
    with _refusing(path, "cannot be read with weights only"):
        state = torch.load(path, map_location="cpu", weights_only=True)
    with _refusing(path, f"not the FAC-Net of {len(classes)} classes that its authors released"):
        tensors = {RELEASED_KEYS[name.removeprefix("module.")]: value.float()
                   for name, value in state.items()}
        first, second = (tensors[f"embedding.{i}.weight"] for i in (0, 1))
        experiment = changed(preset(), {"model.embedding_widths": [len(first), len(second)]})
        model = _build(tensors, experiment, first.shape[1], len(classes))
    _check_finite(path, tensors)
    return Checkpoint(model, stream, classes, experiment, f"imported from {path.name}")


@contextmanager
def _refusing(path: Path, fault: str, remedy: str = "") -> Iterator[None]:
    """Whatever a damaged or foreign file raises becomes one line that names the file."""
    try:
        yield
    except Exception as error:  # safetensors, torch and json raise many kinds
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:400]
        raise FacnetError(f"{path}: {fault} ({reason}).{remedy}") from error


def _facts(path: Path) -> dict[str, str]:
    open(path, "rb").close()  # safetensors says of any file that it cannot open: not there
    with safe_open(path, "pt") as file:
        return file.metadata()


def _read(path: Path) -> tuple[dict[str, str], dict[str, torch.Tensor]]:
    facts = _facts(path)
    with safe_open(path, "pt") as file:
        return facts, {name: file.get_tensor(name) for name in file.keys()}


def _check_finite(path: Path, tensors: dict[str, torch.Tensor]) -> None:
    for name, value in tensors.items():
        if wrong := int((~value.isfinite()).sum()):
            raise FacnetError(f"{path}: {wrong} of {value.numel()} numbers of {name} are NaN or"
                              " infinite; a model with such weights finds nothing.")


def _write(path: Path, tensors: dict[str, torch.Tensor], facts: dict[str, str]) -> None:
    """A safetensors file, whole or not at all."""
    with replacing(path) as partial, _refusing(path, "cannot be written"):
        save_file({name: value.contiguous() for name, value in tensors.items()}, partial, facts)


def _build(tensors: dict[str, torch.Tensor], experiment: Experiment, input_width: int,
           classes: int) -> torch.nn.Module:
    """The experiment's network with these tensors."""
    model = method_of(experiment).network(input_width, classes, experiment.model)
    model.load_state_dict(tensors)
    return model.eval()
