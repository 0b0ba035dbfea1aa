"""Run Table 3 and the column Full of Table 4 once at full synthetic size: renews data/results/.

    python tests/full_size.py [JOBS]

All data of the profile full; width, learning rate and epochs of tests/calibrate_synthetic.py's
full size. It may be stopped and started again: records are kept in results/full_size.
"""

import sys

from keep_result import keep_result

from facnet.config import changed, profile
from facnet.methods import preset
from facnet.study.tables import sweep

CHANGES = {"model.embedding_widths": (128, 128), "training.learning_rate": 1e-3,
           "training.epochs": 40}


def main(jobs: int) -> None:
    """Run what is missing, and write both frames and where they come from."""
    base = changed(profile("full").apply(preset("released")), CHANGES)
    frames = {}
    for file, name in (("table3_full", "table3"), ("table4_full", "table4_full")):
        frames[file] = sweep(name, "synthetic", "full", 3, "results/full_size", base, jobs)
    for file, frame in frames.items():  # when both are there: one revision for both
        keep_result(file, frame,
                    "synthetic data, all 20 classes and their videos, embedding 128 wide,"
                    " 40 epochs, 3 seeds", "python tests/full_size.py")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1)
