# %% [markdown]
# # Beside other methods
#
# The paper's Table 1 sets FAC-Net beside the methods before it, on THUMOS14, one run each. This
# page has all its printed rows and runs four of those methods with several seeds on the same data,
# to see which of the paper's claims hold here.

# %% tags=["parameters"]
import os

dataset: str = os.environ.get("FACNET_DATASET", "synthetic")  # or a folder
profile: str = os.environ.get("FACNET_PROFILE", "quick")  # or smoke, full
seeds: int = 5  # how many: 0, 1, ...
output: str = os.environ.get("FACNET_OUTPUT", "results")  # for what is saved

# %% tags=["remove-cell"]
from facnet.study.notebook import check_parameters

check_parameters(globals())

# %% tags=["hide-input"]
from pathlib import Path

import numpy as np
import pandas as pd
from IPython.display import Markdown

from facnet.data import load
from facnet.methods import recipes
from facnet.study import claims, plots, published, statistics
from facnet.study.records import provenance
from facnet.study.statistics import interval
from facnet.study.tables import base_of, sweep
from facnet.training import frame_labels

plots.use_style()
folder = Path(output) / "experiments"  # what is there is not run again
data = load(dataset, profile)
source = provenance(data, profile, seeds)
Markdown(f"> {source}")

# %% tags=["hide-input"] mystnb={"image": {"alt": "Six rows, one a method; points for the seeds, a stroke and a band for the mean and its interval, a diamond for the paper's number"}, "figure": {"name": "fig-table1", "caption": "Every run of this page. Across: AVG in percent, the mean of mAP over the protocol's tIoUs, on the test videos of the data named above. Rows: methods; BG is the background class. Band: 95 % bootstrap interval over seeds. Hollow: in this seed a stream took background for action (the chapter on seeds and collapse). Diamonds: what Table 1 of the FAC-Net paper prints for THUMOS14; it has no AVG of W-TALC."}}
frame = sweep("table1", dataset, profile, seeds, folder)
figure = plots.strip(frame)
plots.save_figure(figure, "table1", output, source)

# %% [markdown]
# ## What the paper claims
#
# With a background class FAC-Net is better than without; without one it is still better than BM; and
# with it, on average over tIoU, better than all weakly supervised methods before it, as its table
# lists them. STPN {cite}`nguyen2018stpn`, BM {cite}`nguyen2019bm`, W-TALC {cite}`paul2018wtalc` and UM
# {cite}`lee2021um` run here as well; [Plugging CW into other methods](10_cw_in_other_methods.ipynb) says how
# they select foreground and what they are built from. A difference is taken seed by seed.

# %% tags=["hide-input", "full-width"]
draws = claims.resampled(frame, folder)
wanted = claims.table1_claims()
compared = claims.compare(frame, wanted, draws)
words = pd.DataFrame({
    "difference of AVG": compared.name,
    "paper": ["–" if pd.isna(v) else statistics.number(v, sign=True) for v in compared.paper],
    "here, over seeds": [statistics.cell(*v, sign=True)
                         for v in compared[["mean", "low", "high"]].values],
    "over test videos": [statistics.ends(*v) for v in compared[["video_low", "video_high"]].values],
    "that the first is better": compared.verdict})
statistics.save_table(words, "table1_claims", output, compared)
statistics.on_page(words)

# %% tags=["hide-input"]
averages = frame.drop_duplicates(["variant", "seed"])
classification = interval(averages[averages.variant == "FAC-Net"].classification)
before = compared.claim == "FAC-Net is better than the methods before it"
worse = before & (compared.verdict == "does not hold")
ahead = list(compared.name[worse].str.removeprefix("FAC-Net over "))
used, own = base_of("table1", profile), recipes()
shorter = [f"{name} {one.training.epochs} in place of {own[recipe].training.epochs}"
           for recipe, one in used.items() for name in [recipe.replace("released", "FAC-Net")]
           if one.training.epochs < own[recipe].training.epochs]
Markdown(
    "Points of AVG. *Over seeds*: the mean with its 95 % bootstrap interval; *over test videos*: the"
    " interval when the test videos are drawn again. A row holds if both lie above zero, and does"
    f" not hold if both lie below. {claims.caution(seeds)}\n\n"
    f"{claims.outcome(claims.claims(frame, wanted, draws))} That FAC-Net is better than the methods"
    " before it the paper says of each; the verdict is of their mean, the rows are of each"
    + (f": the opposite was measured of {', '.join(ahead)}" if ahead else "")
    + f". FAC-Net's video classification mAP is {statistics.cell(*classification)}. [Seeds"
    " and collapse](11_seeds_and_collapse.ipynb) has the same recipe with many more seeds, and its"
    " mean need not be that of these few."
    + (f" The profile shortens the schedules (epochs: {'; '.join(shorter)}), and most of all those of"
       " other methods: to be ahead of these says little." if shorter else "")
    + (" None of this says how a method does on real videos: the features here were made by a"
       " program." if data.simulated else "")
)

# %% tags=["hide-input"]
lengths = {}
for stream in data.streams:
    of_rows = {True: [], False: []}
    for video in data.subset("test"):
        norms = np.linalg.norm(np.asarray(data.features(stream, video), np.float32), axis=1)
        inside = frame_labels(data, video, len(norms)).any(1)
        for kind in of_rows:
            of_rows[kind].append(norms[inside == kind])
    lengths[stream] = [np.concatenate(of_rows[kind]).mean() for kind in (True, False)]
Markdown(
    "**Where UM has a hint.** UM selects snippets by the length of their embedded feature. In these"
    " data the feature vectors themselves, before anything is learned, have in the test videos a mean"
    " length of " + "; ".join(
        f"{action:.2f} inside instances and {rest:.2f} outside ({stream})"
        for stream, (action, rest) in lengths.items())
    + ". Where the first is clearly the larger, a method that goes by length starts with an answer"
    " that the others have to learn."
)

# %% [markdown]
# ## Table 1
#
# mAP in percent by tIoU, and its mean, AVG. UNT and I3D are the networks whose features a method
# uses; *weak+* is supervision beyond the labels of videos.

# %% tags=["hide-input", "full-width"]
kind = "synthetic" if data.simulated else data.name
here = []
for name, own in frame.groupby("variant", sort=False):
    cells = {"average": statistics.cell(*interval(own.drop_duplicates("seed").average))} | {
        f"{tiou:g}": statistics.cell(*interval(at.mean_ap)) for tiou, at in own.groupby("tiou")}
    here.append({"supervision": "weak", "method": f"{name}, here ({kind})", **cells})
here = pd.DataFrame(here)
printed = published.table(1)
table = pd.concat([printed, here], ignore_index=True)[
    ["supervision", "year", *here.columns.drop("supervision")]]
table = table.rename(columns={"average": "AVG"}).astype(object)
table = table.where(table.notna(), "")
statistics.save_table(table, "table1", output)
shown = table.replace(r" \[", "\n[", regex=True)  # on a second line, so that all columns fit
shown.style.hide(axis="index").format(precision=1).set_properties(
    **{"font-size": "85%", "white-space": "pre", "padding": "0.2em 0.4em"}).set_properties(
    subset=pd.IndexSlice[table.index[-len(here):], :], **{"font-weight": "bold"})

# %% tags=["hide-input"]
Markdown(
    f"Rows in bold were run here: {source} Means with their 95 % bootstrap intervals over seeds. All"
    " other rows as printed in the FAC-Net paper, on THUMOS14. Every seed's AVG: " + "; ".join(
        f"{name} " + ", ".join(f"{v:.1f}" for v in own.average)
        for name, own in averages.groupby("variant", sort=False)) + "."
)

# %% tags=["hide-cell", "nbval-check-output"]
print(len(printed), "printed rows,", len(table) - len(printed), "computed here")
print(published.table(1).to_string(index=False))

# %% [markdown]
# ## To remember, and to try
#
# - Spread between seeds is part of the result. A single number without it says little, and a table
#   of single numbers ranks methods by less than it seems.
# - A rank on one data set is a rank on that data set. Beside synthetic features the printed rows are
#   for reading, not for comparing.
# - Try `seeds = 10`: only what is missing runs, and the intervals narrow.
# - Try `facnet train --preset UM --out runs/um`, then `facnet localize` and `facnet evaluate`
#   ([How to rerun](../book/how_to_rerun.md)): one method by itself.
