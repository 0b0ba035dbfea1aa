"""FAC-Net's Figs 2 and 3, drawn anew.
"""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, Rectangle

from facnet.config import ModelConfig
from facnet.study.plots import COLOURS, LINES

__all__ = [
    "BOXES", "COLUMN", "ROW", "hybrid_attention", "overview",
]


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
