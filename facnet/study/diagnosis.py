"""Why a number is what it is: false positives by their cause, missed instances by their kind.

In the manner of DETAD (Alwassel, Caba Heilbron, Escorcia and Ghanem, Diagnosing Error in Temporal
Action Detectors, ECCV 2018), on the matches of :func:`facnet.evaluation.evaluate` and so by the
rules of its protocol. Three departures: all detections are diagnosed, where DETAD first drops those
below the top 10G; gains are of mAP, where DETAD's are of normalised mAP; and an instance is missed
if no detection takes it, where DETAD also asks for a normalised precision above .05 at that rank.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from facnet.data import Dataset
from facnet.errors import FacnetError
from facnet.evaluation import (
    TRUE, UNCOUNTED, Evaluation, average_precision, candidates, rules_of)
from facnet.study.grid import lengths
from facnet.study.statistics import means

ALPHA = 0.1  # DETAD's: what overlaps no instance by so much is background
CAUSES = ("double detection", "wrong label", "localisation error", "confusion error",
          "background error")
RIGHT, NOTHING = "true positive", "no detection"
# DETAD's bins, by their upper ends.
BINS = {"THUMOS14": {"length (s)": (3, 6, 12, 18), "coverage (%)": (2, 4, 6, 8),
                     "instances of its class": (1, 40, 80)},
        "ActivityNet": {"length (s)": (30, 60, 120, 180), "coverage (%)": (20, 40, 60, 80),
                        "instances of its class": (1, 4, 8)}}


def nearest(evaluation: Evaluation) -> tuple[np.ndarray, np.ndarray]:
    """What each detection overlaps most, of whatever class, matched or not.

    Returns
    -------
    tiou : ndarray [detections]
        The largest with an instance of its video, as the protocol has it; 0 if there is none.
    own : ndarray [detections] of bool
        Whether that instance is of the detection's class; among several of equal tIoU, one of them.
    """
    found, truth = evaluation.detections, evaluation.truth
    rules = rules_of(evaluation.protocol)
    i, j, overlap = candidates(found, truth, rules, evaluation.grid, ["video"])
    same = found.label.to_numpy()[i] == truth.label.to_numpy()[j]
    order = np.lexsort((same, overlap))  # the best is written last
    tiou, own = np.zeros(len(found)), np.zeros(len(found), bool)
    tiou[i[order]], own[i[order]] = overlap[order], same[order]
    return tiou, own


def causes(evaluation: Evaluation, alpha: float = ALPHA) -> pd.DataFrame:
    """What each detection is at each threshold: a true positive, or why it is a false one.

    ==================  ========================  =====================
    cause               largest tIoU              with an instance of
    ==================  ========================  =====================
    double detection    reaches the threshold     its class, then taken
    wrong label         reaches the threshold     another class
    localisation error  alpha or more             its class
    confusion error     alpha or more             another class
    background error    less than alpha           any class
    ==================  ========================  =====================

    Parameters
    ----------
    evaluation : Evaluation
    alpha : float

    Returns
    -------
    DataFrame of str
        A row for each of the evaluation's detections, a column a tIoU. Empty where a detection
        does not count.
    """
    tiou, own = nearest(evaluation)
    rules, outcomes = rules_of(evaluation.protocol), evaluation.outcomes
    reached = np.array([rules.reaches(tiou, threshold) for threshold in evaluation.tiou])
    close = tiou >= alpha
    when = [outcomes == TRUE, outcomes == UNCOUNTED, reached & own, reached, close & own, close]
    words = np.select(when, [RIGHT, "", *CAUSES[:4]], CAUSES[4])
    return pd.DataFrame(words.T, columns=evaluation.tiou)


def false_positive_profile(evaluation: Evaluation, tiou: float = 0.5) -> pd.DataFrame:
    """What the detections come to, down their ranks (DETAD's false positive profile).

    Of a class with G instances the first G detections by score make group 1, the next G group 2.

    Returns
    -------
    DataFrame [true positive, causes, no detection]
        Indexed by group, 1 to 10; in percent of G, summed over classes. A row adds up to 100:
        DETAD leaves out the last column.
    """
    _check(evaluation, tiou)
    what, labels = causes(evaluation)[tiou], evaluation.detections.label
    rank = (what != "").groupby(labels).cumsum()  # from 1, among those that count
    group = np.ceil(rank / labels.map(evaluation.instances))  # infinite where G is 0
    chosen = (what != "") & (group <= 10)
    table = pd.crosstab(group[chosen], what[chosen]).reindex(
        index=pd.RangeIndex(1, 11, name="group"), columns=[RIGHT, *CAUSES], fill_value=0)
    total = evaluation.instances.sum()
    table[NOTHING] = total - table.sum(axis=1)
    return 100 * table / total


def removal_gains(evaluation: Evaluation, tiou: float = 0.5) -> pd.DataFrame:
    """What mAP would gain if the false positives of a cause were not there.

    Returns
    -------
    DataFrame [at, average]
        In points of mAP at `tiou`, and of AVG. Rows: each cause; all of them at once, which need
        not be their sum; missed instances, what is then still lacking to 100.
    """
    _check(evaluation, tiou)
    what = causes(evaluation).to_numpy().T
    have, found = _mean_ap(evaluation, evaluation.outcomes, evaluation.instances), {}
    for name in (*CAUSES, "all of them"):
        removed = np.isin(what, CAUSES if name == "all of them" else [name])
        outcomes = np.where(removed, UNCOUNTED, evaluation.outcomes)
        found[name] = _mean_ap(evaluation, outcomes, evaluation.instances) - have
    found["missed instances"] = 100 - have - found["all of them"]
    table = pd.DataFrame.from_dict(found, orient="index", columns=evaluation.tiou)
    return pd.DataFrame({"at": table[tiou], "average": table.mean(axis=1)})


def characteristics(dataset: Dataset, instances: pd.DataFrame) -> pd.DataFrame:
    """Of each instance its length, its share of the video, and how many like it the video has.

    Parameters
    ----------
    dataset : Dataset
    instances : DataFrame [video, label, start, end]

    Returns
    -------
    DataFrame
        With the columns that `BINS` names.
    """
    length = lengths(instances)
    duration = instances.video.map(dataset.videos.set_index("video").duration)
    counts = instances.groupby(["video", "label"]).start.transform("size")
    return pd.DataFrame({"length (s)": length, "coverage (%)": 100 * length / duration,
                         "instances of its class": counts})


def binned(values: pd.Series, ends: Sequence[float]) -> pd.Series:
    """In which bin each value is, by the bins' upper ends, which belong to them.

    Examples
    --------
    >>> binned(pd.Series([2.0, 3.0, 3.1, 20.0]), (3, 6)).tolist()
    ['≤ 3', '≤ 3', '3–6', '> 6']
    """
    names = [f"≤ {ends[0]:g}", *(f"{a:g}–{b:g}" for a, b in zip(ends, ends[1:])), f"> {ends[-1]:g}"]
    return pd.cut(values, [-np.inf, *ends, np.inf], labels=names)


def taken(evaluation: Evaluation, tiou: float = 0.5) -> np.ndarray:
    """Of each instance in `evaluation.truth` whether a detection takes it, bool."""
    _check(evaluation, tiou)
    matches = evaluation.matches[evaluation.tiou.index(tiou)]
    return np.isin(np.arange(len(evaluation.truth)), matches)


def missed(evaluation: Evaluation, groups: pd.Series, tiou: float = 0.5) -> pd.DataFrame:
    """Missed instances and normalised mAP by groups of instances.

    Parameters
    ----------
    evaluation : Evaluation
    groups : Series
        Of each instance in `evaluation.truth`, such as `binned` gives.
    tiou : float

    Returns
    -------
    DataFrame [instances, missed, mAP_N]
        A row for each group that has an instance, and "all": their number, the share that no
        detection takes, and DETAD's normalised mAP, both in percent at `tiou`.

    Notes
    -----
    mAP_N takes R N / (R N + F) for the precision at recall R after F false positives, where N is
    the mean number of instances a class, so that rare and common groups compare. Of a group,
    detections that take an instance of another one do not count.
    """
    found, row = taken(evaluation, tiou), evaluation.tiou.index(tiou)
    matches, outcomes = evaluation.matches[row], evaluation.outcomes[row]
    normal = len(evaluation.truth) / (evaluation.instances > 0).sum()
    table = {}
    for name in (*pd.Categorical(groups).remove_unused_categories().categories, "all"):
        inside = np.full(len(found), True) if name == "all" else (groups == name).to_numpy()
        own = np.where((matches >= 0) & ~inside[matches], UNCOUNTED, outcomes)
        counts = evaluation.truth.label[inside].value_counts()
        table[name] = {"instances": inside.sum(), "missed": 100 * (1 - found[inside].mean()),
                       "mAP_N": _mean_ap(evaluation, own, counts, normal)}
    return pd.DataFrame.from_dict(table, orient="index").astype({"instances": int})


def over_seeds(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Tables of several seeds as one: means x with their ends x_low and x_high, row by row."""
    every = pd.concat(tables).rename_axis("of").reset_index()
    return means(every, "of", list(tables[0])).set_index("of").rename_axis(tables[0].index.name)


def _check(evaluation: Evaluation, tiou: float) -> None:
    if tiou not in evaluation.tiou:
        raise FacnetError(f"tIoU {tiou}: not evaluated. There are {list(evaluation.tiou)}.")


def _mean_ap(evaluation: Evaluation, outcomes: np.ndarray, instances: pd.Series,
             normal: float | None = None) -> np.ndarray:
    """mAP of other outcomes [..., detections] over the classes that have an instance.

    With `normal` each class is weighed as if it had so many instances.
    """
    interpolated = rules_of(evaluation.protocol).interpolated
    found = []
    for label, count in instances[instances > 0].items():
        own = outcomes[..., (evaluation.detections.label == label).to_numpy()]
        weights = np.where(own == TRUE, (normal or count) / count, 1)
        found.append(average_precision(own, normal or count, interpolated, weights))
    return np.mean(found, axis=0)
