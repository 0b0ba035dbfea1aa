"""Run the experiments whose results are kept: renews data/results/ but for SHREC'21's.

    python tests/keep_results.py [JOBS]

On the synthetic data at profile `quick`. It may be stopped and started again: records are kept in
results/kept. tests/study_shrec21.py renews SHREC'21's.
"""

import sys

import pandas as pd

from facnet import load
from facnet.experiment import CODE
from facnet.study import published
from facnet.study.evidence import MEASURES, TABLES, measured, with_draws
from facnet.study.records import REVISION, provenance
from facnet.study.tables import sweep

COMMAND = "python tests/keep_results.py"
FOLDER = "results/kept"
# The choice of λ_CW comes before Table 5, which takes it.
SEEDS = {"table3": 5, "lambda_cw": 3, **dict.fromkeys(TABLES, 5), "collapse": 20, "differences": 5}
MEASURED = 5


def keep_result(name: str, frame: pd.DataFrame, what: str, command: str) -> None:
    """Write NAME.csv, draws as NAME.csv.xz, and the row of provenance.csv."""
    file = f"{name}.csv.xz" if name.endswith("_draws") else f"{name}.csv"
    digits = "%.1f" if name.endswith("_draws") else "%.6g"
    frame.to_csv(published.RESULTS / file, index=False, float_format=digits)
    made = pd.read_csv(published.RESULTS / "provenance.csv", index_col="file", dtype=str)
    for old in {one.name for one in published.RESULTS.glob(f"{name}.csv*")} - {file}:
        (published.RESULTS / old).unlink()
        made = made.drop(index=old, errors="ignore")
    made.loc[file] = {
        "what": what, "command": command, "revision": REVISION, "code": CODE}
    made.sort_index().to_csv(published.RESULTS / "provenance.csv")


def main(jobs: int) -> None:
    """Run what is missing; write each table's or figure's runs, and draws of its test videos."""
    dataset, profile = published.KEPT
    data = load(dataset, profile)
    for name, seeds in SEEDS.items():
        runs = sweep(name, dataset, profile, seeds, FOLDER, jobs=jobs)
        what = provenance(data, profile, seeds).removesuffix(".")
        if name != "lambda_cw":  # a choice, of which nothing is claimed
            runs, draws = with_draws(name, runs, FOLDER)
            keep_result(f"{name}_draws", draws, what, COMMAND)
        keep_result(name, runs, what, COMMAND)
    for name in MEASURES:
        frame = measured(name, dataset, profile, MEASURED, FOLDER)
        keep_result(name, frame, provenance(data, profile, MEASURED).removesuffix("."), COMMAND)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1)
