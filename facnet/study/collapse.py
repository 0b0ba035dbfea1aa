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
from facnet.study.records import read_record
from facnet.study.separation import CHANCE, foreground_separation
from facnet.study.statistics import cell, ends, interval, percent
from facnet.training import fit, predict

__all__ = [
    "best_of", "rates", "restarts", "runs", "share", "summary_of", "through_training",
    "warnings_of",
]


def runs(frame: pd.DataFrame, folder: str | Path) -> pd.DataFrame:
    """One row a variant and seed of a sweep, with what its records hold for each stream.

    Parameters
    ----------
    frame : DataFrame
        As `facnet.study.tables.sweep` gives it.
    folder : str or Path
        Where its records are.

    Returns
    -------
    DataFrame
        variant, seed, average, collapsed, and for each stream area STREAM (ROC area,
        `facnet.study.separation.separation`) and loss STREAM (total loss of the last epoch).
    """
    one = frame.drop_duplicates(["variant", "seed"])
    found = []
    for row in one.itertuples():
        record = read_record(Path(folder), row.key)
        found.append(
            {"variant": row.variant, "seed": row.seed, "average": row.average,
             "collapsed": row.collapsed}
            | {f"area {stream}": np.nan if area is None else area
               for stream, area in record["separation"].items()}
            | {f"loss {stream}": own["total"][-1] for stream, own in record["losses"].items()})
    return pd.DataFrame(found)


def warnings_of(table: pd.DataFrame) -> pd.DataFrame:
    """How well collapse tells seeds of low AVG, below half of the median.

    Parameters
    ----------
    table : DataFrame
        Of one variant, as `runs` gives it.

    Returns
    -------
    DataFrame
        A row for each stream and one for any of them: collapsed (seeds), low (those of them whose
        AVG is low), missed (seeds of low AVG that are not collapsed).
    """
    low = table.average < table.average.median() / 2
    fell = {column.removeprefix("area "): table[column] < CHANCE
            for column in table if column.startswith("area ")}
    fell["any stream"] = pd.concat(fell, axis=1).any(axis=1)
    return pd.DataFrame({
        name: {"collapsed": own.sum(), "low": (own & low).sum(), "missed": (low & ~own).sum()}
        for name, own in fell.items()}).T


def share(count: int, of: int) -> tuple[float, float, float]:
    """A share with its 95 % interval, Wilson's.

    Examples
    --------
    >>> print(*(f"{value:.2f}" for value in share(5, 20)))
    0.25 0.11 0.47
    """
    ends_of_it = binomtest(int(count), int(of)).proportion_ci(method="wilson")
    return count / of, float(ends_of_it.low), float(ends_of_it.high)


def rates(table: pd.DataFrame, reference: str) -> pd.DataFrame:
    """How often any stream collapses, by variant, and against one of them on the same seeds.

    Parameters
    ----------
    table : DataFrame
        As `runs` gives it.
    reference : str
        The variant to compare with.

    Returns
    -------
    DataFrame
        Indexed by variant: n (seeds), any (those with a collapsed stream), share, low and high
        (`share`); paired, the seeds that both variants have; only_reference and only_here, those
        of them that collapse with one alone; p, of the exact test whether these two differ
        (McNemar's, a binomial test).
    """
    fell = (table.collapsed != "").groupby([table.variant, table.seed]).first().unstack("variant")
    rows = {}
    for name in table.variant.unique():
        own = fell[name].dropna().astype(bool)
        row = dict(zip(("n", "any"), (len(own), int(own.sum()))))
        row |= dict(zip(("share", "low", "high"), share(own.sum(), len(own))))
        if name != reference:
            both = fell[[reference, name]].dropna().astype(bool)
            there, here = both[reference], both[name]
            only = int((there & ~here).sum()), int((here & ~there).sum())
            row |= {"paired": len(both), "only_reference": only[0], "only_here": only[1],
                    "p": binomtest(only[1], sum(only)).pvalue if sum(only) else 1.0}
        rows[name] = row
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("variant")


def summary_of(table: pd.DataFrame, compared: pd.DataFrame, reference: str) -> pd.DataFrame:
    """Variants beside each other, in words.

    Parameters
    ----------
    table : DataFrame
        As `runs` gives it.
    compared : DataFrame
        As `facnet.study.claims.compare` gives it, of variants by name against the reference.
    reference : str
        The variant that the others are compared with.
    """
    gains, collapses = compared.set_index("name"), rates(table, reference)
    rows = []
    for name, own in table.groupby("variant", sort=False):
        rate = collapses.loc[name]
        row = {"variant": name, "n": len(own), "AVG": cell(*interval(own.average)),
               "median": f"{own.average.median():.1f}",
               "any collapsed": f"{rate['any']:.0f}: {percent(rate['share'])}"
                                f" [{percent(rate.low)}, {percent(rate.high)}]"}
        for column in own:
            if column.startswith("area "):
                row[column.removeprefix("area ")] = int((own[column] < CHANCE).sum())
        row |= {f"only {reference} | only here": "", "p": "", "difference of AVG": "",
                "over test videos": ""}
        if name in gains.index:
            one = gains.loc[name]
            row |= {f"only {reference} | only here": f"{rate.only_reference:.0f} |"
                                                     f" {rate.only_here:.0f}",
                    "p": f"{rate.p:.2f}",
                    "difference of AVG": cell(one["mean"], one.low, one.high, sign=True),
                    "over test videos": ends(one.video_low, one.video_high)}
        rows.append(row)
    return pd.DataFrame(rows)


def best_of(loss: np.ndarray, value: np.ndarray, tries: int) -> float:
    """Mean of `value` over all choices of `tries` seeds that keep the one of lowest `loss`.

    Examples
    --------
    >>> best_of([0.3, 0.1, 0.2], [10.0, 30.0, 20.0], tries=1)
    20.0
    >>> best_of([0.3, 0.1, 0.2], [10.0, 30.0, 20.0], tries=3)
    30.0
    """
    ordered = np.asarray(value, float)[np.argsort(loss, kind="stable")]
    return float((ordered * _choices(len(ordered), tries)).sum() / comb(len(ordered), tries))


def _choices(count: int, tries: int) -> np.ndarray:
    """In how many choices of `tries` seeds each one, in the order of their loss, is the first."""
    behind = np.arange(count)[::-1]  # seeds of a higher loss, among which the others are
    return comb(behind, tries - 1)


def restarts(
    table: pd.DataFrame, stream: str, tries: tuple[int, ...] = (1, 2, 3, 4, 5),
    draws: int = 10_000,
) -> pd.DataFrame:
    """What it is worth to train several times and keep the model of lowest training loss.

    Parameters
    ----------
    table : DataFrame
        Of one variant, as `runs` gives it.
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
    if len(table) < max(tries):
        raise FacnetError(
            f"{len(table)} seeds: {max(tries)} tries each need as many to choose from.")
    loss, average = table[f"loss {stream}"].to_numpy(), table.average.to_numpy()
    fell = (table[f"area {stream}"] < CHANCE).to_numpy()
    chosen = np.random.default_rng(0).integers(len(table), size=(draws, len(table)))
    by_loss = np.take_along_axis(chosen, loss[chosen].argsort(axis=1, kind="stable"), axis=1)
    ordered, once = average[by_loss], average[chosen].mean(1)  # [draws, seeds]; [draws]
    rows = {}
    for k in tries:
        mean = best_of(loss, average, k)
        again = (ordered * _choices(len(table), k)).sum(1) / comb(len(table), k)
        low, high = np.percentile(again, [2.5, 97.5])
        gain_low, gain_high = np.percentile(again - once, [2.5, 97.5])
        rows[k] = {"mean": mean, "low": low, "high": high, "gain": mean - average.mean(),
                   "gain_low": gain_low, "gain_high": gain_high,
                   "collapsed": best_of(loss, fell, k)}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("tries")


def through_training(
    dataset: Dataset, experiment: Experiment, stream: str, points: int = 8
) -> pd.DataFrame:
    """W_f against the background, from the first epoch to the last.

    Returns
    -------
    DataFrame
        epoch; cosine, of W_f and the background's row of W_a; foreground, the ROC area of S_f on
        the test videos (`facnet.study.separation.foreground_separation`).
    """
    wanted = {0, *np.geomspace(1, experiment.training.epochs, points).round().astype(int).tolist()}
    rows = []

    def look(epoch: int, model: torch.nn.Module) -> None:
        if epoch not in wanted:
            return
        scores = predict(model, dataset, stream, dataset.subset("test"))
        with torch.no_grad():
            cosine = torch.cosine_similarity(model.W_f, model.W_a[-1:]).item()
        rows.append({"epoch": epoch, "cosine": cosine,
                     "foreground": foreground_separation(scores, dataset)})

    fit(dataset, stream, experiment, progress=False, after_epoch=look)
    return pd.DataFrame(rows)
