"""Numbers to compare with, read from data/published/ and data/results/.

The FAC-Net paper's five tables and what its text states beside them, what its field reported since,
THUMOS14, and what this book's code computed at full size. The CSVs are part of the repository, not
of the package, so that they can be read and corrected without opening the code. They are found next
to an editable install (`pip install -e .`). data/README.md describes every file and column.
"""

import re
from pathlib import Path

import pandas as pd

from facnet.errors import FacnetError, named, suggest
from facnet.experiment import CODE

FOLDER = Path(__file__).resolve().parents[2] / "data" / "published"
RESULTS = FOLDER.parent / "results"
KEPT = ("synthetic", "quick")  # the data and profile whose runs are kept there, not run again
EDITION = "edition_"  # how files begin of what was run on these data at a larger size


def read(name: str, **options) -> pd.DataFrame:
    """data/published/NAME.csv, with options of `pandas.read_csv`.

    Raises
    ------
    FacnetError
        If there is no such file.
    """
    path = FOLDER / f"{name}.csv"
    if not path.is_file():
        raise FacnetError(
            f"{path}: no such file.{suggest(name, {one.stem for one in FOLDER.glob('*.csv')})}"
            " Published numbers are read from a checkout of the repository: install the package"
            " from there with `pip install -e .`")
    return pd.read_csv(path, **options)


def table(number: int) -> pd.DataFrame:
    """A table of the FAC-Net paper, rows in the printed order.

    Parameters
    ----------
    number : int
        1 (THUMOS14), 2 (ActivityNet-1.3), 3 (branches), 4 (hybrid attention) or 5 (CW plug-in).

    Returns
    -------
    pandas.DataFrame
        mAP in per cent; a cell that the paper leaves empty is missing (NaN). Columns of tIoUs
        are named as printed, "0.3".

    Raises
    ------
    FacnetError
        If there is no such table, or the CSV is not there.
    """
    return read(f"table{number}", dtype={"temperatures": str, "year": "Int64"})


def statement(name: str) -> float:
    """An AVG in per cent that stands in no table: of the paper's text, of logs, or by users.

    `name` is as in data/published/statements.csv, which has the source of each.

    Raises
    ------
    FacnetError
        If there is no such statement, or the CSV is not there.
    """
    return named(name, read("statements", index_col="statement").average.to_dict(), "statement")


def has_edition(name: str) -> bool:
    """Whether what `name` keeps was run at a larger size, too."""
    return (RESULTS / f"{EDITION}{name}.csv").is_file()


def result(name: str) -> tuple[pd.DataFrame, str]:
    """A table that was computed once for this book, such as a sweep: data/results/NAME.csv[.xz].

    Returns
    -------
    frame : DataFrame
    provenance : str
        On what data and at what size, the command and the revision of the code that made it; and
        whether that code computes otherwise today.

    Raises
    ------
    FacnetError
        If there is no such file, or provenance.csv does not say how it was made.
    """
    made = pd.read_csv(
        RESULTS / "provenance.csv", index_col="file", dtype=str, keep_default_na=False)
    path = next(RESULTS.glob(f"{name}.csv*"), RESULTS / f"{name}.csv")
    if path.name not in made.index or not path.is_file():
        raise FacnetError(
            f"{path}: the file or its row in provenance.csv beside it is missing;"
            " data/README.md says what writes both.")
    made = made.loc[path.name]
    frame = pd.read_csv(path, dtype={"temperatures": str})
    for column in {"collapsed", "main"} & {*frame}:  # "" is a value there and not a missing one
        frame[column] = frame[column].astype(object).fillna("")
    since = "" if made.code == CODE else "; the code that computes it has changed since"
    revision = re.sub("^([0-9a-f]{12})[0-9a-f]{28}", r"\1", made.revision)
    return frame, f"{made.what}; `{made.command}` at revision `{revision}`{since}"
