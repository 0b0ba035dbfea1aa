# %% [markdown]
# # Hybrid attention
#
# Each branch looks through several attentions at once, from smooth to sharp ones, and the paper's
# Table 4 tries nine sets of them. This page reruns all 36 cells, asks whether the paper's two
# conclusions hold, and looks at one video without and with hybrid attention, as Fig. 6 does.

# %% tags=["parameters"]
import os

dataset: str = os.environ.get("FACNET_DATASET", "synthetic")  # or a folder
profile: str = os.environ.get("FACNET_PROFILE", "quick")  # or smoke, full
seeds: int = 3  # how many: 0, 1, ...
output: str = os.environ.get("FACNET_OUTPUT", "results")  # for what is saved

# %% tags=["remove-cell"]
from facnet.study.notebook import check_parameters

check_parameters(globals())

# %% tags=["hide-input"]
from dataclasses import replace
from pathlib import Path

import pandas as pd
from IPython.display import Markdown

from facnet import config, methods
from facnet.data import load
from facnet.experiment import stream_scores
from facnet.study import claims, plots, published, statistics, timelines
from facnet.study.records import provenance
from facnet.study.tables import MANY_SEEDS, sweep

plots.use_style()
folder = Path(output) / "experiments"  # what is there is not run again
data = load(dataset, profile)
source = provenance(data, profile, seeds)
Markdown(f"> {source}")

# %% tags=["hide-input"]
frame = sweep("table4", dataset, profile, seeds, folder)
draws = claims.resampled(frame, folder)
many = sweep("seeds", dataset, profile, MANY_SEEDS, folder)

# %% tags=["hide-input"] mystnb={"image": {"alt": "Four panels, one a column of Table 4, with a row for each set of temperatures: points for the seeds, a stroke and a band for the mean and its interval, a diamond for the paper's number"}, "figure": {"name": "fig-table4", "caption": "Every run of Table 4: AVG on the test videos of the data named above, by set of temperatures. Band: 95 % bootstrap interval over seeds, which with three seeds or fewer reaches from the smallest to the largest. Diamonds: what the paper prints for THUMOS14."}}
figure = plots.strip(frame, panel="column", label="temperatures")
plots.save_figure(figure, "table4", output, source)

# %% [markdown]
# An attention is a softmax over time, of scores times a temperature τ (section 3.5): a large τ makes
# it sharper, down to the few snippets of the highest score. The text draws two conclusions from the
# table: more attentions are not always better, and a large τ hurts. CW is class-wise foreground
# classification, CA class-agnostic attention and MIL multiple instance learning, the three branches
# of [the model](03_the_model.ipynb). AVG is the mean of mAP over the tIoUs (temporal intersections
# over union) named above ([From features to detections](04_from_features_to_detections.ipynb)).
#
# ## Nine sets of temperatures
#
# Columns CW, CA and MIL are one branch alone, without a background class; Full is the whole model
# with one. Rows and columns are localised as in
# [What each branch adds](07_what_each_branch_adds.ipynb), which shares eight of the cells.

# %% tags=["hide-input", "full-width"]
chosen = "1 2 5"  # the paper's
# The synthetic data at a larger size; beside other data it has no place.
large, large_source = published.result("table4_full") if data.name == "synthetic" else (None, "")
columns = {
    column.upper() if column != "full" else "Full":
        claims.rows(own, own.variant[own.temperatures == chosen].iloc[0], draws)
    for column, own in frame.groupby("column", sort=False)
}
temperatures = list(frame.temperatures.unique())
wide, long = {("τ", ""): temperatures}, []
for column, own in columns.items():
    words = claims.readable_rows(own, f"({chosen})", large)
    wide |= {(column, name): list(words[name])
             for name in ("paper", "here", "full size") if words.get(name, pd.Series()).any()}
    long.append(words.reset_index())
shown = pd.DataFrame(wide)
statistics.save_table(shown.set_axis(shown.columns.map(" ".join), axis=1), "table4", output,
                   pd.concat(columns.values()).reset_index())
statistics.on_page(shown)

# %% tags=["hide-input"]
# The full model stands in its column at the paper's temperatures.
reference = columns["Full"].index[columns["Full"].index.str.endswith(f"({chosen})")][0]
fallen = frame[frame.collapsed != ""].drop_duplicates(["variant", "seed"]).column.value_counts()
runs = frame.drop_duplicates(["variant", "seed"]).column.value_counts()
counts = ", ".join(f"{name} {fallen.get(column, 0)} of {runs[column]}" for name, column in
                   zip(columns, frame.column.unique()))
Markdown(
    f"AVG in percent. *Paper*: as printed, on THUMOS14. *Here*: {source} Means with 95 % bootstrap"
    f" intervals over seeds. Runs with a collapsed stream: {counts}.\n\n"
    "**More seeds of the full model.** "
    f"{claims.of_many_seeds(columns['Full'], reference, many)}\n\n"
    + (f"*Full size*, of the column Full: {large_source}. Its verdicts go by the interval over"
       " seeds alone.\n\n" if large is not None else "")
    + claims.caution(seeds)
)

# %% [markdown]
# A few seeds can be lucky ones: [Seeds and collapse](11_seeds_and_collapse.ipynb) trains the full
# model with many more.
#
# Below, every cell again: its AVG by the other threshold rule, its collapsed seeds by stream, and
# how far it is behind the paper's choice of temperatures in its own column.

# %% tags=["hide-input", "hide-output"]
everything = pd.concat(long, ignore_index=True)
statistics.save_table(everything, "table4_cells", output)
statistics.on_page(everything)

# %% [markdown]
# ## What the paper concludes
#
# *Not the more the better*: a fourth attention, τ = 3, is added to the paper's three. *A large τ
# works against the model*: 10 takes the place of 5.

# %% tags=["hide-input", "full-width"]
wanted = claims.table4_claims()
statistics.on_page(claims.said_by_the_paper(wanted))

# %% tags=["hide-input"] mystnb={"image": {"alt": "Differences of AVG in two groups, one a claim; a point with a thick and a thin interval for each, and a diamond for the paper's difference"}, "figure": {"name": "fig-claims4", "caption": "The paper's conclusions from Table 4 as differences of AVG that should be positive, on the data named above. Thick: 95 % bootstrap interval over seeds, with three seeds or fewer from the smallest to the largest; thin: over test videos. Diamonds: the paper's differences, THUMOS14."}}
compared = claims.compare(frame, wanted, draws)
figure = plots.differences(compared)
plots.save_figure(figure, "table4_claims", output, source)

# %% tags=["hide-input", "full-width"]
table = claims.claims(frame, wanted, draws)
shown = claims.readable_claims(
    table, None if large is None else claims.claims(large, claims.table4_claims(["Full"])))
statistics.save_table(shown, "table4_claims", output, compared)
statistics.on_page(shown)

# %% tags=["hide-input"]
best = {name: own["mean"].idxmax() for name, own in columns.items()}
Markdown(
    "Differences in points of AVG, the mean over a claim's comparisons, by which it is judged."
    f" *Each*: how many of them hold, do not, or are open. {claims.by_chance(table)}"
    + ("" if large is None else " At full size: of the column Full alone.")
    + f"\n\n{claims.outcome(table)}\n\nThe paper's best sets: " + ", ".join(
        f"{name} ({own.paper.idxmax().partition('(')[2]}" for name, own in columns.items())
    + ". The highest means here: " + ", ".join(best.values())
    + f". Of {len(temperatures)} noisy means one has to be the highest; that does not make it the"
    " best."
)

# %% [markdown]
# ## FAC-Net's Fig. 6: one video without and with hybrid attention
#
# The paper shows a video of cliff diving and says that hybrid attention makes the foreground
# scores more accurate and reduces false positives. Of each model the seed is shown whose sequence
# separates as well as the median seed's does (of two in the middle, the lower).

# %% tags=["hide-input"]
recipe = config.profile(profile).apply(methods.preset("released"))
single = replace(recipe, model=replace(recipe.model, temperatures=(1.0,)))
models = {"without, τ = 1": single, f"hybrid, τ = {chosen}": recipe}
stream = data.streams[-1]
scores = {name: [stream_scores(data, replace(model, seed=seed), stream, folder)
                 for seed in range(seeds)]
          for name, model in models.items()}
areas = claims.separations(data, scores, recipe)
typical = claims.typical_seeds(areas)
video, label = timelines.example_video(data, "CliffDiving")

# %% tags=["hide-input"] mystnb={"image": {"alt": "Foreground scores and class probabilities of one video over time, above without and below with hybrid attention, ground truth shaded"}, "figure": {"name": "fig-hybrid-video", "caption": "The paper's Fig. 6: foreground scores (equation 8) and the sequence that is localised, of one test video of the data named above, last stream, full model. Above each row its seed, the one of median sequence area, and that model's areas over all test videos in percent (foreground | sequence). Green shade: ground truth. The video is chosen by rule: the one with the number of instances of its class closest to six."}}
chosen_seeds = {one.label: scores[name][one.seed] for name, one in typical.iterrows()}
figure = timelines.activations(data, chosen_seeds, video, label, recipe.localization)
plots.save_figure(figure, "fig6", output, source)

# %% tags=["hide-input"]
Markdown(
    f"One video, of {label}, is an anecdote. Over all test videos one can ask how often a snippet"
    " inside an instance scores higher than one outside, in percent (the area under the ROC curve;"
    " chance is 50): of $S_f$ for instances of any class (*foreground*), which the paper's sentence"
    " is about, and of a class's own *sequence*, about which it says nothing. Stream"
    f" {stream}, means with the 95 % bootstrap interval over {seeds} seed{'s' * (seeds > 1)}, by"
    " which the verdict goes; there is no interval over test videos here."
)

# %% tags=["hide-input"]
table = claims.gains(areas, {"hybrid attention": tuple(models)})
statistics.save_table(table, "fig6", output, areas)
statistics.on_page(table)

# %% tags=["hide-cell", "nbval-check-output"]
print(frame.variant.nunique(), "cells of Table 4,", frame.seed.nunique(), "seeds")
print(published.table(4).to_string(index=False))

# %% [markdown]
# ## To remember, and to try
#
# - A temperature sets how many snippets an attention listens to. Whether a difference between two
#   sets of them means anything is a question of seeds.
# - A picture of one video can be chosen for anything. A rule for choosing it, and a number over all
#   videos beside it, cost little.
# - Try another class in `timelines.example_video(data, "GolfSwing")`.
# - Try `facnet sweep table4 --seeds 10 --jobs 2`, with `--results` naming the folder that this page
#   reads ([How to scale](../book/how_to_scale.md)).
