"""Pictures of a video over time: FAC-Net's Figs 1, 5, 6 and 7.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import PolyCollection
from matplotlib.colors import LinearSegmentedColormap, Normalize, to_rgb
from matplotlib.figure import Figure

from facnet.config import Experiment, LocalizationConfig
from facnet.data import Dataset
from facnet.localization import Scores, sequences
from facnet.methods import method_of, preset
from facnet.study.consistency import scaled, selection_and_class
from facnet.study.plots import COLOURS, LINES, key

__all__ = [
    "activations", "example_video", "selection", "shown_classes", "timeline",
]


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
        right.set_ylabel(_sequence_name(replace(preset(), localization=config)))
    for axes in panels.flat:  # after all is drawn: rows share their limits
        _bars(axes, truth, *axes.get_ylim(), COLOURS["ground truth"], alpha=0.15)
    panels[0, 1].set_title(label, loc="left")
    for axes in panels[-1]:
        axes.set(xlabel="time (s)", xlim=(0, time[-1] + dataset.snippet_seconds / 2))
    return figure


def shown_classes(dataset: Dataset, video: str, detections: pd.DataFrame) -> list[str]:
    """What a video shows, then what else was detected in it, the best score first."""
    true = dataset.videos.set_index("video").labels[video]
    true = [*true, *dataset.instances.label[dataset.instances.video == video]]
    found = detections[detections.video == video].sort_values("score", ascending=False)
    return list(dict.fromkeys([*true, *found.label]))


def timeline(
    dataset: Dataset, scores: Scores, examples: dict[str, Sequence[str]],
    detections: pd.DataFrame, experiment: Experiment = preset(),
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
