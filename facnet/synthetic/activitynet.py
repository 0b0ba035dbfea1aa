"""A miniature of ActivityNet-1.3 that is embedded too: its timelines in numbers, features made.

It lets the chapter on the paper's Table 2 run anywhere: 200 classes, and timelines unlike those of
THUMOS14. It is not ActivityNet and proves nothing about the world; everything drawn from it says
so. Classes have numbers for names, and every class has as many videos as any other.

**Timelines** follow what the annotations of 9,649 training videos of ActivityNet-1.3 count: three
quarters of the videos have one instance, which lasts half of the video or more as often as not;
two thirds of the time is action; a video shows one class. In each subset the shortest videos are
those of ActivityNet, of 2 and 3 snippets. A smaller size shrinks all others by one factor, so that
the longest has the size's length and shares of a video stay what they are. Times have .01 s
resolution; there are no ambiguous intervals.

**Features** are made by :mod:`facnet.synthetic.features` with the strengths in `STRENGTH`. Five
classes each are related. The core reaches further over an instance than in `synthetic`: an activity
of a minute looks alike for most of it.

The constants were chosen once, so that at `quick` the preset `activitynet` classifies videos and
finds where they show their class, in the bands that `tests/test_synthetic_activitynet.py` states.
`tests/calibration_activitynet.json` holds what was measured, and a test freezes the constants
together with `VERSION`.
"""

import numpy as np

from facnet.data import Dataset
from facnet.profiles import Profile
from facnet.synthetic.features import make_dataset

VERSION = 1
CLASSES, RELATED = 200, 5  # RELATED of them make a group
VIDEOS = 10  # of a class and subset; ActivityNet's median class has 47 to train and 23 to test on
# The share of the videos with 1, 2, 3, ... instances.
INSTANCES = (0.754, 0.131, 0.048, 0.027, 0.016, 0.010, 0.005, 0.004, 0.002, 0.001, 0.001, 0.001)
# Quantiles over videos: of seconds, and of the share that is action, with one instance or several.
PERCENT = (0, 5, 25, 50, 75, 95, 99, 100)
SECONDS = (4.0, 18.3, 61.7, 114.5, 172.7, 224.1, 236.7, 302.1)
SHORTEST_SECONDS = (1.58, 2.3)  # 2 and 3 snippets, the shortest training and validation video
ONE = (0.01, 0.133, 0.54, 0.792, 0.93, 1.0, 1.0, 1.0)
SEVERAL = (0.03, 0.099, 0.276, 0.479, 0.688, 0.887, 0.992, 1.0)
LENGTH_SPREAD, GAP_SPREAD = 0.7, 1.1  # of the logarithms of a video's instances, and of its gaps

# Strengths of the parts: (rgb, flow).
STRENGTH = {"core": (1.6, 1.6), "flank": (0.8, 0.8),
            "context": (0.3, 0.3), "actionness": (0.45, 0.6),
            "background": (0.6, 0.6), "look_alike": (0.9, 0.9),
            "appearance": (0.15, 0.15), "noise": (0.3, 0.3)}
BUMP = (0.3, 0.8)


def make_synthetic_activitynet(profile: Profile = Profile("full")) -> Dataset:
    """The synthetic miniature of ActivityNet at a profile's size; the same numbers on every call.

    Parameters
    ----------
    profile : Profile
        `activities`, `activity_videos`, `feature_width` and `longest_video` cut it down.
    """
    names = tuple(f"activity_{c + 1:03d}" for c in range(CLASSES))
    groups = {name: f"group {c // RELATED}" for c, name in enumerate(names)}
    classes = names[:profile.activities]
    return make_dataset(
        "synthetic-activitynet", classes, lambda _, rng: _timelines(classes, profile, rng),
        groups, STRENGTH, BUMP, profile.feature_width, (VERSION, CLASSES), "activitynet")


def _timelines(classes: tuple[str, ...], profile: Profile, rng: np.random.Generator):
    """(duration, instances, no ambiguous interval) of every video of a subset."""
    labels = classes * max(2, round(VIDEOS * profile.activity_videos))
    count = len(labels)
    durations = np.interp(_percentages(count, rng), PERCENT, SECONDS)
    durations *= (profile.longest_video or SECONDS[-1]) / SECONDS[-1]
    durations[np.argsort(durations)[: len(SHORTEST_SECONDS)]] = SHORTEST_SECONDS
    numbers = 1 + np.searchsorted(100 * np.cumsum(INSTANCES), _percentages(count, rng))
    shares = np.empty(count)
    for own, quantiles in ((numbers == 1, ONE), (numbers > 1, SEVERAL)):
        shares[own] = np.interp(_percentages(own.sum(), rng), PERCENT, quantiles)
    for label, duration, number, share in zip(labels, durations.round(2).tolist(), numbers, shares):
        lengths = rng.lognormal(0.0, LENGTH_SPREAD, number)
        gaps = rng.lognormal(0.0, GAP_SPREAD, number + 1)
        lengths *= share * duration / lengths.sum()
        gaps *= (1 - share) * duration / gaps.sum()
        ends = np.cumsum(lengths + gaps[:-1])
        starts = np.minimum((ends - lengths).round(2), round(duration - 0.01, 2))
        ends = np.maximum(ends.round(2), (starts + 0.01).round(2))
        yield duration, [(label, *times) for times in zip(starts.tolist(), ends.tolist())], []


def _percentages(count: int, rng: np.random.Generator) -> np.ndarray:
    """One from each of `count` equal parts of 0 to 100, in random order."""
    return 100 * (rng.permutation(count) + rng.random(count)) / count
