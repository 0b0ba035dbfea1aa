"""What a choice of protocol is worth: the same detections, scored by one rule and by another.

And the same trainings, taken at their last epoch and at the one that does best on the test videos.
"""

from collections.abc import Callable
from dataclasses import replace
from math import ceil

import numpy as np
import pandas as pd
import torch

from facnet.config import Experiment
from facnet.data import Dataset
from facnet.evaluation import PROTOCOLS, Evaluation, Protocol
from facnet.experiment import detect, evaluate_test
from facnet.localization import Scores
from facnet.methods import method_of
from facnet.study.records import weighted_averages
from facnet.study.statistics import means
from facnet.training import fit, predict

BASE, TOOLKIT = "FAC-Net's released code", "ActivityNet's toolkit"
_RELEASED, _ACTIVITYNET = PROTOCOLS["released"], PROTOCOLS["activitynet"]
# The released rules, with one of them changed, and three other codes' whole; tIoU .1 to .7.
RULES = {BASE: _RELEASED,
         "tIoU of seconds, not of whole snippets": replace(_RELEASED, snippet_grid=False),
         "ambiguous intervals: detections count": replace(_RELEASED, ignored="kept"),
         "ambiguous intervals: only matches count": replace(_RELEASED, ignored="uncounted"),
         "matching as in W-TALC's code": replace(_RELEASED, matching="first"),
         "matching as in THUMOS14's kit": replace(_RELEASED, matching="instance"),
         "equal tIoU: latest instance": replace(_RELEASED, latest=True),
         "precision as it is": replace(_RELEASED, interpolated=False),
         "W-TALC's code": replace(_RELEASED, matching="first", interpolated=False),
         TOOLKIT: replace(_ACTIVITYNET, ignored="kept", tiou=_RELEASED.tiou),
         "THUMOS14's kit": PROTOCOLS["thumos"]}
SPLITS = 50  # of the test videos into halves; each half of each chooses an epoch once
WHOLE = ("W-TALC's code", TOOLKIT, "THUMOS14's kit")  # of these, those that change several rules


def by_rule(score: Callable[[Protocol], Evaluation]) -> pd.DataFrame:
    """What detections score by each of `RULES`.

    Parameters
    ----------
    score : callable
        Evaluates the detections by some rules.

    Returns
    -------
    DataFrame
        A row a rule: rule, videos, instances and detections that were scored, mAP in percent by
        tIoU ("0.1"), average.
    """
    return pd.DataFrame([{"rule": rule, **row_of(score(rules))} for rule, rules in RULES.items()])


def by_rule_here(scores: dict[int, dict[str, Scores]], dataset: Dataset,
                 experiment: Experiment) -> pd.DataFrame:
    """`by_rule` of models of the page's data, a seed each, with a column seed.

    What touches an ambiguous interval is left to the rules: it is not dropped before fusion, as
    the released code does, since then the detections would not be the same for all rules.
    """
    found = {seed: detect(own, dataset, experiment, RULES[TOOLKIT]) for seed, own in scores.items()}
    return pd.concat([
        by_rule(lambda rules: evaluate_test(detections, dataset, rules)).assign(seed=seed)
        for seed, detections in found.items()], ignore_index=True)


def rule_changes(table: pd.DataFrame) -> pd.DataFrame:
    """What each rule changes of AVG against the released ones, over seeds.

    Parameters
    ----------
    table : DataFrame
        As `by_rule_here` gives it, or `by_rule` with a column seed.

    Returns
    -------
    DataFrame [rule, 0.1, ..., average, change, change_low, change_high]
        Means over seeds; the change with its 95 % interval.
    """
    released = table.seed.map(table[table.rule == BASE].set_index("seed").average)
    change = means(table.assign(change=table.average - released), "rule", ["change"])
    values = [name for name in table if name.startswith("0.")] + ["average"]
    return table.groupby("rule", sort=False)[values].mean().reset_index().merge(change, on="rule")


def row_of(evaluation: Evaluation) -> dict[str, float]:
    """An evaluation as a row of `by_rule`."""
    return {"videos": evaluation.videos, "instances": int(evaluation.instances.sum()),
            "detections": len(evaluation.detections),
            **evaluation.mean_ap.rename("{:g}".format), "average": evaluation.average}


def scores_by_epoch(
        dataset: Dataset, experiment: Experiment, looks: int) -> dict[int, dict[str, Scores]]:
    """Scores of the test videos through one training, by epoch and stream.

    Parameters
    ----------
    dataset : Dataset
    experiment : Experiment
    looks : int
        How many epochs, evenly spread, the last one included.
    """
    last, videos = experiment.training.epochs, dataset.subset("test")
    found = {ceil(last * look / looks): {} for look in range(1, looks + 1)}
    for stream in method_of(experiment).streams(dataset):
        def look(epoch: int, model: torch.nn.Module) -> None:
            if epoch in found:
                found[epoch][stream] = predict(model, dataset, stream, videos, experiment)

        fit(dataset, stream, experiment, progress=False, after_epoch=look)
    return found


def best_on_test(evaluations: dict[int, Evaluation], dataset: Dataset) -> dict[str, float]:
    """The last epoch of a training, and the one that does best on the test videos.

    How much of the gain is luck with these videos is asked of halves of them, split at random: the
    epoch that is best on one half is compared with the last epoch on that half, and on the other.

    Parameters
    ----------
    evaluations : dict of int to Evaluation
        Of the test videos, by epoch.
    dataset : Dataset

    Returns
    -------
    dict
        last, best and gain, in points of AVG; epoch, the best one; same and other, the mean gain
        on the half that chose and on the other half.
    """
    epochs, videos = sorted(evaluations), len(dataset.subset("test"))
    average = np.array([evaluations[epoch].average for epoch in epochs])
    one = np.random.default_rng(0).permuted(np.tile(np.arange(videos) % 2, (SPLITS, 1)), axis=1)
    halves = np.concatenate([one, 1 - one])  # [2 S, V]
    by_half = np.array([weighted_averages(evaluations[epoch], dataset, halves)
                        for epoch in epochs])  # [E, 2 S]
    gain, half = by_half - by_half[-1], np.arange(len(halves))
    chosen, other = by_half.argmax(0), np.roll(half, SPLITS)
    return {"last": average[-1], "best": average.max(), "gain": average.max() - average[-1],
            "epoch": epochs[average.argmax()], "same": gain[chosen, half].mean(),
            "other": gain[chosen, other].mean()}
