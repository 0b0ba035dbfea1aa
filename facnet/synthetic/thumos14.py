"""The embedded data set: THUMOS14's timelines in numbers, features made by a program.

It lets every page of the book run anywhere. It is not THUMOS14 and proves nothing about the
world; everything drawn from it says so.

**Timelines** follow what the THUMOS14 annotations of 200 validation and 212 test videos count:
classes, videos and instances a class, the share of a video's time that is action, durations,
heavy-tailed gaps. Every CliffDiving instance is a Diving instance too, and CricketShot follows
CricketBowling. A sixth of the test videos hold ambiguous intervals. Times have .1 s resolution.

**Features** are made by :mod:`facnet.synthetic.features` with the strengths in `STRENGTH`.

The constants were chosen once, so that video classification, the frame-supervised ceiling, FAC-Net
(`released`) and the untrained network fall in the bands that `tests/test_synthetic.py` states; no
ablation entered. `tests/calibration.json` holds what was measured, and a test freezes the constants
together with `VERSION`.
"""

from typing import NamedTuple

import numpy as np

from facnet.data import Dataset
from facnet.profiles import Profile
from facnet.synthetic.features import make_dataset

VERSION = 1


class Action(NamedTuple):
    """One class in THUMOS14's counts, by split (train, test)."""

    group: str  # of related classes, which share half of their flank
    videos: tuple[int, int]
    instances: tuple[int, int]
    share: tuple[float, float]  # of its videos' time
    seconds: tuple[float, float, float]  # durations: 5 %, median, 95 % (training split)


# A smaller profile takes the first classes of this order, so related ones stay together.
CLASSES = {"CliffDiving": Action("dive", (10, 16), (143, 217), (0.25, 0.29), (1.1, 2.6, 6.6)),
           "Diving": Action("dive", (20, 26), (499, 388), (0.36, 0.30), (1.1, 2.4, 6.5)),
           "HammerThrow": Action("throw", (10, 10), (199, 242), (0.42, 0.37), (3.8, 7.1, 10.2)),
           "PoleVault": Action("jump", (10, 10), (120, 399), (0.26, 0.48), (4.3, 6.9, 14.1)),
           "GolfSwing": Action("swing", (11, 8), (31, 36), (0.25, 0.21), (0.6, 4.5, 41.7)),
           "VolleyballSpiking": Action("ball", (10, 13), (146, 120), (0.31, 0.28), (0.4, 1.3, 6.7)),
           "CricketBowling": Action("cricket", (17, 16), (178, 138), (0.12, 0.16), (0.6, 1.1, 3.8)),
           "CricketShot": Action("cricket", (16, 19), (181, 170), (0.13, 0.11), (0.7, 1.1, 3.4)),
           "LongJump": Action("jump", (11, 10), (163, 142), (0.33, 0.26), (2.6, 6.5, 13.2)),
           "JavelinThrow": Action("throw", (10, 11), (192, 169), (0.23, 0.22), (3.4, 6.3, 9.5)),
           "BaseballPitch": Action("ball", (11, 11), (30, 41), (0.10, 0.09), (1.9, 3.5, 5.6)),
           "BasketballDunk": Action("ball", (10, 10), (303, 488), (0.22, 0.29), (0.6, 1.7, 4.0)),
           "Billiards": Action("swing", (10, 10), (81, 106), (0.16, 0.14), (0.6, 3.2, 7.6)),
           "CleanAndJerk": Action("throw", (10, 13), (42, 98), (0.32, 0.36), (4.9, 9.7, 26.6)),
           "FrisbeeCatch": Action("ball", (10, 7), (103, 48), (0.21, 0.31), (0.9, 1.8, 9.3)),
           "HighJump": Action("jump", (10, 11), (271, 135), (0.26, 0.30), (1.4, 4.3, 8.2)),
           "Shotput": Action("throw", (10, 16), (70, 144), (0.30, 0.36), (1.3, 5.0, 8.0)),
           "SoccerPenalty": Action("ball", (10, 11), (66, 48), (0.25, 0.13), (1.4, 3.0, 6.3)),
           "TennisSwing": Action("swing", (10, 9), (69, 141), (0.17, 0.23), (0.4, 1.6, 5.7)),
           "ThrowDiscus": Action("throw", (11, 10), (120, 88), (0.46, 0.33), (0.5, 2.6, 7.6))}
# Classes that come together, by split (train, test): videos, and events of one instance of each.
# A CliffDiving instance is a Diving instance too; a CricketShot follows its CricketBowling.
TOGETHER = {("CliffDiving", "Diving"): ((10, 16), (143, 217)),
            ("CricketBowling", "CricketShot"): ((13, 14), (140, 120))}
# The remaining videos of several classes, one each.
MIXED = ([("BaseballPitch", "FrisbeeCatch"), ("LongJump", "PoleVault"), ("Shotput", "ThrowDiscus"),
          ("GolfSwing", "TennisSwing")],
         [("Shotput", "ThrowDiscus"), ("HighJump", "JavelinThrow", "Shotput"),
          ("CleanAndJerk", "HammerThrow"), ("CleanAndJerk", "ThrowDiscus")])

# Strengths of the parts: (rgb, flow). rgb knows the scene, flow the movement.
STRENGTH = {"core": (0.8, 0.75), "flank": (0.55, 0.55),
            "context": (0.6, 0.4), "actionness": (0.45, 0.6),
            "background": (0.6, 0.6), "look_alike": (0.9, 0.9),
            "appearance": (0.4, 0.4), "noise": (0.43, 0.43)}
BUMP = (0.12, 0.30)
LONGEST_SECONDS, SHORTEST_SECONDS = 1400.0, 9.0  # of THUMOS14's videos
GAP_SPREAD = 1.4  # of log gaps: 5 % below .2 s, half below 3.2 s, 5 % above 32 s
AMBIGUOUS_VIDEOS, AMBIGUOUS_SECONDS = 0.17, (0.9, 2.9, 28.0)  # share; 5 %, median, 95 %


def make_synthetic(profile: Profile = Profile("full")) -> Dataset:
    """The synthetic data set at a profile's size; the same numbers on every call.

    Parameters
    ----------
    profile : Profile
        `classes`, `videos`, `feature_width` and `longest_video` cut it down.
    """
    names = tuple(sorted(list(CLASSES)[:profile.classes]))
    groups = {name: action.group for name, action in CLASSES.items()}
    return make_dataset(
        "synthetic", names, lambda split, rng: _timelines(names, profile, split, rng),
        groups, STRENGTH, BUMP, profile.feature_width, (VERSION,))


def _timelines(names: tuple[str, ...], profile: Profile, split: int, rng: np.random.Generator):
    """(duration, instances, ambiguous intervals) of every video of a split."""
    members = _members(names, split, profile.videos)
    popularity = rng.lognormal(0.0, 0.9, len(members))
    joint = {pair: events[split] for pair, (_, events) in TOGETHER.items() if pair in members}
    alone = {(name,): CLASSES[name].instances[split] - sum(
        events for pair, events in joint.items() if name in pair) for name in names}
    events = [[] for _ in members]  # of a video: lists of (label, seconds) that stand together
    for kind, total in (joint | alone).items():  # what happens at once, and how often
        videos = [v for v, labels in enumerate(members)
                  if labels == kind or (set(kind) <= set(labels) and labels not in joint)]
        for video, count in _allot(round(total * profile.videos), popularity[videos], videos, rng):
            lengths = [_durations(CLASSES[name].seconds, count, rng) for name in kind]
            events[video] += [list(zip(kind, seconds)) for seconds in zip(*lengths)]
    whole = [_lay_out(labels, own, split, rng) for labels, own in zip(members, events)]
    for duration, segments in whole:
        duration, segments = _cut(duration, segments, profile.longest_video)
        unclear = split == 1 and rng.random() < AMBIGUOUS_VIDEOS
        yield duration, segments, _ambiguous(duration, segments, rng) if unclear else []


def _members(names: tuple[str, ...], split: int, share: float) -> list[tuple[str, ...]]:
    """The labels of every video."""
    members = []
    for pair, (videos, _) in TOGETHER.items():
        if set(pair) <= set(names):
            members += [pair] * max(2, round(videos[split] * share))
    if share == 1:
        members += [labels for labels in MIXED[split] if set(labels) <= set(names)]
    for name in names:
        wanted = max(2, round(CLASSES[name].videos[split] * share))
        members += [(name,)] * (wanted - sum(name in labels for labels in members))
    return members


def _allot(total: int, weights: np.ndarray, videos: list[int], rng: np.random.Generator):
    """(video, instances), at least one each, the rest in proportion to the weights."""
    if not videos:
        return []
    counts = 1 + rng.multinomial(max(total - len(videos), 0), weights / weights.sum())
    return zip(videos, counts)


def _durations(quantiles: tuple[float, float, float], count: int, rng: np.random.Generator):
    """Log-normal on each side of the median, with the given 5 %, 50 % and 95 % quantiles."""
    low, median, high = quantiles
    z = rng.standard_normal(count).clip(-2.5, 2.5)
    spread = np.where(z < 0, np.log(median / low), np.log(high / median)) / 1.645
    return median * np.exp(z * spread)


def _lay_out(labels: tuple[str, ...], events: list, split: int, rng: np.random.Generator):
    """Place a video's events in random order with heavy-tailed gaps between them."""
    # One dive is two instances; a ball is bowled, then hit.
    same = "CliffDiving" in labels
    lengths = [event[0][1] if same else sum(seconds for _, seconds in event) for event in events]
    action = sum(lengths)
    share = np.mean([CLASSES[name].share[split] for name in labels])
    share = 1 / (1 + (1 / share - 1) * rng.lognormal(-0.18, 0.6))
    duration = max(min(action / share, LONGEST_SECONDS), action * 1.05, SHORTEST_SECONDS)
    gaps = rng.lognormal(0.0, GAP_SPREAD, len(events) + 1)
    gaps *= (duration - action) / gaps.sum()
    segments, now = [], 0.0
    for e, gap in zip(rng.permutation(len(events)), gaps):
        start = now = now + gap
        for label, seconds in events[e]:
            end = now + lengths[e] if same else start + seconds
            segments.append((label, round(start, 1), round(max(end, start + 0.2), 1)))
            start = start if same else end
        now += lengths[e]
    return round(float(duration), 1), segments


def _cut(duration: float, segments: list, longest: float | None) -> tuple[float, list]:
    """The first `longest` seconds that begin shortly before the first instance."""
    if longest is None or duration <= longest:
        return duration, segments
    begin = max(0.0, min(segments[0][1] - longest / 4, duration - longest))
    moved = [(c, max(s - begin, 0.0), min(e - begin, longest)) for c, s, e in segments]
    return longest, [(c, round(s, 1), round(e, 1)) for c, s, e in moved if e - s >= 0.2]


def _ambiguous(duration: float, segments: list, rng: np.random.Generator) -> list:
    """One to five intervals outside the instances."""
    intervals = []
    for seconds in _durations(AMBIGUOUS_SECONDS, rng.integers(1, 6), rng):
        start = rng.uniform(0, duration)
        following = min([s for _, s, _ in segments if s > start], default=duration)
        inside = any(s <= start < e for _, s, e in segments)
        end = min(start + seconds, following)
        if not inside and end - start > 0.2:
            intervals.append((round(start, 1), round(end, 1)))
    return intervals
