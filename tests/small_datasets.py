"""Data sets as small as they can be, of every kind that `facnet data check` lets pass."""

import json
from pathlib import Path

import numpy as np

SECONDS = 0.64


def make(folder: Path, classes=("dive", "jump"), streams=("rgb", "flow"), names="v{:02}", videos=8,
         timed=True, train_timed=True, whole=False, bare=False, durations=True, ignored=False,
         protocol="seconds") -> Path:
    """Write a data set to a folder, every second video of it to test on.

    Parameters
    ----------
    folder : Path
    classes, streams : tuple of str
    names : str
        What videos are called, with a place for their number.
    videos : int
    timed, train_timed : bool
        Whether instances are known at all, and those of training videos.
    whole : bool
        Whether every video is one instance from start to end.
    bare : bool
        Whether a test video shows nothing.
    durations, ignored : bool
        Whether there are durations, and an ambiguous interval.
    protocol : str
    """
    rng, database = np.random.default_rng(0), {}
    for number in range(videos):
        name, length = names.format(number), int(rng.integers(20, 40))
        label = number // 2 % len(classes)
        first = length // 4
        spans = [(0, length)] if whole else [(first, first + 6), (first + 9, first + 13)]
        spans = [] if bare and number == 1 else spans
        for stream in streams:
            array = rng.random((length, 8), np.float32)
            for start, end in spans:
                array[start:end, label] += 2
            (folder / "features" / stream).mkdir(parents=True, exist_ok=True)
            np.save(folder / "features" / stream / f"{name}.npy", array)
        told = timed and (number % 2 or train_timed)
        database[name] = {
            "subset": "test" if number % 2 else "train", "labels": [classes[label]] * bool(spans),
            "annotations": [{"label": classes[label], "segment": [SECONDS * t for t in span]}
                            for span in spans if told]}
        if durations:
            database[name]["duration"] = length * SECONDS
    facts = {"name": folder.name, "classes": classes, "streams": dict.fromkeys(streams, {}),
             "snippet_seconds": SECONDS, "train": "train", "test": "test", "protocol": protocol,
             "database": database}
    if ignored:
        facts["ignored"] = {names.format(3): [[0.0, SECONDS]]}
    (folder / "annotations.json").write_text(json.dumps(facts), encoding="utf-8")
    return folder
