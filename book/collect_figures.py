"""Gather the paper's figures: python book/collect_figures.py RESULTS FOLDER EXECUTED.ipynb ...

The executed notebooks have saved them as RESULTS/fig1.svg, .pdf and .png, and in fig1.txt
what they were drawn from, and so on. All go to FOLDER, captions and data in captions.md. One
that is missing is an error.
"""

import re
import shutil
import sys
from pathlib import Path

import nbformat

FIGURES = [f"fig{number}" for number in range(1, 9)]


def collect(results: Path, folder: Path, notebooks: list[Path]) -> None:
    captions = {}
    for path in notebooks:
        for cell in nbformat.read(path, 4).cells:
            for name in re.findall(r'save_figure\(figure, "(fig[1-8])"', cell.source):
                captions[name] = cell.metadata["mystnb"]["figure"]["caption"]
    missing = [name for name in FIGURES if name not in captions]
    if missing:
        sys.exit(f"No notebook among {', '.join(map(str, notebooks))} draws {', '.join(missing)}.")
    folder.mkdir(parents=True)
    for name in FIGURES:
        for kind in ("svg", "pdf", "png"):
            shutil.copyfile(results / f"{name}.{kind}", folder / f"{name}.{kind}")
    sources = {name: (results / f"{name}.txt").read_text().strip() for name in FIGURES}
    (folder / "captions.md").write_text("\n".join(
        f"**{name}** {captions[name]} *Data: {sources[name]}*\n" for name in FIGURES))


if __name__ == "__main__":
    collect(Path(sys.argv[1]), Path(sys.argv[2]), [Path(name) for name in sys.argv[3:]])
