"""Gather the paper's figures: python book/collect_figures.py RESULTS FOLDER EXECUTED.ipynb ...

The executed notebooks have saved them as RESULTS/fig1.svg, .pdf and .png, and in fig1.txt
what they were drawn from, and so on. All go to FOLDER, captions and data in captions.md. One that
no notebook draws is an error; of one that a chapter leaves out on these data a line says so. Fig. 2
is a drawing by hand, an SVG alone.
"""

import re
import shutil
import sys
from pathlib import Path

import nbformat

FIGURES = ["fig1", *(f"fig{number}" for number in range(3, 9))]
DRAWING = Path(__file__).parent / "_static" / "overview.svg"
OVERVIEW = "**fig2** FAC-Net for one stream, after the paper's Fig. 2. *A drawing; no data.*\n"


def collect(results: Path, folder: Path, notebooks: list[Path]) -> None:
    captions, drawn = {}, []
    for path in notebooks:
        for cell in nbformat.read(path, 4).cells:
            for name in re.findall(r'save_figure\(figure, "(fig[1-8])"', cell.source):
                captions[name] = cell.metadata["mystnb"]["figure"]["caption"]
                drawn += [name] * bool(cell.outputs)
    missing = [name for name in FIGURES if name not in captions]
    if missing:
        sys.exit(f"No notebook among {', '.join(map(str, notebooks))} draws {', '.join(missing)}.")
    folder.mkdir(parents=True)
    for name in FIGURES:
        if name not in drawn:
            print(f"{name} is left out: on these data its chapter has nothing to show.")
            continue
        for kind in ("svg", "pdf", "png"):
            shutil.copyfile(results / f"{name}.{kind}", folder / f"{name}.{kind}")
    sources = {name: (results / f"{name}.txt").read_text("utf-8").strip() for name in sorted(drawn)}
    said = {name: f"**{name}** {captions[name]} *Data: {source}*\n"
            for name, source in sources.items()}
    shutil.copyfile(DRAWING, folder / "fig2.svg")
    said["fig2"] = OVERVIEW
    (folder / "captions.md").write_text("\n".join(said[name] for name in sorted(said)), "utf-8")


if __name__ == "__main__":
    collect(Path(sys.argv[1]), Path(sys.argv[2]), [Path(name) for name in sys.argv[3:]])
