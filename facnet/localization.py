"""From the scores of snippets to detections: thresholds, outer-inner score, NMS, fusion."""

import numpy as np
import pandas as pd

from facnet.config import LocalizationConfig
from facnet.training import Scores

__all__ = ["fuse", "kept_classes", "localize", "nms", "propose", "sequences"]

OUTER_FRACTION = 0.25  # of a run's length, on each side, in text, released code and BaS-Net
COLUMNS = ["video", "label", "start", "end", "score"]


def kept_classes(scores: Scores, classes: int, config: LocalizationConfig) -> np.ndarray:
    """Which classes are localised in which video, [V, C] of bool, by P_f (equation 11)."""
    probability = scores.probability[:, :classes]
    kept = probability >= config.class_threshold / scores.probability.shape[1]
    if config.argmax_fallback:
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
        sequence = np.exp(sequence - sequence.max(1, keepdims=True))
        sequence /= sequence.sum(1, keepdims=True)
    offsets = scores.offsets * config.upsampling
    if config.upsampling > 1:
        sequence = _upsample(sequence, scores.offsets, config.upsampling)
    if config.threshold_rule == "range":
        low = np.maximum(np.minimum.reduceat(sequence, offsets[:-1]), 0)
        high = np.maximum(np.maximum.reduceat(sequence, offsets[:-1]), 0)
        span = np.where(high > low, high - low, 1.0)  # a flat sequence has no run
        repeats = np.diff(offsets)
        low, span = np.repeat(low, repeats, axis=0), np.repeat(span, repeats, axis=0)
        sequence = np.clip((sequence - low) / span, 0, 1)
    return sequence, offsets


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
    video, label = np.nonzero(kept_classes(scores, len(classes), config))
    if config.threshold_rule == "uniform":
        thresholds = np.array(config.thresholds) / sequence.shape[1]
    else:
        thresholds = np.array(config.thresholds)

    # All kept sequences one after the other, each closed by one sample that is never in a run.
    parts = [sequence[offsets[v] : offsets[v + 1], c] for v, c in zip(video, label)]
    lengths = np.array([len(part) for part in parts], int)
    values = np.concatenate([np.append(part, -np.inf) for part in parts] or [np.empty(0)])
    first = np.cumsum(lengths + 1) - (lengths + 1)
    pair_of = np.repeat(np.arange(len(parts)), lengths + 1)
    sums = np.concatenate([[0.0], np.cumsum(np.where(np.isfinite(values), values, 0.0))])

    found = [_runs(values > threshold) for threshold in thresholds]
    start = np.concatenate([s for s, _ in found])
    end = np.concatenate([e for _, e in found])
    pair = pair_of[start]
    at_threshold = np.repeat(np.arange(len(found)), [len(s) for s, _ in found])
    order = np.lexsort((start, at_threshold, pair))
    order = order[(end - start)[order] >= config.minimum_length * config.upsampling]
    start, end, pair = start[order], end[order], pair[order]

    begin, stop = first[pair], first[pair] + lengths[pair]
    score, stored_end = _outer_inner(sums, start, end, begin, stop, config)
    seconds = snippet_seconds / config.upsampling
    return pd.DataFrame(
        {
            "video": np.array(scores.videos, object)[video[pair]],
            "label": np.array(classes, object)[label[pair]],
            "start": (start - begin) * seconds,
            "end": (stored_end - begin) * seconds,
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
    return _suppress(proposals, snippet_seconds, config.nms_threshold, config)


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
    return _suppress(pooled, snippet_seconds, config.fusion_nms_threshold, config)


def nms(
    start: np.ndarray, end: np.ndarray, score: np.ndarray, threshold: float,
    criterion: str = "tiou", groups: np.ndarray | None = None,
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

    Returns
    -------
    ndarray of int
        Kept indices, by group and then in the order picked. Of equal scores the last in the
        array is picked first, as in the released code.
    """
    groups = np.zeros(len(score), int) if groups is None else groups
    one = 1.0 if criterion == "lower_scored" else 0.0
    order = np.lexsort((np.arange(len(score)), score, groups))[::-1]
    kept = []
    # Every round picks the best segment left in each group, for all groups at once.
    while len(order):
        is_pick = np.concatenate([[True], np.diff(groups[order]) != 0])
        pick = order[is_pick]
        rival = pick[np.cumsum(is_pick) - 1]
        shared = np.minimum(end[rival], end[order]) - np.maximum(start[rival], start[order]) + one
        shared = np.maximum(shared, 0)
        length = end[order] - start[order] + one
        if criterion == "tiou":
            length = length + end[rival] - start[rival] - shared
        kept.append(pick)
        order = order[~is_pick & (shared <= threshold * length)]
    kept = np.concatenate(kept) if kept else np.empty(0, int)
    return kept[np.argsort(groups[kept], kind="stable")]


def _suppress(
    frame: pd.DataFrame, snippet_seconds: float, threshold: float, config: LocalizationConfig
) -> pd.DataFrame:
    groups = frame.groupby(["video", "label"], sort=True).ngroup().to_numpy()
    # Rounded: seconds back to snippets must not turn an overlap of exactly .9 into a little more.
    start, end = (np.round(frame[c].to_numpy() / snippet_seconds, 6) for c in ("start", "end"))
    keep = nms(start, end, frame.score.to_numpy(), threshold, config.nms_criterion, groups)
    return frame.iloc[keep].reset_index(drop=True)


def _runs(above: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Starts and (exclusive) ends of the runs of True."""
    change = np.diff(np.concatenate([[False], above, [False]]).astype(np.int8))
    return np.flatnonzero(change == 1), np.flatnonzero(change == -1)


def _outer_inner(
    sums: np.ndarray, start: np.ndarray, end: np.ndarray, begin: np.ndarray, stop: np.ndarray,
    config: LocalizationConfig,
) -> tuple[np.ndarray, np.ndarray]:
    """Score and stored end of runs [start, end) in sequences [begin, stop); sums[i] = Σ values[:i].

    With `extra_end_snippet` the released arithmetic: the inner mean takes one sample more, the
    right ring begins after it and never holds the last sample, the stored end is one sample late.
    """
    extra = int(config.extra_end_snippet)
    ring = OUTER_FRACTION * (end - start)
    inner_end = np.minimum(end + extra, stop)
    left = np.maximum(begin, begin + np.trunc(start - begin - ring).astype(int))
    right = np.minimum(stop - extra, begin + (end - begin + ring + extra).astype(int))
    right_start = np.minimum(end + extra, right)
    inner = (sums[inner_end] - sums[start]) / (inner_end - start)
    size = (start - left) + (right - right_start)
    outer = sums[start] - sums[left] + sums[right] - sums[right_start]
    outer = np.where(size > 0, outer / np.maximum(size, 1), 0.0)
    return inner - config.outer_inner_weight * outer, end + extra


def _upsample(sequence: np.ndarray, offsets: np.ndarray, factor: int) -> np.ndarray:
    """Linear interpolation between the centres of snippets, constant past the outer centres."""
    samples = (np.arange(offsets[-1] * factor) + 0.5) / factor - 0.5
    lengths = np.diff(offsets) * factor
    low = np.clip(np.floor(samples).astype(int), np.repeat(offsets[:-1], lengths), None)
    last = np.repeat(offsets[1:] - 1, lengths)
    low = np.minimum(low, last)
    weight = np.clip(samples - low, 0, 1)[:, None]
    return (1 - weight) * sequence[low] + weight * sequence[np.minimum(low + 1, last)]
