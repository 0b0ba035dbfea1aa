# %% [markdown]
# # Looking at detections
#
# What is an AVG made of? First two videos, as in the paper's Fig. 7, which says that *Golf Swing*'s
# only instance is pinpointed and all of *Volleyball Spiking* are detected. Then all videos: wrong
# detections by cause, missed instances by kind, as in DETAD {cite}`alwassel2018detad`.

# %% tags=["parameters"]
import os

dataset: str = os.environ.get("FACNET_DATASET", "synthetic")  # or a folder
profile: str = os.environ.get("FACNET_PROFILE", "quick")  # or smoke, full
seeds: int = 3  # how many: 0, 1, ...
device: str = os.environ.get("FACNET_DEVICE", "cpu")  # or auto, cuda, mps
output: str = os.environ.get("FACNET_OUTPUT", "results")  # for what is saved

# %% tags=["remove-input"]
from dataclasses import replace
from pathlib import Path
import matplotlib.pyplot as plt
import pandas as pd
from facnet import detect, evaluate, load, run
from facnet.config import changed
from facnet.experiment import evaluate_test
from facnet.study import (base_of, cell, check_parameters, diagnosis, grid, interval, percent,
                          plots, provenance, readable, save_table, show_if_measurable)

check_parameters(globals())
plots.use_style()

# %%
data, folder = load(dataset, profile, device), Path(output) / "experiments"
source = provenance(data, profile, seeds)
print(source)
show_if_measurable(data)

# %%
preset = base_of("seeds", profile)
results = [run(data, replace(preset, seed=seed), folder=folder, progress=False)
           for seed in range(seeds)]
evaluations = [result.evaluation for result in results]
print("AVG", cell(*interval(one.average for one in evaluations)))

# %% mystnb={"image": {"alt": "Two videos side by side: foreground scores, then for each class its sequence with thresholds above bars for detections and ground truth, all over time in seconds"}, "figure": {"name": "fig-detections", "caption": "The paper's Fig. 7, two test videos of the data named above: scores of the last stream; detections of all streams, the better the stronger. Shade: ground truth."}}
one = sorted(results, key=lambda result: result.evaluation.average)[(seeds - 1) // 2]
golf = plots.example_video(data, "GolfSwing", but=["VolleyballSpiking"])
volleyball = plots.example_video(data, "VolleyballSpiking", but=["GolfSwing", golf[1]])
classes = {video: plots.shown_classes(data, video, one.detections)[:2]
           for video, _ in (golf, volleyball)}
figure = plots.timeline(data, one.scores[data.streams[-1]], classes, one.detections, preset)
plots.save_figure(figure, "fig7", output, source)

# %% [markdown]
# The seed is that of median AVG; of each class that video is shown whose number of instances is
# closest to six. A second class is drawn if the video shows one, or if a wrong one was detected. How
# many instances are found, and what do the detections come to?

# %%
tiou = 0.5  # at which a detection is right; every protocol has it
truth = one.evaluation.truth.assign(found=diagnosis.taken(one.evaluation, tiou))
print("all found in", percent(truth.groupby("video").found.all().mean()), "of videos")
causes = diagnosis.causes(one.evaluation)[tiou]
counts = pd.crosstab(one.evaluation.detections.video, causes).reindex(list(classes), fill_value=0)
truth.groupby("video").found.agg(instances="size", found="sum").join(counts, how="right").T

# %% [markdown]
# ## Why a detection is wrong
#
# The paper says that in its two videos all instances are found; here, in neither. DETAD asks what a
# false positive overlaps most. An instance of its class, enough, but taken: a
# *double detection*. Enough, of another class: a *wrong label*. Less, but 0.1 or more: a
# *localisation error* if the class is right, else a *confusion error*. All else is *background*.

# %% tags=["nbval-check-output"]
truths = {"video": "one", "label": ["dive", "jump"], "start": [0, 20], "end": [10, 30]}
found = {"video": "one", "label": "dive", "start": [0, 1, 20, 8, 28, 40],
         "end": [9, 10, 29, 14, 34, 50], "score": [0.9, 0.8, 0.7, 0.6, 0.5, 0.4]}
example = evaluate(pd.DataFrame(found), pd.DataFrame(truths), "activitynet", tiou=[0.5])
print(example.detections.assign(cause=diagnosis.causes(example)[0.5]).to_string(index=False))

# %% [markdown]
# A class with G instances ideally has G detections, all true: so they are taken by rank, the first
# G, the next G, and so on. Which cause is the most frequent, on the left, and which costs most, on
# the right? They can differ: a false positive costs only the true ones that rank below it.

# %% mystnb={"image": {"alt": "Left: ten stacked bars, groups of detections by rank, each divided into true positives, five causes of error and no detection. Right: bars for the gain of AVG without each cause, without all of them, and what missed instances cost"}, "figure": {"name": "fig-errors", "caption": "Detections by what they are, data named above. Left: by rank; white: no more detections. Right: what AVG would gain without a cause. Means and 95 % intervals over seeds."}}
ranks = diagnosis.over_seeds([diagnosis.false_positive_profile(e, tiou) for e in evaluations])
gains = diagnosis.over_seeds([diagnosis.removal_gains(e, tiou) for e in evaluations])
figure = plots.errors(ranks, gains)
plots.save_figure(figure, "errors", output, source)

# %%
table = gains.rename_axis("without")
for end in ("", "_low", "_high"):
    table[f"% of the first G{end}"] = ranks.loc[1].reindex(gains.index + end).to_numpy()
shown = readable(table, ["at", "average"]).rename(columns={"at": f"at {tiou}", "average": "AVG"})
save_table(shown, "errors", output, table)

# %% [markdown]
# *Missed instances* is what then lacks to 100: no better ranking brings them back.
#
# ## Which instances are missed
#
# DETAD sorts instances by length, by how much of their video they cover, and by how many of their
# class the video has. Normalised mAP takes AP as if all groups had as many instances. Missed is
# what no detection takes. Mind the small groups: intervals are over seeds.

# %% mystnb={"image": {"alt": "Two rows of bars in three columns for length, coverage and number of instances: above the share of instances that is missed, below normalised mAP; a dashed line for all instances"}, "figure": {"name": "fig-missed", "caption": "Missed instances and normalised mAP on the data named above. A bin includes its upper end; below it, how many instances it has. Means and 95 % intervals over seeds."}}
kinds = diagnosis.characteristics(data, truth)
bins = diagnosis.BINS["ActivityNet" if data.protocol == "activitynet" else "THUMOS14"]
tables = {name: diagnosis.over_seeds([
    diagnosis.missed(e, diagnosis.binned(kinds[name], upper), tiou) for e in evaluations])
    for name, upper in bins.items()}
figure, panels = plt.subplots(2, len(tables), figsize=(7.2, 4), sharex="col", sharey="row")
for column, (name, table) in zip(panels.T, tables.items()):
    for axes, what in zip(column, ("missed", "mAP_N")):
        own = table.drop("all")
        low, high = (own[f"{what}_{end}"].clip(0, 100) for end in ("low", "high"))
        axes.bar(own.index, own[what], color="#999999", yerr=[own[what] - low, high - own[what]])
        axes.set_xticks(range(len(own)), own.index + "\n" + own.instances.map("{:.0f}".format),
                        fontsize=7.5)
        axes.axhline(table.loc["all", what], color="0.3", ls="--")
    axes.set_xlabel(name)
panels[0, 0].set_ylabel("missed instances (%)")
panels[1, 0].set_ylabel("normalised mAP (%)")
table = pd.concat(tables, names=["characteristic", "bin"]).drop(
    columns=["instances_low", "instances_high"]).astype({"instances": int})
save_table(readable(table), "missed", output, table)
plots.save_figure(figure, "missed", output, source)

# %% [markdown]
# ## What the grid has to do with it
#
# Detections are runs of snippets, and there is a shortest one. [Perfect labels](02_the_data.ipynb),
# localised in the same way, miss instances too: how many percent of what the models miss?

# %%
marks = grid.grid_marks(data.snippet_seconds, preset.localization)
perfect = evaluate_test(detect({"labels": grid.perfect_scores(data)}, data, preset), data)
blind = ~diagnosis.taken(perfect, tiou)
print(cell(*interval(100 * blind[~diagnosis.taken(one, tiou)].mean() for one in evaluations)), "%")
print("bins by", marks)
groups = diagnosis.binned(kinds["length (s)"], sorted(set(marks.values())))
here = diagnosis.over_seeds([diagnosis.missed(e, groups, tiou) for e in evaluations])
ceiling = diagnosis.missed(perfect, groups, tiou).rename_axis("length (s)")
table = ceiling[["instances"]].join(here.filter(like="missed")).assign(perfect=ceiling.missed)
shown = readable(table).rename(columns={"missed": "missed (%)", "perfect": "by perfect labels (%)"})
save_table(shown, "missed_on_the_grid", output, table)

# %% [markdown]
# ## To remember, and to try
#
# - A picture shows what a model can do; only counts over all videos show what it does.
# - False positives and missed instances are two losses. A better ranking mends the first only.
#
# **Exercise.** With runs of one snippet, short instances come within reach. At what price?

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Solution", "image": {"alt": "The same two panels, detections by rank and gains by cause, with a shortest run of one snippet"}}
short = changed(preset, {"localization.minimum_length": 1})
again = [evaluate_test(detect(result.scores, data, short), data) for result in results]
figure = plots.errors(
    diagnosis.over_seeds([diagnosis.false_positive_profile(e, tiou) for e in again]),
    diagnosis.over_seeds([diagnosis.removal_gains(e, tiou) for e in again]))
