"""Numbers to compare with, read from data/published/ and data/results/.

The FAC-Net paper's five tables and what its text states beside them, what its field reported since,
THUMOS14, and what this book's code computed at full size. The CSVs are part of the repository, not
of the package, so that they can be read and corrected without opening the code. They are found next
to an editable install (`pip install -e .`).
"""

from pathlib import Path

import pandas as pd

from facnet.errors import FacnetError, suggest

__all__ = [
    "field", "reports", "result", "statement", "table", "thumos14", "value", "whole_videos",
    "write_result",
]

FOLDER = Path(__file__).resolve().parents[2] / "data" / "published"
RESULTS = FOLDER.parent / "results"

# The column that names a row, where one does; a row of Table 3 is named by its ticks alone.
ROW_NAMES = {1: "method", 2: "method", 3: None, 4: "temperatures", 5: "method"}
# The files of THUMOS14's numbers, by what they hold.
PARTS = {"portrait": "thumos14", "lengths": "thumos14_lengths", "ceiling": "thumos14_ceiling",
         "oddities": "thumos14_oddities", "protocols": "thumos14_protocols",
         "stpn": "thumos14_stpn"}


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
        are named as printed, "0.3"; data/README.md describes every column.

    Raises
    ------
    FacnetError
        If there is no such table, or the CSV is not there.
    """
    if number not in ROW_NAMES:
        raise FacnetError(f"The paper has no Table {number}. Choose from: 1, 2, 3, 4, 5.")
    return _read(f"table{number}", dtype={"temperatures": str, "year": "Int64"})


def value(number: int, row: str, column: str) -> float:
    """One printed mAP in per cent (NaN if not printed): value(1, "FAC-Net (I3D)", "average").

    Parameters
    ----------
    number : int
        The table: 1, 2, 4 or 5. Select the rows of Table 3 by their ticks, from `table(3)`.
    row : str
        The method as printed or, in Table 4, the temperatures, such as "1 2 5".
    column : str
        A tIoU as printed ("0.5"), "average" or, in Table 4, "cw", "ca", "mil" or "full".

    Raises
    ------
    FacnetError
        If there is no such table, row or column.
    """
    frame, name = table(number), ROW_NAMES[number]
    if name is None:
        raise FacnetError(f"Table {number} names no rows: select by column from table({number}).")
    printed = frame.set_index(name).select_dtypes("float")
    for word, choices in ((row, printed.index), (column, printed.columns)):
        if word not in choices:
            raise FacnetError(f"Table {number} prints no {word!r}.{suggest(word, choices)}")
    return float(printed.loc[row, column])


def thumos14(part: str = "portrait") -> pd.DataFrame:
    """THUMOS14 in numbers, counted from the annotations that W-TALC distributes.

    Parameters
    ----------
    part : {"portrait", "lengths", "ceiling", "oddities", "protocols", "stpn"}
        The rows of :func:`facnet.importers.check.portrait` and of
        :func:`facnet.study.grid.shares_below`; quantiles of the instances' lengths; the result of
        :func:`facnet.study.grid.grid_ceiling`; what is odd about the files; what public detections
        score by the rules of `facnet.study.protocols.RULES` and on fewer videos; what STPN's paper
        and the reproduction whose detections these are print.

    Returns
    -------
    pandas.DataFrame
        Indexed by the first column of its CSV; one of its columns is "source".

    Raises
    ------
    FacnetError
        If there is no such part, or the CSV is not there.
    """
    if part not in PARTS:
        raise FacnetError(f"THUMOS14's numbers have no part {part!r}.{suggest(part, PARTS)}")
    return _read(PARTS[part], index_col=0)


def statement(name: str) -> float:
    """An AVG in per cent that stands in no table: of the paper's text, of logs, or by users.

    Parameters
    ----------
    name : str
        As in data/published/statements.csv, which has the source of each.

    Raises
    ------
    FacnetError
        If there is no such statement, or the CSV is not there.
    """
    averages = _read("statements", index_col="statement").average
    if name not in averages:
        raise FacnetError(f"No statement {name!r}.{suggest(name, averages.index)}")
    return float(averages[name])


def field() -> pd.DataFrame:
    """What weakly supervised methods report on THUMOS14, from the year of FAC-Net on.

    Returns
    -------
    DataFrame
        In the order of their years: method, venue, year, idea, AVG in per cent over tIoU "0.1:0.5",
        "0.3:0.7" and "0.1:0.7" (average), uses (what the others do not have, or ""), key and
        source. Features and test videos differ between rows.

    Raises
    ------
    FacnetError
        If the CSV is not there.
    """
    return _read("field").fillna({"uses": "", "key": ""})


def reports() -> pd.DataFrame:
    """What users of such repositories met with: DataFrame [about, seen, source].

    Raises
    ------
    FacnetError
        If the CSV is not there.
    """
    return _read("reports")


def whole_videos() -> pd.DataFrame:
    """What ActivityNet-1.3 gives for no localisation at all, counted from its annotations.

    Returns
    -------
    DataFrame
        Indexed by subset: videos, mAP in per cent at "0.5", "0.75" and "0.95", average and source.
        Every video is told its classes and is one detection of each, from beginning to end.

    Raises
    ------
    FacnetError
        If the CSV is not there.
    """
    return _read("activitynet13_whole_videos", index_col="subset")


def result(name: str) -> tuple[pd.DataFrame, str]:
    """A table that was computed once for this book, such as a sweep: data/results/NAME.csv.

    Returns
    -------
    frame : DataFrame
    provenance : str
        On what data and at what size, the command and the revision of the code that made it.

    Raises
    ------
    FacnetError
        If there is no such file, or provenance.csv does not say how it was made.
    """
    path = RESULTS / f"{name}.csv"
    made = _provenance()
    if not path.is_file() or path.name not in made.index:
        raise FacnetError(
            f"{path}: the file or its row in provenance.csv beside it is missing;"
            " data/README.md says what writes both.")
    made = made.loc[path.name]
    # "" is a value there, no stream collapsed, and not a missing one.
    text = {"collapsed": str, "temperatures": str}
    header = pd.read_csv(path, nrows=0).columns
    frame = pd.read_csv(path, dtype={column: str for column in text if column in header},
                        keep_default_na=False,
                        na_values={column: [""] for column in header if column not in text})
    return frame, f"{made.what}; `{made.command}` at revision `{made.revision}`"


def write_result(name: str, frame: pd.DataFrame, what: str, command: str, revision: str) -> None:
    """Write data/results/NAME.csv and its row of provenance.csv, as `result` reads them."""
    frame.to_csv(RESULTS / f"{name}.csv", index=False, float_format="%.6g")
    made = _provenance()
    made.loc[f"{name}.csv"] = {"what": what, "command": command, "revision": revision}
    made.sort_index().to_csv(RESULTS / "provenance.csv")


def _provenance() -> pd.DataFrame:
    return pd.read_csv(RESULTS / "provenance.csv", index_col="file", dtype=str)


def _read(name: str, **options) -> pd.DataFrame:
    path = FOLDER / f"{name}.csv"
    if not path.is_file():
        raise FacnetError(
            f"{path}: no such file. Published numbers are read from a checkout of the repository: "
            "install the package from there with `pip install -e .`"
        )
    return pd.read_csv(path, **options)
