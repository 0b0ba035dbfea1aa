"""What the paper says of its ablations, as differences, and whether they hold in a sweep.

A claim is one comparison or several; each is a difference of AVG that should be positive. It is
taken seed by seed and averaged. Two intervals of 95 % go with it: one over seeds, one over test
videos that are drawn again. A comparison holds if both lie above zero, does not hold if both lie
below, and is not resolved otherwise. Every claim is judged by the mean of its comparisons. Where
the paper makes it of each of them, and some do not hold, it holds on average and not in each.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd

from facnet.config import Experiment
from facnet.data import Dataset
from facnet.experiment import stream_scores
from facnet.localization import Scores
from facnet.study import published
from facnet.study.records import read_record
from facnet.study.separation import CHANCE, foreground_separation, separation
from facnet.study.statistics import cell, ends, interval, number, percent, summary, verdict
from facnet.study.tables import BRANCHES, HOSTS, variants

__all__ = [
    "AVERAGE_ONLY", "Comparison", "FIG5", "PARTLY", "SAID", "UNTESTED", "UNTOLD", "WHOLE",
    "agreements", "beside_whole_videos", "best_by_other_seeds", "by_chance", "by_measure",
    "caution", "claims", "compare", "consistencies", "every_claim", "fig1_claims",
    "fig4_claims", "foreground_areas", "foreground_claims", "gains", "mil_claims",
    "of_many_seeds", "outcome", "readable_claims", "readable_every", "readable_hosts",
    "readable_rows", "resampled", "rows", "said_by_the_paper", "separations", "short",
    "single_claims", "table1_claims", "table2_claims", "table3_claims", "table4_claims",
    "table5_claims", "typical_seeds", "untested",
]


AVERAGE_ONLY = "holds on average, not in each"
UNTOLD = "cannot be told"  # where both sides of a comparison are one and the same model
PARTLY = "holds where it can be told"
UNTESTED = "not tested"
WHOLE = "whole video, its classes"  # Table 2's variant without localisation
# Fig. 5: models of Table 3 without CW and with it.
FIG5 = {f"{name}, CW added": (f"{name}, hybrid", f"CW+{name}, hybrid")
        for name in ("CA", "MIL", "CA+MIL")}
# What the paper says, in a few words, how that is compared, and where it stands; by claim.
SAID = {
    "FAC-Net is better than the methods before it": (
        "a new state of the art among weakly supervised methods, on average over tIoU",
        "FAC-Net less each method of Table 1 that runs here: STPN, BM, W-TALC, UM",
        "Table 1, section 4.3"),
    "FAC-Net is better with a background class": (
        "with the background class, a new state of the art",
        "FAC-Net less FAC-Net w/o BG", "Table 1, section 4.3"),
    "Without a background class it is better than BM": (
        "even so it outperforms the existing background modelling approaches BM and BaS-Net",
        "FAC-Net w/o BG less BM; BaS-Net does not run here", "Table 1, section 4.3"),
    "CW is the best single branch": (
        "CW alone is better than CA or MIL alone (31.2)",
        "CW less the other one; single attention, no background class", "Table 3, section 4.4"),
    "CW boosts each of the others": (
        "CW boosts CA by 5.4 and MIL by 4.8",
        "with CW less without it; single attention, no background class", "Table 3, section 4.4"),
    "Any two branches beat either alone": (
        "combining any two branches consistently improves",
        "each pair less each of its two members; without and with hybrid attention",
        "Table 3, section 4.4"),
    "Hybrid attention helps every combination": (
        "hybrid attention consistently improves",
        "each row with it less the same row without it", "Table 3, section 4.4"),
    "The background class helps": (
        "with the background class, the best result (section 4.3)",
        "each row with it less the same row without it", "Table 3, section 4.3"),
    "A fourth attention does not help": (
        "not the more the better",
        "τ 1 2 5 less 1 2 3 5; each column", "Table 4, section 4.4"),
    "A large temperature hurts": (
        "a large τ, such as 10, works against the model",
        "5 less 10 in its place: 1 5 less 1 10, and 1 2 5 less 1 5 10; each column",
        "Table 4, section 4.4"),
    "CW helps every host": (
        "CW boosts STPN and W-TALC, and further improves BM and UM",
        "each host with CW less the same host without it", "Table 5, section 4.4"),
    "Small λ_CA and λ_MIL fail": (
        "with small λ_CA and λ_MIL AVG is about 6; with large ones above 40",
        "λ_CW 1: both others at their largest less both at their smallest", "Fig. 4, section 4.4"),
    "Large λ_CA and λ_MIL suffice, whatever λ_CW": (
        "with large λ_CA and λ_MIL AVG stays above 40, whatever λ_CW",
        "both at 1, each λ_CW, less {share} of the full model's AVG here (40 of the 42.2 printed)",
        "Fig. 4, section 4.4"),
    "CW is the best main branch": (
        "CW as the main branch obtains the best result",
        "best point with λ_CW 1 less best point with another λ at 1; a point of both panels is no"
        " comparison", "Fig. 4, section 4.4"),
    "CW helps as an auxiliary branch": (
        "CW improves the result as an auxiliary branch too",
        "the middle λ_CW less the smallest one, mean over the third λ; CA main and MIL main",
        "Fig. 4, section 4.4"),
    "Hybrid attention helps single branches most": (
        "hybrid attention improves especially the single branch",
        "half of: its mean gain with one branch less its mean gain with several",
        "Table 3, section 4.4"),
    "MIL improves video classification": (
        "the MIL branch serves to further improve video classification",
        "classification mAP in place of AVG: CW+CA+MIL less CW+CA; without and with hybrid"
        " attention", "Sections 1 and 3.4"),
    "FAC-Net's foreground agrees with its classes more than STPN's, by ranks": (
        "STPN's attention cannot guarantee foreground-action consistency",
        "FAC-Net less STPN: rank correlation (%) of what selects foreground with the class's"
        " probability; test videos, mean over streams", "Fig. 1, section 1"),
    "FAC-Net's foreground agrees with its classes more than STPN's, by supports": (
        "STPN's attention cannot guarantee foreground-action consistency",
        "FAC-Net less STPN: tIoU (%) of what lies above the middle of each range; test videos, mean"
        " over streams; an attention that is flat counts as 0", "Fig. 1, section 1"),
    "CW makes foreground scores cover the ground truth": (
        "after adding CW, foreground scores can better cover the ground truth",
        "ROC area of foreground scores in percent, last stream: CA and CA+MIL, with CW less without"
        " it; hybrid attention, no background class", "Fig. 5, section 4.4"),
    "Hybrid attention makes foreground scores more accurate": (
        "hybrid attention makes foreground prediction more accurate, and reduces false positives",
        "ROC area of foreground scores in percent, last stream: full model, with it less without"
        " it", "Fig. 6, section 4.4"),
    "Features separate foreground better than with CA alone, by silhouette": (
        "foreground and background are separated in the embedding, better than with CA alone",
        "silhouette (× 100), last stream: full model less CA alone; hybrid attention, no background"
        " class", "Fig. 8, section 4.5"),
    "Features separate foreground better than with CA alone, by a linear probe": (
        "foreground and background are separated in the embedding, better than with CA alone",
        "ROC area of a linear probe (%), last stream: full model less CA alone; hybrid attention,"
        " no background class", "Fig. 8, section 4.5"),
}


@dataclass(frozen=True)
class Comparison:
    """A difference of AVG that should be positive.

    Attributes
    ----------
    claim : str
        What the paper says; comparisons with the same words make one claim.
    name : str
        What is compared.
    better, worse : tuple of str
        Variants; of several the mean is taken.
    paper : float, optional
        The difference in the paper, where it does not follow from the AVG that it prints for
        these variants.
    share : float
        `worse` times this: .9 asks for nine tenths of it.
    each : bool
        Whether the claim is that every one of its comparisons holds, and not only their mean.
    at_least : bool
        Whether the paper says no more than that its difference is larger than `paper`.
    """

    claim: str
    name: str
    better: tuple[str, ...]
    worse: tuple[str, ...]
    paper: float | None = None
    share: float = 1.0
    each: bool = False
    at_least: bool = False


def resampled(frame: pd.DataFrame, folder: str | Path) -> pd.DataFrame:
    """AVG of each variant of a sweep on resampled test videos, the mean over seeds.

    Parameters
    ----------
    frame : DataFrame
        As `facnet.study.tables.sweep` gives it.
    folder : str or Path
        Where its records are.

    Returns
    -------
    DataFrame [draw, variant]
        In percent. The draws are the same for all variants, so that they can be paired.
    """
    own = frame.drop_duplicates(["variant", "seed"])
    averages = {key: read_record(Path(folder), key)["resampled"] for key in own.key.unique()}
    return pd.DataFrame({name: np.mean([averages[key] for key in keys], axis=0)
                         for name, keys in own.groupby("variant", sort=False).key})


def beside_whole_videos(
    frame: pd.DataFrame, variant: str, folder: str | Path
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A variant beside what its models' classes alone are worth: every video one detection.

    Parameters
    ----------
    frame : DataFrame
        As `facnet.study.tables.sweep` gives it.
    variant : str
    folder : str or Path
        Where its records are.

    Returns
    -------
    frame : DataFrame
        The variant's rows, and as many of a variant `WHOLE`.
    draws : DataFrame [draw, variant]
        As `resampled` gives them, of both.
    """
    own = frame[frame.variant == variant]
    without, draws = [], []
    for key, of_seed in own.groupby("key", sort=False):
        found = read_record(Path(folder), key)["whole_video"]
        without.append(of_seed.assign(
            variant=WHOLE, paper=np.nan, mean_ap=found["mean_ap"], average=found["average"],
            other_average=np.nan, collapsed="", key=f"{key}, {WHOLE}"))
        draws.append(found["resampled"])
    both = resampled(own, folder).assign(**{WHOLE: np.mean(draws, axis=0)})
    return pd.concat([own, *without], ignore_index=True), both


def compare(
    frame: pd.DataFrame, comparisons: Iterable[Comparison], draws: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Comparisons in numbers.

    Parameters
    ----------
    frame : DataFrame
        As `facnet.study.tables.sweep` gives it.
    comparisons : iterable of Comparison
    draws : DataFrame, optional
        As `resampled` gives it; without it, verdicts follow from the interval over seeds alone.

    Returns
    -------
    DataFrame
        A row a comparison: claim, name, paper, at_least, n (seeds), same (seeds of which both
        sides are one and the same model), mean, low and high (over seeds), video_low and
        video_high (over test videos), verdict. Where all seeds are the same, nothing can be told.
    """
    one = frame.drop_duplicates(["variant", "seed"])
    by_seed = one.pivot(index="seed", columns="variant", values="average")
    models = one.pivot(index="seed", columns="variant", values="key") if "key" in one else None
    printed = one.groupby("variant").paper.first()

    def difference(values: pd.DataFrame, which: Comparison) -> pd.Series:
        better, worse = values[list(which.better)], values[list(which.worse)]
        # A seed counts if it has all of them.
        return better.mean(axis=1, skipna=False) - which.share * worse.mean(axis=1, skipna=False)

    found = []
    for which in comparisons:
        own = difference(by_seed, which).dropna()
        same = 0
        if models is not None and len(which.better) == len(which.worse) == 1 == which.share:
            same = int((models[which.better[0]] == models[which.worse[0]])[own.index].sum())
        mean, low, high = interval(own)
        ends = [(low, high)]
        if draws is not None:
            ends.append(tuple(np.percentile(difference(draws, which), [2.5, 97.5])))
        paper = which.paper
        if paper is None:
            paper = difference(printed.to_frame().T, which).item()
        video_low, video_high = ends[1] if draws is not None else (np.nan, np.nan)
        found.append({
            "claim": which.claim, "name": which.name, "paper": paper,
            "at_least": which.at_least, "n": len(own), "same": same,
            "mean": mean, "low": low, "high": high, "video_low": video_low,
            "video_high": video_high,
            "verdict": UNTOLD if same and same == len(own) else verdict(
                min(low for low, _ in ends), max(high for _, high in ends), len(own)),
        })
    return pd.DataFrame(found)


def claims(
    frame: pd.DataFrame, comparisons: Iterable[Comparison], draws: pd.DataFrame | None = None
) -> pd.DataFrame:
    """One row a claim: the mean of its comparisons, and how many of them hold.

    Parameters as in `compare`.

    Returns
    -------
    DataFrame
        The columns of `compare` without name and same, for the mean of a claim's comparisons,
        those that cannot be told left out; their number, and of them those that hold, fail (do not
        hold), are open (not resolved) or untold; and the claim's verdict. It is that of the mean,
        with two additions. Where the paper makes the claim of each comparison and the mean holds,
        `AVERAGE_ONLY` says that some fail or are open, and "holds where it can be told" that some
        are untold.
    """
    of_claim: dict[str, list[Comparison]] = {}
    for which in comparisons:
        of_claim.setdefault(which.claim, []).append(which)
    found = []
    for claim, own in of_claim.items():
        each = compare(frame, own, draws)
        told = [c for c, word in zip(own, each.verdict) if word != UNTOLD] or own
        papers = each.paper[each.verdict != UNTOLD] if len(told) < len(own) else each.paper
        mean = Comparison(claim, "mean", sum((c.better for c in told), ()),
                          sum((c.worse for c in told), ()), papers.mean(), own[0].share,
                          at_least=own[0].at_least)
        row = compare(frame, [mean], draws).drop(columns=["name", "same"]).iloc[0].to_dict()
        holds, fails, untold = ((each.verdict == word).sum()
                                for word in ("holds", "does not hold", UNTOLD))
        if untold == len(own):
            row["verdict"] = UNTOLD
        elif own[0].each and row["verdict"] == "holds":
            each_told = holds + untold == len(own)
            row["verdict"] = AVERAGE_ONLY if not each_told else PARTLY if untold else "holds"
        found.append(row | {"comparisons": len(own), "holds": holds, "fails": fails,
                            "open": len(own) - holds - fails - untold, "untold": untold})
    return pd.DataFrame(found)


def rows(
    frame: pd.DataFrame, reference: str, draws: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Every variant of a sweep beside the paper's number, and against one of them.

    Parameters
    ----------
    frame, draws
        As in `compare`.
    reference : str
        The variant that the paper has as best.

    Returns
    -------
    DataFrame
        Indexed by variant: the columns of `facnet.study.statistics.summary`; fell, which streams
        collapsed in how many seeds, "flow 2, rgb 1"; then behind, behind_low, behind_high,
        video_low, video_high and verdict, of the claim that the reference is better. The reference
        itself has none of these.
    """
    table = summary(frame)
    one = frame.drop_duplicates(["variant", "seed"])
    streams = one.collapsed.str.split("+").explode()
    table["fell"] = [
        ", ".join(f"{stream} {count}" for stream, count in
                  streams[one.variant == name].value_counts().sort_index().items() if stream)
        for name in table.index]
    others = [name for name in table.index if name != reference]
    behind = compare(frame, [Comparison("", name, (reference,), (name,)) for name in others], draws)
    behind = behind.set_index("name").rename(
        columns={"mean": "behind", "low": "behind_low", "high": "behind_high"})
    kept = ["behind", "behind_low", "behind_high", "video_low", "video_high", "verdict"]
    return table.join(behind[kept])


def readable_rows(
    table: pd.DataFrame, reference: str, large: pd.DataFrame | None = None
) -> pd.DataFrame:
    """What `rows` gives, in words; with `large`, a sweep at full size, its means beside it."""
    shown = pd.DataFrame({
        "paper": table.paper.map("{:.1f}".format),
        "here": [cell(*v) for v in table[["mean", "low", "high"]].values],
    })
    if large is not None:
        size = summary(large).reindex(table.index)
        shown["full size"] = [cell(*v) for v in size[["mean", "low", "high"]].values]
    shown["other rule"] = table.other.map("{:.1f}".format)
    shown["collapsed"] = [f"{one.collapsed} of {one.n}" + (f": {one.fell}" if one.fell else "")
                          for one in table.itertuples()]
    behind = table[["behind", "behind_low", "behind_high"]]
    shown[f"behind {reference}"] = [cell(*v, sign=True) for v in behind.values]
    shown["over test videos"] = [
        ends(*v) for v in table[["video_low", "video_high"]].values]
    shown["verdict"] = short(table.verdict)
    return shown


def readable_claims(table: pd.DataFrame, large: pd.DataFrame | None = None) -> pd.DataFrame:
    """What `claims` gives, in words; with `large`, the same at full size beside it."""
    shown = pd.DataFrame({
        "claim": table.claim,
        "paper": [_printed(one) for one in table.itertuples()],
        "here, over seeds": [cell(*v, sign=True) for v in table[["mean", "low", "high"]].values],
        "over test videos": [ends(*v) for v in table[["video_low", "video_high"]].values],
        "each": [_counts(one) for one in table.itertuples()],
        "verdict": table.verdict,
    })
    if large is not None:
        size = large.set_index("claim").reindex(table.claim)
        shown["full size"] = [cell(*v, sign=True) for v in size[["mean", "low", "high"]].values]
        shown["full size, verdict"] = size.verdict.values
    return shown


def every_claim(measured: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Each of the paper's claims on each data set.

    Parameters
    ----------
    measured : dict of str to DataFrame
        By data set, what `claims` gives.

    Returns
    -------
    DataFrame
        A row a claim and data set, tables first and then figures: claim, printed (where),
        data and the columns of `claims`. The verdict is without the number of seeds; where nothing
        was measured it is `UNTESTED`.
    """
    asked = pd.concat([table.assign(data=name) for name, table in measured.items()])
    asked.insert(1, "printed", asked.claim.map({claim: said[2] for claim, said in SAID.items()}))
    rows = pd.concat([asked, untested()])[["claim", "printed"]].drop_duplicates()
    rows = rows.iloc[sorted(range(len(rows)), key=lambda row: (
        not rows["printed"].iloc[row].startswith("Table"), rows["printed"].iloc[row]))]
    found = rows.merge(pd.DataFrame({"data": list(measured)}), how="cross").merge(
        asked, how="left", on=["claim", "printed", "data"])
    found["verdict"] = short(found.verdict).replace("", UNTESTED)
    return found


def readable_every(table: pd.DataFrame) -> pd.DataFrame:
    """What `every_claim` gives, in words: a row a claim, a column a data set."""
    without = untested().set_index("claim").paper
    found = []
    for claim, own in table.groupby("claim", sort=False):
        first = own.dropna(subset="n").head(1)
        paper = _printed(first.iloc[0]) if len(first) else without[claim]
        found.append({"claim": claim, "where": own.printed.iloc[0], "paper": paper} | {
            one.data: UNTESTED if np.isnan(one.n) else
            f"{cell(one.mean, one.low, one.high, sign=True)}; {one.verdict}, n = {one.n:.0f}"
            + (f"; each: {_counts(one)}" if one.comparisons > 1 else "")
            for one in own.itertuples()})
    return pd.DataFrame(found)


def said_by_the_paper(comparisons: Iterable[Comparison]) -> pd.DataFrame:
    """Each claim as a paraphrase of the paper's sentence, and how it is compared here.

    Returns
    -------
    DataFrame [claim, the paper says, compared here]
    """
    share = {c.claim: c.share for c in comparisons}
    return pd.DataFrame([
        {"claim": claim, "the paper says": SAID[claim][0],
         "compared here": SAID[claim][1].format(share=percent(of_reference))}
        for claim, of_reference in share.items()])


def short(verdicts: pd.Series) -> pd.Series:
    """Without the number of seeds, for columns beside one that has it."""
    return verdicts.fillna("").str.partition(" with n")[0]


def _printed(one) -> str:
    """The paper's difference, of a row that `claims` gives."""
    if np.isnan(one.paper):
        return "–"
    return f">{number(one.paper, digits=0)}" if one.at_least else number(one.paper, sign=True)


def _counts(one) -> str:
    words = ((one.holds, "hold"), (one.fails, "do not"), (one.open, "open"),
             (one.untold, "cannot be told"))
    return ", ".join(f"{n:.0f} {word}" for n, word in words if n) + f" of {one.comparisons:.0f}"


def outcome(table: pd.DataFrame) -> str:
    """Which claims held, held in part, did not hold or stay open, a sentence a kind (Markdown)."""
    said = []
    for words, verdicts in (
        ("Held here", "holds"), ("Held where it can be told", PARTLY),
        ("Held on average, not in each", AVERAGE_ONLY), ("Did not hold", "does not hold"),
        ("Not resolved", "not resolved"), ("Cannot be told", UNTOLD),
    ):
        chosen = short(table.verdict) == verdicts
        if chosen.any():
            said.append(f"**{words}:** " + "; ".join(table.claim[chosen]) + ".")
    return " ".join(said)


def by_chance(table: pd.DataFrame) -> str:
    """How many comparisons would have seeds of one sign if there were no difference, in words.

    `table` is as `claims` gives it. Nothing is said of a single seed, which agrees with itself.
    """
    told = (table.comparisons - table.untold)[table.n > 1]
    if told.empty:
        return ""
    expected = float((told * 2 * 0.5 ** table.n[told.index]).sum())
    return ("If nothing differed at all, all seeds would still agree on the sign in about"
            f" {number(expected, digits=0 if expected >= 2 else 1)} of these {int(told.sum())}"
            " comparisons, by chance alone.")


def caution(seeds: int, videos: bool = True) -> str:
    """How far an interval over so few seeds can be trusted, in words.

    `videos` says whether verdicts also ask for the interval over test videos.
    """
    if seeds == 1:
        return "With one seed there is no interval over seeds, and nothing is resolved."
    if seeds <= 3:  # the ends of the interval are then the smallest and the largest value
        return (
            f"With {seeds} seeds a bootstrap interval reaches from the smallest to the largest"
            f" difference and no further; where there is no difference at all, {seeds} seeds agree"
            f" on its sign in {percent(2 * 0.5 ** seeds)} of all cases. A verdict then says that"
            " all seeds agree"
            + (" and that other test videos would not change it" if videos else "")
            + ". It is no proof.")
    from scipy.stats import t

    covered = 2 * t.cdf(1.96 * np.sqrt((seeds - 1) / seeds), seeds - 1) - 1
    return (f"A bootstrap over {seeds} seeds gives intervals narrower than their name: of normal"
            f" values they cover the true mean in about {percent(covered)} of all cases, not 95 %.")


def separations(
    dataset: Dataset, scores: dict[str, list[Scores]], experiment: Experiment
) -> pd.DataFrame:
    """How well models tell an instance's snippets from the rest, by seed.

    Parameters
    ----------
    dataset : Dataset
    scores : dict of str to list of Scores
        Of the test videos and one stream, by model, one for each seed.
    experiment : Experiment
        Says which sequence is localised.

    Returns
    -------
    DataFrame [model, seed, foreground, sequence]
        ROC areas in percent, of S_f for the snippets of any instance and of a class's sequence for
        those of its own (`facnet.study.separation.separation`). Chance is 50.
    """
    return pd.DataFrame([
        {"model": name, "seed": seed,
         "foreground": 100 * foreground_separation(one, dataset),
         "sequence": 100 * separation(one, dataset, experiment)}
        for name, own in scores.items() for seed, one in enumerate(own)])


def agreements(frame: pd.DataFrame, folder: str | Path) -> pd.DataFrame:
    """How far each model's foreground lies where its class scores do.

    Parameters
    ----------
    frame : DataFrame
        As `facnet.study.tables.sweep` gives it.
    folder : str or Path
        Where its records are.

    Returns
    -------
    DataFrame [variant, seed, stream, rank correlation, tIoU of supports]
        Means over test videos and their classes (:func:`facnet.study.consistency.consistency`).
    """
    return pd.DataFrame([
        {"variant": row.variant, "seed": row.seed, "stream": stream,
         "rank correlation": one["rank_correlation"], "tIoU of supports": one["support_tiou"]}
        for row in frame.drop_duplicates(["variant", "seed"]).itertuples()
        for stream, one in read_record(Path(folder), row.key)["consistency"].items()])


def consistencies(frame: pd.DataFrame, folder: str | Path) -> pd.DataFrame:
    """`agreements` in words: DataFrame [method, stream, rank correlation, tIoU of supports].

    Means over seeds with their 95 % interval.
    """
    found = []
    for (name, stream), own in agreements(frame, folder).groupby(["variant", "stream"], sort=False):
        found.append({"method": name, "stream": stream} | {
            what: cell(*interval(own[what]), digits=2)
            for what in ("rank correlation", "tIoU of supports")})
    return pd.DataFrame(found)


def typical_seeds(areas: pd.DataFrame) -> pd.DataFrame:
    """The seed of each model to show: the one of median sequence area, the lower of two.

    Parameters
    ----------
    areas : DataFrame
        As `separations` gives it.

    Returns
    -------
    DataFrame
        Indexed by model: seed, foreground, sequence, and label, which names the model with these
        and says if its stream has collapsed.
    """
    rows = {}
    for name, own in areas.groupby("model", sort=False):
        one = own.sort_values("sequence", kind="stable").iloc[(len(own) - 1) // 2]
        rows[name] = {
            "seed": int(one.seed), "foreground": one.foreground, "sequence": one.sequence,
            "label": f"{name}\nseed {one.seed:.0f}: {one.foreground:.0f} | {one.sequence:.0f}"
                     + ("\n(collapsed)" if one.sequence < 100 * CHANCE else "")}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("model")


def gains(
    areas: pd.DataFrame, pairs: dict[str, tuple[str, str]], untrained: Collection[str] = ()
) -> pd.DataFrame:
    """Whether models separate better with something than without it.

    Parameters
    ----------
    areas : DataFrame
        As `separations` gives it.
    pairs : dict of str to (str, str)
        By name, the models without and with it.
    untrained : collection of str
        Models whose W_f no loss reaches: of their foreground there is nothing to judge.

    Returns
    -------
    DataFrame [of, pair, without, with, difference, verdict]
        In words; intervals are over seeds. The paper's sentences are of the foreground, and only
        its rows have a verdict.
    """
    found = []
    for of in ("foreground", "sequence"):
        frame = areas.rename(columns={"model": "variant", of: "average"}).assign(paper=np.nan)
        alone = {name: interval(own.average) for name, own in frame.groupby("variant")}
        compared = compare(frame, [Comparison(of, name, (better,), (worse,))
                                   for name, (worse, better) in pairs.items()])
        for one, (worse, better) in zip(compared.itertuples(), pairs.values()):
            judged = "not applicable" if {worse, better} & set(untrained) else one.verdict
            found.append({
                "of": of, "pair": one.name, "without": cell(*alone[worse]),
                "with": cell(*alone[better]),
                "difference": cell(one.mean, one.low, one.high, sign=True),
                "verdict": judged if of == "foreground" else ""})
    return pd.DataFrame(found)


def of_many_seeds(table: pd.DataFrame, reference: str, many: pd.DataFrame) -> str:
    """What a table's reference comes to over more seeds, and what that does to its neighbours.

    Parameters
    ----------
    table : DataFrame
        As `rows` gives it.
    reference : str
    many : DataFrame
        The sweep "seeds": the same model with many seeds.

    Returns
    -------
    str
        Markdown.
    """
    few, own = table.loc[reference], summary(many).iloc[0]
    plural = "s" if few.n > 1 else ""
    moved = own["mean"] - few["mean"]
    others = table.drop(reference)["mean"]
    above = [int((others > mean).sum()) for mean in (few["mean"], own["mean"])]
    return (
        f"Over {own.n:.0f} seeds the full model has an AVG of"
        f" {cell(own['mean'], own.low, own.high)}, with a collapsed stream in"
        f" {own.collapsed:.0f} of them. Its {few.n:.0f}"
        f" seed{plural} here {'have' if plural else 'has'} {number(few['mean'])}, with"
        f" {few.collapsed:.0f}."
        f" Measured from the mean over {own.n:.0f} seeds, all that other rows are *behind* would"
        f" move by {number(moved, sign=True)}, and {above[1]} of these {len(others)} rows would be"
        f" above it instead of {above[0]}.")


def table1_claims() -> list[Comparison]:
    """What section 4.3 says of Table 1, as far as its methods run here."""
    found = [
        Comparison("FAC-Net is better with a background class", "FAC-Net over FAC-Net w/o BG",
                   ("FAC-Net",), ("FAC-Net w/o BG",)),
        Comparison("Without a background class it is better than BM", "FAC-Net w/o BG over BM",
                   ("FAC-Net w/o BG",), ("BM",)),
    ]
    return found + [
        Comparison("FAC-Net is better than the methods before it", f"FAC-Net over {name}",
                   ("FAC-Net",), (name,), each=True) for name in ("STPN", "BM", "W-TALC", "UM")]


def table3_claims() -> list[Comparison]:
    """What section 4.4 says of Table 3.

    Where it prints a number, the comparison is of the rows of that number, without hybrid
    attention; "consistently" is taken at its word, with every pair of rows that it can mean.
    """
    single = {b: b.upper() for b in BRANCHES}
    found = [
        Comparison("CW is the best single branch", f"CW over {single[b]}", ("CW",), (single[b],),
                   each=True)
        for b in ("ca", "mil")
    ]
    found += [
        Comparison("CW boosts each of the others", f"CW+{name} over {name}", (f"CW+{name}",),
                   (name,), each=True)
        for name in ("CA", "MIL")
    ]
    pairs = [f"{single[a]}+{single[b]}" for a, b in combinations(BRANCHES, 2)]
    for hybrid in ("", ", hybrid"):
        for pair in pairs:
            found += [
                Comparison("Any two branches beat either alone", f"{pair} over {one}{hybrid}",
                           (pair + hybrid,), (one + hybrid,), each=True)
                for one in pair.split("+")
            ]
    plain = [*single.values(), *pairs, "CW+CA+MIL"]
    with_background = ["CW+MIL", "CA+MIL", "CW+CA+MIL"]
    for name, end in [(n, "") for n in plain] + [(n, ", BG") for n in with_background]:
        found.append(Comparison("Hybrid attention helps every combination", f"{name}{end}",
                                (f"{name}, hybrid{end}",), (f"{name}{end}",), each=True))
    for name in with_background:
        for hybrid in ("", ", hybrid"):
            found.append(Comparison("The background class helps", f"{name}{hybrid}",
                                    (f"{name}{hybrid}, BG",), (f"{name}{hybrid}",)))
    return found


def single_claims() -> list[Comparison]:
    """That hybrid attention helps single branches most, of Table 3.

    The mean gain of the three single branches, less that of all other rows. A mean of both
    differences is half of that; each row counts as often as the other group has rows.
    """
    pairs = [(one.better[0], one.worse[0]) for one in table3_claims()
             if one.claim == "Hybrid attention helps every combination"]
    single = [pair for pair in pairs if "+" not in pair[1]]
    several = [pair for pair in pairs if "+" in pair[1]]
    alone, others = single * len(several), several * len(single)
    return [Comparison(
        "Hybrid attention helps single branches most", "single branches, less several",
        tuple(with_it for with_it, _ in alone) + tuple(without for _, without in others),
        tuple(without for _, without in alone) + tuple(with_it for with_it, _ in others))]


def mil_claims() -> list[Comparison]:
    """That MIL improves the classification of videos: to compare in a frame of that."""
    return [Comparison("MIL improves video classification", f"CW+CA+MIL{end} over CW+CA{end}",
                       (f"CW+CA+MIL{end}",), (f"CW+CA{end}",), np.nan)
            for end in ("", ", hybrid")]


def table4_claims(
    columns: Iterable[str] = ("CW", "CA", "MIL", "Full"),
) -> list[Comparison]:
    """What section 4.4 says of Table 4: more attentions are not always better, a large τ hurts."""
    found = []
    for claim, better, worse in (
        ("A fourth attention does not help", "1 2 5", "1 2 3 5"),
        ("A large temperature hurts", "1 5", "1 10"),
        ("A large temperature hurts", "1 2 5", "1 5 10"),
    ):
        for column in columns:
            found.append(Comparison(claim, f"{column}: ({better}) over ({worse})",
                                    (f"{column} ({better})",), (f"{column} ({worse})",)))
    return found


def table2_claims() -> list[Comparison]:
    """What can be asked of Table 2 without its other methods: is anything localised?"""
    return [Comparison("FAC-Net localises", f"FAC-Net over {WHOLE}", ("FAC-Net",), (WHOLE,))]


def table5_claims() -> list[Comparison]:
    """What section 4.4 says of Table 5: the CW branch helps every host."""
    return [Comparison("CW helps every host", f"{host} + CW over {host}", (f"{host} + CW",),
                       (host,), each=True) for host in HOSTS]


def readable_hosts(frame: pd.DataFrame, draws: pd.DataFrame) -> pd.DataFrame:
    """The sweep "table5" in words: each host, and what CW adds to it here and in the paper.

    Parameters
    ----------
    frame, draws
        As in `compare`.

    Returns
    -------
    DataFrame [method, λ_CW, AVG, CW adds, over test videos, verdict, CW adds, there]
    """
    compared = compare(frame, table5_claims(), draws).set_index("name")
    weights = frame.groupby("variant").lambda_cw.first()
    found = []
    for name, own in summary(frame).iterrows():
        row = {"method": name, "λ_CW": f"{weights[name]:g}" if "CW" in name else "",
               "AVG": cell(own["mean"], own.low, own.high)}
        pair = f"{name} over {name.removesuffix(' + CW')}"
        if pair in compared.index:
            one = compared.loc[pair]
            row |= {"CW adds": cell(one["mean"], one.low, one.high, sign=True),
                    "over test videos": ends(one.video_low, one.video_high),
                    "verdict": one.verdict, "CW adds, there": number(one.paper, sign=True)}
        found.append(row)
    table = pd.DataFrame(found).fillna("")
    return table.assign(verdict=short(table.verdict))


def fig1_claims(
    frame: pd.DataFrame, folder: str | Path
) -> tuple[pd.DataFrame, list[Comparison]]:
    """What Fig. 1 says of STPN, and the frame to compare in.

    Parameters
    ----------
    frame : DataFrame
        A sweep with FAC-Net and STPN.
    folder : str or Path
        Where its records are.

    Returns
    -------
    frame : DataFrame
        With percentages in place of AVG: two variants a method, means over its streams.
    comparisons : list of Comparison
    """
    own = agreements(frame[frame.variant.isin(("FAC-Net", "STPN"))], folder)
    mean = own.drop(columns="stream").groupby(["variant", "seed"]).mean().mul(100).reset_index()
    claim = "FAC-Net's foreground agrees with its classes more than STPN's, by "
    return by_measure(mean, {"rank correlation": f"{claim}ranks",
                             "tIoU of supports": f"{claim}supports"}, "FAC-Net", "STPN")


def by_measure(
    table: pd.DataFrame, claims: dict[str, str], better: str, worse: str
) -> tuple[pd.DataFrame, list[Comparison]]:
    """What is claimed by several measures, a claim each, and the paper prints no number for.

    Parameters
    ----------
    table : DataFrame
        variant, seed, and a column a measure.
    claims : dict of str to str
        By measure.
    better, worse : str
        The variant `better` should have more of each measure than the other.

    Returns
    -------
    frame : DataFrame
        To compare in: the measures in place of AVG, a variant each.
    comparisons : list of Comparison
    """
    long = table.melt(["variant", "seed"], list(claims), var_name="what", value_name="average")
    long["variant"] += ", " + long.what
    return long.assign(paper=np.nan), [
        Comparison(claim, what, (f"{better}, {what}",), (f"{worse}, {what}",))
        for what, claim in claims.items()]


def foreground_claims() -> list[Comparison]:
    """What section 4.4 says of Figs 5 and 6, between models of Table 3.

    Where MIL is alone, no loss reaches W_f, and there is nothing to compare adding CW with.
    """
    found = [Comparison("CW makes foreground scores cover the ground truth", name, (better,),
                        (worse,)) for name, (worse, better) in FIG5.items()
             if not name.startswith("MIL")]
    return [*found, Comparison("Hybrid attention makes foreground scores more accurate",
                               "full model", ("CW+CA+MIL, hybrid, BG",), ("CW+CA+MIL, BG",))]


def foreground_areas(
    dataset: Dataset, comparisons: Iterable[Comparison], base: Experiment, seeds: int,
    folder: str | Path,
) -> pd.DataFrame:
    """The ROC area of S_f in percent, of models of Table 3, as a frame to compare in.

    Parameters
    ----------
    dataset : Dataset
    comparisons : iterable of Comparison
        Name the models.
    base : Experiment
        What Table 3 varies.
    seeds : int
        Of each model. The last stream is trained, or remembered.
    folder : str or Path
        As in `facnet.experiment.trained`.
    """
    named = {one.name: one.experiment for one in variants("table3", base)}
    wanted = dict.fromkeys(name for one in comparisons for name in one.better + one.worse)
    return pd.DataFrame([
        {"variant": name, "seed": seed, "paper": np.nan,
         "average": 100 * foreground_separation(stream_scores(
             dataset, replace(named[name], seed=seed), dataset.streams[-1], folder), dataset)}
        for name in wanted for seed in range(seeds)])


def untested() -> pd.DataFrame:
    """Claims of the paper that nothing here can test: DataFrame [claim, printed, paper, why]."""
    ours = published.value(1, "FAC-Net (I3D)", "average")
    second = published.value(2, "FAC-Net (I3D)", "average")
    return pd.DataFrame([
        ("FAC-Net's AVG on THUMOS14", "Table 1", f"{ours:.1f}",
         "the features that it was measured on do not ship with this book"),
        ("It outperforms some fully supervised methods at tIoU 0.1 and 0.2",
         "Table 1, section 4.3", "", "no fully supervised method runs here"),
        ("FAC-Net's AVG on ActivityNet-1.3", "Table 2", f"{second:.1f}",
         "neither the features nor the authors' code for these data are at hand"),
        ("It is comparable to the best there, and far above R-C3D and TAL-Net",
         "Table 2, section 4.3",
         ", ".join(number(second - published.value(2, name, "average"), sign=True)
                   for name in ("R-C3D", "TAL-Net")),
         "cannot be told: none of the other methods runs here on data of that kind"),
        ("FAC-Net's foreground agrees with its classes more than W-TALC's", "Fig. 1, section 1",
         "", "cannot be told: W-TALC selects by the class's score, so that the two rise together"
         " by construction"),
        ("Minimising the loss of CW maximises a lower bound on mutual information",
         "Equation 7, section 3.2", "", "whatever lowers the loss raises that bound; the chapter on"
         " what the features learned asks what the bound is worth"),
        ("All instances of the two videos shown are detected", "Fig. 7, section 4.5", "",
         "the two are videos of THUMOS14, and two videos are examples"),
    ], columns=["claim", "printed", "paper", "why"])


def best_by_other_seeds(frame: pd.DataFrame, names: list[str], label: str) -> pd.DataFrame:
    """The best of some variants as one more: each seed's is chosen by the mean over the others.

    A maximum over noisy means would be too high. With a single seed it can only be that maximum.

    Returns
    -------
    DataFrame
        Rows of `frame` under the name `label`.
    """
    own = frame[frame.variant.isin(names)]
    by_seed = own.drop_duplicates(["variant", "seed"]).pivot(
        index="seed", columns="variant", values="average")[names]
    parts = []
    for seed in by_seed.index:
        others = by_seed.drop(seed) if len(by_seed) > 1 else by_seed
        chosen = (own.seed == seed) & (own.variant == others.mean().idxmax())
        parts.append(own[chosen].assign(variant=label, paper=np.nan))
    return pd.concat(parts, ignore_index=True)


def fig4_claims(
    frame: pd.DataFrame, full: pd.DataFrame
) -> tuple[pd.DataFrame, list[Comparison]]:
    """What section 4.4 says of Fig. 4, and the frame to compare in.

    Parameters
    ----------
    frame : DataFrame
        The sweep fig4.
    full : DataFrame
        The rows of the full model with the preset's λ, from the sweep table3: "above 40" is read
        as a share of the paper's AVG for it.

    Returns
    -------
    frame : DataFrame
        With the full model and, for each main branch, its best point (`best_by_other_seeds`).
    comparisons : list of Comparison
    """
    points = frame.drop_duplicates("variant")
    values = sorted(set(points.lambda_cw))
    low, middle, high = values[0], values[len(values) // 2], values[-1]

    def named(main: str, **weights) -> tuple[str, ...]:
        here = points.main == main
        for branch, weight in weights.items():
            here &= points[f"lambda_{branch}"] == weight
        return tuple(points.variant[here])

    small = published.statement("small lambda_ca and lambda_mil")
    large = published.statement("large lambda_ca and lambda_mil")
    comparisons = [Comparison(
        "Small λ_CA and λ_MIL fail", f"λ_CW 1: both {high:g} over both {low:g}",
        named("cw", ca=high, mil=high), named("cw", ca=low, mil=low), paper=large - small,
        at_least=True)]
    reference = full.variant.iloc[0]
    share = large / full.paper.iloc[0]
    comparisons += [
        Comparison("Large λ_CA and λ_MIL suffice, whatever λ_CW",
                   f"λ_CW {value:g}, others {high:g}, over {percent(share)} of the full model",
                   named("ca", mil=high, cw=value), (reference,), np.nan, share, each=True)
        for value in values]
    best = {main: f"best point, {main.upper()} main" for main in BRANCHES}
    chosen = [best_by_other_seeds(frame, list(named(main)), label) for main, label in best.items()]
    comparisons += [
        Comparison("CW is the best main branch", f"best with CW over best with {main.upper()}",
                   (best["cw"],), (best[main],), each=True)
        for main in ("ca", "mil")]
    comparisons += [
        Comparison("CW helps as an auxiliary branch", f"{main.upper()} main: λ_CW {middle:g} over"
                   f" {low:g}", named(main, cw=middle), named(main, cw=low))
        for main in ("ca", "mil")]
    return pd.concat([frame, full, *chosen], ignore_index=True), comparisons
