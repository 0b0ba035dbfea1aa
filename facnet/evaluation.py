"""Detections to mAP, by the rules of the protocol that a paper used.

Protocols differ by several points of mAP on the same detections (51.4 and 46.6 at tIoU 0.1 for one
public set of STPN's on THUMOS14), so that a number means something only beside its protocol's name.
:func:`evaluate` lists their rules.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import pandas as pd

from facnet.errors import FacnetError, named
from facnet.files import DETECTION, INSTANCE, INTERVAL, check_segments

TRUE, FALSE, UNCOUNTED = 1, 0, -1  # what a detection turns out to be


@dataclass(frozen=True)
class Protocol:
    """The rules in which protocols differ; :func:`evaluate` explains them."""

    source: str  #: the program that defines it
    snippet_grid: bool  #: tIoU of whole snippets rather than of seconds
    #: who takes whom: "best", a detection the free instance of largest tIoU; "first", a detection
    #: the first free one listed that suffices; "instance", an instance a free detection
    matching: str
    latest: bool  #: among instances of equal tIoU the latest is taken, or else the earliest
    interpolated: bool  #: precision is made monotone first
    #: detections that touch an ignored interval: "dropped", "uncounted", "kept" like any other;
    #: "refused": there is no such interval
    ignored: str
    tiou: tuple[float, ...]  #: default thresholds

    def reaches(self, tiou: np.ndarray, threshold: float) -> np.ndarray:
        """Whether a tIoU is enough for a match."""
        return tiou > threshold if self.matching == "instance" else tiou >= threshold


_TO_07 = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)
_TO_095 = tuple(np.linspace(0.5, 0.95, 10).tolist())
PROTOCOLS = {
    "released": Protocol("FAC-Net's released code", True, "best", False, True, "dropped", _TO_07),
    "seconds": Protocol("ActivityNet's matching, THUMOS14's tIoUs", False, "best", True, True,
                        "uncounted", _TO_07),
    "activitynet": Protocol("ActivityNet's toolkit", False, "best", True, True, "refused", _TO_095),
    "thumos": Protocol(
        "THUMOS14's TH14evalDet.m", False, "instance", False, False, "uncounted", _TO_07)}


def rules_of(protocol: str | Protocol) -> Protocol:
    """The rules of the protocol called `protocol`; rules are their own.

    Raises
    ------
    FacnetError
        If there is none of this name.
    """
    return protocol if isinstance(protocol, Protocol) else named(protocol, PROTOCOLS, "protocol")


@dataclass(frozen=True)
class Evaluation:
    """Result of :func:`evaluate`. AP and mAP are in percent, as papers print them."""

    protocol: str | Protocol
    tiou: tuple[float, ...]  #: thresholds
    ap: pd.DataFrame  #: class x threshold; NaN, and left out of the means, if without instances
    mean_ap: pd.Series  #: by threshold
    average: float  #: AVG, the mean of `mean_ap`
    instances: pd.Series  #: number of instances by class
    videos: int  #: number of videos: those asked for, or else those with an instance
    detections: pd.DataFrame  #: those that were scored, by class and rank
    outcomes: np.ndarray  #: threshold x detection: 1 true positive, 0 false positive, -1 neither
    truth: pd.DataFrame  #: the instances, by start and end
    matches: np.ndarray  #: threshold x detection: the row of `truth` that it takes, or else -1
    grid: float | None  #: seconds of a snippet, where tIoU is that of whole snippets
    elsewhere: int  #: how many of `detections` lie in videos without an instance to evaluate
    left_out: dict[str, int]  #: how many other detections were not scored, by reason

    def curve(self, label: str, tiou: float) -> pd.DataFrame:
        """Precision and recall (fractions, not interpolated) down the ranks of a class.

        Returns
        -------
        DataFrame [recall, precision]
            One row a detection that counts.
        """
        outcome = self.outcomes[self.tiou.index(tiou)]
        counted = (self.detections.label == label).to_numpy() & (outcome != UNCOUNTED)
        true = (outcome[counted] == TRUE).cumsum()
        return pd.DataFrame({"recall": true / self.instances[label],
                             "precision": true / np.arange(1, len(true) + 1)})


def evaluate(detections: pd.DataFrame, instances: pd.DataFrame,
             protocol: str | Protocol = "released", tiou: Sequence[float] | None = None,
             videos: Iterable[str] | None = None, ignored: pd.DataFrame | None = None,
             classes: Sequence[str] | None = None, snippet_seconds: float = 0.64) -> Evaluation:
    """Average precision of detections by class and tIoU threshold.

    ==============  =====================  =====================  ==============================
    protocol        released               activitynet            thumos
    ==============  =====================  =====================  ==============================
    defined by      FAC-Net's code         ActivityNet's toolkit  the THUMOS14 kit, TH14evalDet.m
    tIoU of         whole snippets         seconds                seconds
    matching        a detection, by rank,  like released          an instance, by time, takes
                    takes the free                                the free detection of largest
                    instance of largest                           tIoU, whatever its score
                    tIoU
    true positive   tIoU >= threshold      tIoU >= threshold      tIoU > threshold
    equal tIoU      earliest instance      latest instance        detection of best rank
    precision       interpolated (VOC      interpolated           as it is
                    2011)
    ignored         what touches one is    refused                what touches one and is
    intervals       dropped first                                 unmatched does not count
    tiou            .1, .2, ..., .7        .5, .55, ..., .95      .1, .2, ..., .7
    ==============  =====================  =====================  ==============================

    `seconds`, for data of your own, is `activitynet` at `tiou` .1 to .7, and treats ignored
    intervals as `thumos` does.

    Common to all: a detection matches instances of its video and class only, and each is matched
    once. AP is the sum of the precisions at the true positives over the number of instances. A
    detection in a video without instances is a false positive. A class without detections has AP 0.
    Times become snippets by :func:`to_snippets`; an instance that becomes empty, or has no length
    to begin with, is never matched but counts.

    Rows may come in any order, which only `matching="first"` depends on. Detections rank by score,
    those of equal score by video name, start and end. The rules for equal tIoU are what each code
    does on files sorted by time.

    Parameters
    ----------
    detections : DataFrame [video, label, start, end, score]
        Times in seconds. Those of other classes and videos are not scored, but counted in
        `left_out` of the result.
    instances : DataFrame [video, label, start, end]
        Ground truth.
    protocol : {"released", "seconds", "activitynet", "thumos"} or Protocol
        Other rules: `replace(rules_of("released"), interpolated=False)`, for one.
    tiou : sequence of float, optional
        Thresholds above 0 and up to 1; each counts once, in order.
    videos : iterable of str, optional
        The videos to evaluate; by default all that occur.
    ignored : DataFrame [video, start, end], optional
        Ambiguous intervals.
    classes : sequence of str, optional
        The classes to evaluate; by default those that have an instance in the videos.
    snippet_seconds : float
        Length of a snippet, which only `released` uses.

    Raises
    ------
    FacnetError
        If a protocol, threshold or segment is not valid, if no instance is left to evaluate, or
        if `activitynet` is given ignored intervals.

    Notes
    -----
    `released` is getLocMAP of the authors' code at commit c010886, but for its mAP of 0 as soon as
    one class has no detection. That code drops what touches an ignored interval from each stream
    before fusion (:func:`drop_ignored`); to drop again here then changes nothing.
    """
    rules = rules_of(protocol)
    if rules.ignored == "refused" and ignored is not None and len(ignored):
        raise FacnetError(f"ignored: protocol {protocol!r} knows no ignored intervals.")
    thresholds = np.atleast_1d(np.asarray(rules.tiou if tiou is None else tiou, np.float64))
    tiou, first = np.unique(np.round(thresholds, 10), return_index=True)
    if not (tiou.size and tiou[0] > 0 and tiou[-1] <= 1):  # NaN comes last
        raise FacnetError(f"tiou: {thresholds.tolist()} are not thresholds above 0 and up to 1.")
    # On the grid a tIoU may be exactly 3/10, which .1 + .1 + .1 would not admit.
    thresholds = tiou if rules.snippet_grid else thresholds[first]

    # The instances and the detections that count.
    detections = check_segments(detections, DETECTION, "detections")
    instances = check_segments(instances, INSTANCE, "instances")
    if videos is not None:
        videos = set(videos)
        instances = instances[instances.video.isin(videos)]
    n_videos = instances.video.nunique() if videos is None else len(videos)
    classes = sorted(instances.label.unique()) if classes is None else list(dict.fromkeys(classes))
    instances = instances[instances.label.isin(classes)]
    if rules.matching != "first":  # which goes by the order of the list
        instances = instances.sort_values(["start", "end"])
    instances = instances.reset_index(drop=True)
    if instances.empty:
        raise FacnetError("instances: none in the videos and classes to evaluate.")
    reason = np.full(len(detections), "", object)  # why a detection is not scored
    if ignored is not None and rules.ignored == "dropped":
        reason[_touches(detections, ignored, snippet_seconds)] = "in an ignored interval"
    unknown = ~detections.label.isin(classes)
    reason[unknown] = [f"of label {label!r}, not evaluated" for label in detections.label[unknown]]
    if videos is not None:
        reason[~detections.video.isin(videos)] = "in a video not evaluated"
    detections = detections[reason == ""]

    # Detections by class and rank, and which instance each takes at each threshold.
    grid = snippet_seconds if rules.snippet_grid else None
    order = detections.assign(
        code=pd.Index(classes).get_indexer(detections.label), rank=-detections.score)
    order = order.sort_values(["code", "rank", "video", "start", "end"], ignore_index=True)
    detections = order[list(DETECTION)]
    outcomes = np.full((len(thresholds), len(detections)), FALSE, np.int8)
    if ignored is not None and rules.ignored == "uncounted":
        outcomes[:, _touches(detections, ignored, grid)] = UNCOUNTED
    matches = np.full(outcomes.shape, -1)
    detection, instance, overlap = candidates(detections, instances, rules, grid, INSTANCE[:2])
    for row, threshold in zip(matches, thresholds):
        enough, found, taken = rules.reaches(overlap, threshold), {}, set()
        # In turn each pair whose two are still free.
        for d, i in zip(detection[enough].tolist(), instance[enough].tolist()):
            if d not in found and i not in taken:
                found[d] = i
                taken.add(i)
        row[list(found)] = list(found.values())
    outcomes[matches >= 0] = TRUE

    # AP by class and threshold.
    counts = instances.label.value_counts().reindex(classes, fill_value=0)
    bounds = np.searchsorted(order.code, np.arange(len(classes) + 1))
    ap = [average_precision(outcomes[:, first:last], count, rules.interpolated)
          for first, last, count in zip(bounds, bounds[1:], counts)]
    tiou = tuple(tiou.tolist())
    ap = pd.DataFrame(ap, pd.Index(classes, name="label"), pd.Index(tiou, name="tiou"))
    elsewhere = int((~detections.video.isin(instances.video)).sum())
    return Evaluation(
        protocol, tiou, ap, ap.mean(), float(ap.mean().mean()), counts, n_videos, detections,
        outcomes, instances, matches, grid, elsewhere, dict(Counter(reason[reason != ""])))


def untimed(videos: pd.DataFrame, instances: pd.DataFrame) -> list[str]:
    """Videos with labels but no timed instance: detections there cannot be judged.

    Parameters
    ----------
    videos : DataFrame [video, labels, ...]
    instances : DataFrame [video, ...]
    """
    labelled = videos.labels.map(len) > 0
    return videos.video[labelled & ~videos.video.isin(instances.video)].tolist()


def average_precision(outcomes: np.ndarray, n_instances: int | np.ndarray,
                      interpolated: bool = True, weights: np.ndarray | int = 1) -> np.ndarray:
    """Sum of the precisions at the true positives over the number of instances, in percent.

    Parameters
    ----------
    outcomes : ndarray, [..., detections]
        By rank: 1 for a true positive, 0 for a false one, -1 for one that does not count.
    n_instances : int or ndarray
        NaN comes back where there is none.
    interpolated : bool
        Take for each precision the largest at or after it (the envelope of VOC 2011).
    weights : ndarray, [..., detections]
        How often each detection counts.
    """
    true = weights * (outcomes == TRUE)
    counted = (weights * (outcomes != UNCOUNTED)).cumsum(-1)
    precision = true.cumsum(-1) / np.where(counted, counted, 1)
    if interpolated:
        precision = np.maximum.accumulate(precision[..., ::-1], axis=-1)[..., ::-1]
    return 100 * (precision * true).sum(-1) / np.where(n_instances, n_instances, np.nan)


def drop_ignored(detections: pd.DataFrame, ignored: pd.DataFrame,
                 snippet_seconds: float = 0.64) -> pd.DataFrame:
    """The detections, of whatever class, that share no snippet with an ignored interval.

    Released: done to each stream before fusion. `ignored` is a DataFrame [video, start, end].
    """
    return detections[~_touches(detections, ignored, snippet_seconds)]


def to_snippets(seconds: np.ndarray, snippet_seconds: float = 0.64) -> np.ndarray:
    """Seconds as whole snippets, halves to the even one: 1.6 s are 2.5 snippets and become 2.

    The factor is a ratio of small integers, 25/16, so that halves are met exactly (released).
    """
    ratio = 1 / Fraction(snippet_seconds).limit_denominator(10_000)
    return np.rint(np.asarray(seconds, np.float64) * float(ratio))


def temporal_iou(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Intersection over union of segments [..., 2] (start, end); 0 where neither has a length."""
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    shared = np.minimum(a[..., 1], b[..., 1]) - np.maximum(a[..., 0], b[..., 0])
    shared = np.maximum(shared, 0)
    union = (a[..., 1] - a[..., 0]) + (b[..., 1] - b[..., 0]) - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)


def _pairs(left: pd.DataFrame, right: pd.DataFrame, on: list[str]) -> tuple[np.ndarray, ...]:
    """Positions (i, j) of all pairs of rows that agree in the columns `on`."""
    both = pd.merge(left[on].assign(i=range(len(left))), right[on].assign(j=range(len(right))))
    return both.i.to_numpy(), both.j.to_numpy()


def _segments(frame: pd.DataFrame, grid: float | None) -> np.ndarray:
    seconds = frame[["start", "end"]].to_numpy(np.float64)
    return seconds if grid is None else to_snippets(seconds, grid)


def _touches(detections: pd.DataFrame, ignored: pd.DataFrame, grid: float | None) -> np.ndarray:
    ignored = check_segments(ignored, INTERVAL, "ignored")
    i, j = _pairs(detections, ignored, ["video"])
    touching = i[temporal_iou(_segments(detections, grid)[i], _segments(ignored, grid)[j]) > 0]
    return np.isin(np.arange(len(detections)), touching)


def candidates(detections: pd.DataFrame, instances: pd.DataFrame, rules: Protocol,
                grid: float | None, on: Sequence[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Overlapping pairs (detection, instance, tIoU) in the order in which they may match.

    They agree in the columns `on`.
    """
    i, j = _pairs(detections, instances, list(on))
    a, b = _segments(detections, grid), _segments(instances, grid)
    shared = np.minimum(a[i, 1], b[j, 1]) - np.maximum(a[i, 0], b[j, 0])
    i, j, shared = i[shared > 0], j[shared > 0], shared[shared > 0]
    tiou = temporal_iou(a[i], b[j])
    if rules.matching == "instance":
        # The THUMOS14 kit divides by the span of the two, the union but for its last digit.
        tiou = shared / (np.maximum(a[i, 1], b[j, 1]) - np.minimum(a[i, 0], b[j, 0]))
    order = np.lexsort({"instance": (i, -tiou, j), "first": (j, i),
                        "best": (-j if rules.latest else j, -tiou, i)}[rules.matching])
    return i[order], j[order], tiou[order]
