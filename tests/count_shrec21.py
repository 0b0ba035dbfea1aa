"""Count SHREC'21: renew what data/README.md says of it.

    python tests/count_shrec21.py FOLDER

The folder is one that `facnet data import shrec21` takes. `test_shrec21.py` counts again where it
is at hand, so that no number on the page stays wrong.
"""

import sys
import tempfile
from pathlib import Path

import pandas as pd

from facnet.data import load
from facnet.importers.check import portrait
from facnet.importers.shrec21 import import_shrec21

README = Path(__file__).parents[1] / "data" / "README.md"
BEGIN, END = "<!-- counted by tests/count_shrec21.py -->\n", "<!-- end of what is counted -->\n"


def count(folder: Path) -> str:
    """Counts and faults, in Markdown."""
    with tempfile.TemporaryDirectory() as place:
        report = import_shrec21(folder, Path(place) / "out").splitlines()
        data = load(Path(place) / "out")
        whole = portrait(data)
    rows = {name: whole.loc[row].map(form.format) for name, row, form in (
        ("sequences", "videos", "{:.0f}"),
        ("of these with several classes", "videos of several classes", "{:.0f}"),
        ("gestures", "instances", "{:.0f}"), ("classes", "classes", "{:.0f}"),
        ("hours", "hours", "{:.2f}"),
        ("share of the time inside a gesture", "foreground share", "{:.1%}"),
        ("median gesture", "median instance (s)", "{:.2f} s"))}
    instances = data.instances.assign(
        length=data.instances.end - data.instances.start,
        subset=data.instances.video.map(data.videos.set_index("video").subset))
    lines = ["| | training | test |", "| --- | --- | --- |"]
    lines += [f"| {name} | {row.train} | {row.test} |" for name, row in rows.items()]
    lines += ["", "| gesture | training | test | median length |", "| --- | --- | --- | --- |"]
    lines += [
        f"| {label} | {(own.subset == 'train').sum()} | {(own.subset == 'test').sum()} |"
        f" {own.length.median():.2f} s |" for label, own in _by_length(instances)]
    faults = report[report.index("repaired:") : report.index("oddities, kept as they are:")]
    return "\n".join([*lines, "", "```text", *faults, "```", ""])


def _by_length(instances: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    return sorted(instances.groupby("label"), key=lambda item: item[1].length.median())


def page(text: str) -> str:
    """The text of data/README.md with these counts."""
    before, rest = README.read_text(encoding="utf-8").split(BEGIN)
    return before + BEGIN + text + END + rest.split(END, 1)[1]


if __name__ == "__main__":
    README.write_text(page(count(Path(sys.argv[1]))), encoding="utf-8")
