"""Pictures of a video over time: FAC-Net's Figs 1, 5, 6 and 7."""

from collections.abc import Sequence
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from facnet.config import Experiment, LocalizationConfig
from facnet.data import Dataset
from facnet.localization import Scores
from facnet.methods import method_of, preset
from facnet.study.consistency import scaled, selection_and_class
from facnet.study.plots import COLOURS, LINES, key

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
        f"probability of {label}": {"ls": LINES["class"], "color": COLOURS["class"]},
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
    experiment, truth = replace(preset(), localization=config), _of(dataset.instances, video, label)
    for (left, right), (name, own) in zip(panels, scores.items()):
        rows = own.rows(video)
        _draw(left, dataset, own.foreground[rows], "foreground")
        sequence = method_of(experiment).sequence(own, config)
        _draw(right, dataset, sequence[rows, dataset.classes.index(label)], "class")
        for axes in (left, right):
            _shade(axes, truth)
        left.set_title(name.replace("\n", ", "), loc="left")
        left.set_ylabel("foreground\n$S_f$")
        right.set_ylabel(f"class\n{config.sequence}")
    panels[0, 1].set_title(label, loc="left")
    for axes in panels[-1]:
        axes.set_xlabel("time (s)")
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
    found = {} if proposals is None else {"proposals": proposals}
    found["detections"] = detections
    span = [0.0, 0.01, *detections.score[detections.video.isin(list(examples))]]
    norm = Normalize(min(span), max(span))
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


def _draw_class(
        axes: Axes, dataset: Dataset, scores: Scores, label: str, experiment: Experiment) -> None:
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


def _draw_found(axes: Axes, found: dict[str, pd.DataFrame], video: str, label: str,
                norm: Normalize) -> None:
    """Detections at the height of their score, the better the darker; proposals behind them."""
    for what, segments in found.items():
        own = _of(segments, video, label).astype({"score": float}).sort_values("score")
        shades = SHADES(norm(own.score)) if what == "detections" else COLOURS[what]
        axes.hlines(own.score, own.start, own.end, color=shades, lw=4, capstyle="projecting",
                    zorder=2, gid=f"{what} of {label}")
    margin = 0.2 * (norm.vmax - norm.vmin)
    axes.set(ylabel="score", ylim=(norm.vmin - margin, norm.vmax + margin))


def _draw(axes: Axes, dataset: Dataset, values: np.ndarray, what: str, ls: str = "-") -> None:
    """Scores of a video, a step a snippet."""
    edges = np.arange(len(values) + 1) * dataset.snippet_seconds
    axes.stairs(values, edges, baseline=None, color=COLOURS[what], ls=ls,
                lw=1.1 if len(edges) < 600 else 0.5)
    axes.set_xlim(0, edges[-1])


def _shade(axes: Axes, segments: pd.DataFrame, colour: str = TRUTH) -> None:
    """Intervals behind scores."""
    for start, end in segments[["start", "end"]].to_numpy():
        axes.axvspan(start, end, color=colour, lw=0, zorder=0)


def _of(frame: pd.DataFrame, video: str, label: str) -> pd.DataFrame:
    return frame[(frame.video == video) & (frame.label == label)]
