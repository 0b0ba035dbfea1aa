"""Run the study of SHREC'21: renews data/results/shrec21_*.csv.

    python tests/study_shrec21.py FOLDER [JOBS]

FOLDER is what `facnet data import shrec21` made. It may be stopped and started again: records are
kept in results/shrec21.
"""

import sys

from facnet.study.gestures import run_study, write_study
from facnet.study.records import REVISION


def main(folder: str, jobs: int) -> None:
    """Run what is missing, and write all tables and where they come from."""
    write_study(run_study(folder, "results/shrec21", jobs=jobs),
                "python tests/study_shrec21.py data/shrec21", REVISION)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 1)
