"""Features made by a program, for data sets that are made in memory.

Features of a snippet are a rectified sum of named parts, each an *atom* (a sparse direction in
feature space) times a strength:

core        what tells a class from all others: a bump somewhere inside each instance
flank       the rest of the instance; half the class's own atom, half shared with its group
context     the class's scene, slowly varying through the whole video, action or not
actionness  one atom for any action
background  modes that take turns where there is no action
look-alike  bursts of flank and actionness outside instances: movements that resemble the class
appearance  a constant offset of the video
noise       first-order autoregressive, its own for each channel

A data set gives its timelines, its classes and the strengths.
"""

from collections.abc import Callable, Iterable

import numpy as np
import pandas as pd

from facnet.data import Dataset

SNIPPET_SECONDS = 0.64  # 16 frames at 25 fps
FEATURE_WIDTH = 128
STREAMS = ("rgb", "flow")

NOISE_LAG = 0.7  # correlation of a channel's noise between neighbouring snippets
BURST_EVERY = 60  # snippets of background between look-alikes, on average
BURST_SECONDS = (1.0, 6.0)
MODES, MODE_SNIPPETS = 12, 10  # background modes, and how long one lasts on average


def _atom(rng: np.random.Generator, width: int) -> np.ndarray:
    """A sparse non-negative direction of length sqrt(width) / 3."""
    atom = np.abs(rng.gamma(0.3, 1.0, width))
    return atom * (np.sqrt(width) / 3 / np.linalg.norm(atom))


def make_dataset(name: str, classes: tuple[str, ...], timelines: Callable[..., Iterable[tuple]],
                 groups: dict[str, str], strength: dict[str, tuple[float, ...]],
                 bump: tuple[float, float], width: int | None, seed: tuple[int, ...],
                 protocol: str = "released") -> Dataset:
    """A data set in memory: these timelines, with features of every stream, [T, width] float32.

    Parameters
    ----------
    name, classes, protocol
        As in :class:`facnet.data.Dataset`.
    timelines : callable
        (0 to train or 1 to test, random numbers) to the videos of that subset: for each its
        duration, its instances as (label, start, end), and its ambiguous intervals as (start, end).
    groups : dict of str to str
        The group of related classes that each class is in, for all classes that there can be.
    strength : dict of str to tuple of float
        Of each part, by stream: core, flank, context, actionness, background, look_alike,
        appearance, noise.
    bump : tuple of float
        Least and greatest standard deviation of the core's bump, in lengths of the instance.
    width : int or None
        None is `FEATURE_WIDTH`.
    seed : tuple of int
        Before all others; different data sets have different ones.
    """
    atoms = [_Atoms(groups, width or FEATURE_WIDTH, np.random.default_rng([*seed, 2, s]))
             for s in range(len(STREAMS))]
    videos, instances, ignored, features = [], [], [], {}
    for split, subset in enumerate(("train", "test")):
        rng = np.random.default_rng([*seed, split])
        for v, (duration, segments, ambiguous) in enumerate(timelines(split, rng), start=1):
            video = f"{name.replace('-', '_')}_{subset}_{v:04d}"
            labels = tuple(sorted({label for label, *_ in segments}))
            videos.append((video, subset, duration, labels))
            instances += [(video, *segment) for segment in segments]
            ignored += [(video, *interval) for interval in ambiguous]
            # What happens in a video is the same in both streams; how it looks is not.
            own = np.random.default_rng([*seed, 3, v, split])
            script = _Script(labels, duration, segments, ambiguous, bump, own)
            for s, stream in enumerate(STREAMS):
                features[stream, video] = _render(script, atoms[s], strength, s)
    return Dataset(
        name, classes, STREAMS, SNIPPET_SECONDS,
        pd.DataFrame(videos, columns=["video", "subset", "duration", "labels"]),
        pd.DataFrame(instances, columns=["video", "label", "start", "end"]),
        pd.DataFrame(ignored, columns=["video", "start", "end"]),
        read=lambda stream, video: features[stream, video], simulated=True, protocol=protocol)


class _Atoms:
    """The directions of one stream."""

    def __init__(self, groups: dict[str, str], width: int, rng: np.random.Generator):
        # Drawn for all classes, so that a class has the same atoms in every profile of a width.
        shared = {group: _atom(rng, width) for group in sorted(set(groups.values()))}
        self.core = {name: _atom(rng, width) for name in groups}
        self.flank = {name: (_atom(rng, width) + shared[group]) / 2
                      for name, group in groups.items()}
        self.context = {name: _atom(rng, width) for name in groups}
        self.actionness = _atom(rng, width)
        self.modes = np.stack([_atom(rng, width) for _ in range(MODES)])


class _Script:
    """What happens in a video, snippet by snippet: weights of the parts, each [T]."""

    def __init__(self, labels: tuple[str, ...], duration: float, segments: list, ambiguous: list,
                 bump: tuple[float, float], rng: np.random.Generator):
        self.snippets = max(1, int(duration / SNIPPET_SECONDS))
        self.core, self.flank, self.look_alike = (
            {label: np.zeros(self.snippets) for label in labels} for _ in range(3))
        self.foreground = np.zeros(self.snippets)
        begin = np.arange(self.snippets)
        for label, *seconds in segments:
            start, end = (time / SNIPPET_SECONDS for time in seconds)
            covered = _coverage(start, end, begin)
            peak = start + (end - start) * rng.beta(4, 4)
            spread = max((end - start) * rng.uniform(*bump), 0.5)
            core = np.exp(-0.5 * ((begin + 0.5 - peak) / spread) ** 2)
            gain = covered * rng.lognormal(0.0, 0.25)
            self.core[label] += gain * core
            self.flank[label] += gain * (1 - core)
            self.foreground = np.maximum(self.foreground, covered)
        bursts = [(s, s + rng.uniform(*BURST_SECONDS)) for s in
                  rng.uniform(0, duration, rng.poisson(self.snippets / BURST_EVERY))]
        # What annotators could not decide on resembles the class too.
        for start, end in bursts + ambiguous:
            covered = _coverage(start / SNIPPET_SECONDS, end / SNIPPET_SECONDS, begin)
            self.look_alike[rng.choice(labels)] += covered * (1 - self.foreground)
        changes = rng.random(self.snippets) < 1 / MODE_SNIPPETS
        turns = rng.integers(MODES, size=self.snippets)
        self.mode = turns[np.maximum.accumulate(np.where(changes, begin, 0))]
        self.seed = int(rng.integers(2**31))  # of how it looks


def _coverage(start: float, end: float, begin: np.ndarray) -> np.ndarray:
    """The share of each snippet inside [start, end), all in snippets."""
    return np.clip(np.minimum(end, begin + 1) - np.maximum(start, begin), 0, 1)


def _render(script: _Script, atoms: _Atoms, strengths: dict, stream: int) -> np.ndarray:
    """The rectified sum of all parts, [T, width] float32."""
    strength = {part: of_stream[stream] for part, of_stream in strengths.items()}
    rng = np.random.default_rng([script.seed, stream])
    width = len(atoms.actionness)
    x = np.zeros((script.snippets, width))
    bursts = sum(script.look_alike.values())
    for label, core in script.core.items():
        confusion = strength["look_alike"] * script.look_alike[label]
        x += strength["core"] * np.outer(core, atoms.core[label])
        x += strength["flank"] * np.outer(script.flank[label] + confusion, atoms.flank[label])
        slow = _smooth(0.02 * rng.standard_normal(script.snippets), 0.98) * 2 + 0.8
        scene = np.clip(slow, 0, None) * rng.uniform(0.5, 1.2)
        x += strength["context"] * np.outer(scene, atoms.context[label])
    action = script.foreground + strength["look_alike"] * np.minimum(bursts, 1)
    x += strength["actionness"] * np.outer(action, atoms.actionness)
    x += strength["background"] * (1 - 0.6 * script.foreground)[:, None] * atoms.modes[script.mode]
    x += strength["appearance"] * rng.standard_normal(width) * 0.5
    innovations = np.sqrt(1 - NOISE_LAG**2) * rng.standard_normal(x.shape)
    x += strength["noise"] * _smooth(innovations, NOISE_LAG)
    return np.maximum(x, 0).astype(np.float32)


def _smooth(innovations: np.ndarray, lag: float) -> np.ndarray:
    """Make y[t] = x[t] + lag * y[t - 1] of x [T] or [T, D], in place."""
    for t in range(1, len(innovations)):
        innovations[t] += lag * innovations[t - 1]
    return innovations
