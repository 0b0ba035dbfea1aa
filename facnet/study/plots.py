"""How pictures look and are saved, those of several chapters, and those of a video over time.

Colours are Okabe and Ito's, which colour-blind readers can tell apart; the same thing has the
same colour throughout. What shares a panel differs in more than colour, so that grey print will do.
"""

import json
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib import font_manager
from matplotlib.figure import Figure

from facnet.config import Experiment, LocalizationConfig
from facnet.data import Dataset
from facnet.evaluation import to_snippets
from facnet.files import replacing, write_text
from facnet.localization import Scores
from facnet.methods import method_of, preset
from facnet.study.consistency import scaled, selection_and_class
from facnet.study.diagnosis import CAUSES, NOTHING, RIGHT
from facnet.study.statistics import Verdict, summary
from facnet.study.tables import BRANCHES

COLOURS = {
    "cw": "#0072B2", "ca": "#D55E00", "mil": "#009E73", "total": "#000000", "foreground": "#D55E00",
    "class": "#0072B2", "ground truth": "#009E73", "detections": "#CC79A7", "proposals": "#E69F00",
    "ignored": "#CFCFCF", "train": "#0072B2", "test": "#D55E00"}
# What tells them apart where colours do not: in grey, blue, vermilion and green are much alike.
LINES = {"cw": "-", "ca": "--", "mil": ":", "total": "-", "class": "-", "foreground": "--",
         "train": "-", "test": "--"}
# What a detection comes to: its colour, and a hatch where colours are much alike in grey.
KINDS = dict(zip((RIGHT, *CAUSES, NOTHING), (
    ("#009E73", ""), ("#F0E442", "...."), ("#0072B2", "////"), ("#E69F00", "----"),
    ("#CC79A7", "xxxx"), ("#444444", ""), ("#FFFFFF", ""))))
# A verdict's mark differs in form as well, so that it reads in grey.
MARKS = dict(zip(Verdict, (
    {"marker": "o", "color": "#009E73"}, {"marker": "o", "color": "#009E73", "fillstyle": "left"},
    {"marker": "o", "color": "#009E73", "fillstyle": "bottom"},
    {"marker": "o", "color": "#7F7F7F", "mfc": "white"}, {"marker": "X", "color": "#D55E00"},
    {"marker": "s", "color": "0.45", "mfc": "white"}, {"marker": "_", "color": "0.45"},
    {"marker": ".", "color": "0.45"})))
# What the first lacks, such as the letters of a Chinese class, the next one that is installed has.
FONTS = ("DejaVu Sans", "Noto Sans CJK SC", "Microsoft YaHei", "PingFang SC", "Arial Unicode MS")
# Without its date the same figure gives the same file.
FORMATS = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}, ".png": {}}


def use_style() -> None:
    """The book's look, for every figure and table from here on, whatever a user has set up."""
    plt.rcdefaults()
    # A name such as "a$b$" is no formula.
    pd.set_option("styler.html.mathjax", False, "display.html.use_mathjax", False)
    installed = font_manager.get_font_names()
    sns.set_theme(
        context="paper", style="ticks", font=[name for name in FONTS if name in installed])
    plt.style.use("facnet.study.book")  # book.mplstyle, beside this file


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
    folder = Path(output)
    folder.mkdir(parents=True, exist_ok=True)
    source = _sign(figure, source)
    for kind in FORMATS:
        write_figure(figure, folder / f"{name}{kind}")
    write_text(folder / f"{name}.txt", f"{source}\n")


def _sign(figure: Figure, source: str) -> str:
    """Set the source below the figure; what was written."""
    source = source.replace("*", "").replace("`", "")
    figure.draw_without_rendering()
    figure.set_layout_engine("none")  # where all stands is settled: the source moves nothing
    for legend in figure.legends:  # or it stands at the bottom of what is saved, on the source
        legend.set_bbox_to_anchor((0, 0, 1, 1), figure.transFigure)
    lines = textwrap.fill(source, round(21 * figure.get_figwidth()))  # or it would widen the figure
    figure.text(0.0, -0.01, lines, va="top", fontsize=6.5, color="0.4", parse_math=False)
    return source


def write_figure(figure: Figure, path: Path) -> None:
    """Write `figure` to a file whose name ends in .svg, .pdf or .png."""
    kind = path.suffix.lower()
    with replacing(path) as partial:
        figure.savefig(partial, dpi=200, format=kind[1:], metadata=FORMATS[kind])


def plain(name: str) -> str:
    """A name as a picture shows it: none of its characters begins a formula or hides a legend."""
    name = name.replace("$", r"\$")
    return f"\N{ZERO WIDTH SPACE}{name}" if name.startswith("_") else name


def slider(draw: Callable[[float], Figure], values: Sequence[float], start: float, name: str,
           source: str, live: bool) -> None:
    """A slider over the pictures that `draw` makes of values, for the picture of the cell above.

    Each is signed with its `source`, as `save_figure` does it.

    If `live`, a kernel draws whatever the slider is moved to: a notebook's parameter of that name
    is true where the environment has FACNET_LIVE, as under `make lab`. Else all others are drawn
    now, and put into the page, where book/_static/slider.js makes the slider.
    """
    def shown(value: float) -> Figure:
        figure = draw(value)
        _sign(figure, source)
        plt.close(figure)  # or the page would show it twice
        return figure

    if live:
        from ipywidgets import SelectionSlider, interact

        interact(shown, value=SelectionSlider(
            options=values, value=start, description=name, continuous_update=False,
            style={"description_width": "initial"}))
        return
    from IPython.core.pylabtools import print_figure
    from IPython.display import HTML, display

    pictures = [(f"{value:g}", None if value == start else print_figure(shown(value), base64=True))
                for value in values]  # that of `start` is above
    held = json.dumps({"name": name, "pictures": pictures})
    held = held.replace("<", "\\u003c")  # or a name could end the script
    display(HTML(f'<script type="application/json" class="slider">{held}</script>'))


def key(figure: Figure, entries: dict[str, dict], ncols: int = 3) -> None:
    """A legend below the figure, of marks that are not drawn elsewhere in that look."""
    handles = [plt.Line2D([], [], label=name, **{"ls": "", "ms": 4.5} | style)
               for name, style in entries.items()]
    figure.legend(handles=handles, loc="outside lower center", ncols=ncols)


def name_rows(axes: plt.Axes, names: Sequence[str]) -> None:
    """What is drawn at y = 0, 1, ... becomes rows with these names, the first at the top."""
    axes.set(ylim=(len(names) - 0.4, -0.6), yticks=range(len(names)), yticklabels=names)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color="0.9", lw=0.6)


def strip(runs: pd.DataFrame) -> Figure:
    """Every run of a sweep as a point, a row a variant, beside the paper's number."""
    rows = summary(runs)
    figure, axes = plt.subplots(figsize=(7.2, 0.26 * len(rows) + 1.1))
    for row, (variant, one) in enumerate(rows.iterrows()):
        colour = COLOURS.get(variant.partition(",")[0].lower(), "#444444")
        points = runs[runs.variant == variant]
        axes.hlines(row, one.low, one.high, color=colour, lw=5, alpha=0.25)
        axes.plot(one["mean"], row, "|", color=colour, ms=11, mew=2)
        # Seeds a little apart, and the paper below them: none hides another.
        apart = np.arange(len(points)) - (len(points) - 1) / 2
        axes.scatter(points.average, row + 0.3 * apart / max(len(points) - 1, 1), 14, zorder=3,
                     lw=0.8, edgecolors=colour, c=np.where(points.collapsed == "", colour, "white"))
        axes.plot(one.paper, row + 0.3, "D", color="black", ms=3.5)
    axes.set_xlabel("AVG (%)")
    name_rows(axes, rows.index)
    marks = {"a seed": {"marker": "o", "color": "#444444"},
             "a seed, a stream collapsed": {"marker": "o", "color": "#444444", "mfc": "white"},
             "mean and interval": {"marker": "|", "color": "#444444", "ms": 11, "mew": 2}}
    printed = {"paper, THUMOS14": {"marker": "D", "color": "black"}}
    key(figure, marks | printed if runs.paper.notna().any() else marks)
    return figure


def differences(compared: pd.DataFrame,
                words: tuple[str, str] = (Verdict.HOLDS, Verdict.FAILS)) -> Figure:
    """Comparisons as points with their two intervals, a panel a claim.

    Parameters
    ----------
    compared : DataFrame
        As `facnet.study.claims.compare` gives it.
    words : tuple of str
        For a difference above zero and one below.
    """
    claims = dict(list(compared.groupby("claim", sort=False)))
    told = dict(zip((Verdict.HOLDS, Verdict.FAILS, Verdict.OPEN), (*words, Verdict.OPEN)))
    figure, panels = plt.subplots(
        len(claims), 1, figsize=(7.2, 0.21 * len(compared) + 0.42 * len(claims) + 0.7),
        sharex=True, height_ratios=[len(own) + 0.8 for own in claims.values()], squeeze=False)
    for axes, (claim, own) in zip(panels[:, 0], claims.items()):
        for row, one in enumerate(own.itertuples()):
            mark = MARKS[one.verdict if one.verdict in told else Verdict.OPEN]
            axes.hlines(row, one.video_low, one.video_high, color=mark["color"], lw=1)
            axes.hlines(row, one.low, one.high, color=mark["color"], lw=5, alpha=0.35)
            axes.plot(one.mean, row, ms=4.5, **mark)
            axes.plot(one.paper, row + 0.3, "D", color="black", ms=3)  # hides none
        axes.axvline(0, color="0.3", lw=0.8)
        axes.set_title(claim, loc="left")
        name_rows(axes, own.name)
    axes.set_xlabel("difference of AVG (points)")
    marks = {word: MARKS[verdict] for verdict, word in told.items()} | {
        "interval over seeds": {"ls": "-", "lw": 5, "alpha": 0.35, "color": "0.5"},
        "interval over test videos": {"ls": "-", "lw": 1, "color": "0.5"}}
    printed = {"paper": {"marker": "D", "color": "black"}}
    key(figure, marks | printed if compared.paper.notna().any() else marks)
    return figure


def verdicts(table: pd.DataFrame) -> Figure:
    """Every claim's verdict on every data set, a row a claim.

    Parameters
    ----------
    table : DataFrame [claim, where, data, verdict]
        `where` begins with a table or figure, and goes on after a comma.
    """
    rows, data = table.drop_duplicates("claim"), table.data.unique()
    figure, axes = plt.subplots(figsize=(7.2, 0.235 * len(rows) + 0.9))
    for verdict, own in table.groupby("verdict"):
        axes.plot(pd.Categorical(own.data, data).codes, pd.Categorical(own.claim, rows.claim).codes,
                  **{"ls": "", "ms": 8} | MARKS[verdict])
    name_rows(axes, rows.claim.str.replace(r"λ_(\w+)", r"$λ_{\1}$", regex=True))
    for place, row in zip(*np.unique(rows["where"].str.partition(",")[0], return_index=True)):
        axes.axhline(row - 0.5, color="0.85", lw=0.6)
        axes.text(len(data) - 0.4, row, place, va="center")
    axes.tick_params(axis="y", labelsize=8.5)  # long sentences: leave room for the marks
    axes.set_xticks(range(len(data)), map(plain, data), rotation=45, ha="left")
    axes.set(xlim=(-0.5, len(data) - 0.5), xlabel="data")
    axes.xaxis.set(ticks_position="top", label_position="top")
    axes.spines[:].set_visible(False)
    key(figure, {name: mark for name, mark in MARKS.items() if name in set(table.verdict)})
    return figure


def lambda_maps(runs: pd.DataFrame) -> Figure:
    """Fig. 4 of the paper: AVG where one λ is 1 and the other two vary, a panel a main branch.

    Parameters
    ----------
    runs : DataFrame
        The sweep fig4. Means over seeds; small digits count seeds with a collapsed stream.
    """
    points = runs.drop_duplicates("variant").set_index("variant").filter(regex="main|lambda")
    points = points.join(summary(runs))
    points["words"] = [f"{one.mean:.0f}\n{one.collapsed}/{one.n}" for one in points.itertuples()]
    figure, panels = plt.subplots(1, 3, figsize=(7.2, 2.9))
    for axes, main in zip(panels, BRANCHES):
        across, up = (f"lambda_{branch}" for branch in BRANCHES if branch != main)
        grid = points[points.main == main].pivot(
            index=up, columns=across, values=["mean", "words"]).rename("{:g}".format)
        grid = grid.rename("{:g}".format, axis=1, level=1)
        sns.heatmap(grid["mean"].astype(float), annot=grid["words"], fmt="", cmap="viridis",
                    vmin=points["mean"].min(), vmax=points["mean"].max(), square=True, cbar=False,
                    ax=axes)
        axes.invert_yaxis()
        axes.tick_params(length=0, labelrotation=0)
        axes.set(title=f"$λ_{{{main.upper()}}}$ = 1", xlabel=f"$λ_{{{across[7:].upper()}}}$",
                 ylabel=f"$λ_{{{up[7:].upper()}}}$")
    figure.colorbar(axes.collections[0], ax=panels, shrink=0.8,
                    label=f"AVG (%), mean over n = {points.n.max()}")
    return figure


def errors(profile: pd.DataFrame, gains: pd.DataFrame) -> Figure:
    """False positives by cause: down the ranks, and what they cost in points of AVG.

    Parameters
    ----------
    profile, gains : DataFrame
        Of `facnet.study.diagnosis`, its `false_positive_profile` and `removal_gains`, as its
        `over_seeds` gives them.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(7.2, 3.3), width_ratios=(1.5, 1))
    profile[list(KINDS)].plot.bar(stacked=True, ax=left, width=0.85, rot=0, legend=False)
    bars = right.barh(gains.index, gains.average, 0.75, capsize=2, xerr=[
        gains.average - gains.average_low, gains.average_high - gains.average])
    for patches, kind in [*zip(left.containers, KINDS), *zip(bars, gains.index)]:
        colour, hatch = KINDS.get(kind, ("0.75", ""))
        plt.setp(patches, facecolor=colour, hatch=hatch, edgecolor="0.2", lw=0.3)
    left.set(xlabel="detections by rank, in groups of G", ylabel="share of G (%)", ylim=(0, 100))
    right.set(xlabel="points of AVG")
    right.invert_yaxis()
    right.tick_params(axis="y", length=0)
    figure.legend(left.containers, KINDS, loc="outside lower center", ncols=4)
    return figure


def snippet_grid(frames: int = 16, fps: float = 25.0) -> Figure:
    """From frames to snippets to seconds, and what the protocol makes of an instance's times."""
    seconds, instance = frames / fps, np.array([1.6, 4.5])
    bars = [(1, k * seconds, (k + 1) * seconds, str(k)) for k in range(8)]
    for row, (start, end) in ((2, instance), (3, seconds * to_snippets(instance, seconds))):
        bars.append((row, start, end, f"{start:g} s to {end:g} s"))
    figure, axes = plt.subplots(figsize=(7.2, 2.2))
    axes.vlines(np.arange(8 * frames + 1) / fps, -0.3, 0.3, color="0.45", lw=0.6)
    for row, start, end, words in bars:
        colour = "0.55" if row == 1 else COLOURS["ground truth"]
        axes.barh(row, end - start, 0.75, start, color=colour, edgecolor="white")
        axes.text((start + end) / 2, row, words, color="white", ha="center", va="center")
    name_rows(axes, [f"frames, {fps:g} a second", f"snippets of {frames} frames", "an instance",
                     "in whole snippets"])
    axes.set_xlabel("time (s)")
    return figure


TRUTH = "#D2EBE2"  # light and opaque: what overlaps is not darker
SHADES = sns.color_palette("blend:#F0C9DF,#7A3B63", as_cmap=True)  # of detections, by score


def example_video(dataset: Dataset, label: str, but: Sequence[str] = ()) -> tuple[str, str]:
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


def shown_classes(dataset: Dataset, video: str, detections: pd.DataFrame) -> list[str]:
    """What a video shows, then what else was detected in it, the best score first."""
    true = dataset.videos.set_index("video").labels[video]
    true = [*true, *dataset.instances.label[dataset.instances.video == video]]
    found = detections[detections.video == video].sort_values("score", ascending=False)
    return list(dict.fromkeys([*true, *found.label]))


def selection(dataset: Dataset, models: dict[str, tuple[Experiment, Scores]], video: str,
              label: str) -> Figure:
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
    truth = _of(dataset.instances, video, label)
    for axes, (name, (experiment, scores)) in zip(panels[:, 0], models.items()):
        pair = selection_and_class(scores, dataset.classes.index(label), experiment)
        for values, what in zip(pair, ("foreground", "class")):
            _draw(axes, dataset, scaled(values[scores.rows(video)]), what, LINES[what])
        _shade(axes, truth)
        axes.axhline(0.5, color="0.4", lw=0.5)
        axes.set_ylabel("share of\nown range")
        axes.set_title(name, loc="left")
    axes.set_xlabel("time (s)")
    key(figure, {
        "selection of foreground": {"ls": LINES["foreground"], "color": COLOURS["foreground"]},
        f"probability of {plain(label)}": {"ls": LINES["class"], "color": COLOURS["class"]},
        "ground truth": {"marker": "s", "ms": 7, "color": TRUTH}})
    return figure


def activations(dataset: Dataset, scores: dict[str, Scores], video: str, label: str,
                config: LocalizationConfig) -> Figure:
    """Figs 5 and 6 of the paper: foreground scores and the class's sequence, a row a model.

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
        _draw(left, dataset, own.foreground[rows], "foreground")
        sequence = method_of(preset()).sequence(own, config)
        _draw(right, dataset, sequence[rows, dataset.classes.index(label)], "class")
        for axes in (left, right):
            _shade(axes, truth)
        left.set_title(name.replace("\n", ", "), loc="left")
        left.set_ylabel("foreground\n$S_f$")
        right.set_ylabel(f"class\n{config.sequence}")
    panels[0, 1].set_title(label, loc="left", parse_math=False)
    plt.setp(panels[-1], xlabel="time (s)")
    return figure


def timeline(dataset: Dataset, scores: Scores, examples: dict[str, Sequence[str]],
             detections: pd.DataFrame, experiment: Experiment = preset(),
             proposals: pd.DataFrame | None = None) -> Figure:
    """Fig. 7 of the paper: scores, detections and ground truth of a video on one time axis.

    From the top: what the model has for foreground (S_f of equation 8; nothing where a method has
    none); then for each class its sequence with the thresholds, and its detections at the height
    of their scores. Instances, where they are known, shade all of them.

    Parameters
    ----------
    dataset : Dataset
    scores : Scores
        Of one stream, or of all side by side.
    examples : dict of str to sequence of str
        Videos, a column each, and which classes to show, such as `shown_classes` gives.
    detections : DataFrame [video, label, start, end, score]
        Those of other videos and classes are left out.
    experiment : Experiment
        Says what is thresholded, and at which values.
    proposals : DataFrame [video, label, start, end, score], optional
        Drawn behind the detections: what NMS keeps hides them.
    """
    if scores.foreground is None:  # one row at least
        examples = {video: labels or dataset.classes[:1] for video, labels in examples.items()}
    found = {} if proposals is None else {"proposals": proposals}
    found["detections"] = detections
    span = [0.0, 0.01, *detections.score[detections.video.isin(list(examples))]]
    norm = plt.Normalize(min(span), max(span))
    first = int(scores.foreground is not None)  # row of the first class
    heights = [1.0] * first + [1.0, 0.7] * max(map(len, examples.values()))
    figure, panels = plt.subplots(len(heights), len(examples), sharex="col", squeeze=False,
                                  figsize=(7.2, 1.1 * sum(heights) + 0.8), height_ratios=heights)
    for column, (video, labels) in zip(panels.T, examples.items()):
        v = scores.videos.index(video)
        own, used = scores.of_videos(v, v + 1), first + 2 * len(labels)
        if first:
            _draw(column[0], dataset, own.foreground, "foreground")
            column[0].set_ylabel("foreground")
        for label, upper, lower in zip(labels, column[first::2], column[first + 1 :: 2]):
            _draw_class(upper, dataset, own, label, experiment)
            _draw_found(lower, found, video, label, norm)
            for axes in (*column[:first], upper, lower):
                _shade(axes, _of(dataset.instances, video, label))
            _shade(lower, dataset.ignored[dataset.ignored.video == video], COLOURS["ignored"])
        title = f"{video:.{70 // len(examples)}}\n{column[0].get_title('left')}".strip()
        column[0].set_title(title, loc="left", parse_math=False)
        column[used - 1].set_xlabel("time (s)")
        column[used - 1].tick_params(axis="x", labelbottom=True)
        for unused in column[used:]:
            unused.remove()
    marks = {"threshold": {"ls": "-", "color": "0.4", "lw": 0.6},
             "detection": {"ls": "-", "lw": 4, "color": COLOURS["detections"]},
             "ground truth": {"marker": "s", "ms": 7, "color": TRUTH}}
    if "proposals" in found:
        marks["proposal"] = {"ls": "-", "lw": 4, "color": COLOURS["proposals"]}
    if dataset.ignored.video.isin(list(examples)).any():
        marks["ambiguous, not evaluated"] = {"marker": "s", "ms": 7, "color": COLOURS["ignored"]}
    key(figure, marks, ncols=5)
    return figure


def _draw_class(axes: plt.Axes, dataset: Dataset, scores: Scores, label: str,
                experiment: Experiment) -> None:
    """A class's sequence in the one video of these scores, and its thresholds."""
    method, config, c = method_of(experiment), experiment.localization, dataset.classes.index(label)
    sequence = method.sequence(scores, config)
    _draw(axes, dataset, sequence[:, c], "class")
    for value in method.thresholds(sequence[:, c], sequence.shape[1], config):
        axes.axhline(value, color="0.4", lw=0.4)
    title = f"{label:.20}, probability {scores.probability[0, c]:.2f}"
    video = dataset.videos.set_index("video").loc[scores.videos[0]]
    if label in video.labels and not len(_of(dataset.instances, video.name, label)):
        title += ", when is not known"
    axes.set_title(title, loc="left", parse_math=False)
    axes.set_ylabel(f"class\n{getattr(config, 'sequence', 'sequence')}")


def _draw_found(axes: plt.Axes, found: dict[str, pd.DataFrame], video: str, label: str,
                norm: plt.Normalize) -> None:
    """Detections at the height of their score, the better the darker; proposals behind them."""
    for what, segments in found.items():
        own = _of(segments, video, label).astype({"score": float}).sort_values("score")
        shades = SHADES(norm(own.score)) if what == "detections" else COLOURS[what]
        axes.hlines(own.score, own.start, own.end, color=shades, lw=4, capstyle="projecting",
                    zorder=2, gid=f"{what} of {label}")
    margin = 0.2 * (norm.vmax - norm.vmin)
    axes.set(ylabel="score", ylim=(norm.vmin - margin, norm.vmax + margin))


def _draw(axes: plt.Axes, dataset: Dataset, values: np.ndarray, what: str, ls: str = "-") -> None:
    """Scores of a video, a step a snippet."""
    edges = np.arange(len(values) + 1) * dataset.snippet_seconds
    axes.stairs(values, edges, baseline=None, color=COLOURS[what], ls=ls,
                lw=1.1 if len(edges) < 600 else 0.5)
    axes.set_xlim(0, edges[-1])


def _shade(axes: plt.Axes, segments: pd.DataFrame, colour: str = TRUTH) -> None:
    """Intervals behind scores."""
    for start, end in segments[["start", "end"]].to_numpy():
        axes.axvspan(start, end, color=colour, lw=0, zorder=0)


def _of(frame: pd.DataFrame, video: str, label: str) -> pd.DataFrame:
    return frame[(frame.video == video) & (frame.label == label)]
