"""What the grid of snippets does to a data set's instances, before any method is trained.

A method of this family decides snippet by snippet and reports runs of snippets. Instances shorter
than the shortest run, and neighbours that leave no snippet between them, are out of its reach
however good its features are.
"""

from dataclasses import replace

import numpy as np
import pandas as pd

from facnet.config import LocalizationConfig
from facnet.data import Dataset, frame_labels
from facnet.experiment import detect, evaluate_test
from facnet.localization import Scores
from facnet.methods import preset

# Snippet scores this far apart have a softmax of 0 and 1.
APART = 50.0

RELEASED = preset("released").localization
# Ways from snippets to detections: three that keep shorter runs and report them as they are, and
# the released one.
VARIANTS = {name: replace(RELEASED, minimum_length=shortest, extra_end_snippet=False)
            for name, shortest in {"all runs": 0, "runs of 2 or more": 2,
                                   "runs of 3 or more": 3}.items()}
VARIANTS["released: 3, end 1 late"] = RELEASED


def grid_marks(snippet_seconds: float, config: LocalizationConfig = RELEASED) -> dict[str, float]:
    """Lengths that decide what can be met exactly: name to seconds.

    Examples
    --------
    >>> grid_marks(0.64)
    {'one snippet': 0.64, 'shortest run': 1.92, 'shortest detection': 2.56}
    """
    snippets = {"one snippet": 1, "shortest run": config.minimum_length,
                "shortest detection": config.minimum_length + config.extra_end_snippet}
    return {name: round(count * snippet_seconds, 6) for name, count in snippets.items()}


def lengths(instances: pd.DataFrame) -> pd.Series:
    """Of instances [start, end], in seconds."""
    # Times have a resolution of .1 s: 2.5 - 1.2 must not come out as a little more than 1.3.
    return (instances.end - instances.start).round(6)


def shares_below(dataset: Dataset, marks: dict[str, float]) -> pd.DataFrame:
    """Share of the instances that are shorter than each mark.

    Parameters
    ----------
    dataset : Dataset
    marks : dict of str to float
        As `grid_marks` gives them.

    Returns
    -------
    DataFrame [seconds, train, test]
        One row a mark. NaN for a subset whose instances are not given.
    """
    table = pd.DataFrame({"seconds": marks})
    for subset in ("train", "test"):
        own = lengths(dataset.instances_of(subset))
        table[subset] = [(own < mark).mean() for mark in table.seconds]
    return table


def perfect_scores(dataset: Dataset) -> Scores:
    """What a model would say of the test videos that knows each snippet's classes (`frame_labels`).

    A snippet of several classes shares its probability among them; one of none is background.
    """
    videos, stream = dataset.subset("test"), dataset.streams[0]
    shown = [frame_labels(dataset, v, len(dataset.features(stream, v))) for v in videos]
    offsets = np.cumsum([0, *(len(labels) for labels in shown)])
    present = np.array([np.append(labels.any(0), False) for labels in shown], np.float64)
    snippets = np.concatenate(shown)
    foreground = snippets.any(1)
    return Scores(videos, offsets, present, APART * np.column_stack([snippets, ~foreground]),
                  APART * foreground)


def grid_ceiling(dataset: Dataset) -> pd.DataFrame:
    """What perfect snippet labels would score on the test videos, by each of `VARIANTS`.

    Returns
    -------
    DataFrame
        Columns: "detections" (number), mAP at tIoU "0.1" ... "0.7" and "average", in percent, by
        the protocol `released`.

    Notes
    -----
    No bound in the strict sense: labels that stretch short instances to the shortest run would
    score more. It is where learning to label every snippet rightly ends.
    """
    scores, rows = perfect_scores(dataset), []
    for config in VARIANTS.values():
        detections = detect(
            {"labels": scores}, dataset, replace(preset(), localization=config), "released")
        evaluation = evaluate_test(detections, dataset, "released")
        rows.append({"detections": len(detections),
                     **evaluation.mean_ap.rename("{:g}".format), "average": evaluation.average})
    return pd.DataFrame(rows, pd.Index(VARIANTS, name="perfect labels"))
