"""Numbers, intervals and tables, as people read them.
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype
from pandas.io.formats.style import Styler

__all__ = [
    "LATEX", "cell", "ends", "interval", "number", "on_page", "percent", "save_table",
    "summary", "verdict",
]


def interval(values: Iterable[float], draws: int = 10_000) -> tuple[float, float, float]:
    """Mean, and the ends of its 95 % bootstrap interval; both NaN for a single value."""
    values = np.asarray(list(values), float)
    if len(values) < 2:
        return float(values.mean()), float("nan"), float("nan")
    chosen = np.random.default_rng(0).integers(len(values), size=(draws, len(values)))
    low, high = np.percentile(values[chosen].mean(1), [2.5, 97.5])
    return float(values.mean()), float(low), float(high)


def summary(frame: pd.DataFrame, value: str = "average") -> pd.DataFrame:
    """One row a variant of a sweep's frame, in its order.

    Returns
    -------
    DataFrame
        Indexed by variant: paper, n (seeds), mean, low and high (95 % bootstrap interval over
        seeds), values (all of them), other (mean by the other threshold rule), collapsed (number
        of seeds with a collapsed stream).
    """
    rows = {}
    for name, own in frame.drop_duplicates(["variant", "seed"]).groupby("variant", sort=False):
        mean, low, high = interval(own[value])
        rows[name] = {
            "paper": own.paper.iloc[0], "n": len(own), "mean": mean, "low": low, "high": high,
            "values": tuple(own[value]), "other": own.other_average.mean(),
            "collapsed": int((own.collapsed != "").sum()),
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("variant")


def verdict(low: float, high: float, n: int) -> str:
    """What an interval of a difference that is claimed to be positive says."""
    if low > 0:
        return "holds"
    if high < 0:
        return "does not hold"
    return f"not resolved with n = {n} seed{'s' if n > 1 else ''}"


def number(value: float, sign: bool = False, digits: int = 1) -> str:
    """A number as people write it: a minus that is one, and no sign at zero.

    Examples
    --------
    >>> number(-1.23), number(1.23, sign=True), number(-0.04, sign=True)
    ('−1.2', '+1.2', '0.0')
    """
    value = round(float(value), digits) + 0.0  # -0.0 becomes 0.0
    form = f"{{:{'+' if sign and value else ''}.{digits}f}}"
    return form.format(value).replace("-", "−")


def percent(share: float) -> str:
    """A share in percent; a small one with a decimal, so that it is not taken for none.

    Examples
    --------
    >>> percent(0.25), percent(0.005), percent(0.0)
    ('25 %', '0.5 %', '0 %')
    """
    return f"{100 * share:.{int(0 < share < 0.1)}f} %"


def ends(low: float, high: float, sign: bool = True, digits: int = 1) -> str:
    """An interval in words: "[−0.3, +1.2]"; nothing if there is none.

    Examples
    --------
    >>> ends(-0.31, 1.2), ends(float("nan"), float("nan"))
    ('[−0.3, +1.2]', '')
    """
    return "" if np.isnan(low) else (
        f"[{number(low, sign, digits)}, {number(high, sign, digits)}]")


def cell(mean: float, low: float, high: float, sign: bool = False, digits: int = 1) -> str:
    """A mean with its interval in words: "17.9 [17.0, 19.1]"; without one if there is none.

    Examples
    --------
    >>> cell(17.94, 17.01, 19.12), cell(1.2, float("nan"), float("nan"), sign=True)
    ('17.9 [17.0, 19.1]', '+1.2')
    """
    if np.isnan(mean):
        return ""
    return f"{number(mean, sign, digits)} {ends(low, high, sign, digits)}".strip()


# What a table's symbols are in LaTeX, where the usual text fonts lack them.
LATEX = {"✓": r"$\checkmark$", "τ": r"$\tau$", "λ": r"$\lambda$", "−": "$-$", "±": r"$\pm$",
         "→": r"$\to$"}


def save_table(
    table: pd.DataFrame, name: str, output: str | Path, numbers: pd.DataFrame | None = None
) -> None:
    """Write `table` as OUTPUT/NAME.csv, .md and .tex.

    Parameters
    ----------
    table : DataFrame
        As people read it; its index is left out.
    name : str
    output : str or Path
    numbers : DataFrame, optional
        What the CSV holds instead, for a table whose cells are words such as "34.5 [29.3, 39.9]".
    """
    folder = Path(output)
    folder.mkdir(parents=True, exist_ok=True)
    (table if numbers is None else numbers).to_csv(folder / f"{name}.csv", index=False)
    words = [i for i, kind in enumerate(table.dtypes) if not is_numeric_dtype(kind)]
    # Words stay as they are: "32.0" is not 32.
    markdown = table.to_markdown(index=False, disable_numparse=words)
    (folder / f"{name}.md").write_text(markdown + "\n")
    latex = table.to_latex(index=False, escape=True, float_format="{:.4g}".format, na_rep="")
    for symbol, command in LATEX.items():
        latex = latex.replace(symbol, command)
    (folder / f"{name}.tex").write_text(latex)


def on_page(table: pd.DataFrame) -> Styler:
    """`table` as a page shows it: small, without its index, only long words broken."""
    short = [column for column in table if table[column].astype(str).str.len().max() <= 22]
    return table.style.hide(axis="index").set_properties(
        **{"font-size": "85%", "padding": "0.2em 0.4em"}).set_properties(
        subset=short, **{"white-space": "nowrap"})
