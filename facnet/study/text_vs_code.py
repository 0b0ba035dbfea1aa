"""Where the paper's text and the authors' released code differ, and what each difference does."""

import pandas as pd

from facnet.config import flat, to_dict
from facnet.study.claims import Comparison, compare
from facnet.study.statistics import cell, ends, interval, number, summary
from facnet.study.tables import TEXT, Variant

__all__ = ["EXPLAINED", "PARTS", "SMALL", "compared", "readable", "summed", "which_matter"]

SMALL = 0.5  # points of AVG: what changes it by less is listed apart

# By fields of the recipe: where in the paper, what its text says, what the released code does.
EXPLAINED = {
    "model.embedding_kernel": (
        "3.1", "a two-layer temporal convolutional network; its kernel is not stated",
        "two linear layers, each snippet on its own"),
    "model.video_scale": (
        "eqs 4, 11; 4.2", "δ is 5 throughout",
        "a video's scores have a δ of their own; by its ratio to 5 eq. 13 is multiplied"),
    "model.foreground_init": (
        "3.2", "the foreground classifier is initialised randomly",
        "it starts as minus the background's row of W_a"),
    "localization.threshold_rule, localization.thresholds, localization.sequence": (
        "4.2", "the class activation sequence, by the thresholds of BaS-Net: parts of its range",
        "the softmax over classes, by absolute thresholds: multiples of the uniform probability"),
    "localization.upsampling": (
        "4.2", "upsampled to the original frame rate", "a sample a snippet"),
    "localization.minimum_length": (
        "not in the text", "no shortest run", "runs of fewer snippets are left out"),
    "localization.extra_end_snippet": (
        "not in the text", "a detection ends where its run ends",
        "it ends a sample later, and its inner mean takes that sample in"),
    "localization.outer_inner_weight": (
        "4.2, by BaS-Net", "the outer mean counts as much as the inner one", "it counts less"),
    "localization.nms_criterion": (
        "4.2, by BaS-Net", "overlap is tIoU",
        "overlap is the intersection over the length of the segment with the lower score"),
    "localization.nms_threshold": (
        "4.2, by BaS-Net", "no value; BaS-Net's", "much less overlap is left within a stream"),
    "localization.fusion_nms_threshold": (
        "4.2, by BaS-Net", "NMS among the streams; no value, BaS-Net's",
        "more overlap is left among the streams"),
    "localization.rgb_weight": (
        "not in the text", "no weight of a stream", "scores of rgb are multiplied by it"),
    "training.betas": (
        "4.2", "Adam, its moments not stated; here Adam's usual ones", "a shorter second moment"),
    "training.weight_decay": (
        "not in the text", "no penalty is mentioned; here that of the code's own help text",
        "a larger one"),
    "localization.argmax_fallback": (
        "4.2", "classes below a probability are rejected; whether a video may lose all is not said",
        "it may, and has no detection then"),
}
PARTS = {
    "model": "Model, trained anew", "training": "Training",
    "localization": "Localisation of the same models", "open": "Left open by the text",
    "all": "All of it together",
}


def compared(frame: pd.DataFrame, draws: pd.DataFrame) -> pd.DataFrame:
    """Every variant of the sweep "differences" less the released recipe.

    Parameters
    ----------
    frame : DataFrame
        As `facnet.study.tables.sweep` gives it.
    draws : DataFrame
        As `facnet.study.claims.resampled` gives it.

    Returns
    -------
    DataFrame
        As `facnet.study.claims.compare` gives it, grouped by part of the recipe; a verdict "holds"
        means that the change raises AVG.
    """
    one = frame.drop_duplicates("variant").set_index("variant")
    wanted = [Comparison(title, name, (name,), ("released",))
              for part, title in PARTS.items() for name in one.index[one.part == part]]
    return compare(frame, wanted, draws)


def readable(
    table: pd.DataFrame, cells: list[Variant], frame: pd.DataFrame
) -> pd.DataFrame:
    """The single changes in words: what text and code say, the fields and values, the effect.

    A field that `EXPLAINED` does not name, one of your own, has no words yet: those stay empty.

    Parameters
    ----------
    table : DataFrame
        As `compared` gives it.
    cells : list of Variant
        Those of the sweep.
    frame : DataFrame
        The sweep.
    """
    fell, n = summary(frame).collapsed, frame.seed.nunique()
    of, released, rows = {c.name: c for c in cells}, flat(to_dict(cells[0].experiment)), []
    for one in table.itertuples():
        fields = of[one.name].place["fields"]
        if not fields:
            continue
        tried = flat(to_dict(of[one.name].experiment))
        place, text, code = EXPLAINED.get(fields, ("", "", ""))
        rows.append({
            "section": place, "the text says": text, "the code does": code,
            "field: released → tried": "; ".join(
                f"{field.partition('.')[2]}: {_said(released[field])} → {_said(tried[field])}"
                for field in fields.split(", ")),
            "AVG, over seeds": cell(one.mean, one.low, one.high, sign=True),
            "over test videos": ends(one.video_low, one.video_high),
            "collapsed": f"{fell[one.name]} of {n}",
        })
    return pd.DataFrame(rows)


def _said(value: object) -> str:
    """A field's value; of a long row of numbers its ends."""
    if isinstance(value, tuple):
        words = [f"{one:g}" for one in value]
        return ", ".join(words if len(words) <= 3 else [words[0], "…", words[-1]])
    return f"{value:g}" if type(value) in (int, float) else str(value)


def which_matter(table: pd.DataFrame) -> str:
    """Which single changes raise or lower AVG, and of which it cannot be told (Markdown)."""
    single, said = table[table.claim != PARTS["all"]], []
    single = single.sort_values("mean", key=abs, ascending=False, kind="stable")
    resolved, small = single.verdict.isin(["holds", "does not hold"]), single["mean"].abs() < SMALL
    for words, rows in (("Raises AVG", (single.verdict == "holds") & ~small),
                        ("Lowers AVG", (single.verdict == "does not hold") & ~small),
                        (f"Resolved, but below {SMALL:g} points", resolved & small)):
        own = single[rows]
        said.append(f"**{words}:** " + ("; ".join(
            f"`{one.name}` ({number(one.mean, sign=True)})" for one in own.itertuples())
            or "none") + ".")
    still = single[(single.low == 0) & (single.high == 0)]
    unsure = single[single.verdict.str.startswith("not resolved") & ~single.name.isin(still.name)]
    said.append("**Not resolved:** "
                + (", ".join(f"`{name}`" for name in unsure.name) or "none") + ".")
    if len(still):
        said.append("**Changes nothing here:** "
                    + ", ".join(f"`{name}`" for name in still.name) + ".")
    return " ".join(said)


def summed(frame: pd.DataFrame) -> pd.DataFrame:
    """Whether the single changes add up: their sum beside all of them at once.

    Returns
    -------
    DataFrame [what, singles, together, more]
        In words: of each part, and of the whole text, the sum of the differences to the released
        recipe that are made one at a time; the difference that is made at once; the latter less
        the former. With 95 % bootstrap intervals over seeds.
    """
    one = frame.drop_duplicates(["variant", "seed"])
    by_seed = one.pivot(index="seed", columns="variant", values="average")
    gain = by_seed.sub(by_seed["released"], axis=0)
    part = one.drop_duplicates("variant").set_index("variant").part
    rows = []
    for whole in part.index[part == "all"]:
        parts = [p for p in PARTS if p not in ("open", "all")
                 and whole in (TEXT, f"all of {p}")]
        alone = gain[part.index[part.isin(parts)]].sum(axis=1)
        rows.append({
            "what": whole, "singles": cell(*interval(alone), sign=True),
            "together": cell(*interval(gain[whole]), sign=True),
            "more": cell(*interval(gain[whole] - alone), sign=True)})
    return pd.DataFrame(rows)
