# %% [markdown]
# # Looking at detections
#
# What is an AVG made of? First two videos, as in the paper's Fig. 7, which says that *Golf Swing*'s
# only instance is pinpointed and all of *Volleyball Spiking* are detected. Then all videos: every
# wrong detection by its cause, every missed instance by its kind, in the manner of DETAD
# {cite}`alwassel2018detad`.

# %% tags=["parameters"]
import os

dataset: str = os.environ.get("FACNET_DATASET", "synthetic")  # or a folder
profile: str = os.environ.get("FACNET_PROFILE", "quick")  # or smoke, full
seeds: int = 3  # how many: 0, 1, ...
output: str = os.environ.get("FACNET_OUTPUT", "results")  # for what is saved

# %% tags=["remove-input"]
from dataclasses import replace
from pathlib import Path
import pandas as pd
from facnet import detect, evaluate, load, run
from facnet.config import changed
from facnet.experiment import evaluate_test
from facnet.study import (
    base_of, cell, check_parameters, diagnosis, grid, interval, percent, plots, provenance,
    readable, save_table, show, timelines)

check_parameters(globals())
plots.use_style()

# %%
data, folder = load(dataset, profile), Path(output) / "experiments"
source = provenance(data, profile, seeds)
print(source)
preset = base_of("seeds", profile)
results = [run(data, replace(preset, seed=seed), folder=folder, progress=False)
           for seed in range(seeds)]
evaluations = [result.evaluation for result in results]
print("AVG", cell(*interval(one.average for one in evaluations)))

# %% mystnb={"image": {"alt": "Two videos side by side: foreground scores, then for each class its sequence with thresholds above bars for detections and ground truth, all over time in seconds"}, "figure": {"name": "fig-detections", "caption": "The paper's Fig. 7, two test videos of the data named above: scores of the last stream; detections of all streams, the better the darker. Shade: ground truth."}}
one = sorted(results, key=lambda result: result.evaluation.average)[(seeds - 1) // 2]
golf = timelines.example_video(data, "GolfSwing", but=["VolleyballSpiking"])
volleyball = timelines.example_video(data, "VolleyballSpiking", but=["GolfSwing", golf[1]])
classes = {video: timelines.shown_classes(data, video, one.detections)[:2]
           for video, _ in (golf, volleyball)}
figure = timelines.timeline(data, one.scores[data.streams[-1]], classes, one.detections, preset)
plots.save_figure(figure, "fig7", output, source)

# %% [markdown]
# The seed is that of median AVG. Videos are chosen by rule: the one whose number of instances of
# the class is closest to six (or of another class, if none shows it). Below stands a second true
# class, or the best wrong one. How many instances are found, and what do the detections come to?

# %%
tiou = 0.5  # at which a detection is right; every protocol has it
truth = one.evaluation.truth.assign(found=diagnosis.taken(one.evaluation, tiou))
print("all found in", percent(truth.groupby("video").found.all().mean()), "of videos")
causes = diagnosis.causes(one.evaluation)[tiou]
counts = pd.crosstab(one.evaluation.detections.video, causes).reindex(list(classes), fill_value=0)
show(truth.groupby("video").found.agg(instances="size", found="sum").join(counts, how="right"))

# %% [markdown]
# ## Why a detection is wrong
#
# DETAD asks of each false positive what it overlaps most. An instance of its own class, and enough:
# another detection has taken it, a *double detection*. One of another class, and enough: a *wrong
# label*. Not enough, but 0.1 or more: a *localisation error* if the class is right, a *confusion
# error* if not. All else is a *background error*. One of each:

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
def flat(table):
    """Means and ends over seeds as columns x, x_low and x_high."""
    return table.set_axis([f"{name}_{end}".removesuffix("_mean") for end, name in table], axis=1)


first = flat(pd.concat({"% of the first G": ranks.loc[1].unstack(0)}, axis=1).swaplevel(axis=1))
table = flat(gains).join(first).rename_axis("without")
shown = readable(table, ["at", "average"]).rename(columns={"at": f"at {tiou}", "average": "AVG"})
save_table(shown.reset_index(), "errors", output, table.reset_index())
show(shown)

# %% [markdown]
# *Missed instances* is what then lacks to 100: no better ranking brings them back. But a
# localisation error put right might. (DETAD drops all after the tenth group; its gains are of
# normalised mAP.)
#
# ## Which instances are missed
#
# DETAD sorts instances by length, by how much of their video they cover, and by how many of their
# class the video has. Its normalised mAP takes AP as if every group had the same number of
# instances. Missed is what no detection takes. Mind the small groups: intervals are over seeds.

# %% mystnb={"image": {"alt": "Two rows of bars in three columns for length, coverage and number of instances: above the share of instances that is missed, below normalised mAP; a dashed line for all instances"}, "figure": {"name": "fig-missed", "caption": "Missed instances and normalised mAP on the data named above. A bin includes its upper end; below it, its number of instances. Means and 95 % intervals over seeds."}}
kinds = diagnosis.characteristics(data, truth)
bins = diagnosis.BINS["ActivityNet" if data.protocol == "activitynet" else "THUMOS14"]
tables = {name: diagnosis.over_seeds([
    diagnosis.missed(e, diagnosis.binned(kinds[name], upper), tiou) for e in evaluations])
    for name, upper in bins.items()}
figure = plots.by_kind(tables)
plots.save_figure(figure, "missed", output, source)

# %% tags=["hide-output"]
table = flat(pd.concat(tables, names=["characteristic", "bin"])).drop(
    columns=["instances_low", "instances_high"]).astype({"instances": int})
save_table(readable(table).reset_index(), "missed", output, table.reset_index())
show(readable(table))

# %% [markdown]
# ## What the grid has to do with it
#
# Detections are runs of snippets, and there is a shortest one. [Perfect labels](02_the_data.ipynb),
# localised in the same way, miss instances too: no better features will bring these, but a finer
# grid might. First, how many percent they are of what the models miss.

# %%
marks = grid.grid_marks(data.snippet_seconds, preset.localization)
perfect = evaluate_test(detect({"labels": grid.perfect_scores(data)}, data, preset), data)
blind = ~diagnosis.taken(perfect, tiou)
missed = [~diagnosis.taken(one, tiou) for one in evaluations]
print(cell(*interval(100 * (blind & own).sum() / max(own.sum(), 1) for own in missed)), "%")
print("bins by", marks)
groups = diagnosis.binned(kinds["length (s)"], sorted(set(marks.values())))
here = diagnosis.over_seeds([diagnosis.missed(e, groups, tiou) for e in evaluations])
ceiling = diagnosis.missed(perfect, groups, tiou).rename_axis("length (s)")
table = ceiling[["instances"]].join(flat(here).filter(like="missed")).assign(perfect=ceiling.missed)
shown = readable(table).rename(columns={"missed": "missed (%)", "perfect": "by perfect labels (%)"})
save_table(shown.reset_index(), "missed_on_the_grid", output, table.reset_index())
show(shown)

# %% [markdown]
# ## To remember, and to try
#
# - A picture shows what a model can do; only counts over all videos show what it does.
# - False positives and missed instances are two losses. A better ranking mends the first only.
# - Try `tiou = 0.3`. And predict first: with runs of one snippet, short instances come within
#   reach. At what price? No model is trained again for it.

# %% mystnb={"image": {"alt": "The same two panels, detections by rank and gains by cause, with a shortest run of one snippet"}}
short = changed(preset, {"localization.minimum_length": 1})
again = [evaluate_test(detect(result.scores, data, short), data) for result in results]
figure = plots.errors(
    diagnosis.over_seeds([diagnosis.false_positive_profile(e, tiou) for e in again]),
    diagnosis.over_seeds([diagnosis.removal_gains(e, tiou) for e in again]))
