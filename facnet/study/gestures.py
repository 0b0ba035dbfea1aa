"""The study of SHREC'21: what of FAC-Net holds on real, untrimmed, multi-label data.

Which experiments it is made of, run on a folder that `facnet data import shrec21` made, or read as
they were run for this book.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from facnet.config import changed
from facnet.data import Dataset, load
from facnet.importers.importing import entry, write_container
from facnet.study import published
from facnet.study.claims import resampled
from facnet.study.collapse import with_streams
from facnet.study.records import provenance
from facnet.study.tables import base_of, chosen_lambdas, sweep, variants

# Seeds of each sweep: the choice of weights, the main comparison, and the rest.
SEEDS = {"weights": 3, "multilabel": 10, "one_class": 10, "table3": 3, "table4_full": 3,
         "table5": 3}
CUT = "; one gesture a video"  # ends the names of what was trained on cut sequences


@dataclass(frozen=True)
class Study:
    """The study's numbers.

    Attributes
    ----------
    frames : dict of str to DataFrame
        Of each sweep of `SEEDS`, as `facnet.study.tables.sweep` gives it. `one_class` has the
        released and the chosen weights, trained on sequences that were cut between gestures, and
        those of `multilabel` with the same seeds, trained on whole ones.
    draws : dict of str to DataFrame
        AVG on resampled test videos, as `facnet.study.claims.resampled` gives it; none of
        `weights`.
    runs : DataFrame
        Of `multilabel`, as `facnet.study.collapse.with_streams` gives it; the untrained network has
        none.
    sources : dict of str to str
        Of each frame: on what it was run and, if it was read, how and by which code.
    """

    frames: dict[str, pd.DataFrame]
    draws: dict[str, pd.DataFrame]
    runs: pd.DataFrame
    sources: dict[str, str]


def run_study(dataset: str | Path, folder: str | Path, profile: str = "quick",
              seeds: dict[str, int] = SEEDS, jobs: int = 1) -> Study:
    """Run what is missing of the study.

    Parameters
    ----------
    dataset : str or Path
        A folder that `facnet data import shrec21` made.
    folder : str or Path
        Of the records; a folder in it gets the cut sequences.
    profile : str
        Gives sizes, epochs and learning rate.
    seeds, jobs
        Seeds of each sweep, and processes on this machine.
    """
    dataset, folder = str(dataset), Path(folder)
    data = load(dataset)
    pieces = folder / f"one_class_{data.fingerprint()}"
    if not pieces.exists():
        cut_at_gestures(data, pieces)
    cut = load(pieces)
    base = base_of("weights", profile, "shrec21")
    frames = {"weights": sweep("weights", dataset, profile, seeds["weights"], folder, base, jobs)}
    base = changed(base, chosen_lambdas(frames["weights"]))
    for name in ("multilabel", "table3", "table5", "table4_full"):
        of_sweep = base_of(name, profile) if name == "table5" else base
        frames[name] = sweep(name, dataset, profile, seeds[name], folder, of_sweep, jobs)
    steps = len(data.subset("train")) / len(cut.subset("train"))  # as many in the whole training
    epochs = max(1, round(base.training.epochs * steps))
    main = frames["multilabel"]
    both = {one.name: changed(one.experiment, {"training.epochs": epochs})
            for one in variants("multilabel", base) if one.name in ("λ as released", "λ chosen")}
    count = seeds["one_class"]
    on_cut = [sweep("seeds", str(pieces), profile, count, folder, one, jobs).assign(
        variant=f"{name}{CUT}") for name, one in both.items()]
    on_whole = main[main.variant.isin(both) & (main.seed < count)]
    frames["one_class"] = pd.concat([on_whole, *on_cut], ignore_index=True)
    sources = {name: provenance(cut if name == "one_class" else data, profile, count)
               for name, count in seeds.items()}
    sources["one_class"] += f" {epochs} epochs, and as on whole recordings."
    draws = {name: resampled(frame, folder) for name, frame in frames.items() if name != "weights"}
    return Study(frames, draws, with_streams(main[main.variant != "untrained"], folder), sources)


def cut_at_gestures(dataset: Dataset, out: Path) -> None:
    """Make a container whose training sequences hold one gesture each; test sequences stay whole.

    A sequence is cut in the middle between two gestures. This takes segments to do: it shows what
    several classes in a video cost, and is no training on video-level labels. Training sequences
    that show a class without a segment are left out.
    """
    unit, pieces, database = dataset.snippet_seconds, {}, {}
    for row in dataset.videos.itertuples():
        own = dataset.instances[dataset.instances.video == row.video].sort_values("start")
        gestures = list(zip(own.label, own.start, own.end))
        names, shown, labels, cuts = [row.video], [gestures], [row.labels], []
        if row.subset == "train":
            if set(row.labels) > set(own.label):
                continue
            names = [f"{row.video}_{i + 1}" for i in range(len(own))]
            shown, labels = [[gesture] for gesture in gestures], [[label] for label in own.label]
            middles = (own.end.to_numpy()[:-1] + own.start.to_numpy()[1:]) / 2
            cuts = np.round(middles / unit).astype(int).tolist()
        bounds = [0, *cuts, len(dataset.features(dataset.streams[0], row.video))]
        for name, first, last, segments, classes in zip(names, bounds, bounds[1:], shown, labels):
            begin, duration = first * unit, (last - first) * unit
            pieces[name] = row.video, slice(first, last)
            database[name] = entry(row.subset, classes, [
                (label, max(start - begin, 0.0), min(end - begin, duration))
                for label, start, end in segments], duration)

    def write(folder: Path, report: dict[str, list[str]]) -> dict:
        for stream in dataset.streams:
            (folder / stream).mkdir(parents=True)
            for name, (video, rows) in pieces.items():
                np.save(folder / stream / f"{name}.npy", dataset.features(stream, video)[rows])
        report["kept"].append(f"{len(pieces)} videos of {dataset.name}")
        return {
            "name": f"{dataset.name}, one gesture a training video",
            "classes": list(dataset.classes), "streams": {stream: {} for stream in dataset.streams},
            "snippet_seconds": unit, "train": "train", "test": "test", "database": database}

    write_container(Path(dataset.name), out, write)


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
    return Study(frames, draws, published.result("shrec21_runs")[0], sources)
