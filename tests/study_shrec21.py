"""Run the study of SHREC'21: renews data/results/shrec21_*.csv.

    python tests/study_shrec21.py FOLDER [JOBS]

FOLDER is what `facnet data import shrec21` made. It may be stopped and started again: records are
kept in results/shrec21.
"""

import sys

from keep_results import keep_result

from facnet.study.gestures import Study, run_study

COMMAND = "python tests/study_shrec21.py data/shrec21"


def write_study(study: Study) -> None:
    """Keep a study in data/results/, with what it was run on, how, and by which code."""
    tables = [(name, name, frame) for name, frame in study.frames.items()]
    tables += [(f"{name}_draws", name, frame) for name, frame in study.draws.items()]
    for file, name, frame in tables:
        keep_result(f"shrec21_{file}", frame, study.sources[name].removesuffix("."), COMMAND)


if __name__ == "__main__":
    jobs = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    write_study(run_study(sys.argv[1], "results/shrec21", jobs=jobs))
