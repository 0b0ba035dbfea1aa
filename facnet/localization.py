"""From the scores of snippets to detections: thresholds, outer-inner score, NMS, fusion.

`propose`, `localize` and `fuse` are FAC-Net's procedure; the parts that they are made of serve the
other methods' too.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from facnet.config import LocalizationConfig

__all__ = [
    "Kept", "Runs", "Scores", "detections_of", "fuse", "keep", "kept_classes", "localize",
    "mean_between", "nms", "outer_inner", "parts", "propose", "running_sums", "sequences",
    "softmax", "suppress", "upsample",
]

OUTER_FRACTION = 0.25  # of a run's length, on each side, in text, released code and BaS-Net
COLUMNS = ["video", "label", "start", "end", "score"]
# Samples times columns that are localised at a time, 8 bytes each and several times over: all of
# THUMOS14 at a sample a snippet is less, and ActivityNet's validation videos are 20 times as much.
LARGEST_PART = 2**23


@dataclass(frozen=True)
class Scores:
    """What a model says of some videos of one stream; snippets are packed.

    Attributes
    ----------
    videos : tuple of str
    offsets : ndarray [V + 1] of int
        Video v's snippets are rows `offsets[v]` to `offsets[v + 1]`.
    probability : ndarray [V, K]
        A video's class probabilities; FAC-Net's P_f of equation 11.
    activation : ndarray [N, K]
        The class activation sequence; FAC-Net's S_a of equation 1.
    foreground : ndarray [N] or None
        What a method has for a snippet's foreground: FAC-Net's S_f of equation 8, the attention
        of STPN and BM, the length of UM's features. W-TALC has nothing of the kind.
    """

    videos: tuple[str, ...]
    offsets: np.ndarray
    probability: np.ndarray
    activation: np.ndarray
    foreground: np.ndarray | None

    def rows(self, video: str) -> slice:
        """The rows of a video's snippets."""
        v = self.videos.index(video)
        return slice(self.offsets[v], self.offsets[v + 1])

    def part(self, first: int, last: int) -> "Scores":
        """Those of videos number `first` to `last`, exclusive."""
        rows = slice(self.offsets[first], self.offsets[last])
        return Scores(
            self.videos[first:last], self.offsets[first : last + 1] - self.offsets[first],
            self.probability[first:last], self.activation[rows],
            None if self.foreground is None else self.foreground[rows])


def parts(scores: dict[str, Scores], upsampling: int = 1) -> Iterator[dict[str, Scores]]:
    """Scores by stream, some videos at a time, which bounds the memory of what they become."""
    one = next(iter(scores.values()))
    number = one.offsets[1:] * upsampling * one.activation.shape[1] // LARGEST_PART
    bounds = [0, *(np.flatnonzero(np.diff(number)) + 1).tolist(), len(one.videos)]
    for first, last in zip(bounds, bounds[1:]):
        yield {stream: own.part(first, last) for stream, own in scores.items()}


@dataclass(frozen=True)
class Runs:
    """Runs of samples above a threshold in the sequences of a `Kept`, [R] each.

    `pair` says which sequence; `start` and (exclusive) `end` are places in `Kept.values`.
    """

    pair: np.ndarray
    start: np.ndarray
    end: np.ndarray


class Kept:
    """The sequences of the classes that are localised in each video, one after the other.

    Each is closed by one sample that is in no run.

    Parameters
    ----------
    kept : ndarray [V, C] of bool
    offsets : ndarray [V + 1] of int
        The videos' samples.

    Attributes
    ----------
    video, column : ndarray [P] of int
        Of each sequence.
    begin, stop : ndarray [P] of int
        Its samples' places in `values`.
    """

    def __init__(self, kept: np.ndarray, offsets: np.ndarray):
        self.video, self.column = np.nonzero(kept)
        lengths = np.diff(offsets)[self.video]
        self.stop = np.cumsum(lengths + 1) - 1
        self.begin = self.stop - lengths
        self._pair = np.repeat(np.arange(len(lengths)), lengths + 1)
        self._row = np.arange(len(self._pair)) + (offsets[self.video] - self.begin)[self._pair]
        self._row[self.stop] -= 1

    def values(self, sequence: np.ndarray) -> np.ndarray:
        """Samples [n, K] of all videos as [M], -inf between two sequences.

        Of samples [n], which are of no class, each sequence gets its video's.
        """
        at = self._row if sequence.ndim == 1 else (self._row, self.column[self._pair])
        values = np.asarray(sequence, np.float64)[at]
        values[self.stop] = -np.inf
        return values

    def runs(self, values: np.ndarray, thresholds: np.ndarray, minimum: float = 0) -> Runs:
        """Runs strictly above each threshold, at least `minimum` samples long.

        Parameters
        ----------
        values : ndarray [M]
        thresholds : ndarray [H] or [P, H]
            The same for all sequences, or each sequence's own.
        minimum : float

        Returns
        -------
        Runs
            By sequence, threshold, time.
        """
        pairs, wanted = len(self.video), np.asarray(thresholds, np.float64)
        wanted = np.broadcast_to(wanted, (pairs, wanted.shape[-1]))[self._pair]
        found = [_runs(values > threshold) for threshold in wanted.T]
        start, end = (np.concatenate([one[i] for one in found]) for i in (0, 1))
        at_threshold = np.repeat(np.arange(len(found)), [len(one[0]) for one in found])
        order = np.lexsort((start, at_threshold, self._pair[start]))
        order = order[(end - start)[order] >= minimum]
        return Runs(self._pair[start[order]], start[order], end[order])


def kept_classes(scores: Scores, classes: int, config: LocalizationConfig) -> np.ndarray:
    """Which classes are localised in which video, [V, C] of bool, by P_f (equation 11)."""
    # Of few columns the multiple would ask for more than most, or more than there is.
    least = min(config.class_threshold / scores.probability.shape[1], 0.5)
    return keep(scores.probability[:, :classes], least, config.argmax_fallback)


def keep(probability: np.ndarray, least: float, argmax_fallback: bool) -> np.ndarray:
    """Classes [V, C] of at least some probability; where there is none, perhaps the best."""
    kept = probability >= least
    if argmax_fallback:
        none = ~kept.any(1)
        kept[none, probability[none].argmax(1)] = True
    return kept


def sequences(scores: Scores, config: LocalizationConfig) -> tuple[np.ndarray, np.ndarray]:
    """The sequence of each column that is thresholded, and the videos' offsets in it.

    Returns
    -------
    sequence : ndarray [N * upsampling, K]
        In [0, 1]; probabilities, or rescaled to each video's own range.
    offsets : ndarray [V + 1] of int
    """
    sequence = np.asarray(scores.activation, np.float64)
    if config.sequence == "probability":
        sequence = softmax(sequence)
    offsets = scores.offsets * config.upsampling
    if config.upsampling > 1:
        sequence = upsample(sequence, scores.offsets, config.upsampling)
    if config.threshold_rule == "range":
        low = np.maximum(np.minimum.reduceat(sequence, offsets[:-1]), 0)
        high = np.maximum(np.maximum.reduceat(sequence, offsets[:-1]), 0)
        span = np.where(high > low, high - low, 1.0)  # a flat sequence has no run
        repeats = np.diff(offsets)
        low, span = np.repeat(low, repeats, axis=0), np.repeat(span, repeats, axis=0)
        sequence = np.clip((sequence - low) / span, 0, 1)
    return sequence, offsets


def softmax(x: np.ndarray) -> np.ndarray:
    """Over the columns, in float64."""
    x = np.asarray(x, np.float64)
    x = np.exp(x - x.max(1, keepdims=True))
    return x / x.sum(1, keepdims=True)


def propose(
    scores: Scores, classes: tuple[str, ...], snippet_seconds: float,
    config: LocalizationConfig = LocalizationConfig(),
) -> pd.DataFrame:
    """Proposals of one stream, before NMS.

    Parameters
    ----------
    scores : Scores
    classes : tuple of str
        Names of the first C columns.
    snippet_seconds : float
    config : LocalizationConfig

    Returns
    -------
    DataFrame [video, label, start, end, score]
        In seconds. The order is that of the released code: by video, class, threshold, time.

    Notes
    -----
    A proposal is a run of samples above a threshold; its score is the mean inside minus
    `outer_inner_weight` times the mean of a ring outside (Shou et al., AutoLoc, ECCV 2018).
    """
    sequence, offsets = sequences(scores, config)
    thresholds = np.array(config.thresholds)
    if config.threshold_rule == "uniform":
        thresholds = thresholds / sequence.shape[1]
    kept = Kept(kept_classes(scores, len(classes), config), offsets)
    values = kept.values(sequence)
    runs = kept.runs(values, thresholds, config.minimum_length * config.upsampling)
    extra = int(config.extra_end_snippet)
    score = outer_inner(
        running_sums(values), runs, kept, config.outer_inner_weight, config.extra_end_snippet)
    return detections_of(
        scores.videos, classes, kept, runs, score, snippet_seconds / config.upsampling, extra)


def detections_of(
    videos: tuple[str, ...], classes: tuple[str, ...], kept: Kept, runs: Runs, score: np.ndarray,
    seconds: float, extra: int = 0,
) -> pd.DataFrame:
    """Runs of samples that are `seconds` apart as segments, `extra` samples past their ends."""
    begin = kept.begin[runs.pair]
    return pd.DataFrame(
        {
            "video": np.array(videos, object)[kept.video[runs.pair]],
            "label": np.array(classes, object)[kept.column[runs.pair]],
            "start": (runs.start - begin) * seconds,
            "end": (runs.end + extra - begin) * seconds,
            "score": score,
        },
        columns=COLUMNS,
    )


def localize(
    scores: Scores, classes: tuple[str, ...], snippet_seconds: float,
    config: LocalizationConfig = LocalizationConfig(),
) -> pd.DataFrame:
    """Detections of one stream: proposals after NMS. Parameters and columns as `propose`."""
    proposals = propose(scores, classes, snippet_seconds, config)
    return suppress(proposals, snippet_seconds, config.nms_threshold, config.nms_criterion)


def fuse(
    detections: dict[str, pd.DataFrame], snippet_seconds: float,
    config: LocalizationConfig = LocalizationConfig(),
) -> pd.DataFrame:
    """Detections of several streams as one list: rgb reweighted, then NMS over all.

    Parameters
    ----------
    detections : dict of str to DataFrame
        By stream, as `localize` gives them; "rgb" scores are multiplied by `rgb_weight`.
    snippet_seconds : float
    config : LocalizationConfig
    """
    weighted = [
        frame.assign(score=frame.score * (config.rgb_weight if stream == "rgb" else 1.0))
        for stream, frame in detections.items()
    ]
    pooled = pd.concat(weighted, ignore_index=True)
    return suppress(pooled, snippet_seconds, config.fusion_nms_threshold, config.nms_criterion)


def nms(
    start: np.ndarray, end: np.ndarray, score: np.ndarray, threshold: float,
    criterion: str = "tiou", groups: np.ndarray | None = None, added: float = 0.0,
) -> np.ndarray:
    """Greedy non-maximum suppression, within each group.

    Parameters
    ----------
    start, end, score : ndarray [n]
        In snippets, for "lower_scored" adds one snippet to every length.
    threshold : float
        A segment is dropped if its overlap with a better one that was kept exceeds this.
    criterion : {"tiou", "lower_scored"}
        As `LocalizationConfig.nms_criterion`.
    groups : ndarray [n], optional
        Only segments of one group suppress each other.
    added : float
        To every length and intersection, as codes do that count whole frames.

    Returns
    -------
    ndarray of int
        Kept indices, by group and then in the order picked. Of equal scores the last in the
        array is picked first, as in the released code.
    """
    groups = np.zeros(len(score), int) if groups is None else groups
    added = added + (criterion == "lower_scored")
    order = np.lexsort((np.arange(len(score)), score, groups))[::-1]
    kept = []
    # Every round picks the best segment left in each group, for all groups at once.
    while len(order):
        is_pick = np.concatenate([[True], np.diff(groups[order]) != 0])
        pick = order[is_pick]
        rival = pick[np.cumsum(is_pick) - 1]
        shared = np.minimum(end[rival], end[order]) - np.maximum(start[rival], start[order]) + added
        shared = np.maximum(shared, 0)
        length = end[order] - start[order] + added
        if criterion == "tiou":
            length = length + end[rival] - start[rival] + added - shared
        kept.append(pick)
        order = order[~is_pick & (shared <= threshold * length)]
    kept = np.concatenate(kept) if kept else np.empty(0, int)
    return kept[np.argsort(groups[kept], kind="stable")]


def suppress(
    frame: pd.DataFrame, unit: float, threshold: float, criterion: str = "tiou",
    added: float = 0.0,
) -> pd.DataFrame:
    """`nms` within each class of each video; times count in units of so many seconds."""
    groups = frame.groupby(["video", "label"], sort=True).ngroup().to_numpy()
    # Rounded: seconds back to snippets must not turn an overlap of exactly .9 into a little more.
    start, end = (np.round(frame[c].to_numpy() / unit, 6) for c in ("start", "end"))
    kept = nms(start, end, frame.score.to_numpy(), threshold, criterion, groups, added)
    return frame.iloc[kept].reset_index(drop=True)


def _runs(above: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Starts and (exclusive) ends of the runs of True."""
    change = np.diff(np.concatenate([[False], above, [False]]).astype(np.int8))
    return np.flatnonzero(change == 1), np.flatnonzero(change == -1)


def running_sums(values: np.ndarray) -> np.ndarray:
    """Σ values[:i] for each i, [M + 1]; the -inf between sequences count nothing."""
    return np.concatenate([[0.0], np.cumsum(np.where(np.isfinite(values), values, 0.0))])


def mean_between(sums: np.ndarray, first: np.ndarray, last: np.ndarray) -> np.ndarray:
    """Means of values[first:last], 0 where that is empty."""
    size = last - first
    return np.where(size > 0, sums[last] - sums[first], 0.0) / np.maximum(size, 1)


def outer_inner(
    sums: np.ndarray, runs: Runs, kept: Kept, weight: float, extra_end: bool = False
) -> np.ndarray:
    """Mean inside a run minus `weight` times that of a ring, a quarter of its length on each side.

    With `extra_end` the released arithmetic: the inner mean takes one sample more, the right ring
    begins after it and never holds the last sample.
    """
    extra = int(extra_end)
    start, end = runs.start, runs.end
    begin, stop = kept.begin[runs.pair], kept.stop[runs.pair]
    ring = OUTER_FRACTION * (end - start)
    left = np.maximum(begin, begin + np.trunc(start - begin - ring).astype(int))
    right = np.minimum(stop - extra, begin + (end - begin + ring + extra).astype(int))
    right_start = np.minimum(end + extra, right)
    inner_end = np.minimum(end + extra, stop)
    inner = (sums[inner_end] - sums[start]) / (inner_end - start)
    size = (start - left) + (right - right_start)
    outer = sums[start] - sums[left] + sums[right] - sums[right_start]
    outer = np.where(size > 0, outer / np.maximum(size, 1), 0.0)
    return inner - weight * outer


def upsample(sequence: np.ndarray, offsets: np.ndarray, factor: int) -> np.ndarray:
    """Linear interpolation between the centres of snippets, constant past the outer centres.

    [N, K] or [N] to `factor` samples a snippet; `offsets` [V + 1] are the videos' snippets.
    """
    samples = (np.arange(offsets[-1] * factor) + 0.5) / factor - 0.5
    lengths = np.diff(offsets) * factor
    low = np.clip(np.floor(samples).astype(int), np.repeat(offsets[:-1], lengths), None)
    last = np.repeat(offsets[1:] - 1, lengths)
    low = np.minimum(low, last)
    weight = np.clip(samples - low, 0, 1).reshape(-1, *[1] * (sequence.ndim - 1))
    return (1 - weight) * sequence[low] + weight * sequence[np.minimum(low + 1, last)]
