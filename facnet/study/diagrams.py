"""FAC-Net's Figs 2 and 3, drawn anew, and how a video becomes snippets.

A drawing has boxes, each in a cell of a grid, and arrows between them by their names.
"""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from facnet.config import ModelConfig
from facnet.evaluation import to_snippets
from facnet.study.plots import COLOURS, LINES, name_rows

# The boxes of a branch from left to right: a symbol with its equation, what it is, its shape.
BOXES = {"mil": {"R_m": r"$R_m$ (13)|$\Sigma_t\,A_a S_a$|$C{+}1$",
                 "P_m": r"$P_m$|$\mathrm{softmax}_j\,R_m$|$C{+}1$",
                 "L_mil": r"$\mathcal{L}_{mil}$|background|$y(C{+}1)=1$"},
         "cw": {"S_a": r"$S_a$ (1)|$\delta\,\cos(X_e,W_a)$|$T\times(C{+}1)$",
                "A_a": r"$A_a$ (2)|$\mathrm{softmax}_t\,\tau S_a$|$T\times(C{+}1)$",
                "F_a": r"$F_a$ (3)|$\Sigma_t\,A_a X_e$|$(C{+}1)\times D$",
                "R_a": r"$R_a$ (4)|$\delta\,\cos(F_a,W_f)$|$C{+}1$",
                "P_a": r"$P_a$ (5)|$\mathrm{softmax}_j\,R_a$|$C{+}1$",
                "L_cw": r"$\mathcal{L}_{cw}$ (6)|background|$y(C{+}1)=0$"},
         "ca": {"S_f": r"$S_f$ (8)|$\delta\,\cos(X_e,W_f)$|$T$",
                "A_f": r"$A_f$ (9)|$\mathrm{softmax}_t\,\tau S_f$|$T$",
                "F_f": r"$F_f$ (10)|$\Sigma_t\,A_f X_e$|$D$",
                "R_f": r"$R_f$ (in 11)|$\delta\,\cos(F_f,W_a)$|$C{+}1$",
                "P_f": r"$P_f$ (11)|$\mathrm{softmax}_j\,R_f$|$C{+}1$",
                "L_ca": r"$\mathcal{L}_{ca}$ (12)|background|$y(C{+}1)=0$"}}


class _Drawing:
    """Boxes about the points of a grid, and arrows between them."""

    def __init__(self, height: float, left: float, right: float, top: float):
        self.figure, self.axes = plt.subplots(figsize=(7.2, height))
        self.axes.set(xlim=(left, right), ylim=(0, top))
        self.axes.axis("off")
        self.boxes, self.middles = {}, {}

    def say(self, x: float, y: float, text: str, **style) -> None:
        style = {"ha": "center", "va": "center", "fontsize": 7.5} | style
        self.axes.text(x, y, text.replace("|", "\n"), **style)

    def box(self, name, x, y, text, colour, width=0.86, height=0.66, **style) -> None:
        patch = FancyBboxPatch((x - width / 2, y - height / 2), width, height, fc="white",
                               ec=colour, zorder=3, boxstyle="round,pad=0,rounding_size=0.05")
        self.boxes[name], self.middles[name] = self.axes.add_patch(patch), (x, y)
        self.say(x, y, text, zorder=4, **style)

    def curve(self, name, x, y, values, top, colour, text) -> None:
        """A box with a value a snippet, and what it is above them."""
        panel = self.axes.inset_axes((x - 0.6, y - 0.37, 1.2, 0.74), transform=self.axes.transData)
        panel.stairs(values, fill=True, color=colour, alpha=0.6, baseline=values.min())
        panel.set(xticks=[], yticks=[], xlim=(0, len(values)), ylim=(values.min(), top))
        panel.set_xlabel("snippet $t$", fontsize=7.5, labelpad=2)
        panel.set_title(text, fontsize=7.5, fontweight="normal", y=1, va="top")
        self.boxes[name], self.middles[name] = panel.patch, (x, y)

    def arrow(self, start, end, colour, way="h", shift=0.0, ls="-") -> None:
        """By a way of horizontal and vertical parts, to a point beside the middle of its end."""
        (x, y), (to_x, to_y) = self.middles[start], self.middles[end]
        to_x, between = to_x + shift, (x + to_x) / 2
        bends = {"hv": [(to_x, y)], "vh": [(x, to_y)], "hvh": [(between, y), (between, to_y)]}
        points = [(x, y), *bends.get(way, []), (to_x, y if way == "h" else to_y)]
        self.axes.plot(*zip(*points), color=colour, ls=ls, lw=1.2, zorder=1)
        self.axes.annotate("", points[-1], points[-2], zorder=2, arrowprops={
            "arrowstyle": "-|>", "color": colour, "lw": 0, "shrinkA": 0, "shrinkB": 0,
            "patchB": self.boxes[end]})


def overview() -> Figure:
    """Fig. 2 of the paper, drawn anew: features, classifiers, three branches and their losses.

    CW above and CA below mirror each other about X_e. Each takes its attention from one classifier
    and its score from the other.
    """
    drawing, grey = _Drawing(4.75, -0.6, 7.3, 5.0), "0.4"
    for column, name in enumerate(("activation|of snippets", "attention|over time",
                                   "pooled|feature", r"score, mean|over $\tau$",
                                   "probability|of classes", "loss"), start=1):
        drawing.say(column, 4.82, name, color="0.35")
    drawing.box("total", 7.05, 2.38, r"$\mathcal{L}$ (14): sum of the three, weighted by $\lambda$",
                "black", 0.26, 4.35, rotation=-90, fontsize=8.5)
    for branch, y, x, title_y, title in (
            ("mil", 4.05, 0.58, 4.46, "MIL: multiple instance learning"),
            ("cw", 3.0, 2.1, 3.455, "CW, class-wise foreground: an action must be foreground"),
            ("ca", 0.7, 0.58, 0.24, "CA, class-agnostic attention: foreground must be an action")):
        colour, names = COLOURS[branch], list(BOXES[branch])
        drawing.axes.fill_between((0.52, 6.48), y - 0.52, y + 0.52, color=colour, alpha=0.1, lw=0)
        drawing.say(x, title_y, title, ha="left", color=colour, weight="bold", fontsize=8)
        drawing.say(6.7, y + 0.13, rf"$\lambda_{{{branch}}}$", fontsize=8.5)
        for column, name in enumerate(names, start=7 - len(names)):
            for shift in (0.06, 0.03, 0) if name[0] in "AF" else (0,):  # a card a temperature
                text, up = BOXES[branch][name] * (shift == 0), -1 if branch == "ca" else 1
                drawing.box(name, column + shift, y + up * shift, text, colour)
        for start, end in zip(names, [*names[1:], "total"]):
            drawing.arrow(start, end, colour)
    drawing.box("features", -0.1, 4.05, "features|RGB or flow|$T$ snippets", grey)
    drawing.box("embedding", -0.1, 3.0, "embedding|2 layers with|ReLU (3.1)", grey)
    drawing.box("X_e", -0.1, 1.85, r"$X_e$|embedded|$T\times D$", grey)
    for name, y, what, text, attention, score, shift in (
            ("W_a", 2.2, "class", r"$W_a$: actions|$(C{+}1)\times D$", "S_a", "R_f", 0.12),
            ("W_f", 1.5, "foreground", r"$W_f$: foreground|$1\times D$", "S_f", "R_a", -0.12)):
        drawing.box(name, 1, y, text, COLOURS[what], 0.96, 0.46)
        drawing.arrow(name, attention, COLOURS[what], "v", ls=LINES[what])
        drawing.arrow(name, score, COLOURS[what], "hv", shift, LINES[what])
    for start, end, way, colour in (
            ("features", "embedding", "v", grey), ("embedding", "X_e", "v", grey),
            ("X_e", "S_a", "hvh", grey), ("X_e", "S_f", "hvh", grey), ("X_e", "F_a", "hv", grey),
            ("X_e", "F_f", "hv", grey), ("S_a", "R_m", "vh", COLOURS["mil"]),
            ("A_a", "R_m", "vh", COLOURS["mil"])):
        drawing.arrow(start, end, colour, way)
    drawing.say(5.5, 1.85, "CW and CA mirror each other:|attention by one classifier,|"
                "score by the other", style="italic", fontsize=8.5)
    return drawing.figure


def hybrid_attention() -> Figure:
    """Fig. 3 of the paper, drawn anew: the CW branch with several attentions.

    A class's activations are made up; what follows from them is computed by equation 2, at the
    temperatures of the default model.
    """
    drawing, colour = _Drawing(3.4, -0.55, 6.5, 3.5), COLOURS["cw"]
    for x, name in ((0.1, "activation|of snippets"), (1.85, "attention|over time"),
                    (3.05, "pooled|feature"), (4.02, r"score|for each $\tau$"), (5.05, "score"),
                    (6.02, "probability|of classes")):
        drawing.say(x, 3.35, name, color="0.35")
    time, temperatures = np.arange(60), ModelConfig().temperatures
    S_a = sum(height * np.exp(-((time - peak) / width) ** 4)
              for height, peak, width in ((1.5, 14, 6), (1.0, 40, 9), (0.5, 26, 4)))
    S_a += 0.1 * np.sin(1.3 * time) - 0.5
    drawing.curve("S_a", 0.1, 1.6, S_a, 1.8, colour, "$S_a(t,j)$ (1)")
    drawing.box("R_a", 5.05, 1.6, f"$R_a$|mean of {len(temperatures)}|$C{{+}}1$", colour)
    drawing.box("P_a", 6.02, 1.6, BOXES["cw"]["P_a"], colour)
    drawing.arrow("R_a", "P_a", colour)
    for tau, y in zip(temperatures, (2.65, 1.6, 0.55)):
        A_a = np.exp(tau * S_a) / np.exp(tau * S_a).sum()
        half = np.searchsorted(np.sort(A_a)[::-1].cumsum(), 0.5) + 1  # snippets, the best first
        drawing.curve("A_a", 1.85, y, A_a, 0.4, colour,
                      f"$A_a(t,j)$ (2), $\\tau={tau:g}$:\nhalf on {half} snippets")
        drawing.box("F_a", 3.05, y, BOXES["cw"]["F_a"], colour)
        drawing.box("R_a of tau", 4.02, y, BOXES["cw"]["R_a"], colour)
        drawing.arrow("S_a", "A_a", colour, "hvh")
        drawing.arrow("A_a", "F_a", colour)
        drawing.arrow("F_a", "R_a of tau", colour)
        drawing.arrow("R_a of tau", "R_a", colour, "hvh")
    drawing.say(5.5, 1.05, "averaged before|the softmax over classes", style="italic", fontsize=8)
    return drawing.figure


def snippet_grid(frames: int = 16, fps: float = 25.0) -> Figure:
    """From frames to snippets to seconds, and what the protocol makes of an instance's times."""
    seconds, instance = frames / fps, np.array([1.6, 4.5])
    start, end = to_snippets(instance, seconds)
    times = [*((k * seconds, (k + 1) * seconds) for k in range(8)), instance,
             (start * seconds, end * seconds)]
    words = [*map(str, range(8)), *("{:g} s to {:g} s".format(*own) for own in times[8:])]
    green = [*(start <= k < end for k in range(8)), False, True]
    figure, axes = plt.subplots(figsize=(7.2, 2.2))
    axes.vlines(np.arange(0, 8 * seconds + 1e-9, 1 / fps), -0.3, 0.3, color="0.45", lw=0.6)
    bars = axes.barh([1] * 8 + [2, 3], np.ptp(times, axis=1), 0.75, np.min(times, axis=1),
                     edgecolor="white", color=np.where(green, COLOURS["ground truth"], "0.55"))
    axes.bar_label(bars, words, label_type="center", color="white")
    name_rows(axes, [f"frames, {fps:g} a second", f"snippets of {frames} frames", "an instance",
                     "in whole snippets"])
    axes.set_xlabel("time (s)")
    return figure
