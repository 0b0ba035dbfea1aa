"""What the paper says, as differences, and whether they hold in what was measured.

data/published/claims.csv has each claim and its comparisons: weighted sums of variants that should
be positive. A comparison is taken seed by seed and averaged. Two intervals of 95 % go with it: one
over seeds (Student's), one over test videos that are drawn again. It holds, or does not, if its
mean is further from zero than both errors together (`facnet.study.statistics.verdict`), and is open
otherwise. A claim is judged by the mean of its comparisons. Where the paper makes it of each of
them, and some do not hold, it holds on average.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd

from facnet.errors import check_choice
from facnet.study import published
from facnet.study.records import record_of
from facnet.study.statistics import Verdict, interval, verdict

WHOLE = "whole video, its classes"  # Table 2's variant without localisation
UNTESTED = "untested"  # the group of what nothing here can test


@dataclass(frozen=True)
class Comparison:
    """A difference that should be positive.

    Attributes
    ----------
    claim : str
        What the paper says; comparisons with the same words make one claim.
    name : str
        What is compared.
    weights : dict of str to float
        Of variants: positive for the side that should be larger, negative for the other.
    paper : float
        The difference that the paper prints, or NaN.
    each : bool
        Whether the claim is that every one of its comparisons holds, and not only their mean.
    """

    claim: str
    name: str
    weights: dict[str, float]
    paper: float = float("nan")
    each: bool = False


def _read() -> pd.DataFrame:
    """claims.csv; what stands once for all comparisons of a claim is filled in."""
    table = published.read("claims", dtype=str)
    once = ["group", "claim", "says", "compared", "where", "each"]
    by_claim = table[once].groupby(table.claim.notna().cumsum())
    return table.assign(**by_claim.transform("first").fillna(""))


def read_claims(group: str) -> list[Comparison]:
    """The comparisons that are made with the runs of one table or figure, such as "table3".

    Raises
    ------
    FacnetError
        If there is no such group.
    """
    table = _read()
    check_choice(group, {*table.group} - {UNTESTED}, f"No claims of {group!r}")
    return [Comparison(row.claim, row.comparison, _weights(row.better, row.worse),
                       float(row.paper), row.each == "yes")
            for row in table[table.group == group].itertuples()]


def asked_of(group: str, runs: pd.DataFrame) -> list[Comparison]:
    """The comparisons of a group whose variants have run, since data may not allow all of them."""
    return [one for one in read_claims(group) if {*one.weights} <= {*runs.variant}]


def _weights(better: str, worse: str) -> dict[str, float]:
    """ "1/2 × CW | 1/2 × CA" and the like: one side's terms count, the other's are taken off."""
    weights: dict[str, float] = {}
    for side, sign in ((better, 1), (worse, -1)):
        for term in side.split(" | "):
            weight, times, variant = term.rpartition(" × ")
            weights[variant] = sign * float(Fraction(weight)) if times else float(sign)
    return weights


def said(*groups: str) -> pd.DataFrame:
    """Each claim as a paraphrase of the paper's sentence, and how it is compared here."""
    table = _read()
    table = table[table.group.isin(groups)].drop_duplicates("claim")
    return table[["claim", "says", "compared"]].rename(
        columns={"says": "the paper says", "compared": "compared here"})


def untested() -> pd.DataFrame:
    """Claims that nothing here can test: DataFrame [claim, where, paper, why_not]."""
    table = _read()
    return table.loc[table.group == UNTESTED, ["claim", "where", "paper", "why_not"]].fillna("")


def resampled(runs: pd.DataFrame, folder: str | Path) -> pd.DataFrame:
    """AVG of each variant on resampled test videos, the mean over seeds: DataFrame [draw, variant].

    The records of the runs lie in `folder`. The draws are the same for all variants, so that they
    can be paired.
    """
    draws = {key: _draws(record_of(folder, key)) for key in runs.key.unique()}
    return pd.DataFrame({name: np.mean([draws[key] for key in keys], axis=0)
                         for name, keys in runs.groupby("variant", sort=False).key})


def _draws(one: dict) -> np.ndarray:
    """What a record says of resampled test videos; NaN where a draw has no instance."""
    return np.array(one["resampled"], float)


def beside_whole_videos(runs: pd.DataFrame, variant: str,
                        folder: str | Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A variant's runs and, beside them, what its models' classes alone are worth; draws of both.

    Alone: every video is one detection of the most probable class. Those runs are of variant
    `WHOLE`; the draws are as `resampled` gives them.
    """
    own = runs[runs.variant == variant]
    found = [record_of(folder, key)["whole_video"] for key in own.key]
    tious = [column for column in runs if column.startswith("0.")]
    without = own.assign(variant=WHOLE, paper=np.nan, collapsed="",
                         average=[one["average"] for one in found], key=own.key + ", " + WHOLE)
    without[tious] = [one["mean_ap"] for one in found]
    draws = resampled(own, folder)
    draws[WHOLE] = np.mean([_draws(one) for one in found], axis=0)
    return pd.concat([own, without], ignore_index=True), draws


def _difference(values: pd.DataFrame, which: Comparison) -> pd.Series:
    """The weighted sum of columns; a row counts if it has all of them."""
    return values[list(which.weights)].dot(pd.Series(which.weights))


def compare(runs: pd.DataFrame, comparisons: Iterable[Comparison],
            draws: pd.DataFrame | None = None) -> pd.DataFrame:
    """Comparisons in numbers.

    Parameters
    ----------
    runs : DataFrame
        As `facnet.study.tables.sweep` gives it. What is compared is its column `average`.
    comparisons : iterable of Comparison
    draws : DataFrame, optional
        As `resampled` gives it; without it, verdicts follow from the interval over seeds alone.

    Returns
    -------
    DataFrame
        A row a comparison: claim, name, paper, n (seeds), same (seeds of which both
        sides are one and the same model), mean, low and high (over seeds), video_low and
        video_high (over test videos), verdict.
    """
    values = runs.pivot(index="seed", columns="variant", values="average")
    models = runs.pivot(index="seed", columns="variant", values="key") if "key" in runs else None
    found = []
    for which in comparisons:
        own, same = _difference(values, which).dropna(), 0
        if models is not None and sorted(which.weights.values()) == [-1, 1]:
            same = int(models.loc[own.index, list(which.weights)].nunique(axis=1).eq(1).sum())
        mean, low, high = interval(own)
        videos = [np.nan] * 2 if draws is None else np.nanpercentile(
            _difference(draws, which), [2.5, 97.5])
        told = verdict(len(own), mean, (low, high), videos)
        found.append({"claim": which.claim, "name": which.name, "paper": which.paper, "n": len(own),
                      "same": same, "mean": mean, "low": low, "high": high, "video_low": videos[0],
                      "video_high": videos[1],
                      "verdict": Verdict.SAME if same and same == len(own) else told})
    return pd.DataFrame(found)


def judge(runs: pd.DataFrame, comparisons: Iterable[Comparison],
          draws: pd.DataFrame | None = None) -> pd.DataFrame:
    """One row a claim: the mean of its comparisons, and how many of them hold.

    Parameters as in `compare`.

    Returns
    -------
    DataFrame
        The claim, its verdict, and holds, how many of its comparisons hold ("2 of 3"); then the
        columns of `compare` but name and same, for the mean of those that can be told.
    """
    comparisons, found = list(comparisons), []
    for claim in dict.fromkeys(one.claim for one in comparisons):
        own = [one for one in comparisons if one.claim == claim]
        verdicts = compare(runs, own, draws).verdict
        told = [one for one, word in zip(own, verdicts) if word != Verdict.SAME] or own
        weights: dict[str, float] = {}
        for one in told:
            for variant, weight in one.weights.items():
                weights[variant] = weights.get(variant, 0) + weight / len(told)
        mean = Comparison(claim, "mean", weights, pd.Series([one.paper for one in told]).mean())
        row = compare(runs, [mean], draws).drop(columns=["name", "same"]).iloc[0].to_dict()
        holds, same = ((verdicts == word).sum() for word in (Verdict.HOLDS, Verdict.SAME))
        if same == len(own):
            row["verdict"] = Verdict.SAME
        elif own[0].each and row["verdict"] == Verdict.HOLDS and holds < len(own):
            row["verdict"] = Verdict.PARTLY if holds + same == len(own) else Verdict.ON_AVERAGE
        found.append({"claim": claim, "verdict": row.pop("verdict"),  # the answer first
                      "holds": f"{holds} of {len(own)}"} | row)
    return pd.DataFrame(found)


def with_best_points(
        runs: pd.DataFrame, folder: str | Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The runs of the sweep "fig4" and, beside them, each main branch's best point; draws of all.

    A seed's best point is chosen by the mean over the other seeds: a maximum over noisy means would
    be too high. With a single seed it can only be that maximum. Each draw of test videos chooses
    anew. `folder` and the draws are as in `resampled`.
    """
    draws = resampled(runs, folder)
    for main, own in runs[runs.main != ""].groupby("main", sort=False):
        name = f"best point, {main.upper()} main"
        table = own.pivot(index="variant", columns="seed", values=["average", "key"])
        again = [[_draws(record_of(folder, key)) for key in row] for row in table.key.values]
        values = np.concatenate(  # as measured, then by draw: [points, seeds, 1 + draws]
            [table.average.values.astype(float)[..., None], again], axis=2)
        others = values.sum(1, keepdims=True) - values  # as good as their mean
        best = (others if values.shape[1] > 1 else values).argmax(0)  # [seeds, 1 + draws]
        draws[name] = np.take_along_axis(values, best[None], 0)[0, :, 1:].mean(0)
        chosen = own.set_index(["variant", "seed"]).loc[
            [*zip(table.index[best[:, 0]], table.average.columns)]].reset_index()
        runs = pd.concat([runs, chosen.assign(variant=name, main="")], ignore_index=True)
    return runs, draws


def every_claim(measured: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Each of the paper's claims on each data set.

    Parameters
    ----------
    measured : dict of str to DataFrame
        By data set, what `judge` gives.

    Returns
    -------
    DataFrame
        A row a claim and data set, tables first and then figures: claim, where, data and the
        columns of `judge`.
    """
    table = _read().drop_duplicates("claim")[["claim", "where"]]
    asked = pd.concat([own.assign(data=name) for name, own in measured.items()])
    table = table[table.claim.isin(asked.claim) | table.claim.isin(untested().claim)]
    table = table.sort_values("where", kind="stable", key=lambda where: where.str.partition(",")[
        0].str.replace("Table", " Table"))
    found = table.merge(pd.DataFrame({"data": list(measured)}), how="cross").merge(
        asked, how="left", on=["claim", "data"])
    return found.assign(verdict=found.verdict.fillna(Verdict.UNTESTED))
