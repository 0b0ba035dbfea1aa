"""A file of detections scored against annotations, with all that is doubtful said in words."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from facnet.errors import FacnetError, check_choice, suggest
from facnet.evaluation import Evaluation, evaluate, rules_of, untimed
from facnet.files import STRIDES, Annotations, read_detections, read_videos

# What a protocol does about ambiguous intervals, by its rule.
RULES = {"dropped": "what touches one is left out",
         "uncounted": "what touches one and matches nothing does not count",
         "refused": "this protocol has no rule for them"}


def score(detections: Path, truth: Annotations, annotations: Path, protocol: str | None = None,
          tiou: Sequence[float] | None = None, videos: Path | None = None
          ) -> tuple[Evaluation, dict]:
    """Evaluate the file of detections.

    Parameters
    ----------
    detections : Path
        As `facnet.files.read_detections` takes it.
    truth, annotations
        The annotations, and where they were read, for messages.
    protocol, tiou
        As in `facnet.evaluation.evaluate`; by default the annotations' protocol.
    videos : Path, optional
        A file of the videos to evaluate, by default those of the subset to test on.

    Returns
    -------
    result : Evaluation
    summary : dict
        What is to be said of it, ready for JSON. Its "notes" are sentences on what was left out
        and on what may be a mistake.

    Raises
    ------
    FacnetError
        If a file cannot be used; if no subset can be told to be the one to test on; or if not one
        detection is of a video and a class to evaluate.
    """
    found = read_detections(detections)
    listed = read_videos(videos) if videos else None
    if listed is None:
        truth = replace(truth, test=truth.tested(annotations))
    for video in listed or ():
        check_choice(video, truth.videos.video.values, f"{videos}: {video!r} is not annotated")
    protocol = protocol or truth.protocol
    if not STRIDES[0] <= truth.snippet_seconds <= STRIDES[1]:
        raise FacnetError(f"{annotations}, snippet_seconds: {truth.snippet_seconds} is not from"
                          " 0.001 to a million seconds.")
    rule = rules_of(protocol).ignored
    why = _unjudged(found, truth, listed)
    result = evaluate(
        found[why == ""], truth.instances if listed else truth.test_instances, protocol, tiou,
        listed, None if rule == "refused" else truth.ignored, snippet_seconds=truth.snippet_seconds)
    left_out = why[why != ""].value_counts().to_dict() | result.left_out
    evaluated, detected = set(listed or result.truth.video), set(found.video)
    notes = []
    if result.grid:
        assumed = "" if "snippet_seconds" in truth.facts else ", which the annotations do not say"
        notes.append(f"tIoU is of whole snippets of {result.grid:g} s{assumed}.")
    notes += _units(found, truth, "detections") + _units(result.truth, truth, "instances")
    if twice := int(found.duplicated().sum()):
        notes.append(f"{twice} detections are there twice; the second counts as false.")
    notes += [f"Label {label!r} is evaluated nowhere.{suggest(label, result.ap.index)}"
              for label in sorted(set(found.label) - set(result.ap.index))[:3]]
    notes += [f"Left out: {count} detections {reason}." for reason, count in left_out.items()]
    if result.elsewhere:
        notes.append(f"{result.elsewhere} detections lie in videos without any instance: false"
                     " positives.")
    notes += _named("Videos without any detection", evaluated - detected, evaluated)
    unknown = detected - set(truth.videos.video)
    notes += _named("Videos of detections that are not annotated", unknown, detected)
    if len(truth.ignored):
        notes.append(f"{len(truth.ignored)} ambiguous intervals: {RULES[rule]}.")
    if detected and (result.detections.empty or detected.isdisjoint(result.truth.video)):
        raise FacnetError(f"{detections}: nothing to score. {' '.join(notes)}")
    return result, {
        "protocol": protocol, "source": rules_of(protocol).source,
        "evaluated": f"the videos of {videos}" if listed else f"subset {truth.test!r}",
        "videos": result.videos, "videos_without_detection": len(evaluated - detected),
        "instances": int(result.instances.sum()), "detections": len(result.detections),
        "left_out": left_out, "elsewhere": result.elsewhere, "notes": notes,
        "average": result.average, "mean_ap": result.mean_ap.rename(str).to_dict(),
        "ap": result.ap.rename(columns=str).to_dict("index")}


def _unjudged(found: pd.DataFrame, truth: Annotations, listed: Sequence[str] | None) -> pd.Series:
    """Why it cannot be told whether a detection is right; "" where it can."""
    subset = found.video.map(truth.videos.set_index("video").subset)
    other = subset.notna() & (subset != truth.test) & (listed is None)
    labelled = found.video.isin(untimed(truth.videos, truth.instances))
    why = pd.Series("", found.index).mask(labelled, "in videos with labels but no segment")
    return why.mask(other, "in videos of subset " + subset.map(repr))


def _units(segments: pd.DataFrame, truth: Annotations, what: str) -> list[str]:
    """Signs that times are not seconds, which are at most a video's duration."""
    ends = segments.video.map(truth.videos.set_index("video").duration)
    late = int((segments.end > 1.05 * ends + 2 * truth.snippet_seconds).sum())
    early = (segments.end < ends / 10).mean()
    signs = {f"{late} of {len(segments)} {what} end after their video": late > 0,
             f"{early:.0%} of {len(segments)} {what} end in a video's first tenth": early > 0.95,
             f"{(segments.start < 0).sum()} {what} begin before 0": (segments.start < 0).any()}
    return [f"{sign}; are times in seconds?" for sign, seen in signs.items() if seen]


def _named(what: str, some: set[str], of: set[str]) -> list[str]:
    return [f"{what}: {len(some)} of {len(of)}, such as {min(some)}."] if some else []
