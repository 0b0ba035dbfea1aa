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
seeds_of_others: int = 3  # of the other methods of Table 1
output: str = os.environ.get("FACNET_OUTPUT", "results")  # for what is saved

# %% tags=["hide-input"]
from dataclasses import replace
from pathlib import Path

import pandas as pd
from IPython.display import Markdown

from facnet import claims, config, figures, methods, published
from facnet.datasets import load
from facnet.experiments import provenance, run_seeds
from facnet.localization import localize, propose
from facnet.sweeps import interval, sweep, verdict

figures.use_style()
data = load(dataset, profile)
source = provenance(data, profile, seeds)
Markdown(f"> {source}")

# %% [markdown]
# ## Training
#
# One network a stream, Adam, ten videos a step, their gradients summed (sections 3.6 and 4.2; the
# released settings). The recipe is a value; a profile changes nothing in it but sizes, epochs and
# learning rate. FAC-Net without a background class (*w/o BG*) is the same with one switch.

# %%
recipe = config.profile(profile).apply(methods.preset("released"))
without = replace(recipe, model=replace(recipe.model, background_class=False))
results = {
    "FAC-Net": run_seeds(data, recipe, range(seeds)),
    "FAC-Net w/o BG": run_seeds(data, without, range(seeds)),
}
first = results["FAC-Net"][0]

# %% tags=["hide-input"] mystnb={"image": {"alt": "Losses of the three branches and their weighted sum against epochs, one panel a stream"}, "figure": {"name": "fig-losses", "caption": "Mean losses of a training video by epoch, first seed. MIL cannot reach zero: its labels include the background, so even a perfect prediction has the entropy of two or more classes."}}
figure = figures.training_curves(first.histories)
figures.save_figure(figure, "training_curves", output)

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

# %% tags=["hide-input"] mystnb={"image": {"alt": "Softmax sequence of one class with dashed thresholds above bars for proposals, detections and ground truth"}, "figure": {"name": "fig-stages", "caption": "One class of one test video, last stream: sequence and thresholds, proposals (all thresholds, overlapping), what NMS keeps, and the ground truth."}}
video, label = figures.example_video(data, "HammerThrow")
scores = first.scores[data.streams[-1]]
figure = figures.stages(data, scores, video, label, recipe.localization)
figures.save_figure(figure, "stages", output)

# %% tags=["hide-input"]
parts = scores, data.classes, data.snippet_seconds, recipe.localization
counts = {"proposals": len(propose(*parts)), "after NMS": len(localize(*parts)),
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
figure = figures.precision_recall(first.evaluation, tiou=0.5)
figures.save_figure(figure, "precision_recall", output)

# %% tags=["hide-input"]
classes = first.evaluation.ap.assign(AVG=first.evaluation.ap.mean(axis=1))
classes["instances"] = first.evaluation.instances
classes.rename_axis(index="class", columns=None).round(1)

# %% [markdown]
# ## Table 1
#
# The paper's claims: with a background class FAC-Net is better than without, and on average over
# tIoU it is better than all weakly supervised methods before it. The first is tested here. For the
# second, the four other methods that [Table 5](09_cw_in_other_methods.ipynb) runs stand beside it
# on the same data, at their own settings.

# %% tags=["hide-input", "full-width"]
tious = [f"{t:.1f}" for t in first.evaluation.tiou]


kind = "synthetic" if data.simulated else data.name


def row(name: str, by_tiou: list, averages: list) -> dict:
    """Means over seeds with their intervals; `by_tiou` holds a list of seeds' mAP for each tIoU."""
    columns = zip([*tious, "average"], [*by_tiou, averages])
    cells = {column: claims.cell(*interval(values)) for column, values in columns}
    return {"supervision": "weak", "method": f"{name}, here ({kind})", **cells}


# The methods of Table 5, without CW: what is remembered is not run again.
others = sweep("table5", dataset, profile, seeds_of_others, Path(output) / "experiments")
here = [
    row(name, [own.mean_ap[own.tiou == t] for t in own.tiou.unique()],
        own.drop_duplicates("seed").average)
    for name, own in others.groupby("variant", sort=False) if "CW" not in name
] + [
    row(name, [[r.evaluation.mean_ap.iloc[i] for r in results[name]] for i in range(len(tious))],
        [r.evaluation.average for r in results[name]])
    for name in ("FAC-Net w/o BG", "FAC-Net")
]
printed = published.table(1)
columns = ["supervision", "year", "method", *tious, "average"]
here = pd.DataFrame(here)
table = pd.concat([printed, here], ignore_index=True)[columns]
table = table.rename(columns={"average": "AVG"}).astype(object)
table = table.where(table.notna(), "")
figures.save_table(table, "table1", output)
shown = table.replace(r" \[", "\n[", regex=True)  # on a second line, so that all columns fit
shown.style.hide(axis="index").format(precision=1).set_properties(
    **{"font-size": "85%", "white-space": "pre", "padding": "0.2em 0.4em"}).set_properties(
    subset=pd.IndexSlice[table.index[-len(here):], :], **{"font-weight": "bold"})

# %% tags=["hide-input"]
own_average = others.drop_duplicates(["variant", "seed"]).groupby("variant", sort=False).average
better = [f"{name} ({average:.1f})" for name, average in own_average.mean().items()
          if "CW" not in name and average > interval(
              r.evaluation.average for r in results["FAC-Net"])[0]]
with_bg = [r.evaluation.average for r in results["FAC-Net"]]
without_bg = [r.evaluation.average for r in results["FAC-Net w/o BG"]]
difference, low, high = interval(a - b for a, b in zip(with_bg, without_bg))
paper = published.value(1, "FAC-Net (I3D)", "average")
paper_without = published.value(1, "FAC-Net w/o BG (I3D)", "average")
classification = interval(r.classification for r in results["FAC-Net"])
Markdown(
    f"Rows in bold were run here: {source} The other methods have {seeds_of_others} seeds. Means"
    " with their 95 % bootstrap intervals over seeds. All other rows: as printed in the FAC-Net"
    " paper, on THUMOS14.\n\n"
    "**The first claim.** AVG with a background class minus AVG without, paired by seed:"
    f" {claims.cell(difference, low, high, sign=True)} (the paper prints {paper:.1f} and"
    f" {paper_without:.1f}, a difference of {paper - paper_without:+.1f}): that it helps"
    f" {verdict(low, high, seeds)}. Every seed, with: "
    + ", ".join(f"{v:.1f}" for v in with_bg) + "; without: "
    + ", ".join(f"{v:.1f}" for v in without_bg)
    + f". Video classification mAP with background class: {claims.cell(*classification)}."
    + "\n\n**The second claim.** Better on average here: " + (", ".join(better) or "none")
    + " of the other methods that were run."
    + (" None of this says how FAC-Net does on real videos: the features here were made by a"
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
# - Try `replace(recipe.localization, minimum_length=1)` and `detect(first.scores, data, ...)`:
#   short instances become reachable, and so do false alarms.
