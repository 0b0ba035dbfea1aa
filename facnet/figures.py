"""The paper's figures, one function each, and how figures and tables look and are saved.

Colours are Okabe and Ito's, which colour-blind readers can tell apart; the same thing has the
same colour throughout. What shares a panel differs in more than colour, so that grey print will do.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import PolyCollection
from matplotlib.colors import LinearSegmentedColormap, Normalize, to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import FancyBboxPatch, Rectangle
from pandas.api.types import is_numeric_dtype
from pandas.io.formats.style import Styler

from facnet.config import Experiment, LocalizationConfig, ModelConfig
from facnet.consistency import scaled, selection_and_class
from facnet.datasets import Dataset
from facnet.localization import Scores, sequences
from facnet.methods import method_of
from facnet.sweeps import BRANCHES, summary

__all__ = [
    "COLOURS", "LINES", "MARKERS", "SERIES", "activations", "embeddings", "example_video",
    "hybrid_attention", "key", "lambda_maps", "on_page", "overview", "save_figure", "save_table",
    "selection", "shown_classes", "timeline", "use_style", "write_figure",
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

# What a table's symbols are in LaTeX, where the usual text fonts lack them.
LATEX = {"✓": r"$\checkmark$", "τ": r"$\tau$", "λ": r"$\lambda$", "−": "$-$", "±": r"$\pm$",
         "→": r"$\to$"}


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
        What it was drawn from, as `facnet.experiments.provenance` says it; set below the figure,
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


def save_table(
    table: pd.DataFrame, name: str, output: str | Path, numbers: pd.DataFrame | None = None
) -> None:
    """Write `table` as OUTPUT/NAME.csv, .md and .tex.

    Parameters
    ----------
    table : DataFrame
        As people read it; its index is left out.
    name : str
    output : str or Path
    numbers : DataFrame, optional
        What the CSV holds instead, for a table whose cells are words such as "34.5 [29.3, 39.9]".
    """
    folder = Path(output)
    folder.mkdir(parents=True, exist_ok=True)
    (table if numbers is None else numbers).to_csv(folder / f"{name}.csv", index=False)
    words = [i for i, kind in enumerate(table.dtypes) if not is_numeric_dtype(kind)]
    # Words stay as they are: "32.0" is not 32.
    markdown = table.to_markdown(index=False, disable_numparse=words)
    (folder / f"{name}.md").write_text(markdown + "\n")
    latex = table.to_latex(index=False, escape=True, float_format="{:.4g}".format, na_rep="")
    for symbol, command in LATEX.items():
        latex = latex.replace(symbol, command)
    (folder / f"{name}.tex").write_text(latex)


def on_page(table: pd.DataFrame) -> Styler:
    """`table` as a page shows it: small, without its index, only long words broken."""
    short = [column for column in table if table[column].astype(str).str.len().max() <= 22]
    return table.style.hide(axis="index").set_properties(
        **{"font-size": "85%", "padding": "0.2em 0.4em"}).set_properties(
        subset=short, **{"white-space": "nowrap"})


def example_video(
    dataset: Dataset, label: str, but: Sequence[str] = ()
) -> tuple[str, str]:
    """A test video to look at, chosen by rule and not by result: (video, label).

    The one with the number of instances of `label` closest to six, the first of several. Where
    no test video shows that class, the one with most test instances takes its place, of those not
    in `but` if there are others.
    """
    instances = dataset.instances_of("test")
    if label not in set(instances.label):
        counts = instances.label.value_counts().sort_index()
        others = counts[~counts.index.isin(but)]
        label = (others if len(others) else counts).idxmax()
    counts = instances[instances.label == label].groupby("video", sort=True).size()
    return (counts - 6).abs().idxmin(), label


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


def selection(
    dataset: Dataset, models: dict[str, tuple[Experiment, Scores]], video: str, label: str
) -> Figure:
    """Fig. 1 of the paper: what selects foreground, and the class's probability; a row a method.

    Each is `scaled` to its own range; the snippets above the line in the middle count as selected.

    Parameters
    ----------
    dataset : Dataset
    models : dict of str to (Experiment, Scores)
        By name, scores of one stream or of all side by side.
    video, label : str
    """
    figure, panels = plt.subplots(len(models), 1, figsize=(7.2, 1.25 * len(models) + 0.8),
                                  sharex=True, squeeze=False)
    column, truth = dataset.classes.index(label), _of(dataset.instances, video, label)
    for axes, (name, (experiment, scores)) in zip(panels[:, 0], models.items()):
        rows = scores.rows(video)
        time = _seconds(dataset, rows)
        for values, what in zip(selection_and_class(scores, column, experiment),
                                ("foreground", "class")):
            axes.plot(time, scaled(values[rows]), color=COLOURS[what], lw=1.1, ls=LINES[what])
        axes.axhline(0.5, color="0.4", lw=0.5)
        _bars(axes, truth, 0, 1, COLOURS["ground truth"], alpha=0.2)
        axes.set(ylim=(-0.03, 1.03), ylabel="share of\nown range")
        axes.set_title(name, loc="left")
    axes.set(xlabel="time (s)", xlim=(0, time[-1] + dataset.snippet_seconds / 2))
    key(figure, {
        "selection of foreground": {"ls": LINES["foreground"], "color": COLOURS["foreground"]},
        f"probability of {label}": {"ls": LINES["class"], "color": COLOURS["class"]},
        "ground truth": {"marker": "s", "color": COLOURS["ground truth"], "alpha": 0.3}})
    return figure


def activations(
    dataset: Dataset, scores: dict[str, Scores], video: str, label: str,
    config: LocalizationConfig,
) -> Figure:
    """Foreground scores and the class's sequence of one video, a row a model.

    Parameters
    ----------
    dataset : Dataset
    scores : dict of str to Scores
        Of one stream, by the model's name.
    video, label : str
    config : LocalizationConfig
        Says which sequence is localised.
    """
    figure, panels = plt.subplots(len(scores), 2, figsize=(7.2, 1.25 * len(scores) + 0.7),
                                  sharex=True, sharey="col", squeeze=False)
    truth = _of(dataset.instances, video, label)
    for (left, right), (name, own) in zip(panels, scores.items()):
        rows = own.rows(video)
        time = _seconds(dataset, rows)
        left.plot(time, own.foreground[rows], color=COLOURS["foreground"], lw=1)
        sequence, _ = sequences(own, replace(config, upsampling=1))
        right.plot(time, sequence[rows, dataset.classes.index(label)], color=COLOURS["class"],
                   lw=1)
        left.set_title(name.replace("\n", ", "), loc="left")
        left.set_ylabel("foreground\n$S_f$")
        right.set_ylabel(_sequence_name(Experiment(localization=config)))
    for axes in panels.flat:  # after all is drawn: rows share their limits
        _bars(axes, truth, *axes.get_ylim(), COLOURS["ground truth"], alpha=0.15)
    panels[0, 1].set_title(label, loc="left")
    for axes in panels[-1]:
        axes.set(xlabel="time (s)", xlim=(0, time[-1] + dataset.snippet_seconds / 2))
    return figure


# Where Fig. 2 has its columns and rows, in inches, and its boxes: row, column, what stands in it.
COLUMN = {"S": 1.43, "A": 2.38, "F": 3.33, "R": 4.47, "P": 5.4, "L": 6.24}
ROW = {"mil": 3.98, "cw": 2.98, "X_e": 1.85, "ca": 0.72}
BOXES = (
    ("cw", "S", "$S_a$ (1)", r"$\delta\,\cos(X_e,W_a)$", r"$T\times(C{+}1)$"),
    ("cw", "A", "$A_a$ (2)", r"$\mathrm{softmax}_t\,\tau S_a$", r"$T\times(C{+}1)$"),
    ("cw", "F", "$F_a$ (3)", r"$\Sigma_t\,A_a X_e$", r"$(C{+}1)\times D$"),
    ("cw", "R", "$R_a$ (4)", r"$\delta\,\cos(F_a,W_f)$", "$C{+}1$"),
    ("cw", "P", "$P_a$ (5)", r"$\mathrm{softmax}_j\,R_a$", "$C{+}1$"),
    ("cw", "L", r"$\mathcal{L}_{cw}$ (6)", "background", "$y(C{+}1)=0$"),
    ("ca", "S", "$S_f$ (8)", r"$\delta\,\cos(X_e,W_f)$", "$T$"),
    ("ca", "A", "$A_f$ (9)", r"$\mathrm{softmax}_t\,\tau S_f$", "$T$"),
    ("ca", "F", "$F_f$ (10)", r"$\Sigma_t\,A_f X_e$", "$D$"),
    ("ca", "R", "$R_f$ (in 11)", r"$\delta\,\cos(F_f,W_a)$", "$C{+}1$"),
    ("ca", "P", "$P_f$ (11)", r"$\mathrm{softmax}_j\,R_f$", "$C{+}1$"),
    ("ca", "L", r"$\mathcal{L}_{ca}$ (12)", "background", "$y(C{+}1)=0$"),
    ("mil", "R", "$R_m$ (13)", r"$\Sigma_t\,A_a S_a$", "$C{+}1$"),
    ("mil", "P", "$P_m$", r"$\mathrm{softmax}_j\,R_m$", "$C{+}1$"),
    ("mil", "L", r"$\mathcal{L}_{mil}$", "background", "$y(C{+}1)=1$"),
)


def overview() -> Figure:
    """Fig. 2 of the paper, drawn anew: features, classifiers, three branches and their losses.

    CW above and CA below mirror each other about X_e. Each takes its attention from one classifier
    and its score from the other, which is where the lines of the two cross.
    """
    figure, axes = _canvas(7.2, 4.75)
    for place, name in zip(COLUMN.values(), (
            "activation\nof snippets", "attention\nover time", "pooled\nfeature",
            "score, mean\nover $\\tau$", "probability\nof classes", "loss")):
        axes.text(place, 4.6, name, ha="center", va="center", color="0.35", fontsize=8)
    for height, *lines in ((ROW["mil"], "features", "RGB or flow", "$T$ snippets"),
                           (ROW["cw"], "embedding", "2 layers with", "ReLU (3.1)"),
                           (ROW["X_e"], "$X_e$", "embedded", r"$T\times D$")):
        _box(axes, 0.41, height, lines, "0.4", 0.78)
    _arrow(axes, "0.4", (0.41, ROW["mil"] - 0.31), (0.41, ROW["cw"] + 0.31))
    _arrow(axes, "0.4", (0.41, ROW["cw"] - 0.31), (0.41, ROW["X_e"] + 0.31))
    _branch(axes, "mil", (3.57, 4.38), (1.05, 4.24), "MIL: multiple instance learning")
    _branch(axes, "cw", (2.59, 3.53), (2.5, 3.44),
            "CW, class-wise foreground: an action must be foreground")
    _branch(axes, "ca", (0.17, 1.11), (2.5, 0.26),
            "CA, class-agnostic attention: the foreground must be an action")
    for start in ((COLUMN["S"], ROW["cw"] + 0.31), (COLUMN["A"], ROW["cw"] + 0.38)):
        _arrow(axes, COLOURS["mil"], start, (start[0], ROW["mil"]), (COLUMN["R"] - 0.4, ROW["mil"]))
    _classifier(axes, "class", "cw", "ca", 5, "action classifier $W_a$,\nhatched: the background")
    _classifier(axes, "foreground", "ca", "cw", 1, "foreground classifier $W_f$")
    joins = [0.88, COLUMN["F"], COLUMN["A"]], [ROW["X_e"], ROW["X_e"], ROW["mil"]]
    axes.scatter(*joins, s=9, c=["0.4", "0.4", COLOURS["mil"]])  # other lines only cross
    axes.text(5.75, ROW["X_e"], "CW and CA mirror each other:\nattention by one classifier,\n"
              "score by the other", ha="center", va="center", style="italic", fontsize=8.5)
    _box(axes, 7.05, 2.275, [], "black", 0.26, 4.21)
    axes.text(7.05, 2.275, r"$\mathcal{L}$ (14): sum of the three, weighted by $\lambda$",
              rotation=-90, ha="center", va="center", fontsize=8.5, zorder=4)
    return figure


def _branch(
    axes: Axes, branch: str, band: tuple[float, float], place: tuple[float, float], title: str
) -> None:
    """A branch of Fig. 2, from left to right, on its coloured band."""
    colour, height = COLOURS[branch], ROW[branch]
    axes.add_patch(Rectangle((0.97, band[0]), 5.66, band[1] - band[0], fc=colour, alpha=0.1))
    axes.text(*place, title, va="center", color=colour, weight="bold", fontsize=8)
    left = None
    for column, *lines in (box[1:] for box in BOXES if box[0] == branch):
        x, width = COLUMN[column], 0.68 if column == "L" else 0.8
        if left is not None:
            _arrow(axes, colour, (left, height), (x - width / 2, height))
        for shift in (0.07, 0.035, 0) if column in "AF" else (0,):  # a card for each temperature
            _box(axes, x + shift, height + (-shift if branch == "ca" else shift),
                 lines * (shift == 0), colour, width)
        left = x + width / 2
    _arrow(axes, colour, (left, height), (6.92, height))
    axes.text(6.77, height + 0.12, rf"$\lambda_{{{branch}}}$", ha="center", fontsize=8.5)


def _classifier(
    axes: Axes, name: str, attends: str, scores: str, rows: int, text: str
) -> None:
    """A classifier of Fig. 2 and X_e beside it, on the way to the branches that they serve."""
    up, middle, height = 1 if attends == "cw" else -1, ROW["X_e"], ROW[attends]
    lane, edge = middle + up * 0.42, height - up * 0.31
    _arrow(axes, "0.4", (0.8, middle), (0.88, middle), (0.88, height), (COLUMN["S"] - 0.4, height))
    _arrow(axes, "0.4", (0.88, middle), (COLUMN["F"], middle), (COLUMN["F"], edge))
    _arrow(axes, COLOURS[name], (COLUMN["S"], lane), (COLUMN["S"], edge), ls=LINES[name])
    _arrow(axes, COLOURS[name], (COLUMN["S"], lane), (3.6, lane), (4.2, 2 * middle - lane),
           (COLUMN["R"], 2 * middle - lane), (COLUMN["R"], ROW[scores] + up * 0.31), ls=LINES[name])
    for row in range(rows):
        background = rows > 1 and row == 0
        axes.add_patch(Rectangle(
            (COLUMN["S"] - 0.25, lane + 0.09 * (row - rows / 2)), 0.5, 0.09, ec=COLOURS[name],
            fc="white", hatch="/////" if background else "", zorder=3))
    axes.text(1.76, lane + up * 0.05, text, color=COLOURS[name], fontsize=7.5,
              va="bottom" if up > 0 else "top")


def hybrid_attention() -> Figure:
    """Fig. 3 of the paper, drawn anew: the CW branch with several attentions.

    A class's activations are made up; what follows from them is computed by equation 2, at the
    temperatures of the default model.
    """
    figure, axes = _canvas(7.2, 3.3)
    colour, middle, temperatures = COLOURS["cw"], 1.65, ModelConfig().temperatures
    for place, name in ((1.05, "activation\nof snippets"), (3.05, "attention\nover time"),
                        (4.12, "pooled\nfeature"), (4.95, "score\nfor each $\\tau$"),
                        (5.93, "score"), (6.8, "probability\nof classes")):
        axes.text(place, 3.15, name, ha="center", va="center", color="0.35", fontsize=8)
    boxes = {column: lines for branch, column, *lines in BOXES if branch == "cw"}
    time = np.arange(60)
    S_a = sum(height * np.exp(-((time - peak) / width) ** 4)
              for height, peak, width in ((1.5, 14, 6), (1.0, 40, 9), (0.5, 26, 4)))
    S_a += 0.1 * np.sin(1.3 * time) - 0.5
    _curve(axes, (0.5, middle - 0.45, 1.1, 0.9), S_a, colour, xlabel="snippet $t$",
           ylabel="$S_a(t,j)$ (1)")
    for tau, y in zip(temperatures, (2.57, middle, 0.73)):
        A_a = np.exp(tau * S_a) / np.exp(tau * S_a).sum()
        own = _curve(axes, (2.5, y - 0.33, 1.1, 0.66), A_a, colour, ylabel="$A_a(t,j)$ (2)",
                     ylim=(0, 0.25))
        own.stairs(A_a, color=colour, alpha=0.25, fill=True)
        half = np.searchsorted(np.sort(A_a)[::-1].cumsum(), 0.5) + 1  # snippets, the best first
        own.text(61, 0.25, f"$\\tau={tau:g}$, half of it\non {half} snippets", ha="right", va="top",
                 fontsize=7.5)
        if tau != temperatures[-1]:
            own.set(xticklabels=[])
        _box(axes, 4.12, y, boxes["F"], colour, 0.7)
        _box(axes, 4.95, y, boxes["R"], colour, 0.76)
        _arrow(axes, colour, (1.68, middle), (1.82, middle), (1.82, y), (1.98, y))
        _arrow(axes, colour, (3.66, y), (3.77, y))
        _arrow(axes, colour, (4.47, y), (4.57, y))
        _arrow(axes, colour, (5.33, y), (5.43, y), (5.43, middle), (5.57, middle))
    own.set(xlabel="snippet $t$")
    axes.text(1.05, 0.4, "CW branch", ha="center", color=colour, weight="bold", fontsize=8)
    _box(axes, 5.93, middle, ["$R_a$", f"mean of {len(temperatures)}", "$C{+}1$"], colour, 0.72)
    _box(axes, 6.8, middle, boxes["P"], colour, 0.74)
    _arrow(axes, colour, (6.29, middle), (6.43, middle))
    axes.text(6.38, middle - 0.55, "averaged before\nthe softmax over classes", ha="center",
              va="center", style="italic", fontsize=8)
    return figure


def _curve(
    axes: Axes, place: tuple[float, float, float, float], values: np.ndarray, colour: str, **labels
) -> Axes:
    """A small panel in a drawing: a value a snippet."""
    own = axes.inset_axes(place, transform=axes.transData)
    own.stairs(values, np.arange(len(values) + 1), color=colour, baseline=None)
    own.set(xlim=(0, len(values)), **labels)
    own.tick_params(labelsize=7.5)
    own.xaxis.label.set_size(8)
    own.yaxis.label.set_size(8)
    return own


def _canvas(width: float, height: float) -> tuple[Figure, Axes]:
    """A figure to draw on, by inches from its lower left corner."""
    figure, axes = plt.subplots(figsize=(width, height))
    axes.axis("off")
    axes.set(xlim=(0, width), ylim=(0, height), aspect="equal")
    return figure, axes


def _box(
    axes: Axes, x: float, y: float, lines: list[str], colour: str, width: float = 0.8,
    height: float = 0.62,
) -> None:
    """A box about (x, y): a symbol, and what it is on the lines below it."""
    axes.add_patch(FancyBboxPatch(
        (x - width / 2, y - height / 2), width, height, fc="white", ec=colour, zorder=3,
        boxstyle="round,pad=0,rounding_size=0.05"))
    for i, line in enumerate(lines):
        axes.text(x, y + (0.18, -0.02, -0.19)[i], line, ha="center", va="center", zorder=4,
                  fontsize=7.5 if i else 9)


def _arrow(axes: Axes, colour: str, *points: tuple[float, float], ls: str = "-") -> None:
    """Along the points."""
    axes.plot(*zip(*points), color=colour, lw=1.2, ls=ls, solid_capstyle="butt")
    axes.annotate("", points[-1], points[-2], arrowprops={
        "arrowstyle": "-|>,head_length=0.5,head_width=0.22", "color": colour,
        "lw": 0, "shrinkA": 0, "shrinkB": 0})


def embeddings(places: dict[str, np.ndarray], foreground: np.ndarray) -> Figure:
    """Fig. 8 of the paper: snippets by their features in the plane, a panel a model.

    Parameters
    ----------
    places : dict of str to ndarray [n, 2]
        Of the same snippets, as `facnet.features.laid_out` gives them.
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


def shown_classes(dataset: Dataset, video: str, detections: pd.DataFrame) -> list[str]:
    """What a video shows, then what else was detected in it, the best score first."""
    true = dataset.videos.set_index("video").labels[video]
    true = [*true, *dataset.instances.label[dataset.instances.video == video]]
    found = detections[detections.video == video].sort_values("score", ascending=False)
    return list(dict.fromkeys([*true, *found.label]))


def timeline(
    dataset: Dataset, scores: Scores, examples: dict[str, Sequence[str]],
    detections: pd.DataFrame, experiment: Experiment = Experiment(),
    proposals: pd.DataFrame | None = None,
) -> Figure:
    """Fig. 7 of the paper: scores, detections and ground truth of a video on one time axis.

    From the top: what the model has for foreground (S_f of equation 8; nothing where a method has
    none); then for each class its sequence with the thresholds, its detections, and its instances
    where they are known. Instances shade the scores, too.

    Parameters
    ----------
    dataset : Dataset
    scores : Scores
        Of one stream, or of all side by side.
    examples : dict of str to sequence of str
        Videos, a column each, and which classes to show, such as `shown_classes` gives.
    detections : DataFrame [video, label, start, end, score]
        The better the darker; of those that overlap, the best is nearest to the ground truth.
        Those of other videos and classes are left out.
    experiment : Experiment
        Says what is thresholded, and at which values.
    proposals : DataFrame [video, label, start, end], optional
        Drawn above the detections, showing through each other.
    """
    bars = {(video, label): _Bars.of(dataset, video, label, detections, proposals)
            for video, labels in examples.items() for label in labels}
    shades = _shades(pd.concat([detections.score[:0], *(own.found.score for own in bars.values())]))
    columns = [_heights(scores, [bars[video, label] for label in labels])
               for video, labels in examples.items()]
    heights = [max(own) for own in zip_longest(*columns, fillvalue=0)]
    figure, panels = plt.subplots(
        len(heights), len(examples), figsize=(7.2, sum(heights) + 0.25 * len(heights) + 0.8),
        sharex="col", squeeze=False, height_ratios=heights)
    for column, (video, labels) in zip(panels.T, examples.items()):
        own = {label: bars[video, label] for label in labels}
        _draw_column(column, dataset, scores, video, own, experiment, shades, 70 // len(examples))
    marks = {"threshold": {"ls": "-", "color": "0.4", "lw": 0.6}}
    if proposals is not None:
        marks["proposal"] = {"marker": "s", "color": COLOURS["proposals"], "alpha": 0.4}
    for score in sorted({shades.norm.vmax, shades.norm.vmin} - {None}, reverse=True):
        marks[f"detection, score {round(score, 2) + 0.0:.2f}"] = {
            "marker": "s", "color": shades.to_rgba(score)}
    if any(own.truth is not None and len(own.truth) for own in bars.values()):
        marks["ground truth"] = {"marker": "s", "color": COLOURS["ground truth"]}
    if dataset.ignored.video.isin(list(examples)).any():
        marks["ambiguous, not evaluated"] = {"marker": "s", "color": COLOURS["ignored"]}
    if bars:
        key(figure, marks, ncols=4)
    return figure


@dataclass(frozen=True)
class _Bars:
    """What stands below a sequence, in seconds."""

    truth: pd.DataFrame | None  #: None where the video is known to show the class, but not when
    found: pd.DataFrame  #: the best first
    lane: np.ndarray  #: of each in `found`, 0 the lowest
    proposals: pd.DataFrame | None

    @classmethod
    def of(cls, dataset, video, label, detections, proposals):
        truth = _of(dataset.instances, video, label)
        unknown = not len(truth) and label in dataset.videos.set_index("video").labels[video]
        found = _of(detections, video, label).sort_values(
            ["score", "start"], ascending=[False, True])
        return cls(None if unknown else truth, found, _lanes(found),
                   None if proposals is None else _of(proposals, video, label))

    @property
    def lanes(self) -> int:
        return int(self.lane.max(initial=0)) + 1

    @property
    def tracks(self) -> dict[str, float]:
        """What there is, from the lowest, and its height; many lanes are thin."""
        heights = {"ground truth": 1, "detections": min(self.lanes, 1.5 + self.lanes / 3),
                   "proposals": 1}
        missing = {"ground truth": self.truth, "proposals": self.proposals}
        return {name: height for name, height in heights.items()
                if name not in missing or missing[name] is not None}


def _lanes(segments: pd.DataFrame) -> np.ndarray:
    """For each segment the lowest lane in which it overlaps none of those before it."""
    start, end = segments.start.to_numpy(), segments.end.to_numpy()
    lanes = np.zeros(len(segments), int)
    for i in range(len(segments)):
        taken = lanes[:i][(start[:i] < end[i]) & (end[:i] > start[i])]
        lanes[i] = np.setdiff1d(np.arange(i + 1), taken)[0]
    return lanes


def _heights(scores: Scores, bars: list[_Bars]) -> list[float]:
    """Of the panels of one video, in inches."""
    heights = [] if scores.foreground is None else [0.95]
    for own in bars:
        heights += [0.95, 0.17 * sum(own.tracks.values())]
    return heights


def _draw_column(
    column: np.ndarray, dataset: Dataset, scores: Scores, video: str, bars: dict[str, _Bars],
    experiment: Experiment, shades: ScalarMappable, letters: int,
) -> None:
    """The panels of one video; a line has room for so many letters."""
    rows, method = scores.rows(video), method_of(experiment)
    edges = np.arange(rows.stop - rows.start + 1) * dataset.snippet_seconds
    line = {"lw": 1.1 if len(edges) < 600 else 0.5, "baseline": None}
    panels, title = iter(column), _fitted(video, letters) + "\n"
    if scores.foreground is not None:
        axes = next(panels)
        axes.stairs(scores.foreground[rows], edges, color=COLOURS["foreground"], **line)
        known = [own.truth for own in bars.values() if own.truth is not None]
        _shade(axes, pd.concat(known) if known else None)
        name = "foreground\n$S_f$" if method.name == "FAC-Net" else "foreground"
        axes.set_ylabel(name)
        axes.set_title(title.strip(), loc="left", parse_math=False)
        title = ""
    sequence = method.sequence(scores, experiment.localization)
    for label, own in bars.items():
        axes, c = next(panels), dataset.classes.index(label)
        values = sequence[rows, c]
        axes.stairs(values, edges, color=COLOURS["class"], **line)
        for value in method.thresholds(values, sequence.shape[1], experiment.localization):
            axes.axhline(value, color="0.4", lw=0.4)
        _shade(axes, own.truth)
        probability = scores.probability[scores.videos.index(video), c]
        axes.set_title(f"{title}{_fitted(label, letters - 18)}, probability {probability:.2f}",
                       loc="left", fontsize=9, parse_math=False)
        axes.set_ylabel(_sequence_name(experiment))
        title = ""
        axes = next(panels)
        _draw_bars(axes, own, label, shades, edges[-1])
        ignored = dataset.ignored[dataset.ignored.video == video]
        axes.broken_barh(_widths(ignored), (0, axes.get_ylim()[1]), zorder=0,
                         facecolor=COLOURS["ignored"], alpha=0.6)
    axes.set_xlabel("time (s)")
    axes.set_xlim(0, edges[-1])
    axes.tick_params(axis="x", labelbottom=True)
    for unused in panels:
        unused.remove()


def _draw_bars(
    axes: Axes, bars: _Bars, label: str, shades: ScalarMappable, seconds: float
) -> None:
    """Ground truth, detections and proposals of a class in a video of so many seconds.

    A bar has an edge in white, but what is short has one in its own colour, so as to be seen.
    """
    bottom, middles = 0.0, {}
    for name, height in bars.tracks.items():
        middles[name] = bottom + height / 2
        if name == "detections":
            found, thick = bars.found, height / bars.lanes
            shade = shades.to_rgba(found.score.astype(float))
            short = found.end - found.start < seconds / 150
            axes.add_collection(PolyCollection(
                [[(a, low), (b, low), (b, low + 0.8 * thick), (a, low + 0.8 * thick)]
                 for a, b, low in zip(found.start, found.end, bottom + thick * (bars.lane + 0.1))],
                facecolor=shade, edgecolor=np.where(short.to_numpy()[:, None], shade, 1.0),
                lw=0.6, gid=f"detections of {label}"))
        else:
            segments = bars.truth if name == "ground truth" else bars.proposals
            axes.broken_barh(
                _widths(segments), (bottom + 0.12, 0.76), color=COLOURS[name], lw=0.5,
                gid=f"{name} of {label}", alpha=0.25 if name == "proposals" else 0.85)
        bottom += height
    axes.set(ylim=(0, bottom), yticks=list(middles.values()), yticklabels=list(middles))
    axes.tick_params(axis="y", length=0)


def _shades(scores: pd.Series) -> ScalarMappable:
    """From light to dark over the scores that there are."""
    colour = to_rgb(COLOURS["detections"])
    light, dark = ([share * c + (1 - share) * end for c in colour]
                   for share, end in ((0.35, 1.0), (0.55, 0.0)))
    norm = Normalize(scores.min(), scores.max()) if len(scores) else Normalize()
    return ScalarMappable(norm, LinearSegmentedColormap.from_list("scores", [light, dark]))


def _sequence_name(experiment: Experiment) -> str:
    """What is thresholded, on a narrow axis."""
    if experiment.method != "FAC-Net":
        return "sequence"
    config = experiment.localization
    return "softmax\nof $S_a$" if config.sequence == "probability" else "$S_a$"


def _fitted(text: str, letters: int) -> str:
    """A long name without its middle."""
    half = (letters - 1) // 2
    return text if len(text) <= letters else f"{text[:half]}…{text[-half:]}"


def key(figure: Figure, entries: dict[str, dict], ncols: int = 3) -> None:
    """A legend below the figure, of marks that are not drawn elsewhere in that look."""
    handles = [Line2D([], [], label=name, **{"ls": "", "ms": 4.5} | style)
               for name, style in entries.items()]
    figure.legend(handles=handles, loc="outside lower center", ncols=ncols)


def _seconds(dataset: Dataset, rows: slice) -> np.ndarray:
    """The middle of each snippet."""
    return (np.arange(rows.stop - rows.start) + 0.5) * dataset.snippet_seconds


def _of(frame: pd.DataFrame, video: str, label: str) -> pd.DataFrame:
    return frame[(frame.video == video) & (frame.label == label)]


def _widths(segments: pd.DataFrame) -> list[tuple[float, float]]:
    return list(zip(segments.start, segments.end - segments.start))


def _bars(axes: Axes, segments: pd.DataFrame, low: float, high: float, colour: str, **style):
    axes.broken_barh(_widths(segments), (low, high - low), facecolor=colour, edgecolor="none",
                     **style)
    axes.set_ylim(low, high)


def _shade(axes: Axes, truth: pd.DataFrame | None) -> None:
    """Ground truth behind a curve, once it is drawn; what overlaps is not darker."""
    if truth is not None:
        truth = truth.sort_values("start")
        apart = (truth.start > truth.end.cummax().shift()).cumsum()
        union = truth.groupby(apart).agg({"start": "min", "end": "max"})
        _bars(axes, union, *axes.get_ylim(), COLOURS["ground truth"], alpha=0.15)
