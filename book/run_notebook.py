"""Run a notebook: python book/run_notebook.py notebooks/NAME.py EXECUTED.ipynb

What runs is the text, whatever the .ipynb beside it says. The executed copy keeps of the metadata
only what the text has too, so that it can be committed as it is. A run that fails shows its
traceback and leaves what it came to in EXECUTED.failed.ipynb. No kernel stands behind a built page,
so that pictures come without their sliders, whatever the environment says. Of data sets it names,
folders are those that the caller sees.
"""

import os
import sys
from pathlib import Path

import jupytext
import nbformat
import papermill
from clean_environment import clean_environment

from facnet.errors import FacnetError
from facnet.study.notebook import absolute

DATA = ("FACNET_DATASET", "FACNET_ACTIVITYNET", "FACNET_SHREC21")


def run(source: Path, target: Path) -> None:
    failed = target.with_suffix(".failed.ipynb")
    for name in DATA:  # the notebook runs in its own folder
        if given := os.environ.get(name):
            os.environ[name] = absolute("dataset", given)
    note = jupytext.read(source)
    note.metadata["kernelspec"] = {
        "display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
    nbformat.write(note, failed)
    try:
        papermill.execute_notebook(
            failed, failed, cwd=source.parent, progress_bar=False,
            extra_arguments=["--log-level=CRITICAL"],
        )
    except papermill.PapermillExecutionError as error:
        sys.exit(f"{error}\n{source} failed. As far as it came: {failed}")
    note = nbformat.read(failed, 4)
    note.metadata = {"kernelspec": note.metadata.kernelspec}
    for number, cell in enumerate(note.cells):
        kept = {key: cell.metadata.get(key) for key in ("tags", "mystnb")}
        cell.metadata = {key: value for key, value in kept.items() if value}
        cell.id = f"cell-{number}"  # not drawn anew by each run
    nbformat.write(note, failed)
    failed.rename(target)


if __name__ == "__main__":
    try:
        with clean_environment():
            run(Path(sys.argv[1]), Path(sys.argv[2]))
    except FacnetError as error:
        sys.exit(f"{error}")
