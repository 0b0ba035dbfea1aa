"""Run the experiments whose results are kept: renews data/results/ but for SHREC'21's.

    python tests/keep_results.py [PROFILE [NAME ...]]    quick, or for an edition full or wide;
                                                         NAME such as table3, or table4:full
    python tests/keep_results.py check

On the synthetic data, on FACNET_DEVICE by JOBS processes. It may be stopped and started again:
records are kept in results/kept. Of an edition, `make edition`, files begin with edition_; pages
show them in place of those at profile `quick`. tests/study_shrec21.py renews SHREC'21's.

After an edit that should change no number, `check` computes two experiments of each sweep and two
figures' seed 0 anew, at `quick`. If all are what is kept, to the last digit, the code of today is
noted as that which computes them; else the first that differs is named and nothing is noted. Fig.
8's probe is the same to the last digit on one thread alone: set OMP_NUM_THREADS=1, as make does.
"""

import os
import sys

import pandas as pd

from facnet import load
from facnet.experiment import CODE
from facnet.study import published
from facnet.study.evidence import MEASURES, NO_DRAWS, TABLES, measured, with_draws
from facnet.study.records import REVISION, provenance, records_of
from facnet.study.tables import base_of, sweep, variants

COMMAND = "python tests/keep_results.py"
FOLDER = "results/kept"
# The choice of λ_CW comes before Table 5, which takes it.
SEEDS = {"table3": 5, "lambda_cw": 3, **dict.fromkeys(TABLES, 5), "collapse": 20, "differences": 5,
         **dict.fromkeys(MEASURES, 5)}
IN_AN_EDITION = {"table1": 10, "lambda_cw": 5}


def keep_result(name: str, frame: pd.DataFrame, what: str, command: str) -> None:
    """Write NAME.csv, draws as NAME.csv.xz, and the row of provenance.csv."""
    file = f"{name}.csv.xz" if name.endswith("_draws") else f"{name}.csv"
    digits = "%.1f" if name.endswith("_draws") else "%.6g"
    frame.to_csv(published.RESULTS / file, index=False, float_format=digits)
    for old in {one.name for one in published.RESULTS.glob(f"{name}.csv*")} - {file}:
        (published.RESULTS / old).unlink()
    note(file, what, command)


def note(file: str, what: str, command: str) -> None:
    """Write a file's row of provenance.csv, and drop those of files that are gone."""
    made = pd.read_csv(published.RESULTS / "provenance.csv", index_col="file", dtype=str)
    made = made.loc[[(published.RESULTS / old).is_file() for old in made.index]]
    made.loc[file] = {
        "what": what, "command": command, "revision": REVISION, "code": CODE}
    made.sort_index().to_csv(published.RESULTS / "provenance.csv")


def main(profile: str, names: list[str]) -> None:
    """Run what is missing; write each table's or figure's runs, and draws of its test videos."""
    dataset, quick = published.KEPT
    command = COMMAND if profile == quick else f"{COMMAND} {profile}"
    prefix, more = ("", {}) if profile == quick else (published.EDITION, IN_AN_EDITION)
    jobs, device = int(os.environ.get("JOBS", 1)), os.environ.get("FACNET_DEVICE", "cpu")
    data = load(dataset, profile, device)
    asked = {name.partition(":")[0]: name for name in names}
    if unknown := asked.keys() - (SEEDS | more).keys():
        sys.exit(f"Nothing is kept of {', '.join(unknown)}.")
    if len(asked) < len(names) or any(":" in name and (profile == quick or table in MEASURES)
                                      for table, name in asked.items()):
        sys.exit(f"{' '.join(names)}: a column alone is kept of an edition's table, one of each.")
    for name, seeds in (SEEDS | more).items():
        if names and name not in asked:
            continue
        what, draws = provenance(data, profile, seeds).removesuffix("."), None
        own = f"{command} {asked[name]}" if ":" in asked.get(name, "") else command
        if name in MEASURES:
            runs = measured(name, dataset, profile, seeds, FOLDER, device)
        else:
            runs = sweep(
                asked.get(name, name), dataset, profile, seeds, FOLDER, jobs=jobs, device=device)
            what += f"; {runs.seconds.sum() / 3600:.1f} hours of {data.device}"
        if name not in NO_DRAWS:
            runs, draws = with_draws(name, runs, FOLDER)
            keep_result(f"{prefix}{name}_draws", draws, what, own)
        keep_result(f"{prefix}{name}", runs, what, own)


def check() -> None:
    """Note today's code in provenance.csv if a sample of what is kept comes out the same."""
    dataset, profile = published.KEPT
    data = load(dataset, profile)
    for name in SEEDS.keys() - {"table5", *MEASURES}:  # whose recipes are in table1 and lambda_cw
        cells = variants(name, base_of(name, profile))
        kept = published.result(name)[0].query("seed == 0").set_index("variant").average
        for cell in (cells[0], cells[-1]):
            here = records_of(data, [cell.experiment], data.protocol)[0]["average"]
            compare(f"{name}, {cell.name}", kept[cell.name], here)
    for name in ("fig6", "fig8"):
        kept = published.result(name)[0].query("seed == 0").set_index("variant").average
        here = measured(name, dataset, profile, 1, "results/check").set_index("variant").average
        for variant in kept.index:
            compare(f"{name}, {variant}", kept[variant], here[variant])
    made = pd.read_csv(published.RESULTS / "provenance.csv", index_col="file", dtype=str)
    made.loc[made.command == COMMAND, "code"] = CODE
    made.to_csv(published.RESULTS / "provenance.csv")


def compare(what: str, kept: float, here: float) -> None:
    """Say that two numbers are the same, or stop."""
    print(f"{what}: {kept:.6g} kept, {here:.6g} here", flush=True)
    if f"{kept:.6g}" != f"{here:.6g}":
        sys.exit(f"{what} differs: run python tests/keep_results.py")


if __name__ == "__main__":
    if sys.argv[1:] == ["check"]:
        check()
    else:
        main(*sys.argv[1:2] or [published.KEPT[1]], sys.argv[2:])
