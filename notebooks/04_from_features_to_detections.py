# %% [markdown]
# # From features to detections
#
# This page trains FAC-Net, follows one video's scores through thresholds, proposals and
# non-maximum suppression to detections, and evaluates them. It ends with every row that the
# paper's Table 1 prints, and below them what was computed here.

# %% tags=["parameters"]
import os

dataset: str = os.environ.get("FACNET_DATASET", "synthetic")  # or a folder
profile: str = os.environ.get("FACNET_PROFILE", "quick")  # or smoke, full
seeds: int = 5  # how many: 0, 1, ...
output: str = os.environ.get("FACNET_OUTPUT", "results")  # for what is saved

# %% tags=["remove-cell"]
from facnet.config import check_parameters

check_parameters(globals())

# %% tags=["hide-input"]
from pathlib import Path

import pandas as pd
from IPython.display import Markdown

from facnet import charts, claims, config, figures, methods, published
from facnet.datasets import load
from facnet.experiments import provenance, run
from facnet.localization import localize, propose
from facnet.sweeps import interval, sweep

figures.use_style()
folder = Path(output) / "experiments"  # what is there is not run again
data = load(dataset, profile)
source = provenance(data, profile, seeds)
Markdown(f"> {source}")

# %% [markdown]
# ## Training
#
# One network a stream, Adam, ten videos a step, their gradients summed (sections 3.6 and 4.2; the
# released settings). The recipe is a value; a profile changes nothing in it but sizes, epochs and
# learning rate.

# %%
recipe = config.profile(profile).apply(methods.preset("released"))
first = run(data, recipe, folder=folder)  # seed 0

# %% tags=["hide-input"] mystnb={"image": {"alt": "Losses of the three branches and their weighted sum against epochs, one panel a stream"}, "figure": {"name": "fig-losses", "caption": "Mean losses of a training video by epoch, first seed. MIL cannot reach zero: its labels include the background, so even a perfect prediction has the entropy of two or more classes."}}
figure = charts.training_curves(first.histories)
figures.save_figure(figure, "training_curves", output, source)

# %% [markdown]
# ## From scores to detections
#
# A network gives each video the probabilities $P_f$ of equation 11, and each snippet the class
# activations $S_a$ of equation 1. The released procedure, for each stream:
#
# 1. **Classes.** Keep a class if $P_f(j)$ is at least 0.1, as text and code say for THUMOS14's 20
#    classes and background: 2.1 times the uniform probability 1/21. At other numbers of classes,
#    and without a background class, it is the multiple that stays, here and at the thresholds.
# 2. **Sequence.** Softmax of $S_a$ over the classes, snippet by snippet.
# 3. **Proposals.** At each of five thresholds, runs of at least three snippets above it.
# 4. **Score.** Mean inside the run minus 0.6 times the mean in a ring of a quarter of its length
#    on each side (the outer-inner contrast of AutoLoc {cite}`shou2018autoloc`).
# 5. **NMS** within a class over all thresholds: greedily keep the best, drop what it covers by
#    more than 0.2.
#
# Detections that touch an interval annotated as ambiguous are dropped, then the streams are pooled,
# rgb scores times 0.1, and go through NMS once more with 0.9.

# %% tags=["hide-input"] mystnb={"image": {"alt": "Foreground and softmax sequence of one class with its thresholds above bars for proposals, detections and ground truth"}, "figure": {"name": "fig-stages", "caption": "One class of one test video, last stream: foreground scores, sequence and thresholds, proposals (all thresholds, overlapping), what NMS keeps, the better the darker, and the ground truth."}}
video, label = figures.example_video(data, "HammerThrow")
scores = first.scores[data.streams[-1]]
parts = scores, data.classes, data.snippet_seconds, recipe.localization
proposals, detections = propose(*parts), localize(*parts)
figure = figures.timeline(data, scores, {video: [label]}, detections, recipe, proposals)
figures.save_figure(figure, "stages", output, source)

# %% tags=["hide-input"]
counts = {"proposals": len(proposals), "after NMS": len(detections),
          "both streams, fused": len(first.detections)}
pd.DataFrame({"detections in all test videos": counts})

# %% [markdown]
# The grid sets a limit of its own: even perfect snippet labels would stay far from 100
# ([The data](02_the_data.ipynb) shows how far).
#
# ## Evaluation
#
# A detection is a true positive if its tIoU with a free instance of its class reaches a threshold;
# average precision (AP) summarises precision over recall, class by class; mAP is the mean over
# classes, and AVG the mean of mAP over tIoU 0.1, 0.2, ..., 0.7. Protocols differ in the details,
# by several points on the same detections; `facnet.evaluation.evaluate` lists their rules.

# %% tags=["hide-input"] mystnb={"image": {"alt": "Precision against recall, one line a class, the two best and two worst classes named"}, "figure": {"name": "fig-precision-recall", "caption": "Precision and recall of every class at tIoU 0.5, first seed; grey lines are the classes between the two best and the two worst."}}
figure = charts.precision_recall(first.evaluation, tiou=0.5)
figures.save_figure(figure, "precision_recall", output, source)

# %% tags=["hide-input"]
classes = first.evaluation.ap.assign(AVG=first.evaluation.ap.mean(axis=1))
classes["instances"] = first.evaluation.instances
classes.rename_axis(index="class", columns=None).round(1)

# %% [markdown]
# ## Table 1
#
# The paper's claims: with a background class FAC-Net is better than without, and on average over
# tIoU it is better than all weakly supervised methods before it. Four of those run here as well
# ([Table 5](10_cw_in_other_methods.ipynb) says how), on the same data, at this profile's sizes,
# epochs and learning rate.

# %% tags=["hide-input", "full-width"]
frame = sweep("table1", dataset, profile, seeds, folder)
kind = "synthetic" if data.simulated else data.name
here = []
for name, own in frame.groupby("variant", sort=False):
    cells = {"average": claims.cell(*interval(own.drop_duplicates("seed").average))} | {
        f"{tiou:g}": claims.cell(*interval(at.mean_ap)) for tiou, at in own.groupby("tiou")}
    here.append({"supervision": "weak", "method": f"{name}, here ({kind})", **cells})
here = pd.DataFrame(here)
printed = published.table(1)
table = pd.concat([printed, here], ignore_index=True)[
    ["supervision", "year", *here.columns.drop("supervision")]]
table = table.rename(columns={"average": "AVG"}).astype(object)
table = table.where(table.notna(), "")
figures.save_table(table, "table1", output)
shown = table.replace(r" \[", "\n[", regex=True)  # on a second line, so that all columns fit
shown.style.hide(axis="index").format(precision=1).set_properties(
    **{"font-size": "85%", "white-space": "pre", "padding": "0.2em 0.4em"}).set_properties(
    subset=pd.IndexSlice[table.index[-len(here):], :], **{"font-weight": "bold"})

# %% tags=["hide-input"]
draws = claims.resampled(frame, folder)
others = [name for name in frame.variant.unique() if "FAC-Net" not in name]
wanted = [claims.Comparison("better with a background class", "FAC-Net w/o BG", ("FAC-Net",),
                            ("FAC-Net w/o BG",))]
wanted += [claims.Comparison("better than the methods before it", name, ("FAC-Net",), (name,))
           for name in others]
compared = claims.compare(frame, wanted, draws)
words = pd.DataFrame({
    "FAC-Net less": compared.name,
    "paper": ["–" if pd.isna(v) else claims.number(v, sign=True) for v in compared.paper],
    "here, over seeds": [claims.cell(*v, sign=True)
                         for v in compared[["mean", "low", "high"]].values],
    "over test videos": [claims.ends(*v) for v in compared[["video_low", "video_high"]].values],
    "that FAC-Net is better": compared.verdict})
figures.save_table(words, "table1_claims", output, compared)
figures.on_page(words)

# %% tags=["hide-input"]
averages = frame.drop_duplicates(["variant", "seed"])
every = {name: own.average for name, own in averages.groupby("variant", sort=False)}
classification = interval(averages[averages.variant == "FAC-Net"].classification)
Markdown(
    f"Rows in bold were run here: {source} Means with their 95 % bootstrap intervals over seeds;"
    " all other rows as printed in the FAC-Net paper, on THUMOS14. The second table has differences"
    " of AVG, seed by seed; *holds* asks that both intervals lie above zero."
    f" {claims.caution(seeds)}\n\n"
    "Every seed: " + "; ".join(
        f"{name} " + ", ".join(f"{v:.1f}" for v in own) for name, own in every.items())
    + f". FAC-Net's video classification mAP: {claims.cell(*classification)}."
    + (" None of this says how a method does on real videos: the features here were made by a"
       " program." if data.simulated else "")
)

# %% tags=["nbval-check-output"]
print(len(printed), "printed rows,", len(table) - len(printed), "computed here")

# %% [markdown]
# ## To remember, and to try
#
# - Much of the way from features to a number is not the network: thresholds, minimum length, NMS,
#   fusion and the protocol all move it.
# - Spread between seeds is part of the result. A single number without it says little.
# - Try `methods.preset("paper")` for the recipe of the text: sequences scaled to their own range
#   have other failures than absolute thresholds.
# - Try `detect(first.scores, data, config.changed(recipe, {"localization.minimum_length": 1}))`,
#   with `from facnet.experiments import detect`: short instances become reachable, and so do false
#   alarms.
