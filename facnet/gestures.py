"""The study of SHREC'21: what of FAC-Net holds on real, untrimmed, multi-label data.

Which experiments it is made of, run on a folder that `facnet data import shrec21` made, or read as
they were run for this book.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from facnet import published
from facnet.claims import resampled
from facnet.collapse import runs
from facnet.config import Experiment, changed
from facnet.datasets import Dataset, load
from facnet.datasets.files import write_json
from facnet.experiments import provenance
from facnet.sweeps import base_of, chosen_lambdas, sweep, variants

__all__ = ["SEEDS", "Study", "chosen_recipe", "cut_at_gestures", "read_study", "run_study",
           "write_study"]

# Seeds of each sweep: the choice of weights, the main comparison, and the rest.
SEEDS = {"weights": 3, "multilabel": 10, "one_class": 3, "table3": 3, "table4_full": 3,
         "table5": 3, "lambda_cw": 3}
PREFIX = "shrec21_"


@dataclass(frozen=True)
class Study:
    """The study's numbers.

    Attributes
    ----------
    frames : dict of str to DataFrame
        Of each sweep of `SEEDS`, as `facnet.sweeps.sweep` gives it. `one_class` has the released
        and the chosen weights, trained on sequences that were cut between gestures.
    draws : dict of str to DataFrame
        AVG on resampled test videos, as `facnet.claims.resampled` gives it.
    runs : DataFrame
        Of `multilabel`, as `facnet.collapse.runs` gives it; the untrained network has none.
    source : str
        Where all this comes from, for captions.
    """

    frames: dict[str, pd.DataFrame]
    draws: dict[str, pd.DataFrame]
    runs: pd.DataFrame
    source: str


def chosen_recipe(weights: pd.DataFrame, profile: str) -> Experiment:
    """The full model with the weights that a sweep of "weights" chooses."""
    return changed(base_of("weights", profile, "shrec21"), chosen_lambdas(weights))


def run_study(
    dataset: str | Path, folder: str | Path, profile: str = "quick",
    seeds: dict[str, int] = SEEDS, jobs: int = 1,
) -> Study:
    """Run what is missing of the study.

    Parameters
    ----------
    dataset : str or Path
        A folder that `facnet data import shrec21` made.
    folder : str or Path
        Of the records; FOLDER/one_class gets the cut sequences.
    profile : str
        Gives sizes, epochs and learning rate.
    seeds, jobs
        Seeds of each sweep, and processes on this machine.
    """
    dataset, folder = str(dataset), Path(folder)
    data, pieces = load(dataset), folder / "one_class"
    if not (pieces / "annotations.json").exists():
        cut_at_gestures(data, pieces)
    base = base_of("weights", profile, "shrec21")
    frames = {"weights": sweep(
        "weights", dataset, profile, seeds["weights"], folder, base, jobs)}
    base = chosen_recipe(frames["weights"], profile)
    for name in ("multilabel", "table3", "lambda_cw", "table5", "table4_full"):
        frames[name] = sweep(
            name, dataset, profile, seeds[name], folder,
            base_of(name, profile) if name in ("lambda_cw", "table5") else base, jobs)
    frames["one_class"] = pd.concat([
        sweep("seeds", str(pieces), profile, seeds["one_class"], folder, one.experiment,
              jobs).assign(variant=one.name)
        for one in variants("multilabel", base) if one.name in ("λ as released", "λ chosen")])
    draws = {name: resampled(frame, folder) for name, frame in frames.items()
             if name not in ("weights", "lambda_cw")}
    main = frames["multilabel"]
    return Study(frames, draws, runs(main[main.variant != "untrained"], folder),
                 provenance(data, profile, seeds["multilabel"]))


def cut_at_gestures(dataset: Dataset, out: Path) -> None:
    """Make a container whose training sequences hold one gesture each; test sequences stay whole.

    A sequence is cut in the middle between two gestures. This takes segments to do: it shows what
    several classes in a video cost, and is no training on video-level labels.
    """
    unit = dataset.snippet_seconds
    parts = []  # name, sequence, subset, first and last snippet, gestures
    for row in dataset.videos.itertuples():
        own = dataset.instances[dataset.instances.video == row.video].sort_values("start")
        gestures = list(zip(own.label, own.start, own.end))
        if row.subset == "test":
            parts.append((row.video, row.video, "test", 0, None, gestures))
            continue
        middles = (own.end.to_numpy()[:-1] + own.start.to_numpy()[1:]) / 2
        cuts = np.round(middles / unit).astype(int).tolist()
        parts += [(f"{row.video}_{i + 1}", row.video, "train", first, last, [gesture])
                  for i, (gesture, first, last) in enumerate(
                      zip(gestures, [0, *cuts], [*cuts, None]))]
    database = {}
    for stream in dataset.streams:
        (out / "features" / stream).mkdir(parents=True)
        for name, sequence, subset, first, last, gestures in parts:
            array = dataset.features(stream, sequence)[first:last]
            np.save(out / "features" / stream / f"{name}.npy", array, allow_pickle=False)
            database[name] = {
                "subset": subset, "duration": len(array) * unit,
                "annotations": [
                    {"label": label, "segment": [max(start - first * unit, 0.0),
                                                 min(end - first * unit, len(array) * unit)]}
                    for label, start, end in gestures]}
    write_json(out / "annotations.json", {
        "name": f"{dataset.name}, one gesture a training video", "classes": list(dataset.classes),
        "streams": {stream: {} for stream in dataset.streams},
        "snippet_seconds": dataset.snippet_seconds, "train": "train", "test": "test",
        "database": database})


def write_study(study: Study, source: str, command: str, revision: str) -> None:
    """Keep a study in data/results/, with what it was run on, how, and by which code."""
    tables = {**study.frames, "runs": study.runs,
              **{f"{name}_draws": frame for name, frame in study.draws.items()}}
    for name, frame in tables.items():
        published.write_result(f"{PREFIX}{name}", frame, source, command, revision)


def read_study() -> Study:
    """The study as it was run for this book.

    Raises
    ------
    FacnetError
        If one of its files is not in data/results/.
    """
    frames, draws = {}, {}
    for name in SEEDS:
        frames[name], source = published.result(f"{PREFIX}{name}")
        if name not in ("weights", "lambda_cw"):
            draws[name], _ = published.result(f"{PREFIX}{name}_draws")
    table, source = published.result(f"{PREFIX}runs")
    return Study(frames, draws, table, source)
