"""Where the paper's text and the authors' released code differ, and what each difference does.

data/published/differences.csv says of each, by fields of the recipe, where it stands in the paper,
what the text says and what the released code does.
"""

import pandas as pd

from facnet.config import flat, to_dict
from facnet.study import published
from facnet.study.claims import Comparison, compare
from facnet.study.tables import Variant

PARTS = {"model": "Model, trained anew", "training": "Training",
         "localization": "Localisation of the same models", "open": "Left open by the text",
         "all": "All of it together"}


def parts_compared(runs: pd.DataFrame, draws: pd.DataFrame) -> pd.DataFrame:
    """Every variant of the sweep "differences" less the released recipe.

    Parameters
    ----------
    runs : DataFrame
        As `facnet.study.tables.sweep` gives it.
    draws : DataFrame
        As `facnet.study.claims.resampled` gives it.

    Returns
    -------
    DataFrame
        As `facnet.study.claims.compare` gives it, `claim` being the title of a part of the recipe;
        a verdict "holds" means that the change raises AVG.
    """
    part = runs.groupby("variant", sort=False).part.first()
    return compare(runs, [Comparison(title, name, {name: 1, "released": -1})
                          for key, title in PARTS.items() for name in part.index[part == key]],
                   draws)


def explained(compared: pd.DataFrame, cells: list[Variant]) -> pd.DataFrame:
    """The single changes: what text and code say, fields and values, and the effect.

    A field that differences.csv does not name, one of your own, has no words yet: those stay empty.

    Parameters
    ----------
    compared : DataFrame
        As `parts_compared` gives it.
    cells : list of Variant
        Those of the sweep, the released recipe first.

    Returns
    -------
    DataFrame
        A row a change: name, fields, their values released and tried, section, text, code, and of
        `compared` mean, low, high, video_low, video_high and verdict.
    """
    released = flat(to_dict(cells[0].experiment))
    changes = []
    for cell in cells:
        fields, tried = cell.place["fields"], flat(to_dict(cell.experiment))
        if fields:
            changes.append({"name": cell.name, "fields": fields} | {
                what: "; ".join(_said(recipe[field]) for field in fields.split(", "))
                for what, recipe in {"released": released, "tried": tried}.items()})
    said = pd.DataFrame(changes).merge(published.read("differences"), "left", "fields").fillna("")
    effect = compared[["name", "mean", "low", "high", "video_low", "video_high", "verdict"]]
    return said.merge(effect, on="name")


def _said(value: object) -> str:
    """A field's value; of a long row of numbers its ends."""
    if isinstance(value, tuple):
        words = [f"{one:g}" for one in value]
        return ", ".join(words if len(words) <= 3 else [words[0], "…", words[-1]])
    return f"{value:g}" if type(value) in (int, float) else str(value)
