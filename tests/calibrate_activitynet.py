"""How hard the miniature of ActivityNet is: tests/calibration_activitynet.json and a page's table.

    python tests/calibrate_activitynet.py

Run by hand after a change of the generator; takes about a quarter of an hour on one core. Only the
size `quick` is measured: `full` would take a day.
"""

import json
from pathlib import Path

from calibrate_synthetic import as_table, measure

from facnet.config import Experiment
from facnet.data import load
from facnet.methods import preset
from facnet.profiles import profile
from facnet.synthetic.activitynet import BUMP, STRENGTH, VERSION

FILE = Path(__file__).with_name("calibration_activitynet.json")
PAGE = Path(__file__).parents[1] / "book" / "synthetic_activitynet_difficulty.md"
SIZES = ("quick",)
SEEDS = range(3)


def recipe(size: str) -> Experiment:
    """The preset at a size of the data."""
    return profile(size).apply(preset("activitynet"))


if __name__ == "__main__":
    measured = {"version": VERSION, "bump": list(BUMP),
                "strength": {k: list(v) for k, v in STRENGTH.items()}}
    for size in SIZES:
        data = load("synthetic-activitynet", size)
        measured[size] = measure(data, recipe(size), "activitynet", SEEDS)
    FILE.write_text(json.dumps(measured, indent=1) + "\n", encoding="utf-8")
    PAGE.write_text(as_table(measured, SIZES), encoding="utf-8")
