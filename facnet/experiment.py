"""One experiment: a model a stream, its detections, their evaluation.

An experiment is a value: data set, recipe, seed. A hash of that value and of the code that computes
it names what is remembered of it.
"""

import ast
import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from facnet.checkpoints import check_fits, load_checkpoint
from facnet.config import Experiment, to_dict
from facnet.data import Dataset
from facnet.errors import FacnetError
from facnet.files import files_in
from facnet.evaluation import Evaluation, Protocol, drop_ignored, evaluate, rules_of, untimed
from facnet.localization import Scores, in_parts
from facnet.methods import method_of, preset
from facnet.training import fit, predict

# The modules that compute an experiment and its record, down from the data.
COMPUTING = (*(f"{name}.py" for name in (
    "config", "data", "model", "batches", "training", "localization", "evaluation", "experiment")),
    "methods/*.py", "synthetic/*.py", *(f"study/{name}.py" for name in (
        "records", "separation", "consistency")))


@dataclass(frozen=True)
class Result:
    """What came of one experiment.

    Attributes
    ----------
    experiment : Experiment
    models, histories, scores : dict by stream
        Trained networks, losses by epoch, and scores of the test videos.
    detections : DataFrame [video, label, start, end, score]
        Of all streams, fused.
    evaluation : Evaluation
    """

    experiment: Experiment
    models: dict[str, torch.nn.Module]
    histories: dict[str, pd.DataFrame]
    scores: dict[str, Scores]
    detections: pd.DataFrame
    evaluation: Evaluation


def detect(scores: dict[str, Scores], dataset: Dataset, experiment: Experiment = preset(),
           protocol: str | Protocol | None = None) -> pd.DataFrame:
    """Scores of all streams to fused detections, by the method and localisation of `experiment`.

    Each stream is localised and the streams are fused. In between, protocol `released` drops the
    detections that touch an ambiguous interval; other protocols have no such step. Without a name
    the protocol is the data set's.
    """
    lengths = np.array([np.diff(own.offsets) for own in scores.values()])  # [streams, V]
    for v in np.flatnonzero((lengths != lengths[0]).any(0)):
        video = next(iter(scores.values())).videos[v]
        raise FacnetError(f"{dataset.name}, {video}: streams {', '.join(scores)} have"
                          f" {lengths[:, v].tolist()} snippets; they must be on one grid.")
    method, config = method_of(experiment), experiment.localization
    seconds = dataset.snippet_seconds
    parts, found = list(in_parts(scores, getattr(config, "upsampling", 1))), {}
    for stream in scores:
        frames = [method.localize(part, stream, dataset.classes, seconds, config) for part in parts]
        # Empty ones have no say in the columns' types.
        found[stream] = pd.concat([f for f in frames if len(f)] or frames[:1], ignore_index=True)
        if rules_of(protocol or dataset.protocol).ignored == "dropped":
            found[stream] = drop_ignored(found[stream], dataset.ignored, seconds)
    return method.fuse(found, seconds, config)


def evaluate_test(detections: pd.DataFrame, dataset: Dataset,
                  protocol: str | Protocol | None = None) -> Evaluation:
    """Detections of the test videos by a protocol, the data set's unless another is named.

    Ambiguous intervals are treated by the protocol's own rule. Left out are videos that have labels
    but no instance.
    """
    protocol = protocol or dataset.protocol
    refused = rules_of(protocol).ignored == "refused"
    videos = set(dataset.subset("test")) - set(untimed(dataset.videos, dataset.instances))
    return evaluate(detections, dataset.instances_of("test"), protocol, videos=videos,
                    ignored=None if refused else dataset.ignored, classes=dataset.classes,
                    snippet_seconds=dataset.snippet_seconds)


def trained(dataset: Dataset, experiment: Experiment, stream: str, folder: str | Path | None = None,
            progress: bool = False) -> tuple[torch.nn.Module, pd.DataFrame]:
    """`fit`, remembered: whoever asks for the same training again gets it from `folder`.

    Parameters
    ----------
    dataset, experiment, stream, progress
        As in `fit`.
    folder : str or Path, optional
        Where states of training are kept, a file each. Without it nothing is remembered.
    """
    if folder is None:
        return fit(dataset, stream, experiment, progress=progress)
    experiment = training_of(experiment)
    key = experiment_key(dataset.fingerprint, experiment, dataset.protocol)
    state = Path(folder) / f"{key}.{stream}.training"
    state.parent.mkdir(parents=True, exist_ok=True)
    return fit(dataset, stream, experiment, state_file=state, progress=progress)


def training_of(experiment: Experiment) -> Experiment:
    """The experiment as its training knows it: how a model is localised has no part in that."""
    return replace(experiment, localization=type(experiment.localization)())


def stream_scores(dataset: Dataset, experiment: Experiment, stream: str,
                  folder: str | Path | None = None) -> Scores:
    """Train on one stream, or remember it as `trained` does, and score the test videos."""
    model, _ = trained(dataset, experiment, stream, folder)
    return predict(model, dataset, stream, dataset.subset("test"), experiment)


def checkpoint_scores(folder: Path, dataset: Dataset,
                      videos: tuple[str, ...]) -> tuple[dict[str, Scores], Experiment]:
    """Scores of the videos by stream, by the models that a folder holds, and their recipe.

    Raises
    ------
    FacnetError
        If it has not one model of each stream, all of one recipe and trained on classes, a grid
        and columns that are the data set's.
    """
    models = [load_checkpoint(path, dataset.device) for path in files_in(folder, ".safetensors")]
    if not models:
        raise FacnetError(f"{folder}: no .safetensors checkpoint in this folder.")
    first = models[0].experiment
    for one in models:
        where, own = folder / f"{one.stream}.safetensors", one.experiment
        check_fits(where, one, dataset)
        if (own.method, own.localization) != (first.method, first.localization):
            raise FacnetError(f"{where}: its method or its settings of localization differ from"
                              f" those of stream {models[0].stream}; train all with one recipe.")
    streams, given = method_of(first).streams(dataset), {one.stream: one for one in models}
    if len(models) != len(streams) or given.keys() != set(streams):
        raise FacnetError(f"{folder}: holds models of {', '.join(one.stream for one in models)}; it"
                          f" takes one of each of {', '.join(streams)}.")
    return {stream: predict(given[stream].model, dataset, stream, videos,
                            given[stream].experiment) for stream in streams}, first


def run(dataset: Dataset, experiment: Experiment = preset(), protocol: str | None = None,
        progress: bool = True, folder: str | Path | None = None) -> Result:
    """Train the method's models, localise the test videos, evaluate.

    Parameters
    ----------
    dataset : Dataset
    experiment : Experiment
    protocol : str, optional
        As in `evaluate`; by default the data set's.
    progress
        As in `fit`.
    folder : str or Path, optional
        As in `trained`.
    """
    return result_of(dataset, experiment, {
        stream: trained(dataset, experiment, stream, folder, progress)
        for stream in method_of(experiment).streams(dataset)}, protocol)


def result_of(dataset: Dataset, experiment: Experiment,
              found: dict[str, tuple[torch.nn.Module, pd.DataFrame]],
              protocol: str | None = None) -> Result:
    """What comes of models that `fit` has found, one a stream: localise, evaluate."""
    models, histories = ({stream: one[part] for stream, one in found.items()} for part in (0, 1))
    scores = {stream: predict(model, dataset, stream, dataset.subset("test"), experiment)
              for stream, model in models.items()}
    detections = detect(scores, dataset, experiment, protocol)
    evaluation = evaluate_test(detections, dataset, protocol)
    return Result(experiment, models, histories, scores, detections, evaluation)


def experiment_key(fingerprint: str, experiment: Experiment, protocol: str = "released") -> str:
    """The name of an experiment: a hash of data, recipe, seed, protocol, and of `CODE`."""
    value = [CODE, fingerprint, protocol, to_dict(experiment)]
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:20]


def code_hash() -> str:
    """A hash of the code that computes what is remembered: after an edit nothing old is found.

    Of the syntax trees of `COMPUTING`, without docstrings, so that a comment changes nothing.
    """
    digest, package = hashlib.sha256(), Path(__file__).parent
    for path in sorted(path for pattern in COMPUTING for path in package.glob(pattern)):
        place = path.relative_to(package).as_posix()
        digest.update(f"{place} {_plain_tree(ast.parse(path.read_bytes()))}".encode())
    return digest.hexdigest()[:16]


def _plain_tree(node: object) -> object:
    """A syntax tree as lists: not `ast.dump`, which every version of Python writes differently."""
    if isinstance(node, list):
        return [_plain_tree(one) for one in node]
    if not isinstance(node, ast.AST):
        return repr(node)
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return []  # a docstring, or as good as none
    fields = [(name, _plain_tree(value)) for name, value in ast.iter_fields(node)]
    return [type(node).__name__, *(field for field in fields if field[1] not in ([], "None"))]


CODE = code_hash()  # of the code that runs: a later edit does not change it
