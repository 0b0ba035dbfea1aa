"""Run the experiments of sweeps: python book/run_sweeps.py RESULTS table1 "collapse --seeds 2" ...

FACNET_DATASET, FACNET_ACTIVITYNET, FACNET_PROFILE and JOBS say on what, at which size and how many
at a time. Of a sweep that the data set has too little for, a line says so, as its chapter does;
whatever else fails ends all.
"""

import io
import os
import shlex
import sys
from contextlib import redirect_stdout

import click

from facnet.cli import cli
from facnet.errors import FacnetError
from facnet.study.tables import Lacking


def run(results: str, sweeps: list[str]) -> None:
    profile, jobs = os.environ["FACNET_PROFILE"], os.environ["JOBS"]
    for sweep in sweeps:
        dataset = os.environ["FACNET_ACTIVITYNET" if sweep == "table2" else "FACNET_DATASET"]
        print(f"Running the experiments of {sweep} ({profile}, {dataset})", flush=True)
        options = ["--dataset", dataset, "--profile", profile, "--jobs", jobs, "--results", results]
        try:
            with redirect_stdout(io.StringIO()):  # the chapters show the tables
                cli.main(["sweep", *shlex.split(sweep), *options], standalone_mode=False)
        except Lacking as error:
            print(f"Left out: {sweep}. {error}", flush=True)


if __name__ == "__main__":
    try:
        run(sys.argv[1], sys.argv[2:])
    except FacnetError as error:
        sys.exit(f"{error}")
    except click.ClickException as error:
        sys.exit(error.format_message())
