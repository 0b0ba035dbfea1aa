"""What data may lack although they are allowed, and what is then left out.

Labels without times, a single class, videos that are one action from start to end, a few videos:
all of it can be trained on. Each of it leaves something that cannot be measured or chosen.
"""

import numpy as np

from facnet.config import Experiment
from facnet.data import Dataset
from facnet.errors import named
from facnet.study.separation import Lacking, drawn_snippets
from facnet.training import frame_labels

HELD_OUT = 0.2  # of the training videos, to choose weights by
TWO_CLASSES = ("W-TALC", "UM")  # methods whose softmax over a single class would be 1


def require(dataset: Dataset, *needs: str) -> None:
    """Nothing, or an error of what a data set lacks.

    Parameters
    ----------
    dataset : Dataset
    needs : str
        What is needed beside test instances: "background", "snippets" or "held out".

    Raises
    ------
    Lacking
    """
    for need in ("instances", *needs):
        named(need, _NEEDS, "need")(dataset)


def _instances(dataset: Dataset) -> None:
    if dataset.instances_of("test").empty:
        raise Lacking(f"{dataset.name}: no test video has an instance with start and end; labels"
                      " alone are enough to train and to localise, but not to measure anything.")


def _background(dataset: Dataset) -> None:
    """Some class has snippets inside an instance and outside, in one and the same test video."""
    for video in dataset.subset("test"):
        shown = frame_labels(
            dataset, video, len(dataset.features(dataset.streams[0], video)))
        if np.any(shown.any(0) & ~shown.all(0)):
            return
    raise Lacking(f"{dataset.name}: no test video has snippets inside an instance and others"
                  " outside; to measure how they are told apart takes both.")


def _held_out(dataset: Dataset) -> None:
    count = len(dataset.subset("train"))
    if not round(HELD_OUT * count):
        raise Lacking(f"{dataset.name}: {count} training videos; a fifth of them, to choose weights"
                      " by, is none. It takes three.")


_NEEDS = {"instances": _instances, "background": _background, "snippets": drawn_snippets,
          "held out": _held_out}


def possible(recipes: dict[str, Experiment], dataset: Dataset) -> dict[str, Experiment]:
    """The recipes that the data set's classes allow; a line says which of them are left out."""
    if len(dataset.classes) > 1:
        return recipes
    left_out = [name for name, one in recipes.items() if one.method in TWO_CLASSES]
    if left_out:
        print(f"Left out: {', '.join(left_out)}, which need two classes; {dataset.name} has one.")
    return {name: one for name, one in recipes.items() if name not in left_out}
