"""Numbers, intervals, verdicts and tables, as people read them."""

import re
from collections.abc import Collection, Iterable
from enum import StrEnum
from pathlib import Path

import numpy as np
import pandas as pd
from pandas.io.formats.style import Styler

from facnet.files import write_text

# What Markdown would take for markup in a name.
MARKUP = re.compile(r"[\\`*_|<$]|&(?=#?\w+;)|~(?=~)|\](?=\()")


class Verdict(StrEnum):
    """What was measured says of a claim, in the words that every table uses."""

    HOLDS = "holds"
    ON_AVERAGE = "on average"  # not in each of its comparisons
    PARTLY = "partly"  # it holds where it can be told
    OPEN = "open"
    FAILS = "fails"
    SAME = "same"  # both sides of the comparison are one and the same model
    UNTESTED = "untested"
    FEW = "few seeds"


SEEDS = 5  # that a verdict takes


def verdict(seeds: int, mean: float, *intervals: tuple[float, float]) -> Verdict:
    """Whether a difference that should be positive is, beyond what seeds and videos leave open.

    Parameters
    ----------
    seeds : int
        With fewer than `SEEDS` there is no verdict.
    mean : float
    intervals : tuple of (float, float)
        Its 95 % intervals, one for each source of error; NaN ends count for nothing. The sources
        are independent, so that their distances from the mean add up as squares.
    """
    if seeds < SEEDS:
        return Verdict.FEW
    below, above = np.sqrt(np.nansum((mean - np.array(intervals)) ** 2, axis=0))
    if mean > below:
        return Verdict.HOLDS
    return Verdict.FAILS if mean < -above else Verdict.OPEN


def interval(values: Iterable[float]) -> tuple[float, float, float]:
    """Mean, and the ends of its 95 % interval (Student's t); both NaN for a single value."""
    from scipy.special import stdtrit

    values = np.asarray(list(values), float)
    mean, n = float(values.mean()), len(values)
    spread = values.std(ddof=1) if n > 1 else np.nan
    half = float(stdtrit(n - 1, 0.975) * spread / np.sqrt(n))
    return mean, mean - half, mean + half


def summary(runs: pd.DataFrame, value: str = "average") -> pd.DataFrame:
    """One row a variant, in the order of the runs.

    Parameters
    ----------
    runs : DataFrame
        As `facnet.study.tables.sweep` gives it.
    value : str
        The column that is summed up.

    Returns
    -------
    DataFrame
        Indexed by variant: paper, n (seeds), mean, low and high (95 % interval over seeds), and
        collapsed (how many seeds have a collapsed stream).
    """
    groups = runs.assign(fell=runs.collapsed != "").groupby("variant", sort=False)
    mean, low, high = zip(*(interval(own) for _, own in groups[value]))
    return pd.DataFrame({
        "paper": groups.paper.first(), "n": groups.size(), "mean": mean, "low": low, "high": high,
        "collapsed": groups.fell.sum()})


def means(table: pd.DataFrame, by: str | list[str], values: Iterable[str]) -> pd.DataFrame:
    """Means of some columns over the rows of each group, with their 95 % intervals.

    Returns
    -------
    DataFrame
        A row a group, in the order of the table: the columns of `by`, and for each value x the
        columns x, x_low and x_high, as `readable` takes them.
    """
    groups, found = table.groupby(by, sort=False), {}
    for value in values:
        ends_ = np.array([interval(own) for _, own in groups[value]])  # [groups, 3]
        found |= dict(zip((value, f"{value}_low", f"{value}_high"), ends_.T))
    return pd.DataFrame(found, groups.size().index).reset_index()


def number(value: float, sign: bool = False, digits: int = 1) -> str:
    """A number as people write it: a minus that is one, no sign at zero, nothing for NaN.

    Examples
    --------
    >>> number(-1.23), number(1.23, sign=True), number(-0.04, sign=True)
    ('−1.2', '+1.2', '0.0')
    """
    if np.isnan(value):
        return ""
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


def cell(mean: float, low: float, high: float, sign: bool = False, digits: int = 1) -> str:
    """A mean with its interval in words; without the one or the other if there is none.

    Examples
    --------
    >>> cell(17.94, 17.01, 19.12), cell(18, 17.5, 18.5), cell(18, 17.98, 18.02)
    ('17.9 [17.0, 19.1]', '18.0 ± 0.5', '18.0 ± <0.1')
    """
    if np.isclose(mean - low, high - mean, rtol=1e-3):
        half, least = high - mean, 10.0**-digits
        width = f"<{least:.{digits}f}" if 1e-9 < half < least / 2 else number(half, digits=digits)
        return f"{number(mean, sign, digits)} ± {width}"
    said, low, high = (number(value, sign, digits) for value in (mean, low, high))
    return f"{said} [{low}, {high}]".strip() if low else said


def readable(table: pd.DataFrame, signed: Collection[str] = (), digits: int = 1) -> pd.DataFrame:
    """Numbers in words, those with an interval in one column with it.

    Parameters
    ----------
    table : DataFrame
        Columns `x`, `x_low` and `x_high` become one, `x`, as `cell` writes it; so do `mean`, `low`
        and `high`, as `mean`. Of `x_low` and `x_high` alone the interval is left.
    signed : collection of str
        Columns of differences, whose numbers have a sign.
    digits : int
        Decimals; whole numbers have none.
    """
    shown = table.astype(object)
    for low in [name for name in table if name == "low" or name.endswith("_low")]:
        name, high = low[:-4] or "mean", f"{low[:-3]}high"
        place = name if name in table else low
        values = table.reindex(columns=[name, low, high]).to_numpy(float)
        shown[place] = [cell(*row, place == low or name in signed, digits) for row in values]
        shown = shown.rename(columns={place: name}).drop(columns=[low, high], errors="ignore")
    for name in shown:
        shown[name] = [number(value, name in signed, digits) if isinstance(value, float) else value
                       for value in shown[name]]
    return shown


def save_table(table: pd.DataFrame, name: str, output: str | Path,
               numbers: pd.DataFrame | None = None) -> Styler:
    """Write `table` as OUTPUT/NAME.csv and .md, and `show` it.

    Parameters
    ----------
    table : DataFrame
        As people read it; a named index is a column, another is left out.
    name : str
    output : str or Path
    numbers : DataFrame, optional
        What the CSV holds instead: numbers for words such as "34.5 [29.3, 39.9]", or the single
        comparisons behind verdicts.
    """
    folder = Path(output)
    folder.mkdir(parents=True, exist_ok=True)
    table = _with_index(table)
    numbers = table if numbers is None else _with_index(numbers)
    write_text(folder / f"{name}.csv", numbers.to_csv(index=False))
    words = [i for i, kind in enumerate(table.dtypes) if not pd.api.types.is_numeric_dtype(kind)]
    # Words stay as they are: "32.0" is not 32.
    markdown = table.rename(columns=_escaped).map(_escaped).to_markdown(
        index=False, disable_numparse=words)
    write_text(folder / f"{name}.md", markdown + "\n")
    return show(table)


def _escaped(value: object) -> object:
    """A text that Markdown shows as it is; anything else as it was."""
    return MARKUP.sub(r"\\\g<0>", value) if isinstance(value, str) else value


def _with_index(table: pd.DataFrame) -> pd.DataFrame:
    unnamed = not table.index.name and table.index.nlevels == 1
    return table.reset_index(drop=unnamed)


def show(table: pd.DataFrame) -> Styler:
    """`table` as a page shows it: small, only long words broken; a named index is a column."""
    table = _with_index(table)
    short = [column for column in table if table[column].astype(str).str.len().max() <= 22]
    style = table.style.hide(axis="index").format(precision=1, na_rep="", escape="html")
    return style.format_index(escape="html", axis=1).set_properties(
        **{"font-size": "85%", "padding": "0.2em 0.4em"}).set_properties(
        subset=short, **{"white-space": "nowrap"}).set_properties(
        subset=[column for column in table if column not in short], **{"text-align": "left"})
