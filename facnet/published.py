"""Numbers to compare with, read from data/published/: the FAC-Net paper's five tables, THUMOS14.

The CSVs are part of the repository, not of the package, so that they can be read and corrected
without opening the code. They are found next to an editable install (`pip install -e .`).
"""

from pathlib import Path

import pandas as pd

from facnet.errors import FacnetError, suggest

__all__ = ["table", "thumos14", "value"]

FOLDER = Path(__file__).resolve().parent.parent / "data" / "published"

# The column that names a row, where one does; a row of Table 3 is named by its ticks alone.
ROW_NAMES = {1: "method", 2: "method", 3: None, 4: "temperatures", 5: "method"}
# The files of THUMOS14's numbers, by what they hold.
PARTS = {"portrait": "thumos14", "lengths": "thumos14_lengths", "ceiling": "thumos14_ceiling",
         "oddities": "thumos14_oddities"}


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
    part : {"portrait", "lengths", "ceiling", "oddities"}
        The rows of :func:`facnet.datasets.portrait.portrait` and of
        :func:`facnet.grid.shares_below`; quantiles of the instances' lengths; the result of
        :func:`facnet.grid.grid_ceiling`; what is odd about the files.

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


def _read(name: str, **options) -> pd.DataFrame:
    path = FOLDER / f"{name}.csv"
    if not path.is_file():
        raise FacnetError(
            f"{path}: no such file. Published numbers are read from a checkout of the repository: "
            "install the package from there with `pip install -e .`"
        )
    return pd.read_csv(path, **options)
