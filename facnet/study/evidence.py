"""What the paper's claims are judged by: the runs of its tables and figures, here or as kept.

The answer of an experiment on the synthetic data at profile `quick` does not change from reader to
reader. Those are kept in data/results/, with seeds enough for a verdict; on other data, and at
other sizes, they are run.
"""

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from facnet.data import load
from facnet.study import published
from facnet.study.claims import asked_of, judge, read_claims, resampled, with_best_points
from facnet.study.consistency import fig1_runs
from facnet.study.records import provenance
from facnet.study.separation import (
    Lacking, by_measure, drawn_snippets, measured_features, roc_areas, scores_by_seed)
from facnet.study.statistics import summary
from facnet.study.tables import base_of, require, sweep, variants

TABLES = ("table1", "table3", "table4", "table5", "fig4")
MEASURES = ("fig1", "fig5", "fig6", "fig8")  # other measures take the place of AVG there
NO_DRAWS = (*MEASURES, "lambda_cw")  # the last chooses, and decides no claim


def kept(name: str, dataset: str, profile: str, seeds: int, folder: str | Path,
         device: str = "cpu", edition: bool = True,
         ) -> tuple[pd.DataFrame, pd.DataFrame | None, str]:
    """The runs of a table or figure: as data/results/ has them, or run as `sweep` runs them.

    Parameters
    ----------
    name : str
        A key of `facnet.study.tables.SWEEPS`, one column of it such as "table4:full", or one of
        `MEASURES`.
    dataset, profile, seeds, folder, device
        As in `sweep`; where runs are kept, with the seeds and the size that these have.
    edition : bool
        Whether to take, where runs are kept, those of the book's edition, which are larger, and
        may be of one column alone.

    Returns
    -------
    runs : DataFrame
        As `sweep` gives it; of fig4 with each main branch's best point.
    draws : DataFrame or None
        As `facnet.study.claims.resampled` gives it; of what is kept of `NO_DRAWS` there are none.
    source : str
        On what data, how often, and if kept by which command and code.
    """
    if (dataset, profile) == published.KEPT:
        name, _, column = name.partition(":")
        if edition and published.has_edition(name):
            name = f"{published.EDITION}{name}"
        runs, source = published.result(name)
        draws = None if name.endswith(NO_DRAWS) else published.result(f"{name}_draws")[0]
        return runs[runs.column == column] if column else runs, draws, source
    source = provenance(load(dataset, profile), profile, seeds)
    if name in MEASURES:
        return measured(name, dataset, profile, seeds, folder, device), None, source
    runs = sweep(name, dataset, profile, seeds, folder, device=device)
    return *with_draws(name, runs, folder), source


def all_kept(names: Iterable[str], dataset: str, profile: str, seeds: int, folder: str | Path,
             device: str = "cpu", edition: bool = True,
             ) -> dict[str, tuple[pd.DataFrame, pd.DataFrame | None, str]]:
    """`kept` of several, by name; for one that the data set has too little for, a line says so."""
    found = {}
    for name in names:
        try:
            found[name] = kept(name, dataset, profile, seeds, folder, device, edition)
        except Lacking as error:
            print(f"Not tested, the claims of {name}. {error}")
    return found


def with_draws(
        name: str, runs: pd.DataFrame, folder: str | Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The runs of a sweep as claims are judged by them, and draws, as `kept` gives them."""
    return with_best_points(runs, folder) if name == "fig4" else (runs, resampled(runs, folder))


def measured(name: str, dataset: str, profile: str, seeds: int, folder: str | Path,
             device: str = "cpu") -> pd.DataFrame:
    """What the claims of one of `MEASURES` compare: DataFrame [variant, seed, average]."""
    if name == "fig1":
        fac_net = sweep("seeds", dataset, profile, seeds, folder, device=device)
        fac_net["variant"] = "FAC-Net"
        hosts = sweep("table5", dataset, profile, seeds, folder, device=device)
        return fig1_runs(pd.concat([hosts, fac_net]), folder)
    data, base = load(dataset, profile, device), base_of("table3", profile)
    require(data, background=True)
    stream, models = data.streams[-1], {v.name: v.experiment for v in variants("table3", base)}
    if name == "fig8":
        pair = {"CA only": models["CA, hybrid"], "full": models["CW+CA+MIL, hybrid"]}
        _, found = measured_features(data, pair, stream, drawn_snippets(data), seeds, folder)
        return by_measure(found)
    drawn = {variant: models[variant] for one in read_claims(name) for variant in one.weights}
    scores = scores_by_seed(data, drawn, stream, seeds, folder)
    return roc_areas(data, scores, base)[["variant", "seed", "average"]]


def judged(runs: dict[str, pd.DataFrame], draws: dict[str, pd.DataFrame | None]) -> pd.DataFrame:
    """The verdicts on all claims whose variants have run, as `facnet.study.claims.judge` has them.

    Parameters
    ----------
    runs, draws : dict of str to DataFrame
        By the claims' group, as `kept` gives them. Those on video classification follow from the
        runs of Table 3.
    """
    if "table3" in runs:
        by_class = runs["table3"].assign(average=runs["table3"].classification)
        runs = runs | {"classification": by_class}
    return pd.concat([judge(own, asked_of(name, own), draws.get(name))
                      for name, own in runs.items()])


def agreement(runs: pd.DataFrame) -> tuple[pd.DataFrame, pd.Series]:
    """How near the runs of Table 3 come to the book's edition, at the paper's own schedule.

    Returns
    -------
    rows : DataFrame
        As `summary` gives it, indexed by variant; the edition's as full, full_low and full_high;
        difference.
    said : Series
        The mean and the largest size of a difference, and the rank correlation of the rows.
    """
    full = summary(published.result(f"{published.EDITION}table3")[0])[["mean", "low", "high"]]
    full = full.rename(columns={"mean": "full", "low": "full_low", "high": "full_high"})
    rows = summary(runs)[["n", "mean", "low", "high", "collapsed"]].join(full)
    rows["difference"] = rows["mean"] - rows.full
    sizes = rows.difference.abs()
    return rows, pd.Series({"mean difference": sizes.mean(), "largest difference": sizes.max(),
                            "rank correlation": rows["mean"].corr(rows.full, "spearman")})
