"""The study of SHREC'21: what of FAC-Net holds on real, untrimmed, multi-label data.

Which experiments it is made of, run on a folder that `facnet data import shrec21` made, or read as
they were run for this book.
"""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from facnet.config import changed
from facnet.data import load
from facnet.study import published
from facnet.study.claims import resampled
from facnet.study.records import provenance
from facnet.study.tables import base_of, chosen_lambdas, sweep

# Seeds of each sweep: the choice of weights, the main comparison, the ablations.
SEEDS = {"weights": 3, "multilabel": 10, "table3": 5}


@dataclass(frozen=True)
class Study:
    """The study's numbers.

    Attributes
    ----------
    frames : dict of str to DataFrame
        Of each sweep of `SEEDS`, as `facnet.study.tables.sweep` gives it.
    draws : dict of str to DataFrame
        AVG on resampled test videos, as `facnet.study.claims.resampled` gives it; none of
        `weights`.
    sources : dict of str to str
        Of each frame: on what it was run and, if it was read, how and by which code.
    """

    frames: dict[str, pd.DataFrame]
    draws: dict[str, pd.DataFrame]
    sources: dict[str, str]


def run_study(dataset: str | Path, folder: str | Path, profile: str = "half",
              seeds: dict[str, int] = SEEDS, jobs: int = 1, device: str = "cpu") -> Study:
    """Run what is missing of the study.

    Parameters
    ----------
    dataset : str or Path
        A folder that `facnet data import shrec21` made.
    folder : str or Path
        Of the records.
    profile : str
        Gives sizes, epochs and learning rate.
    seeds, jobs, device
        Seeds of each sweep, processes on this machine, and as in `load`.
    """
    base, frames = base_of("weights", profile, "shrec21"), {}
    for name, count in seeds.items():  # the choice first: all others take it
        # Of the ablations a hundred trainings, in little more than half the time. What that does to
        # AVG can be seen, since the full model is in the main comparison, too.
        own = changed(base, {"training.bfloat16": True}) if name == "table3" else base
        frames[name] = sweep(name, str(dataset), profile, count, folder, own, jobs, device=device)
        if name == "weights":
            base = changed(base, chosen_lambdas(frames[name]))
    data = load(dataset)
    return Study(frames, {name: resampled(frame, folder) for name, frame in frames.items()
                          if name != "weights"},
                 {name: provenance(data, profile, count) for name, count in seeds.items()})


def read_study() -> Study:
    """The study as it was run for this book.

    Raises
    ------
    FacnetError
        If one of its files is not in data/results/.
    """
    frames, sources, draws = {}, {}, {}
    for name in SEEDS:
        frames[name], sources[name] = published.result(f"shrec21_{name}")
        if name != "weights":
            draws[name], _ = published.result(f"shrec21_{name}_draws")
    return Study(frames, draws, sources)
