"""Count ActivityNet-1.3: renew what data/README.md says of it.

    python tests/count_activitynet.py FILE.json

The file is one in the official schema; the counts on the page are of BSN's subset of the videos.
`test_activitynet.py` counts again where it is at hand, so that no number on the page stays wrong.
"""

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from count_shrec21 import END, README

from facnet.data import Dataset
from facnet.files import Annotations, read_annotations
from facnet.importers.check import portrait

BEGIN = "<!-- counted by tests/count_activitynet.py -->\n"
SUBSETS = {"training": "train", "validation": "test"}


def count(path: Path) -> str:
    """Counts and oddities of the training and validation videos, in Markdown."""
    truth = read_annotations(path)
    data = _without_features(truth)
    whole = portrait(data)
    rows = {name: whole.loc[row].map(form.format) for name, row, form in (
        ("videos", "videos", "{:,.0f}"),
        ("of these with two classes", "videos of several classes", "{:.0f}"),
        ("instances", "instances", "{:,.0f}"), ("classes", "classes", "{:.0f}"),
        ("hours", "hours", "{:.1f}"), ("snippets of 0.64 s", "snippets", "{:,.0f}"),
        ("share of the time inside an instance", "foreground share", "{:.1%}"),
        ("median instance", "median instance (s)", "{:.1f} s"))}
    for name, (of, form) in OF_VIDEOS.items():
        rows[name] = pd.Series({use: form.format(of(
            data.videos[data.videos.subset == use],
            data.instances[data.instances.video.isin(data.subset(use))]))
            for use in SUBSETS.values()})
    stream = whole.loc["snippets"] * 1024 * 4 / 1e9
    rows["a stream of 1024 features in float32"] = stream.map("{:.1f} GB".format)
    lines = ["| | training | validation |", "| --- | --- | --- |"]
    lines += [f"| {name} | {row.train} | {row.test} |" for name, row in rows.items()]
    return "\n".join([*lines, ""])


def _without_features(truth: Annotations) -> Dataset:
    """The data set of features of no width, 25 frames a second and 16 a snippet."""
    videos = truth.videos[truth.videos.subset.isin(list(SUBSETS))]
    videos = videos.assign(subset=videos.subset.map(SUBSETS))
    snippets = dict(zip(videos.video, np.maximum(videos.duration * 25 // 16, 1).astype(int)))
    own = truth.instances[truth.instances.video.isin(videos.video)]
    return Dataset(
        "ActivityNet-1.3", tuple(sorted(own.label.unique())), ("rgb",), 0.64, videos, own,
        truth.ignored, lambda stream, video: np.empty((snippets[video], 0)))


def _shortest(videos: pd.DataFrame, instances: pd.DataFrame) -> float:
    return videos.duration.min()


def _longest(videos: pd.DataFrame, instances: pd.DataFrame) -> float:
    return videos.duration.max()


def _alone(videos: pd.DataFrame, instances: pd.DataFrame) -> float:
    return (instances.video.value_counts() == 1).mean()


def _shorter_than(seconds: float) -> Callable[[pd.DataFrame, pd.DataFrame], int]:
    return lambda videos, instances: int((instances.end - instances.start < seconds).sum())


def _past_the_end(videos: pd.DataFrame, instances: pd.DataFrame) -> int:
    """By more than a snippet, as `facnet data check` has it."""
    ends = instances.video.map(videos.set_index("video").duration)
    return int((instances.end > ends + 0.64).sum())


def _twice(videos: pd.DataFrame, instances: pd.DataFrame) -> int:
    return int(instances.duplicated().sum())


def _overlapping(videos: pd.DataFrame, instances: pd.DataFrame) -> int:
    """Those that begin before an earlier one of their video has ended."""
    ordered = instances.sort_values(["video", "start", "end"])
    before = ordered.groupby("video").end.cummax().groupby(ordered.video).shift()
    return int((ordered.start < before).sum())


OF_VIDEOS = {
    "share of videos with one instance": (_alone, "{:.1%}"),
    "shortest video": (_shortest, "{:.1f} s"),
    "longest video": (_longest, "{:.0f} s"),
    "instances shorter than a snippet": (_shorter_than(0.64), "{}"),
    "instances shorter than 0.05 s": (_shorter_than(0.05), "{}"),
    "instances that end more than a snippet after their video": (_past_the_end, "{}"),
    "instances that begin before another has ended": (_overlapping, "{}"),
    "instances that are there once more": (_twice, "{}"),
}


def page(text: str) -> str:
    """The text of data/README.md with these counts."""
    before, rest = README.read_text(encoding="utf-8").split(BEGIN)
    return before + BEGIN + text + END + rest.split(END, 1)[1]


if __name__ == "__main__":
    README.write_text(page(count(Path(sys.argv[1]))), encoding="utf-8")
