"""Run the study of SHREC'21: renews data/results/shrec21_*.csv.

    python tests/study_shrec21.py FOLDER [JOBS]

FOLDER is what `facnet data import shrec21` made. It may be stopped and started again: records are
kept in results/shrec21.
"""

import shutil
import sys
from pathlib import Path

from keep_results import keep_result, note

from facnet import load, run
from facnet.config import changed
from facnet.study import base_of, plots, provenance, published
from facnet.study.gestures import Study, run_study
from facnet.study.tables import chosen_lambdas

RECORDS = "results/shrec21"
COMMAND = "python tests/study_shrec21.py data/shrec21"


def write_study(study: Study) -> None:
    """Keep a study in data/results/, with what it was run on, how, and by which code."""
    tables = [(name, name, frame) for name, frame in study.frames.items()]
    tables += [(f"{name}_draws", name, frame) for name, frame in study.draws.items()]
    for file, name, frame in tables:
        keep_result(f"shrec21_{file}", frame, study.sources[name].removesuffix("."), COMMAND)


def keep_recording(dataset: str, study: Study) -> None:
    """Keep the picture of the last test recording: recordings and scores do not ship.

    By the model of seed 0 with the chosen weights: its last stream, the recording's own classes.
    """
    data, name = load(dataset), "shrec21_recording"
    lambdas = chosen_lambdas(study.frames["weights"])
    experiment = changed(base_of("weights", "half", "shrec21"), lambdas)
    result, video = run(data, experiment, folder=RECORDS), data.subset("test")[-1]
    labels, source = data.videos.set_index("video").labels[video], provenance(data, "half", 1)
    plots.use_style()
    figure = plots.timeline(data, result.scores[data.streams[-1]], {video: labels},
                            result.evaluation.detections, experiment)
    plots.save_figure(figure, name, RECORDS, source)
    shutil.copy(Path(RECORDS) / f"{name}.svg", published.RESULTS)
    note(f"{name}.svg", source.removesuffix("."), COMMAND)


if __name__ == "__main__":
    jobs = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    study = run_study(sys.argv[1], RECORDS, jobs=jobs)
    write_study(study)
    keep_recording(sys.argv[1], study)
