"""How pictures look and are saved, and those of more than one chapter.

Colours are Okabe and Ito's, which colour-blind readers can tell apart; the same thing has the
same colour throughout. What shares a panel differs in more than colour, so that grey print will do.
"""

import re
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from facnet.data import Dataset
from facnet.evaluation import Evaluation, to_snippets
from facnet.study.claims import AVERAGE_ONLY, PARTLY, UNTESTED, UNTOLD
from facnet.study.diagnosis import CAUSES, NOTHING, RIGHT
from facnet.study.statistics import summary
from facnet.study.tables import BRANCHES

__all__ = [
    "COLOURS", "FORMATS", "KINDS", "LINES", "MARKERS", "MARKS", "NAMES", "SERIES", "by_kind",
    "by_tiou", "ceilings", "cw_weights", "differences", "embeddings", "epochs", "errors",
    "foreground_through_training", "information", "instance_lengths", "key", "lambda_maps",
    "precision_recall", "reported", "rules", "save_figure", "seeds", "snippet_grid", "strip",
    "training_curves", "use_style", "verdicts", "write_figure",
]


COLOURS = {
    "cw": "#0072B2", "ca": "#D55E00", "mil": "#009E73", "total": "#000000",
    "foreground": "#D55E00", "class": "#0072B2", "ground truth": "#009E73",
    "detections": "#CC79A7", "proposals": "#E69F00", "ignored": "#CFCFCF",
    "train": "#0072B2", "test": "#D55E00",
    "holds": "#009E73", "does not hold": "#D55E00", "not resolved": "#7F7F7F",
}
# What tells them apart where colours do not: in grey, blue, vermilion and green are much alike.
LINES = {"cw": "-", "ca": "--", "mil": ":", "total": "-", "class": "-", "foreground": "--",
         "train": "-", "test": "--"}
MARKERS = {"train": "o", "test": "s"}
# Of up to four things that have no colour of their own.
SERIES = (
    {"color": "#0072B2", "ls": "-", "marker": "o"}, {"color": "#E69F00", "ls": "--", "marker": "s"},
    {"color": "#CC79A7", "ls": ":", "marker": "^"}, {"color": "#009E73", "ls": "-.", "marker": "v"},
)


def use_style() -> None:
    """The book's look, for every figure drawn from here on."""
    plt.rcParams.update({
        "figure.dpi": 110, "savefig.bbox": "tight", "font.size": 9.5, "axes.titlesize": 10,
        "axes.spines.top": False, "axes.spines.right": False, "axes.grid": False,
        "legend.frameon": False, "legend.fontsize": 8.5, "figure.constrained_layout.use": True,
        "mathtext.fontset": "dejavusans",  # reads at the size of a subscript
        "hatch.linewidth": 0.4,
        "svg.hashsalt": "facnet",  # the same figure gives the same file
    })


# Without its date the same figure gives the same file.
FORMATS = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}, ".png": {}}


def save_figure(figure: Figure, name: str, output: str | Path, source: str) -> None:
    """Write `figure` as OUTPUT/NAME.svg, .pdf and .png, and its `source` as NAME.txt.

    Parameters
    ----------
    figure : Figure
    name : str
        Such as "fig1" for the paper's first.
    output : str or Path
    source : str
        What it was drawn from, as `facnet.study.records.provenance` says it; set below the figure,
        so that no copy of it passes for something else.
    """
    source = re.sub("[*`]", "", source)
    folder = Path(output)
    folder.mkdir(parents=True, exist_ok=True)
    figure.draw_without_rendering()
    figure.set_layout_engine("none")  # where all stands is settled: the source moves nothing
    for legend in figure.legends:  # or it stands at the bottom of what is saved, on the source
        legend.set_bbox_to_anchor((0, 0, 1, 1), figure.transFigure)
    figure.text(0.0, -0.01, source, va="top", fontsize=6.5, color="0.4")
    for kind in FORMATS:
        write_figure(figure, folder / f"{name}{kind}")
    (folder / f"{name}.txt").write_text(f"{source}\n")


def write_figure(figure: Figure, path: Path) -> None:
    """Write `figure` to a file whose name ends in .svg, .pdf or .png."""
    figure.savefig(path, dpi=200, metadata=FORMATS[path.suffix.lower()])


def lambda_maps(frame: pd.DataFrame) -> Figure:
    """Fig. 4 of the paper: AVG where one λ is 1 and the other two vary, a panel a main branch.

    Parameters
    ----------
    frame : DataFrame
        The sweep fig4. Means over seeds; small digits count seeds with a collapsed stream.
    """
    place = frame.drop_duplicates("variant").set_index("variant")
    points = place[["main", *(f"lambda_{b}" for b in BRANCHES)]].join(
        summary(frame)[["mean", "collapsed", "n"]])
    limits = {"vmin": points["mean"].min(), "vmax": points["mean"].max(), "cmap": "viridis"}
    figure, panels = plt.subplots(1, 3, figsize=(7.2, 2.9))
    for axes, main in zip(panels, BRANCHES):
        across, up = (b for b in BRANCHES if b != main)
        grid = points[points.main == main].pivot(
            index=f"lambda_{up}", columns=f"lambda_{across}", values=["mean", "collapsed", "n"])
        image = axes.imshow(grid["mean"], origin="lower", **limits)
        for y, x in np.ndindex(grid["mean"].shape):
            mean, fell, n = (grid[name].iloc[y, x] for name in ("mean", "collapsed", "n"))
            dark = mean < (limits["vmin"] + limits["vmax"]) / 2
            axes.text(x, y, f"{mean:.0f}\n{fell:g}/{n:g}",
                      ha="center", va="center", color="white" if dark else "black",
                      fontsize=9)
        values = [f"{value:g}" for value in grid.index]
        axes.set(title=f"$λ_{{{main.upper()}}}$ = 1", xlabel=f"$λ_{{{across.upper()}}}$",
                 ylabel=f"$λ_{{{up.upper()}}}$", xticks=range(len(values)), xticklabels=values,
                 yticks=range(len(values)), yticklabels=values)
        axes.spines[:].set_visible(False)
    seeds = int(points.n.max())
    figure.colorbar(image, ax=panels, shrink=0.8,
                    label=f"AVG (%), {'mean of ' * (seeds > 1)}{seeds} seed{'s' * (seeds > 1)}")
    return figure


def embeddings(places: dict[str, np.ndarray], foreground: np.ndarray) -> Figure:
    """Fig. 8 of the paper: snippets by their features in the plane, a panel a model.

    Parameters
    ----------
    places : dict of str to ndarray [n, 2]
        Of the same snippets, as `facnet.study.separation.laid_out` gives them.
    foreground : ndarray [n] of bool
        Which snippets are inside an instance.
    """
    figure, panels = plt.subplots(1, len(places), figsize=(7.2, 3.9), squeeze=False)
    marks = {"inside an instance": {"marker": "o", "color": COLOURS["ground truth"]},
             "background": {"marker": "x", "color": "0.6"}}
    for axes, (name, own) in zip(panels[0], places.items()):
        for (what, style), shown in zip(marks.items(), (foreground, ~foreground)):
            axes.plot(*own[shown].T, ls="", ms=3, mew=0.8, alpha=0.6, label=what, **style)
        axes.set(title=name, xlabel="t-SNE 1 (no unit)", ylabel="t-SNE 2 (no unit)", xticks=[],
                 yticks=[], box_aspect=1)
        axes.set_aspect("equal", adjustable="datalim")
    key(figure, marks)
    return figure


def key(figure: Figure, entries: dict[str, dict], ncols: int = 3) -> None:
    """A legend below the figure, of marks that are not drawn elsewhere in that look."""
    handles = [Line2D([], [], label=name, **{"ls": "", "ms": 4.5} | style)
               for name, style in entries.items()]
    figure.legend(handles=handles, loc="outside lower center", ncols=ncols)


NAMES = {"cw": "CW, class-wise foreground", "ca": "CA, class-agnostic attention",
         "mil": "MIL, multiple instances", "total": "total (eq. 14)"}
# A verdict's mark differs in form as well, so that it reads in grey.
MARKS = {
    "holds": {"marker": "o", "color": COLOURS["holds"], "ms": 8},
    AVERAGE_ONLY: {"marker": "o", "color": COLOURS["holds"], "fillstyle": "left", "ms": 8},
    PARTLY: {"marker": "o", "color": COLOURS["holds"], "fillstyle": "bottom", "ms": 8},
    "not resolved": {"marker": "o", "color": COLOURS["not resolved"], "mfc": "white", "ms": 8},
    "does not hold": {"marker": "X", "color": COLOURS["does not hold"], "ms": 8},
    UNTOLD: {"marker": "s", "color": "0.45", "mfc": "white", "ms": 6},
    UNTESTED: {"marker": "_", "color": "0.45", "ms": 8},
}


def strip(frame: pd.DataFrame, panel: str | None = None, label: str = "variant") -> Figure:
    """Every run of a sweep as a point, a row a variant, beside the paper's number.

    Parameters
    ----------
    frame : DataFrame
        As `facnet.study.tables.sweep` gives it.
    panel : str, optional
        The column that says in which panel a variant stands.
    label : str
        The column that names a row.
    """
    names = list(frame[panel].unique()) if panel else [""]
    rows = frame[label].nunique()
    figure, panels = plt.subplots(1, len(names), figsize=(7.2, 0.26 * rows + 1.1), sharey=True,
                                  sharex=True, squeeze=False)
    for axes, name in zip(panels[0], names):
        own = frame[frame[panel] == name] if panel else frame
        own = own.drop_duplicates(["variant", "seed"])
        for row, (variant, mean) in enumerate(summary(own).iterrows()):
            points = own[own.variant == variant]
            colour = COLOURS.get(str(name or variant.partition(",")[0]).lower(), "#444444")
            fell = (points.collapsed != "").to_numpy()
            axes.plot([mean.low, mean.high], [row, row], color=colour, lw=5, alpha=0.25,
                      solid_capstyle="butt")
            axes.plot(mean["mean"], row, "|", color=colour, ms=11, mew=2)
            for hollow in (False, True):
                some = points.average[fell == hollow]
                axes.plot(some, [row] * len(some), "o", color=colour, ms=4, zorder=3,
                          mfc="white" if hollow else colour)
            axes.plot(mean.paper, row, "D", color="black", ms=4, zorder=2)
        axes.set(title=name.upper() if name in BRANCHES else name.capitalize(), xlabel="AVG (%)",
                 ylim=(rows - 0.4, -0.6), yticks=range(rows), yticklabels=own[label].unique())
        axes.grid(axis="x", color="0.9", lw=0.6)
        axes.tick_params(axis="y", length=0)
    marks = {
        "a seed": {"marker": "o", "color": "#444444"},
        "a seed, a stream collapsed": {"marker": "o", "color": "#444444", "mfc": "white"},
        "mean and interval": {"marker": "|", "color": "#444444", "ms": 11, "mew": 2},
    }
    if frame.paper.notna().any():
        marks["paper, THUMOS14"] = {"marker": "D", "color": "black"}
    key(figure, marks)
    return figure


def by_tiou(frame: pd.DataFrame, printed: pd.Series, source: str) -> Figure:
    """mAP against tIoU, a line a variant with its seeds as points, beside printed numbers.

    Parameters
    ----------
    frame : DataFrame
        As `facnet.study.tables.sweep` gives it.
    printed : Series
        mAP in percent by tIoU.
    source : str
        Of the printed ones.
    """
    figure, axes = plt.subplots(figsize=(6.0, 3.2))
    for style, (name, own) in zip(SERIES, frame.groupby("variant", sort=False)):
        axes.plot(own.groupby("tiou").mean_ap.mean(), **style, ms=0, lw=1.5, label=name)
        axes.plot(own.tiou, own.mean_ap, **style | {"ls": ""}, ms=3, alpha=0.6)
    axes.plot(printed.index.astype(float), printed, "D", color="black", ms=4, label=source)
    axes.set(xlabel="tIoU", ylabel="mAP (%)", ylim=(0, None))
    axes.grid(axis="y", color="0.9", lw=0.6)
    axes.legend(loc="upper right")
    return figure


def differences(
    compared: pd.DataFrame, words: tuple[str, str] = ("holds", "does not hold")
) -> Figure:
    """Comparisons as points with their two intervals, grouped by claim.

    Parameters
    ----------
    compared : DataFrame
        As `facnet.study.claims.compare` gives it.
    words : tuple of str
        For a difference above zero and one below.
    """
    heights = {name: len(own) for name, own in compared.groupby("claim", sort=False)}
    figure, panels = plt.subplots(
        len(heights), 1, figsize=(7.2, 0.21 * len(compared) + 0.42 * len(heights) + 0.7),
        sharex=True, height_ratios=[n + 0.8 for n in heights.values()], squeeze=False)
    for axes, (claim, own) in zip(panels[:, 0], compared.groupby("claim", sort=False)):
        for row, one in enumerate(own.itertuples()):
            mark = MARKS[one.verdict if one.verdict in COLOURS else "not resolved"]  # or not told
            colour = mark["color"]
            axes.plot([one.video_low, one.video_high], [row, row], color=colour, lw=1)
            axes.plot([one.low, one.high], [row, row], color=colour, lw=5, alpha=0.35,
                      solid_capstyle="butt")
            axes.plot(one.mean, row, **mark | {"ms": 4.5})
            # An arrow where the paper only says that its difference is larger.
            axes.plot(one.paper, row, ">" if one.at_least else "D", color="black", ms=3.5)
        axes.axvline(0, color="0.3", lw=0.8)
        axes.set(ylim=(len(own) - 0.4, -0.6), yticks=range(len(own)), yticklabels=own.name)
        axes.set_title(claim, loc="left", fontsize=9.5)
        axes.tick_params(axis="y", length=0, labelsize=8.5)
        axes.tick_params(axis="x", length=0 if axes is not panels[-1, 0] else 3)
        axes.grid(axis="x", color="0.9", lw=0.6)
    panels[-1, 0].set(xlabel="difference of AVG (points)")
    printed = {"paper": {"marker": "D", "color": "black"}} if compared.paper.notna().any() else {}
    key(figure, {
        **{word: MARKS[verdict] | {"ms": 4.5} for word, verdict in
           zip((*words, "not resolved"), ("holds", "does not hold", "not resolved"))},
        "interval over seeds": {"ls": "-", "lw": 5, "alpha": 0.35, "color": "0.5"},
        "interval over test videos": {"ls": "-", "lw": 1, "color": "0.5"}, **printed,
    })
    return figure


def verdicts(table: pd.DataFrame) -> Figure:
    """Every claim's verdict on every data set, a row a claim.

    Parameters
    ----------
    table : DataFrame [claim, printed, data, verdict]
        As `facnet.study.claims.every_claim` gives it.
    """
    rows = table.drop_duplicates("claim")
    data = list(table.data.unique())
    figure, axes = plt.subplots(figsize=(7.2, 0.235 * len(rows) + 0.9))
    for row, claim in enumerate(rows.claim):
        for one in table[table.claim == claim].itertuples():
            axes.plot(data.index(one.data), row, ls="", **MARKS[one.verdict])
    places = [place.partition(",")[0] for place in rows.printed]
    for row, (before, place) in enumerate(zip(["", *places], places)):
        if place != before:
            axes.axhline(row - 0.5, color="0.85", lw=0.6)
            axes.text(len(data) - 0.4, row, place, va="center", fontsize=8.5)
    axes.set(xlim=(-0.5, len(data) - 0.5), ylim=(len(rows) - 0.5, -0.5), xlabel="data")
    axes.set_xticks(range(len(data)), data, rotation=30, ha="left")
    axes.set_yticks(range(len(rows)), rows.claim.str.replace(
        r"λ_(\w+)", r"$λ_{\1}$", regex=True))
    axes.xaxis.tick_top()
    axes.xaxis.set_label_position("top")
    axes.tick_params(length=0, labelsize=8.5)
    axes.spines[:].set_visible(False)
    key(figure, {name: style for name, style in MARKS.items() if name in set(table.verdict)})
    return figure


def reported(table: pd.DataFrame, elsewhere: pd.DataFrame) -> Figure:
    """What methods report on THUMOS14, in the order of their years, a row a method.

    Parameters
    ----------
    table : DataFrame
        As `facnet.study.published.field` gives it.
    elsewhere : DataFrame [method, average, what]
        Other AVGs of the same methods, and what they are.
    """
    marks = {"reported": {"marker": "D", "color": "#444444", "ls": ""}}
    marks |= {what: style | {"ls": "", "mfc": "white"}
              for what, style in zip(elsewhere.what.unique(), SERIES)}
    figure, axes = plt.subplots(figsize=(7.2, 0.27 * len(table) + 1.3))
    for row, one in enumerate(table.itertuples()):
        axes.plot(one.average, row, **marks["reported"])
        for other in elsewhere[elsewhere.method == one.method].itertuples():
            axes.plot([other.average, one.average], [row, row], color="0.7", lw=1, zorder=1)
            axes.plot(other.average, row, **marks[other.what])
    named = [f"{one.method}, {one.venue}" + "*" * (one.uses != "") for one in table.itertuples()]
    axes.set(yticks=range(len(table)), yticklabels=named, ylim=(len(table) - 0.5, -0.5),
             xlabel="AVG over tIoU 0.1 to 0.7 (%), THUMOS14, as reported")
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color="0.9", lw=0.6)
    key(figure, marks, ncols=2)
    return figure


def cw_weights(frame: pd.DataFrame, chosen: dict[str, float]) -> Figure:
    """What the weight of the CW branch does in each host: held-out loss above, AVG below.

    Parameters
    ----------
    frame : DataFrame
        The sweep lambda_cw.
    chosen : dict of str to float
        By host, the weight that `facnet.study.tables.chosen_weights` takes: a line.
    """
    hosts = list(frame.host.unique())
    figure, panels = plt.subplots(2, len(hosts), figsize=(7.2, 3.6), sharex=True, sharey="row",
                                  squeeze=False)
    own = frame.drop_duplicates(["variant", "seed"])
    for host, column in zip(hosts, panels.T):
        for axes, value in zip(column, ("held_out_loss", "average")):
            colour = COLOURS["train" if value == "held_out_loss" else "test"]
            points = own[(own.host == host) & (own.lambda_cw > 0)]
            without = own[(own.host == host) & (own.lambda_cw == 0)][value].mean()
            axes.axhline(without, color="0.5", lw=0.9, ls="--")
            axes.axvline(chosen[host], color=COLOURS["cw"], lw=6, alpha=0.15)
            axes.plot(points.lambda_cw, points[value], "o", color=colour, ms=3, alpha=0.6)
            mean = points.groupby("lambda_cw")[value].mean()
            axes.plot(mean.index, mean, color=colour, lw=1.2)
            axes.set(xscale="log")
        column[0].set_title(host)
        column[1].set(xlabel=r"$\lambda_{CW}$")
        ticks = sorted(own.lambda_cw[own.lambda_cw > 0].unique())[::2]
        column[1].set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        column[1].minorticks_off()
    for axes in panels[:, 0]:  # after all is drawn: panels of a row share their limits
        axes.set_ylim(0, None)
    key(figure, {
        "a seed": {"marker": "o", "color": "#444444"},
        "without CW, mean": {"ls": "--", "color": "0.5"},
        "chosen": {"ls": "-", "lw": 6, "alpha": 0.15, "color": COLOURS["cw"]}})
    panels[0, 0].set_ylabel("loss, held-out\ntraining videos")
    panels[1, 0].set_ylabel("AVG (%), test videos")
    return figure


def seeds(table: pd.DataFrame) -> Figure:
    """AVG of every seed, and what it owes to how well each stream separates.

    Parameters
    ----------
    table : DataFrame
        Of one variant, as `facnet.study.collapse.runs` gives it.
    """
    streams = [column.removeprefix("area ") for column in table if column.startswith("area ")]
    styles = {stream: style | {"ls": ""} for stream, style in zip(streams, SERIES)}
    figure, (left, right) = plt.subplots(1, 2, figsize=(7.2, 3.2), sharey=True)
    left.axhline(table.average.median(), color="0.6", lw=0.8, ls="--", label="median")
    fell = table.collapsed.mask(table.collapsed.str.contains("+", regex=False), "several")
    dark = {"color": "#444444", "ls": ""}
    kinds = {"": dark | {"marker": "o", "mfc": "none"}, **styles, "several": dark | {"marker": "X"}}
    for kind, style in kinds.items():
        own = table[fell == kind]
        if len(own) or kind != "several":
            left.plot(own.seed, own.average, **style, ms=5, label=f"{kind or 'nothing'} collapsed")
    for stream in streams:
        right.plot(table[f"area {stream}"], table.average, **styles[stream], ms=4, label=stream)
    right.axvline(0.5, color="0.6", lw=0.8, ls="--")
    left.set(xlabel="seed", ylabel="AVG (%)", ylim=(0, None))
    left.xaxis.get_major_locator().set_params(integer=True)
    right.set(xlabel="ROC area of the class's sequence")
    for axes in (left, right):
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.18), ncols=2)
    return figure


def foreground_through_training(tables: dict[str, pd.DataFrame]) -> Figure:
    """W_f through training: its cosine with the background's row, and what S_f separates.

    Parameters
    ----------
    tables : dict of str to DataFrame
        By name of a training, as `facnet.study.collapse.through_training` gives them.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(7.2, 2.9), sharex=True)
    for style, (name, table) in zip(SERIES, tables.items()):
        left.plot(table.epoch, table.cosine, **style, ms=3.5, lw=1.3)
        right.plot(table.epoch, table.foreground, **style, ms=3.5, lw=1.3)
    left.axhline(0, color="0.6", lw=0.8, ls="--")
    right.axhline(0.5, color="0.6", lw=0.8, ls="--")
    left.set(xlabel="epoch", ylabel="cosine of $W_f$ and the background", ylim=(-1.05, 1.05))
    right.set(xlabel="epoch", ylabel="ROC area of $S_f$", ylim=(0, 1.02))
    key(figure, {name: style for style, name in zip(SERIES, tables)}, ncols=2)
    return figure


def ceilings(tables: dict[str, pd.DataFrame], printed: dict[str, pd.Series]) -> Figure:
    """What perfect snippet labels would score, mAP against tIoU, one panel a data set.

    Parameters
    ----------
    tables : dict of str to DataFrame
        By data set, as `facnet.study.grid.grid_ceiling` gives them.
    printed : dict of str to Series
        What a method scores on a data set, for comparison: the same columns and a name.
    """
    figure, panels = plt.subplots(1, len(tables), figsize=(7.2, 3.5), sharey=True, squeeze=False)
    for axes, (data, table) in zip(panels[0], tables.items()):
        rows = [(style, name, row) for style, (name, row) in zip(SERIES, table.iterrows())]
        if data in printed:
            rows.append(({"color": "black", "marker": "D"}, printed[data].name, printed[data]))
        tious = [column for column in table.columns if column.startswith("0.")]
        for style, label, row in rows:
            axes.plot([float(t) for t in tious], row[tious].astype(float), lw=1.4, ms=3.5,
                      label=f"{label}: AVG {row['average']:.1f}", **style)
        axes.set(title=data, xlabel="tIoU", ylim=(0, 102))
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), fontsize=8)
    panels[0][0].set(ylabel="mAP (%)")
    return figure


def information(curves: pd.DataFrame, ends: pd.DataFrame) -> Figure:
    """log N - L_cw through training and after it, a panel a model, a thin line a seed.

    Parameters
    ----------
    curves, ends : DataFrame
        As `facnet.study.information.information` gives them.
    """
    names = list(ends.model.unique())
    figure, panels = plt.subplots(1, len(names), figsize=(7.2, 3.1), sharey=True, squeeze=False)
    train, test = COLOURS["train"], COLOURS["test"]
    for axes, name in zip(panels[0], names):
        last, own = ends[ends.model == name], curves[curves.model == name]
        for _, of_seed in own.groupby("seed"):
            axes.plot(of_seed.epoch, of_seed.bound, color=train, lw=0.8)
        place = [1.06 * own.epoch.max()] * len(last)
        axes.plot(place, last.train, MARKERS["train"], color=train, ms=4, zorder=3)
        axes.plot(place, last.test, MARKERS["test"], color=test, mfc="white", ms=4)
        axes.axhline(last.ceiling.iloc[0], color="black", lw=1, ls="--")
        axes.axhline(last.reachable.iloc[0], color="black", lw=1, ls=":")
        axes.axhline(0, color="0.6", lw=0.8)
        axes.set(xlabel="epoch")
        axes.set_title(f"{name}\nN = {last.candidates.iloc[0]}", fontsize=9)
    panels[0][0].set(ylabel="log N − $L_{CW}$ (nats)")
    key(figure, {
        "training videos, a seed": {"ls": "-", "lw": 0.8, "color": train},
        "the same after training": {"marker": MARKERS["train"], "color": train},
        "test videos": {"marker": MARKERS["test"], "color": test, "mfc": "white"},
        "log N": {"ls": "--", "color": "black", "lw": 1},
        "log N − entropy of a video's labels": {"ls": ":", "color": "black", "lw": 1}})
    return figure


def instance_lengths(dataset: Dataset, marks: dict, reference: pd.DataFrame) -> Figure:
    """How long instances are: the share that is shorter, against seconds on a log scale.

    Parameters
    ----------
    dataset : Dataset
    marks : dict of str to float
        Lengths, in seconds, to draw a line at, as `facnet.study.grid.grid_marks` gives them.
    reference : DataFrame [train, test]
        Quantiles of THUMOS14's lengths, indexed by share; drawn as dots.
    """
    figure, axes = plt.subplots(figsize=(7.2, 3.8))
    for subset in ("train", "test"):
        own = dataset.instances_of(subset)
        lengths = np.sort(own.end - own.start)
        colour = COLOURS[subset]
        if len(lengths):
            axes.step(lengths, np.arange(1, len(lengths) + 1) / len(lengths), where="post",
                      color=colour, lw=1.5, ls=LINES[subset], label=f"{dataset.name}, {subset}")
        axes.plot(reference[subset], reference.index, MARKERS[subset], mfc="none", color=colour,
                  ms=4, label=f"THUMOS14, {subset}")
    axes.set(xscale="log", xlabel="length of an instance (s)", ylabel="share that is shorter",
             xlim=(0.2, None), ylim=(0, 1.02))
    axes.xaxis.set_major_formatter(lambda seconds, _: f"{seconds:g}")
    for name, seconds in marks.items():
        axes.axvline(seconds, color="0.5", lw=0.8, ls="--")
        axes.annotate(f"{name}, {seconds:g} s", (seconds, 0.99), fontsize=8, rotation=90,
                      xytext=(-2, 0), textcoords="offset points", ha="right", va="top",
                      bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5})
    axes.legend(loc="lower right")
    return figure


def snippet_grid(frames: int = 16, fps: float = 25.0) -> Figure:
    """From frames to snippets to seconds, and what the protocol makes of an instance's times."""
    seconds, instance = frames / fps, (1.6, 4.5)
    start, end = to_snippets(np.array(instance), seconds)
    figure, axes = plt.subplots(figsize=(7.2, 2.6))
    length = 8 * seconds
    axes.vlines(np.arange(0, length + 1e-9, 1 / fps), 3.2, 3.7, color="0.45", lw=0.6)
    for snippet in range(8):
        inside = start <= snippet < end
        axes.broken_barh([(snippet * seconds, seconds)], (2.1, 0.8), edgecolor="white", lw=1.5,
                         facecolor=COLOURS["ground truth"] if inside else "0.85")
        axes.text((snippet + 0.5) * seconds, 2.5, str(snippet), ha="center", va="center",
                  color="white" if inside else "black")
    for low, times, colour, text in (
        (1.1, instance, "0.45", "{:g} s to {:g} s"),
        (0.1, (start * seconds, end * seconds), COLOURS["ground truth"], "{:g} s to {:g} s"),
    ):
        axes.broken_barh([(times[0], times[1] - times[0])], (low, 0.7), facecolor=colour)
        axes.text(np.mean(times), low + 0.35, text.format(*times), color="white", ha="center",
                  va="center", fontsize=8.5)
    note = "{:g} s x {:g}/{:d} = {:.5g}, so {:g}"
    for time, whole, place, side in ((instance[0], start, -0.06, "right"),
                                     (instance[1], end, 0.06, "left")):
        text = note.format(time, fps, frames, time / seconds, whole)
        axes.text(time + place, 1.45, text.replace(", so ", ",\nso snippet "), ha=side,
                  va="center", fontsize=8)
    axes.set(xlim=(-0.05, length + 0.35), ylim=(0, 3.8), xlabel="time (s)",
             yticks=[3.45, 2.5, 1.45, 0.45],
             yticklabels=[f"frames, {fps:g} a second", f"snippets of {frames:d} frames",
                          "an instance", "in whole snippets"])
    axes.tick_params(axis="y", length=0)
    return figure


def rules(tables: dict[str, pd.DataFrame]) -> Figure:
    """AVG of the same detections by each rule of evaluation, a panel a set of detections.

    Parameters
    ----------
    tables : dict of str to DataFrame
        By name, as `facnet.study.protocols.by_rule` or `by_rule_here` gives them. The first has all
        rules; a line marks what its first rule gives.
    """
    names = list(next(iter(tables.values())).rule)
    figure, panels = plt.subplots(1, len(tables), figsize=(7.2, 0.24 * len(names) + 0.8),
                                  sharey=True, squeeze=False)
    for axes, (data, table) in zip(panels[0], tables.items()):
        mean = table.groupby("rule").average.mean()
        axes.axvline(mean[names[0]], color="0.6", lw=0.8, ls="--")
        for row, name in enumerate(names):
            own = table.average[table.rule == name]
            if len(own):
                axes.plot([mean[names[0]], mean[name]], [row, row], color="#0072B2", lw=1.2)
                axes.plot(own, [row] * len(own), "o", color="0.6", ms=3)
                axes.plot(mean[name], row, "o", color="#0072B2", ms=5)
        axes.set(title=data, xlabel="AVG (%)", ylim=(len(names) - 0.4, -0.6),
                 yticks=range(len(names)), yticklabels=names)
        axes.tick_params(axis="y", length=0)
        axes.grid(axis="x", color="0.9", lw=0.6)
    return figure


def epochs(frame: pd.DataFrame) -> Figure:
    """AVG on the test videos through training, a line a seed; its best epoch and its last.

    Parameters
    ----------
    frame : DataFrame [seed, epoch, average]
    """
    figure, axes = plt.subplots(figsize=(6.0, 2.8))
    for _, own in frame.groupby("seed"):
        axes.plot(own.epoch, own.average, color="0.6", lw=1)
        best, last = own.loc[own.average.idxmax()], own.iloc[-1]
        axes.plot(best.epoch, best.average, "o", color=COLOURS["test"], ms=9, mfc="none", mew=1.5)
        axes.plot(last.epoch, last.average, "o", color=COLOURS["train"], ms=4.5)
    axes.set(xlabel="epoch", ylabel="AVG (%), test videos", ylim=(0, None))
    key(figure, {"a seed": {"ls": "-", "color": "0.6"},
                 "its last epoch": {"marker": "o", "color": COLOURS["train"]},
                 "its best on the test videos": {
                     "marker": "o", "color": COLOURS["test"], "mfc": "none", "ms": 9}})
    return figure


def training_curves(histories: dict[str, pd.DataFrame]) -> Figure:
    """Losses by epoch, one panel a stream."""
    figure, panels = plt.subplots(
        1, len(histories), figsize=(7.2, 2.9), sharey=True, squeeze=False)
    for axes, (stream, history) in zip(panels[0], histories.items()):
        for name in history.columns.drop("epoch"):
            width = 2.0 if name == "total" else 1.2
            axes.plot(history.epoch, history[name], color=COLOURS.get(name), lw=width,
                      ls=LINES.get(name), label=NAMES.get(name, name))
        axes.set(title=stream, xlabel="epoch")
    panels[0][0].set(ylabel="mean loss of a video (nats)")
    panels[0][-1].legend(loc="upper right")
    return figure


def precision_recall(evaluation: Evaluation, tiou: float = 0.5) -> Figure:
    """Precision against recall, a line a class, the four best and worst named."""
    order = evaluation.ap[tiou].dropna().sort_values(ascending=False).index
    named = [*order[:2], *order[-2:]] if len(order) > 4 else list(order)
    figure, axes = plt.subplots(figsize=(5.2, 3.2))
    styles = iter(SERIES)
    for label in order:
        curve = evaluation.curve(label, tiou)
        style = {"color": "0.8", "lw": 0.8, "zorder": 1}
        if label in named:
            ap = evaluation.ap.loc[label, tiou]
            style = next(styles) | {"marker": "", "lw": 1.5, "label": f"{label} (AP {ap:.0f})"}
        axes.plot(curve.recall, curve.precision, **style)
    axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, 1.02),
             title=f"tIoU {tiou}, protocol {evaluation.protocol}")
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


# What a detection comes to: its colour, and a hatch where colours are much alike in grey.
KINDS = {RIGHT: ("#009E73", ""), NOTHING: ("#FFFFFF", "")} | dict(zip(
    CAUSES, (("#F0E442", "...."), ("#0072B2", "////"), ("#E69F00", "----"),
             ("#CC79A7", "xxxx"), ("#444444", ""))))


def errors(profile: pd.DataFrame, gains: pd.DataFrame) -> Figure:
    """False positives by cause: down the ranks, and what they cost in points of AVG.

    Parameters
    ----------
    profile, gains : DataFrame
        Of `facnet.study.diagnosis.profile` and `gains`, as its `over_seeds` gives them.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(7.2, 3.3), width_ratios=(1.5, 1))
    bottom, shares = np.zeros(len(profile)), profile["mean"]
    for kind in (RIGHT, *CAUSES, NOTHING):
        colour, hatch = KINDS[kind]
        left.bar(shares.index, shares[kind], 0.85, bottom, color=colour, hatch=hatch,
                 edgecolor="0.2", lw=0.3, label=kind)
        bottom += shares[kind]
    left.set(xlabel="detections by rank, in groups of G", ylabel="share of G (%)", ylim=(0, 100),
             xticks=shares.index)
    gain = gains.xs("average", axis=1, level=1)
    for row, (name, one) in enumerate(gain.iterrows()):
        colour, hatch = KINDS.get(name, ("0.75", ""))
        right.barh(row, one["mean"], 0.75, color=colour, hatch=hatch, edgecolor="0.2", lw=0.3)
        for shade, width in (("white", 3), ("black", 1)):  # seen on any bar
            right.plot([one.low, one.high], [row, row], color=shade, lw=width)
    right.set(xlabel="points of AVG", yticks=range(len(gain)), yticklabels=gain.index,
              ylim=(len(gain) - 0.5, -0.5))
    right.tick_params(axis="y", length=0)
    handles, names = left.get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=4)
    return figure


def by_kind(tables: dict[str, pd.DataFrame]) -> Figure:
    """Missed instances and normalised mAP by groups of instances, a column a characteristic.

    Parameters
    ----------
    tables : dict of str to DataFrame
        By characteristic, of `facnet.study.diagnosis.missed` as its `over_seeds` gives them.
    """
    bins = [len(table) - 1 for table in tables.values()]
    figure, panels = plt.subplots(2, len(tables), figsize=(7.2, 4.0), sharex="col", sharey="row",
                                  width_ratios=[n + 1 for n in bins], squeeze=False)
    for column, (name, table) in zip(panels.T, tables.items()):
        groups = table.drop(index="all")
        for axes, what, colour in zip(column, ("missed", "mAP_N"), ("#999999", COLOURS["class"])):
            mean, low, high = (groups[end, what] for end in ("mean", "low", "high"))
            axes.bar(groups.index, mean, 0.8, color=colour)
            axes.vlines(range(len(groups)), low, high, color="black", lw=1)
            axes.axhline(table.loc["all", ("mean", what)], color="0.3", lw=0.9, ls="--")
        column[0].set_ylim(0, 100)
        counts = groups["mean", "instances"].astype(int)
        column[1].set_xticks(range(len(groups)), [f"{group}\n{n}" for group, n in counts.items()],
                             fontsize=8)
        column[1].set_xlabel(name)
    panels[0, 0].set_ylabel("missed instances (%)")
    panels[1, 0].set_ylabel("normalised mAP (%)")
    key(figure, {"all instances": {"ls": "--", "color": "0.3"},
                 "95 % interval": {"ls": "-", "color": "black"}})
    return figure
