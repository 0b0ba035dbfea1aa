"""Seeds that fail: how to tell them, and what moves their number."""

import numpy as np
import pandas as pd
import torch
from scipy.stats import binomtest

from facnet.config import Experiment
from facnet.data import Dataset
from facnet.study.separation import CHANCE, foreground_separation
from facnet.training import fit, predict


def rates(table: pd.DataFrame, reference: str) -> pd.DataFrame:
    """How often any stream collapses, by variant, and against one of them on the same seeds.

    Parameters
    ----------
    table : DataFrame
        As `facnet.study.tables.sweep` gives it.
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
        fallen = (own.filter(like="area ") < CHANCE).sum()
        count = int((own.collapsed != "").sum())
        wilson = binomtest(count, len(own)).proportion_ci(method="wilson")
        found[name] = {
            "n": len(own), "median": own.average.median(),
            **fallen.rename(lambda area: area.removeprefix("area ")), "any": count,
            "share": 100 * count / len(own), "share_low": 100 * wilson.low,
            "share_high": 100 * wilson.high, "paired": len(both),
            "only_reference": only_reference, "only_here": only_here,
            "p": binomtest(only_here, max(only_here + only_reference, 1)).pvalue}
    return pd.DataFrame.from_dict(found, orient="index").rename_axis("variant")


def through_training(dataset: Dataset, experiment: Experiment, stream: str) -> pd.DataFrame:
    """W_f against the background, from the first epoch to the last.

    Returns
    -------
    DataFrame
        epoch; cosine, of W_f and the background's row of W_a; foreground, the ROC area of S_f on
        the test videos (`facnet.study.separation.foreground_separation`).
    """
    wanted = {0, *np.geomspace(1, experiment.training.epochs, 8).round().astype(int).tolist()}
    found = []

    def look(epoch: int, model: torch.nn.Module) -> None:
        if epoch in wanted:
            scores = predict(model, dataset, stream, dataset.subset("test"))
            cosine = torch.cosine_similarity(model.W_f.detach(), model.W_a[-1:].detach()).item()
            found.append((epoch, cosine, foreground_separation(scores, dataset)))

    fit(dataset, stream, experiment, progress=False, after_epoch=look)
    return pd.DataFrame(found, columns=["epoch", "cosine", "foreground"])
