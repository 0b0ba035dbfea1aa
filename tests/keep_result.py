"""Keep in data/results/ what was computed once for the book: for the scripts beside this file."""

import pandas as pd

from facnet.study import published
from facnet.study.records import REVISION


def keep_result(name: str, frame: pd.DataFrame, what: str, command: str) -> None:
    """Write NAME.csv and its row of provenance.csv, as `published.result` reads them."""
    frame.to_csv(published.RESULTS / f"{name}.csv", index=False, float_format="%.6g")
    made = pd.read_csv(published.RESULTS / "provenance.csv", index_col="file", dtype=str)
    made.loc[f"{name}.csv"] = {"what": what, "command": command, "revision": REVISION}
    made.sort_index().to_csv(published.RESULTS / "provenance.csv")
