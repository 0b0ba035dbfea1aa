"""What the paper says of its ablations, as differences, and whether they hold in a sweep.

A claim is one comparison or several; each is a difference of AVG that should be positive. It is
taken seed by seed and averaged. Two intervals of 95 % go with it: one over seeds, one over test
videos that are drawn again. A comparison holds if both lie above zero, does not hold if both lie
below, and is not resolved otherwise. A claim is judged by the mean of its comparisons. One that
the paper makes of each of them holds if all do, and does not hold if one does not.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd

from facnet import published
from facnet.config import Experiment
from facnet.datasets import Dataset
from facnet.experiments import foreground_separation, read_record, separation
from facnet.sweeps import BRANCHES, HOSTS, interval, summary, verdict
from facnet.localization import Scores

__all__ = [
    "Comparison", "best_by_other_seeds", "caution", "cell", "claims", "compare", "consistencies",
    "fig4_claims",
    "gains", "outcome", "readable_claims", "readable_rows", "resampled", "rows", "separations",
    "table3_claims", "table4_claims", "table5_claims",
]


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
        Whether the claim is that every one of its comparisons holds, and not their mean.
    """

    claim: str
    name: str
    better: tuple[str, ...]
    worse: tuple[str, ...]
    paper: float | None = None
    share: float = 1.0
    each: bool = False


def resampled(frame: pd.DataFrame, folder: str | Path) -> pd.DataFrame:
    """AVG of each variant of a sweep on resampled test videos, the mean over seeds.

    Parameters
    ----------
    frame : DataFrame
        As `facnet.sweeps.sweep` gives it.
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


def compare(
    frame: pd.DataFrame, comparisons: Iterable[Comparison], draws: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Comparisons in numbers.

    Parameters
    ----------
    frame : DataFrame
        As `facnet.sweeps.sweep` gives it.
    comparisons : iterable of Comparison
    draws : DataFrame, optional
        As `resampled` gives it; without it, verdicts follow from the interval over seeds alone.

    Returns
    -------
    DataFrame
        A row a comparison: claim, name, paper, n (seeds), mean, low and high (over seeds),
        video_low and video_high (over test videos), verdict.
    """
    one = frame.drop_duplicates(["variant", "seed"])
    by_seed = one.pivot(index="seed", columns="variant", values="average")
    printed = one.groupby("variant").paper.first()

    def difference(values: pd.DataFrame, which: Comparison) -> pd.Series:
        better, worse = values[list(which.better)], values[list(which.worse)]
        # A seed counts if it has all of them.
        return better.mean(axis=1, skipna=False) - which.share * worse.mean(axis=1, skipna=False)

    found = []
    for which in comparisons:
        own = difference(by_seed, which).dropna()
        mean, low, high = interval(own)
        ends = [(low, high)]
        if draws is not None:
            ends.append(tuple(np.percentile(difference(draws, which), [2.5, 97.5])))
        paper = which.paper
        if paper is None:
            paper = difference(printed.to_frame().T, which).item()
        video_low, video_high = ends[1] if draws is not None else (np.nan, np.nan)
        found.append({
            "claim": which.claim, "name": which.name, "paper": paper, "n": len(own),
            "mean": mean, "low": low, "high": high, "video_low": video_low,
            "video_high": video_high,
            "verdict": verdict(min(low for low, _ in ends), max(high for _, high in ends),
                               len(own)),
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
        The columns of `compare` without name, for the mean of a claim's comparisons, whose
        verdict is called on_average; their number and that of those that hold, fail (do not
        hold) or are open (not resolved); and the claim's verdict.
    """
    of_claim: dict[str, list[Comparison]] = {}
    for which in comparisons:
        of_claim.setdefault(which.claim, []).append(which)
    found = []
    for claim, own in of_claim.items():
        each = compare(frame, own, draws)
        mean = Comparison(claim, "mean", sum((c.better for c in own), ()),
                          sum((c.worse for c in own), ()), each.paper.mean(), own[0].share)
        row = compare(frame, [mean], draws).drop(columns="name").iloc[0].to_dict()
        said = row.pop("verdict")
        holds, fails = ((each.verdict == word).sum() for word in ("holds", "does not hold"))
        row |= {"on_average": said, "comparisons": len(own), "holds": holds, "fails": fails,
                "open": len(own) - holds - fails, "verdict": said}
        if own[0].each:
            row["verdict"] = ("holds" if holds == len(own) else "does not hold" if fails else
                              verdict(-1, 1, row["n"]))
        found.append(row)
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
        Indexed by variant: the columns of `facnet.sweeps.summary`; then behind, behind_low,
        behind_high, video_low, video_high and verdict, of the claim that the reference is better.
        The reference itself has none of these.
    """
    table = summary(frame)
    others = [name for name in table.index if name != reference]
    behind = compare(frame, [Comparison("", name, (reference,), (name,)) for name in others], draws)
    behind = behind.set_index("name").rename(
        columns={"mean": "behind", "low": "behind_low", "high": "behind_high"})
    kept = ["behind", "behind_low", "behind_high", "video_low", "video_high", "verdict"]
    return table.join(behind[kept])


def cell(mean: float, low: float, high: float, sign: bool = False, digits: int = 1) -> str:
    """A mean with its interval in words: "17.9 [17.0, 19.1]"; without one if there is none.

    Examples
    --------
    >>> cell(17.94, 17.01, 19.12), cell(1.2, float("nan"), float("nan"), sign=True)
    ('17.9 [17.0, 19.1]', '+1.2')
    """
    form = f"{{:{'+' if sign else ''}.{digits}f}}"
    if np.isnan(mean):
        return ""
    if np.isnan(low):
        return form.format(mean)
    return f"{form.format(mean)} [{form.format(low)}, {form.format(high)}]"


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
    shown["collapsed"] = [f"{one.collapsed} of {one.n}" for one in table.itertuples()]
    behind = table[["behind", "behind_low", "behind_high"]]
    shown[f"behind {reference}"] = [cell(*v, sign=True) for v in behind.values]
    shown["over test videos"] = _ends(table)
    shown["verdict"] = _short(table.verdict)
    return shown


def readable_claims(table: pd.DataFrame, large: pd.DataFrame | None = None) -> pd.DataFrame:
    """What `claims` gives, in words; with `large`, the same at full size beside it."""
    shown = pd.DataFrame({
        "claim": table.claim,
        "paper": ["–" if np.isnan(v) else f"{v:+.1f}" for v in table.paper],
        "here, over seeds": [cell(*v, sign=True) for v in table[["mean", "low", "high"]].values],
        "over test videos": _ends(table),
        "on average": _short(table.on_average),
        "each": [_counts(one) for one in table.itertuples()],
        "verdict": table.verdict,
    })
    if large is not None:
        size = large.set_index("claim").reindex(table.claim)
        shown["full size"] = [cell(*v, sign=True) for v in size[["mean", "low", "high"]].values]
        shown["full size, verdict"] = size.verdict.values
    return shown


def _ends(table: pd.DataFrame) -> list[str]:
    return ["" if np.isnan(low) else f"[{low:+.1f}, {high:+.1f}]"
            for low, high in zip(table.video_low, table.video_high)]


def _short(verdicts: pd.Series) -> pd.Series:
    """Without the number of seeds, for columns beside one that has it."""
    return verdicts.fillna("").str.partition(" with n")[0]


def _counts(one) -> str:
    words = ((one.holds, "hold"), (one.fails, "do not"), (one.open, "open"))
    return ", ".join(f"{n} {word}" for n, word in words if n) + f" of {one.comparisons}"


def outcome(table: pd.DataFrame) -> str:
    """Which claims held, did not hold and stay open, as a sentence a kind (Markdown)."""
    said = []
    for words, chosen in (
        ("Held here", table.verdict == "holds"),
        ("Did not hold", table.verdict == "does not hold"),
        ("Not resolved", table.verdict.str.startswith("not resolved")),
    ):
        if chosen.any():
            said.append(f"**{words}:** " + "; ".join(table.claim[chosen]) + ".")
    return " ".join(said)


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
            f" on its sign in {2 * 0.5 ** seeds:.0%} of all cases. A verdict then says that all"
            " seeds agree" + (" and that other test videos would not change it" if videos else "")
            + ". It is no proof.")
    return f"A bootstrap over {seeds} seeds gives intervals somewhat narrower than their 95 %."


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
        those of its own (`facnet.experiments.separation`). Chance is 50.
    """
    return pd.DataFrame([
        {"model": name, "seed": seed,
         "foreground": 100 * foreground_separation(one, dataset),
         "sequence": 100 * separation(one, dataset, experiment)}
        for name, own in scores.items() for seed, one in enumerate(own)])


def consistencies(frame: pd.DataFrame, folder: str | Path) -> pd.DataFrame:
    """How far each variant's foreground lies where its class scores do, in words.

    Parameters
    ----------
    frame : DataFrame
        As `facnet.sweeps.sweep` gives it.
    folder : str or Path
        Where its records are.

    Returns
    -------
    DataFrame [method, stream, rank correlation, tIoU of supports]
        Means over test videos and their classes (:func:`facnet.consistency.consistency`), with
        the 95 % interval over seeds.
    """
    found = []
    for name, own in frame.drop_duplicates(["variant", "seed"]).groupby("variant", sort=False):
        records = [read_record(Path(folder), key)["consistency"] for key in own.key]
        for stream in records[0]:
            rank, tiou = (interval(one[stream][what] for one in records)
                          for what in ("rank_correlation", "support_tiou"))
            found.append({"method": name, "stream": stream,
                          "rank correlation": cell(*rank, digits=2),
                          "tIoU of supports": cell(*tiou, digits=2)})
    return pd.DataFrame(found)


def gains(areas: pd.DataFrame, pairs: dict[str, tuple[str, str]]) -> pd.DataFrame:
    """Whether models separate better with something than without it.

    Parameters
    ----------
    areas : DataFrame
        As `separations` gives it.
    pairs : dict of str to (str, str)
        By name, the models without and with it.

    Returns
    -------
    DataFrame [of, pair, without, with, difference, verdict]
        In words; the intervals of 95 % are over seeds.
    """
    found = []
    for of in ("foreground", "sequence"):
        frame = areas.rename(columns={"model": "variant", of: "average"}).assign(paper=np.nan)
        alone = {name: interval(own.average) for name, own in frame.groupby("variant")}
        compared = compare(frame, [Comparison(of, name, (better,), (worse,))
                                   for name, (worse, better) in pairs.items()])
        for one, (worse, better) in zip(compared.itertuples(), pairs.values()):
            found.append({
                "of": of, "pair": one.name, "without": cell(*alone[worse]),
                "with": cell(*alone[better]),
                "difference": cell(one.mean, one.low, one.high, sign=True),
                "verdict": one.verdict})
    return pd.DataFrame(found)


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


def table4_claims() -> list[Comparison]:
    """What section 4.4 says of Table 4: more attentions are not always better, a large τ hurts."""
    found = []
    for claim, better, worse in (
        ("A fourth attention does not help", "1 2 5", "1 2 3 5"),
        ("A large temperature hurts", "1 5", "1 10"),
        ("A large temperature hurts", "1 2 5", "1 5 10"),
    ):
        for column in ("CW", "CA", "MIL", "Full"):
            found.append(Comparison(claim, f"{column}: ({better}) over ({worse})",
                                    (f"{column} ({better})",), (f"{column} ({worse})",)))
    return found


def table5_claims() -> list[Comparison]:
    """What section 4.4 says of Table 5: the CW branch helps every host."""
    return [Comparison("CW helps every host", f"{host} + CW over {host}", (f"{host} + CW",),
                       (host,), each=True) for host in HOSTS]


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
        named("cw", ca=high, mil=high), named("cw", ca=low, mil=low), paper=large - small)]
    reference = full.variant.iloc[0]
    share = large / full.paper.iloc[0]
    comparisons += [
        Comparison("Large λ_CA and λ_MIL suffice, whatever λ_CW",
                   f"λ_CW {value:g}, others {high:g}, over {share:.0%} of the full model",
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
