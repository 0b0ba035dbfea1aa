"""Count THUMOS14's annotations: write data/published/thumos14*.csv and a page's table.

    python tests/count_thumos14.py Thumos14reduced-Annotations

The folder is the one that W-TALC distributes. `test_grid.py` counts again where it is at hand, so
that no number in these files stays wrong.
"""

import sys
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from facnet.data import Dataset
from facnet.evaluation import to_snippets
from facnet.files import Annotations
from facnet.importers.pickled import read_array
from facnet.importers.check import portrait
from facnet.importers.wtalc import read_wtalc
from facnet.study.grid import grid_ceiling, grid_marks, shares_below
from facnet.study.published import FOLDER

PAGE = Path(__file__).parents[1] / "book" / "thumos14_oddities.md"
SNIPPET_SECONDS = 0.64
SUBSETS = {"validation": "train", "test": "test"}
ANNOTATIONS = "counted from sujoyp/wtalc-pytorch, Thumos14reduced-Annotations"
GRID = f"{ANNOTATIONS}, with T = floor(duration / 0.64)"
QUANTILES = np.round(np.concatenate([[0.01], np.arange(0.05, 1, 0.05), [0.99]]), 2)


def as_dataset(truth: Annotations) -> Dataset:
    """The annotations with features that have the right number of snippets and say nothing."""
    videos = truth.videos.assign(subset=truth.videos.subset.map(SUBSETS))
    snippets = dict(zip(videos.video, (videos.duration / SNIPPET_SECONDS).astype(int)))
    return Dataset(
        "THUMOS14", tuple(sorted(set(truth.instances.label))), ("rgb", "flow"), SNIPPET_SECONDS,
        videos, truth.instances, truth.ignored,
        read=lambda stream, video: np.zeros((snippets[video], 1), np.float32))


def counts(dataset: Dataset) -> pd.DataFrame:
    """The portrait, and the shares of instances that the grid cannot meet."""
    shares = shares_below(dataset, grid_marks(SNIPPET_SECONDS)).drop(columns="seconds")
    rows = pd.concat([portrait(dataset), shares.rename(lambda mark: f"below {mark}")]).round(4)
    rows["source"] = ANNOTATIONS
    rows.loc["snippets", "source"] = GRID
    return rows.rename_axis("quantity").reset_index()


def lengths(dataset: Dataset) -> pd.DataFrame:
    """Quantiles of the instances' lengths in seconds."""
    columns = {}
    for subset in SUBSETS.values():
        own = dataset.instances_of(subset)
        columns[subset] = np.quantile(own.end - own.start, QUANTILES).round(3)
    return pd.DataFrame({"share": QUANTILES, **columns, "source": ANNOTATIONS})


def ceiling(dataset: Dataset) -> pd.DataFrame:
    """What perfect snippet labels would score."""
    return grid_ceiling(dataset).round(3).assign(source=GRID).reset_index()


def oddities(dataset: Dataset, folder: Path) -> pd.DataFrame:
    """What a reader of the files should know: how often by subset, and where if it is rare."""
    videos, instances, ignored = dataset.videos, dataset.instances, dataset.ignored
    subset_of = dict(zip(videos.video, videos.subset))
    rows = []

    def add(text: str, found: pd.Series, where: Iterable[str] = ()) -> None:
        """`found` names a video for each thing counted; test videos off the list are "test" too."""
        subset = [subset_of.get(video, "test") for video in found]
        rows.append({"what": text, "train": subset.count("train"), "test": subset.count("test"),
                     "where": "; ".join(where)})

    rates = {name: read_array(folder / f"{name}.npy").ravel()
             for name in ("original_fps", "extracted_fps")}
    for name, rate in rates.items():
        for fps in sorted(set(rate), reverse=True):
            add(f"videos with {name} {fps:g}", videos.video[rate == fps])

    shown = videos.video.map(instances.groupby("video").label.agg(set))
    differ = videos.video[videos.labels.map(set) != shown]
    empty = videos.video[videos.labels.map(len) == 0]
    add("videos of several classes, by their instances", videos.video[shown.map(len) > 1])
    add("videos whose labels_all are not the labels of their instances", differ)
    add("videos with empty labels_all", empty, empty)

    ends = instances.groupby("video", as_index=False).end.max().merge(videos, on="video")
    late = ends[ends.end > ends.duration]
    add("videos with an annotation past their end", late.video, (
        f"{video}: {end:.1f} s of {duration:.1f} s"
        for video, end, duration in zip(late.video, late.end, late.duration)))

    cliff = instances[instances.label == "CliffDiving"]
    same = cliff.merge(instances[instances.label == "Diving"], on=["video", "start", "end"])
    add("instances of CliffDiving", cliff.video)
    add("instances of CliffDiving with the times of an instance of Diving", same.video)
    start, end = (to_snippets(instances[name], SNIPPET_SECONDS) for name in ("start", "end"))
    add("instances that are empty in whole snippets", instances.video[end <= start])

    listed = ignored.video.isin(videos.video)
    add("ambiguous intervals", ignored.video)
    add("videos with ambiguous intervals", ignored.video.drop_duplicates())
    add("ambiguous intervals in a video that videoname.npy lacks", ignored.video[~listed],
        ignored.video[~listed].drop_duplicates())
    return pd.DataFrame(rows).assign(source=ANNOTATIONS)


def as_page(oddities: pd.DataFrame) -> str:
    """The oddities as the data page shows them."""
    rows = oddities.fillna("")
    lines = ["| what | training | test | where |", "| --- | --- | --- | --- |"]
    lines += [f"| {row.what} | {row.train:,} | {row.test:,} | {row.where.replace('; ', '<br>')} |"
              for row in rows.itertuples()]
    return "\n".join(lines) + "\n"


def count(folder: Path) -> dict[Path, str]:
    """The text of every file."""
    dataset = as_dataset(read_wtalc(folder))
    odd = oddities(dataset, folder)
    tables = {"thumos14": counts(dataset), "thumos14_lengths": lengths(dataset),
              "thumos14_ceiling": ceiling(dataset), "thumos14_oddities": odd}
    texts = {FOLDER / f"{name}.csv": table.to_csv(index=False, float_format="%g")
             for name, table in tables.items()}
    return texts | {PAGE: as_page(odd)}


if __name__ == "__main__":
    for path, text in count(Path(sys.argv[1])).items():
        path.write_text(text, encoding="utf-8")
