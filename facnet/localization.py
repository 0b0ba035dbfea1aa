"""From the scores of snippets to detections: thresholds, outer-inner score, NMS, fusion.

`propose`, `localize` and `fuse` are FAC-Net's procedure; the parts that they are made of serve the
other methods' too.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from facnet.config import LocalizationConfig

OUTER_FRACTION = 0.25  # of a run's length, on each side, in text, released code and BaS-Net
# At most so many values (samples × columns) are localised at once, 64 MB an array: all of THUMOS14
# has fewer, ActivityNet's validation videos 20 times as many, which would not fit into memory.
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
    foreground: np.ndarray | None = None

    def rows(self, video: str) -> slice:
        """The rows of a video's snippets."""
        v = self.videos.index(video)
        return slice(self.offsets[v], self.offsets[v + 1])

    def of_videos(self, first: int, last: int) -> "Scores":
        """Those of videos number `first` to `last`, exclusive."""
        rows = slice(self.offsets[first], self.offsets[last])
        return Scores(self.videos[first:last], self.offsets[first : last + 1] - self.offsets[first],
                      self.probability[first:last], self.activation[rows],
                      None if self.foreground is None else self.foreground[rows])


def in_parts(scores: dict[str, Scores], upsampling: int = 1) -> Iterator[dict[str, Scores]]:
    """Scores by stream, some videos at a time, which bounds the memory of what they become."""
    one = next(iter(scores.values()))
    number = one.offsets[1:] * upsampling * one.activation.shape[1] // LARGEST_PART
    bounds = [0, *(np.flatnonzero(np.diff(number)) + 1).tolist(), len(one.videos)]
    for first, last in zip(bounds, bounds[1:]):
        yield {stream: own.of_videos(first, last) for stream, own in scores.items()}


class Runs(NamedTuple):
    """Runs of samples above a threshold in `ClassSequences`, [R] each.

    `pair` says which sequence; `start` and (exclusive) `end` are places in its values.
    """

    pair: np.ndarray
    start: np.ndarray
    end: np.ndarray


class ClassSequences:
    """One sequence of samples for each class that is localised in each video, end to end.

    Few classes are kept in a video, so that [M] values in a row take the place of every class's
    column, and all sequences are searched for runs at once. After each stands one value of -inf,
    which ends a run that reaches the end of its video.

    Parameters
    ----------
    scores : Scores
    kept : ndarray [V, C] of bool
        Which classes are localised in which video.
    upsampling : int
        Samples a snippet.

    Attributes
    ----------
    video, column : ndarray [P] of int
        Of each sequence.
    begin, stop : ndarray [P] of int
        Where it begins, and where its -inf stands.
    """

    def __init__(self, scores: Scores, kept: np.ndarray, upsampling: int = 1):
        self.scores, self.upsampling = scores, upsampling
        self.video, self.column = np.nonzero(kept)
        offsets = scores.offsets * upsampling
        lengths = np.diff(offsets)[self.video]
        self.stop = np.cumsum(lengths + 1) - 1
        self.begin = self.stop - lengths
        self._pair = np.repeat(np.arange(len(lengths)), lengths + 1)
        self._row = np.arange(len(self._pair)) + (offsets[self.video] - self.begin)[self._pair]
        self._row[self.stop] -= 1

    def values(self, samples: np.ndarray) -> np.ndarray:
        """Samples [n, K] of all videos as [M], -inf between two sequences.

        Of samples [n], which are of no class, each sequence gets its video's.
        """
        at = self._row if samples.ndim == 1 else (self._row, self.column[self._pair])
        values = np.asarray(samples, np.float64)[at]
        values[self.stop] = -np.inf
        return values

    def upsampled(self, sequence: np.ndarray) -> np.ndarray:
        """`values` of what has a row a snippet, [N, K] or [N]."""
        return self.values(upsample(sequence, self.scores.offsets, self.upsampling))

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
        # A sequence ends below every threshold, so that runs begin and end in turns.
        changes = np.diff(values > wanted.T, axis=1, prepend=False, append=False)  # [H, M + 1]
        at_threshold, change = np.nonzero(changes)
        start, end = change[::2], change[1::2]
        order = np.lexsort((start, at_threshold[::2], self._pair[start]))
        order = order[(end - start)[order] >= minimum]
        return Runs(self._pair[start[order]], start[order], end[order])

    def detections(self, runs: Runs, score: np.ndarray, classes: tuple[str, ...],
                   snippet_seconds: float, extra: int = 0) -> pd.DataFrame:
        """Runs with a score each as segments in seconds, `extra` samples past their ends."""
        begin, seconds = self.begin[runs.pair], snippet_seconds / self.upsampling
        return pd.DataFrame({"video": np.array(self.scores.videos, object)[self.video[runs.pair]],
                             "label": np.array(classes, object)[self.column[runs.pair]],
                             "start": (runs.start - begin) * seconds,
                             "end": (runs.end + extra - begin) * seconds, "score": score})


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


def sequences(scores: Scores, config: LocalizationConfig) -> np.ndarray:
    """The sequence of each column that is thresholded, [N * upsampling, K].

    In [0, 1]; probabilities, or rescaled to each video's own range.
    """
    sequence = np.asarray(scores.activation, np.float64)
    if config.sequence == "probability":
        sequence = softmax(sequence)
    sequence = upsample(sequence, scores.offsets, config.upsampling)
    if config.threshold_rule == "range":
        sequence = stretched(sequence, scores.offsets * config.upsampling, 0.0)
    return sequence


def stretched(sequence: np.ndarray, offsets: np.ndarray, least: float = -np.inf) -> np.ndarray:
    """Each column [N, K] from its smallest to its largest value in a video mapped to [0, 1].

    Smallest and largest are at least `least`. A column without a range becomes 0.
    """
    low, high = (np.maximum(extreme.reduceat(sequence, offsets[:-1]), least)
                 for extreme in (np.minimum, np.maximum))  # [V, K]
    span = np.where(high > low, high - low, 1.0)
    low, span = (np.repeat(one, np.diff(offsets), axis=0) for one in (low, span))
    return np.clip((sequence - low) / span, 0, 1)


def thresholds(sequence: np.ndarray, columns: int, config: LocalizationConfig) -> tuple[float, ...]:
    """Multiples of the uniform probability, or parts of a sequence's range; the same for all."""
    scale = columns if config.threshold_rule == "uniform" else 1
    return tuple(threshold / scale for threshold in config.thresholds)


def softmax(x: np.ndarray) -> np.ndarray:
    """Over the columns, in float64."""
    x = np.asarray(x, np.float64)
    x = np.exp(x - x.max(1, keepdims=True))
    return x / x.sum(1, keepdims=True)


def propose(scores: Scores, classes: tuple[str, ...], snippet_seconds: float,
            config: LocalizationConfig = LocalizationConfig()) -> pd.DataFrame:
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
    sequence = sequences(scores, config)
    kept = ClassSequences(scores, kept_classes(scores, len(classes), config), config.upsampling)
    values = kept.values(sequence)
    minimum = config.minimum_length * config.upsampling
    # These thresholds are the same for every sequence.
    runs = kept.runs(values, thresholds(sequence, sequence.shape[1], config), minimum)
    extra = int(config.extra_end_snippet)
    score = outer_inner(values, runs, kept, config.outer_inner_weight, extra)
    return kept.detections(runs, score, classes, snippet_seconds, extra)


def localize(scores: Scores, classes: tuple[str, ...], snippet_seconds: float,
             config: LocalizationConfig = LocalizationConfig()) -> pd.DataFrame:
    """Detections of one stream: proposals after NMS. Parameters and columns as `propose`."""
    proposals = propose(scores, classes, snippet_seconds, config)
    return suppress(proposals, snippet_seconds, config.nms_threshold, config.nms_criterion)


def fuse(detections: dict[str, pd.DataFrame], snippet_seconds: float,
         config: LocalizationConfig = LocalizationConfig()) -> pd.DataFrame:
    """Detections of several streams as one list: rgb reweighted, then NMS over all.

    Parameters
    ----------
    detections : dict of str to DataFrame
        By stream, as `localize` gives them; the scores of "rgb", in letters of either case, are
        multiplied by `rgb_weight`.
    snippet_seconds : float
    config : LocalizationConfig
    """
    pooled = pd.concat([
        frame.assign(score=frame.score * (config.rgb_weight if stream.lower() == "rgb" else 1.0))
        for stream, frame in detections.items()], ignore_index=True)
    return suppress(pooled, snippet_seconds, config.fusion_nms_threshold, config.nms_criterion)


def nms(start: np.ndarray, end: np.ndarray, score: np.ndarray, threshold: float,
        criterion: str = "tiou", groups: np.ndarray | None = None, added: float = 0) -> np.ndarray:
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


def suppress(frame: pd.DataFrame, unit: float, threshold: float, criterion: str = "tiou",
             added: float = 0.0) -> pd.DataFrame:
    """`nms` within each class of each video; times count in units of so many seconds."""
    groups = frame.groupby(["video", "label"], sort=True).ngroup().to_numpy()
    # Rounded: seconds back to snippets must not turn an overlap of exactly .9 into a little more.
    start, end = (np.round(frame[c].to_numpy() / unit, 6) for c in ("start", "end"))
    kept = nms(start, end, frame.score.to_numpy(), threshold, criterion, groups, added)
    return frame.iloc[kept].reset_index(drop=True)


def outer_inner(values: np.ndarray, runs: Runs, kept: ClassSequences, weight: float,
                extra: int = 0) -> np.ndarray:
    """Mean inside a run minus `weight` times that of a ring, a quarter of its length on each side.

    With `extra` 1 the released arithmetic: the inner mean takes one sample more, the right ring
    begins after it and never holds the last sample.
    """
    # Σ values[:i] for each i, [M + 1]; the -inf between sequences count nothing.
    sums = np.concatenate([[0.0], np.cumsum(np.where(np.isfinite(values), values, 0.0))])
    start, end = runs.start, runs.end
    begin, stop = kept.begin[runs.pair], kept.stop[runs.pair]
    ring = OUTER_FRACTION * (end - start)
    left = np.maximum(begin, begin + np.trunc(start - begin - ring).astype(int))
    right = np.minimum(stop - extra, begin + (end - begin + ring + extra).astype(int))
    right_start = np.minimum(end + extra, right)
    inner_end = np.minimum(end + extra, stop)
    inner = (sums[inner_end] - sums[start]) / (inner_end - start)
    size = (start - left) + (right - right_start)  # where it is 0, so is the sum
    outer = (sums[start] - sums[left] + sums[right] - sums[right_start]) / np.maximum(size, 1)
    return inner - weight * outer


def upsample(sequence: np.ndarray, offsets: np.ndarray, factor: int) -> np.ndarray:
    """Linear interpolation between the centres of snippets, constant past the outer centres.

    [N, K] or [N] to `factor` samples a snippet; `offsets` [V + 1] are the videos' snippets.
    """
    if factor == 1:
        return sequence
    samples = (np.arange(offsets[-1] * factor) + 0.5) / factor - 0.5
    lengths = np.diff(offsets) * factor
    first, last = (np.repeat(ends, lengths) for ends in (offsets[:-1], offsets[1:] - 1))
    low = np.clip(np.floor(samples).astype(int), first, last)
    weight = np.clip(samples - low, 0, 1).reshape(-1, *[1] * (sequence.ndim - 1))
    return (1 - weight) * sequence[low] + weight * sequence[np.minimum(low + 1, last)]
