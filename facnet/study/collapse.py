"""Seeds that fail: how to tell them, what moves their number, and what to do about it."""

from pathlib import Path

import numpy as np
import pandas as pd
import torch
from scipy.special import comb
from scipy.stats import binomtest

from facnet.config import Experiment
from facnet.data import Dataset
from facnet.errors import FacnetError
from facnet.study.records import record_of
from facnet.study.separation import CHANCE, foreground_separation
from facnet.training import fit, predict


def with_streams(runs: pd.DataFrame, folder: str | Path) -> pd.DataFrame:
    """The runs of a sweep, with what their records in `folder` hold for each stream.

    Returns
    -------
    DataFrame
        variant, seed, average, collapsed, and for each stream area STREAM (ROC area,
        `facnet.study.separation.separation`) and loss STREAM (total loss of the last epoch).
    """
    found = []
    for key in runs.key:
        record = record_of(folder, key)
        found.append({f"area {stream}": area for stream, area in record["separation"].items()}
                     | {f"loss {stream}": own["total"][-1]
                        for stream, own in record["losses"].items()})
    own = runs[["variant", "seed", "average", "collapsed"]].reset_index(drop=True)
    return own.join(pd.DataFrame(found, dtype=float))


def _fell(table: pd.DataFrame) -> pd.DataFrame:
    """Whether each stream has collapsed, of what `with_streams` gives: a column a stream."""
    return (table.filter(like="area ") < CHANCE).rename(columns=lambda name: name.split(" ", 1)[1])


def missed_by_rule(table: pd.DataFrame) -> pd.DataFrame:
    """How well collapse tells seeds of low AVG, below half of the median.

    Parameters
    ----------
    table : DataFrame
        Of one variant, as `with_streams` gives it.

    Returns
    -------
    DataFrame
        A row for each stream and one for any of them: collapsed (seeds), low (those of them whose
        AVG is low), missed (seeds of low AVG that are not collapsed).
    """
    fell, low = _fell(table), table.average < table.average.median() / 2
    fell["any stream"] = fell.any(axis=1)
    return pd.DataFrame({"collapsed": fell.sum(), "low": fell[low].sum(),
                         "missed": (~fell[low]).sum()})


def rates(table: pd.DataFrame, reference: str) -> pd.DataFrame:
    """How often any stream collapses, by variant, and against one of them on the same seeds.

    Parameters
    ----------
    table : DataFrame
        As `with_streams` gives it.
    reference : str
        The variant to compare with.

    Returns
    -------
    DataFrame
        Indexed by variant: n (seeds), median (of AVG), how many seeds of each stream collapse, and
        how many of any; share, share_low and share_high, of the latter in percent, with Wilson's
        95 % interval; paired, the seeds that both variants have; only_reference and only_here,
        those of them that collapse with one alone; p, of the exact test whether these two differ
        (McNemar's, a binomial test).
    """
    fell = table.assign(fell=table.collapsed != "").pivot(
        index="seed", columns="variant", values="fell")
    found = {}
    for name, own in table.groupby("variant", sort=False):
        both = fell[[reference, name]].dropna().to_numpy(bool)
        only_reference, only_here = (both & ~both[:, ::-1]).sum(0)
        count = int((own.collapsed != "").sum())
        wilson = binomtest(count, len(own)).proportion_ci(method="wilson")
        found[name] = {
            "n": len(own), "median": own.average.median(), **_fell(own).sum(), "any": count,
            "share": 100 * count / len(own), "share_low": 100 * wilson.low,
            "share_high": 100 * wilson.high, "paired": len(both),
            "only_reference": only_reference, "only_here": only_here,
            "p": binomtest(only_here, max(only_here + only_reference, 1)).pvalue}
    return pd.DataFrame.from_dict(found, orient="index").rename_axis("variant")


def restarts(table: pd.DataFrame, stream: str, tries: tuple[int, ...] = (1, 2, 3, 4, 5),
             draws: int = 10_000) -> pd.DataFrame:
    """What it is worth to train several times and keep the model of lowest training loss.

    Parameters
    ----------
    table : DataFrame
        Of one variant, as `with_streams` gives it.
    stream : str
        The stream whose loss decides.
    tries : tuple of int
    draws : int
        Of seeds with replacement, for the intervals: those of `facnet.study.statistics.interval`,
        so that a single try has the same interval here as there.

    Returns
    -------
    DataFrame
        Indexed by tries: mean, low and high of AVG; gain, gain_low and gain_high over a single
        try (95 % bootstrap over seeds); collapsed, the share of choices whose `stream` has.
    """
    n = len(table)
    if n < max(tries):
        raise FacnetError(f"{n} seeds: {max(tries)} tries each need as many to choose from.")
    loss, fell = table[f"loss {stream}"].to_numpy(), _fell(table)[stream].to_numpy()
    # The seeds as they are, and draws of them: [1 + draws, n].
    drawn = np.vstack([np.arange(n), np.random.default_rng(0).integers(n, size=(draws, n))])
    by_loss = np.take_along_axis(drawn, loss[drawn].argsort(axis=1, kind="stable"), axis=1)
    average, found = table.average.to_numpy()[by_loss], {}
    for k in tries:
        # Of all choices of k seeds, the share in which each one, by their loss, is the first.
        share = comb(np.arange(n)[::-1], k - 1) / comb(n, k)
        kept = average @ share
        gain = kept - average.mean(1)
        low, high = np.percentile([kept[1:], gain[1:]], [2.5, 97.5], axis=1)
        found[k] = {"mean": kept[0], "low": low[0], "high": high[0], "gain": gain[0],
                    "gain_low": low[1], "gain_high": high[1], "collapsed": fell[by_loss[0]] @ share}
    return pd.DataFrame.from_dict(found, orient="index").rename_axis("tries")


def through_training(dataset: Dataset, experiment: Experiment, stream: str,
                     points: int = 8) -> pd.DataFrame:
    """W_f against the background, from the first epoch to the last.

    Returns
    -------
    DataFrame
        epoch; cosine, of W_f and the background's row of W_a; foreground, the ROC area of S_f on
        the test videos (`facnet.study.separation.foreground_separation`).
    """
    wanted = {0, *np.geomspace(1, experiment.training.epochs, points).round().astype(int).tolist()}
    found = []

    def look(epoch: int, model: torch.nn.Module) -> None:
        if epoch in wanted:
            scores = predict(model, dataset, stream, dataset.subset("test"))
            cosine = torch.cosine_similarity(model.W_f.detach(), model.W_a[-1:].detach()).item()
            found.append((epoch, cosine, foreground_separation(scores, dataset)))

    fit(dataset, stream, experiment, progress=False, after_epoch=look)
    return pd.DataFrame(found, columns=["epoch", "cosine", "foreground"])
