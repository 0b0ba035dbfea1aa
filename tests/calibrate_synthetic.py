"""How hard the synthetic data are: measure, write tests/calibration.json and the page's table.

    python tests/calibrate_synthetic.py [quick|smoke ...]

Run by hand after a change of the generator or of a size; takes some three minutes on one core. The
bands were set before any ablation was run and are not to be met by tuning to one.
"""

import json
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from facnet.config import Experiment, changed
from facnet.data import Dataset, load
from facnet.experiment import run
from facnet.methods import preset
from facnet.profiles import profile
from facnet.study.records import classification
from facnet.synthetic.thumos14 import STRENGTH, VERSION

FILE = Path(__file__).with_name("calibration.json")
PAGE = Path(__file__).parents[1] / "book" / "synthetic_difficulty.md"
SEEDS = range(5)

def recipe(size: str) -> Experiment:
    """The released preset at a size of the data."""
    return profile(size).apply(preset("released"))


def measure(
    data: Dataset, experiment: Experiment, name_of_preset: str, seeds: range = SEEDS
) -> dict:
    """Some seeds of FAC-Net, untrained and frame-supervised."""
    rows = {}
    variants = {"facnet": experiment, "untrained": changed(experiment, {"training.epochs": 0}),
                "frame_supervised": changed(experiment, {"training.supervision": "frame"})}
    for name, one in variants.items():
        started = time.perf_counter()
        results = [run(data, replace(one, seed=s)) for s in seeds]
        seconds = (time.perf_counter() - started) / len(seeds)
        rows[name] = {
            "average": [round(r.evaluation.average, 2) for r in results],
            "mean_average": round(float(np.mean([r.evaluation.average for r in results])), 2),
            "classification": [round(classification(r.scores, data), 2) for r in results],
            "seconds_a_seed": round(seconds, 1),
        }
        print(data.name, name, rows[name], flush=True)
    training = experiment.training
    settings = {"embedding_widths": experiment.model.embedding_widths, "epochs": training.epochs,
                "learning_rate": training.learning_rate, "preset": name_of_preset}
    return {"settings": settings, **rows}


def as_table(measured: dict, sizes: tuple[str, ...] = ("quick",)) -> str:
    """The page's table: means over seeds, with the smallest and the largest."""
    lines = [
        "| size | training | untrained | FAC-Net | frame-supervised | video classification mAP |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for size in sizes:
        one, settings = measured[size], measured[size]["settings"]
        cells = [f"`{size}`", f"{settings['epochs']} epochs at {settings['learning_rate']:g}, "
                 f"embedding {settings['embedding_widths'][-1]} wide"]
        for name in ("untrained", "facnet", "frame_supervised"):
            values = one[name]["average"]
            cells.append(f"{np.mean(values):.1f} ({min(values):.1f} to {max(values):.1f})")
        cells.append(f"{np.mean(one['facnet']['classification']):.1f}")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    measured = json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}
    measured |= {"version": VERSION, "strength": {k: list(v) for k, v in STRENGTH.items()}}
    for size in sys.argv[1:] or ("smoke", "quick"):
        measured[size] = measure(load("synthetic", size), recipe(size), "released")
        FILE.write_text(json.dumps(measured, indent=1) + "\n", encoding="utf-8")
    PAGE.write_text(as_table(measured), encoding="utf-8")
