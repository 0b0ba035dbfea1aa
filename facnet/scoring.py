"""A file of detections scored against annotations, with all that is doubtful said in words."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from facnet.errors import FacnetError, check_choice
from facnet.evaluation import Evaluation, evaluate, rules_of, untimed
from facnet.files import Annotations, read_detections, read_ignored, read_videos

# What a protocol does about ambiguous intervals, by its rule.
RULES = {"dropped": "what touches one is left out",
         "uncounted": "what touches one and matches nothing does not count",
         "refused": "this protocol has no rule for them"}


def score(detections: Path, truth: Annotations, annotations: Path, protocol: str | None = None,
          tiou: Sequence[float] | None = None, videos: Path | None = None,
          ignore: Path | None = None) -> tuple[Evaluation, dict]:
    """Evaluate the file of detections.

    Parameters
    ----------
    detections : Path
        As `facnet.files.read_detections` takes it.
    truth, annotations
        The annotations, and where they were read, for messages.
    protocol, tiou
        As in `facnet.evaluation.evaluate`; by default the annotations' protocol.
    videos, ignore : Path, optional
        Files of the videos to evaluate, by default those of the subset to test on, and of
        ambiguous intervals, by default the annotations'.

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
        detection lies in a video to evaluate.
    """
    found = read_detections(detections)
    listed = read_videos(videos) if videos else None
    if listed is None:
        truth = replace(truth, test=truth.tested(annotations))
    for video in listed or ():
        check_choice(video, truth.videos.video.values, f"{videos}: {video!r} is not annotated")
    protocol = protocol or truth.protocol
    ignored = read_ignored(ignore) if ignore else truth.ignored
    # The annotations' ambiguous intervals count where the protocol has a rule for them.
    unruled = not ignore and rules_of(protocol).ignored == "refused"
    why = _unjudged(found, truth, listed)
    result = evaluate(
        found[why == ""], truth.instances if listed else truth.test_instances, protocol, tiou,
        listed, None if unruled else ignored, snippet_seconds=truth.snippet_seconds)
    left_out = why[why != ""].value_counts().to_dict() | result.left_out
    evaluated, detected = set(listed or result.truth.video), set(found.video)
    notes = [f"Left out: {count} detections {reason}." for reason, count in left_out.items()]
    if result.elsewhere:
        notes.append(f"{result.elsewhere} detections lie in videos without any instance: false"
                     " positives.")
    notes += _named("Videos without any detection", evaluated - detected, evaluated)
    known = set(truth.videos.video)
    notes += _named("Videos of detections that are not annotated", detected - known, detected)
    if len(ignored):
        notes.append(f"{len(ignored)} ambiguous intervals: {RULES[rules_of(protocol).ignored]}.")
        unclear = set(ignored.video)
        notes += _named("Videos of these that are not annotated", unclear - known, unclear)
    if detected and detected.isdisjoint(result.truth.video):
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


def _named(what: str, some: set[str], of: set[str]) -> list[str]:
    return [f"{what}: {len(some)} of {len(of)}, such as {min(some)}."] if some else []
