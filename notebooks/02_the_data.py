# %% [markdown]
# # The data
#
# This page portrays the data that the book was built on, beside THUMOS14's own numbers. It shows
# that a method which decides snippet by snippet loses much even if it never errs.
#
# This page may be skipped at first reading.

# %% tags=["parameters"]
import os

dataset: str = os.environ.get("FACNET_DATASET", "synthetic")  # or a folder
profile: str = os.environ.get("FACNET_PROFILE", "quick")  # or smoke, full
seeds: int = 0  # not used: nothing is trained here
output: str = os.environ.get("FACNET_OUTPUT", "results")  # for what is saved

# %% tags=["remove-cell"]
from facnet.study.notebook import check_parameters

check_parameters(globals())

# %% tags=["hide-input"]
import pandas as pd
from IPython.display import Markdown

from facnet.data import load
from facnet.evaluation import to_snippets
from facnet.importers.check import portrait
from facnet.study import plots, published, statistics
from facnet.study.grid import grid_ceiling, grid_marks, shares_below
from facnet.study.records import provenance

plots.use_style()
data = load(dataset, profile)
here = "synthetic" if data.simulated else f"{data.name}, here"
source = provenance(data, profile, seeds)
Markdown(f"> {source}")

# %% tags=["hide-input"] mystnb={"image": {"alt": "Two panels of mAP against tIoU, one for the data of this book and one for THUMOS14, with a line for each rule of which runs are kept; FAC-Net's printed line lies below all of THUMOS14's"}, "figure": {"name": "fig-ceiling", "caption": "What perfect snippet labels would score, on the test videos of the data named above (left) and of THUMOS14 (right), protocol released. Lines: which runs of snippets become detections: all, those of 2 or 3 snippets or more, and, as *released: 3, end 1 late*, those of 3 or more whose end is reported one snippet late, as the released code does. Black: what the FAC-Net paper prints. Even without an error a method that decides snippet by snippet stays below 100."}}
ceiling, thumos14 = grid_ceiling(data), published.thumos14("ceiling")
paper = published.table(1).set_index("method").loc["FAC-Net (I3D)"]
figure = plots.ceilings(
    {here: ceiling, "THUMOS14": thumos14}, {"THUMOS14": paper.rename("FAC-Net, as printed")})
plots.save_figure(figure, "ceiling", output, "Right: THUMOS14, real. Left: "
                    + provenance(data, profile, seeds, "released"))

# %% tags=["hide-input"]
top = thumos14.loc["released: 3, end 1 late"]
Markdown(
    f"On THUMOS14 the released code would turn perfect snippet labels into an AVG of"
    f" {top['average']:.1f}. FAC-Net's printed {paper['average']:.1f} is"
    f" {100 - paper['average']:.1f} points short of 100. Perfect labels stop at"
    f" {top['average']:.1f}; {100 - top['average']:.1f} points lie beyond them. At tIoU 0.1"
    f" FAC-Net is {top['0.1'] - paper['0.1']:.1f} points below perfect labels, at 0.7"
    f" {top['0.7'] - paper['0.7']:.1f}. Every method that keeps the same runs has the same perfect"
    " labels above it; they are no bound in the strict sense (see the end of this page). On the"
    f" data of this page perfect labels reach {ceiling['average'].iloc[-1]:.1f}."
)

# %% [markdown]
# ## In numbers
#
# THUMOS14's columns are counted from the annotations that W-TALC {cite}`paul2018wtalc` distributes
# and that FAC-Net was trained and tested on ([what is odd about
# them](../book/data.md#what-is-odd-about-thumos14)); a snippet of it is 0.64 s of a video.

# %% tags=["hide-input"]
both = {here: portrait(data), "THUMOS14": published.thumos14("portrait")[["train", "test"]]}
table = pd.concat(both, axis=1).loc[both[here].index]
decimals = {"hours": 1, "foreground share": 2, "median instance (s)": 1}
statistics.save_table(table.set_axis(table.columns.map(", ".join), axis=1).reset_index(names=""),
                   "portrait", output)
table.apply(
    lambda row: row.map(f"{{:,.{decimals.get(row.name, 0)}f}}".format).replace("nan", "–"), axis=1)

# %% tags=["hide-input"]
several = published.thumos14("oddities").loc["videos of several classes, by their instances"]
Markdown(
    "Several classes are counted by the video-level labels, which are what training sees; by their"
    f" instances, {several.train} and {several.test} of THUMOS14's videos have several."
    + (" The synthetic timelines are drawn to THUMOS14's counts, so that a likeness in this table"
       " is no finding; profiles below `full` take fewer classes and videos, and cut the longest."
       if data.simulated else "")
)

# %% [markdown]
# ## From frames to seconds
#
# I3D {cite}`carreira2017i3d` looks at 16 frames at a time. THUMOS14's videos are resampled to 25
# frames a second, so a snippet lasts 16/25 s = 0.64 s and a second has 25/16 of them. A *protocol*
# is the rules by which detections are judged; the one of the released code moves every start and end
# to a whole snippet. Halves go to the even neighbour, as Python's `round` does.

# %% tags=["hide-input"] mystnb={"image": {"alt": "Four rows over a time axis: ticks for frames, numbered boxes for snippets of 16 frames, a bar for an instance from 1.6 to 4.5 seconds, and a bar for the snippets 2 to 6 that it becomes"}, "figure": {"name": "fig-grid", "caption": "The grid of THUMOS14's I3D features: frames, snippets, and what the released protocol makes of an instance from 1.6 s to 4.5 s. Its start is at 2.5 snippets and goes to 2, the even neighbour. Drawn, not measured."}}
figure = plots.snippet_grid(frames=16, fps=25.0)
plots.save_figure(figure, "snippet_grid", output, "Drawing; no data.")

# %% tags=["nbval-check-output"]
for seconds in (0.3, 1.6, 2.24, 4.5):
    print(f"{seconds:4.2f} s = {seconds * 25 / 16:.3f} snippets -> {to_snippets(seconds):.0f}")

# %% [markdown]
# ## How long an instance is
#
# The released code keeps runs of at least three snippets and reports their end one snippet late.
# No detection of it is shorter than four.

# %% tags=["hide-input"] mystnb={"image": {"alt": "Cumulative share of instances against their length on a logarithmic axis, with dashed lines at one snippet, the shortest run and the shortest detection; THUMOS14's quantiles as dots"}, "figure": {"name": "fig-lengths", "caption": "Lengths of the instances of the data named above (lines) and of THUMOS14 (marks). Dashed: one snippet, the shortest run that the released code keeps, and the shortest detection that it reports."}}
marks = grid_marks(data.snippet_seconds)
figure = plots.instance_lengths(data, marks, published.thumos14("lengths"))
plots.save_figure(
    figure, "instance_lengths", output, f"Dots: THUMOS14, real. Lines: {source}")

# %% tags=["hide-input"]
below = [f"below {mark}" for mark in marks]
subsets = ["train", "test"]
shares = {here: shares_below(data, marks)[subsets].set_axis(below),
          "THUMOS14": published.thumos14("portrait").loc[below, subsets]}
pd.concat(shares, axis=1).map("{:.1%}".format).replace("nan%", "–")

# %% [markdown]
# ## What perfect labels lose, and to what
#
# The first figure again, in numbers. A snippet is labelled with the classes of all instances that
# cover at least half of it. The labels then go through the released procedure: runs, scores,
# non-maximum suppression (of detections that overlap the best is kept), ambiguous intervals (what is
# left then is *reported*), evaluation.

# %% tags=["hide-input"]
statistics.save_table(ceiling.reset_index(), "ceiling", output)
columns = ["detections", "0.1", "0.5", "0.7", "average"]
pd.concat({here: ceiling[columns], "THUMOS14": thumos14[columns]}, axis=1).rename(
    columns={"detections": "reported", "average": "AVG"}).rename_axis(None).round(1)

# %% tags=["hide-input"]
lost = {name: -table["average"].diff().fillna(table["average"].iloc[0] - 100)
        for name, table in ((here, ceiling), ("THUMOS14", thumos14))}
instances = {here: len(data.instances_of("test")),
             "THUMOS14": int(published.thumos14("portrait").loc["instances", "test"])}
Markdown("\n".join(
    f"- **{name}**: {instances[name]:,} instances leave {table['detections'].iloc[0]:,} runs,"
    " because neighbours that touch on the grid become one and the shortest vanish:"
    f" {lost[name].iloc[0]:.1f} points. To drop runs below three snippets costs another"
    f" {lost[name].iloc[1:3].sum():.1f}, the end that is one snippet late"
    f" {lost[name].iloc[3]:.1f}."
    for name, table in ((here, ceiling), ("THUMOS14", thumos14))
))

# %% [markdown]
# It is no bound in the strict sense. Labels that are too generous, and stretch a short instance to
# three snippets, would be found at a low tIoU and score more. But it is where learning to label
# every snippet rightly ends.
#
# ## To remember, and to try
#
# - Instances are short against the grid. A method pays for that before it pays for its errors.
# - A ceiling belongs to data, grid, procedure and protocol together. Compare a score with its own.
# - Try `from facnet import grid, methods`, then
#   `grid.VARIANTS["paper"] = methods.preset("paper").localization`, then `grid_ceiling(data)`: the
#   text's procedure has no shortest run and interpolates. Expect a row close to *all runs*.
# - Try features on a finer grid: `snippet_seconds` of 4/30 in annotations.json, with snippets to
#   match. Expect a higher ceiling: more instances last three snippets.
# - [The data page](../book/data.md) tells where THUMOS14's files come from and what is odd about
#   them.
