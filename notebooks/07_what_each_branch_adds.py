# %% [markdown]
# # What each branch adds
#
# This page reruns the paper's Table 3, twenty combinations of its three branches, with several seeds,
# and asks of each sentence that the paper draws from the table whether it holds here. It then does the
# same with Fig. 4, the weights of the branches.

# %% tags=["parameters"]
import os

dataset: str = os.environ.get("FACNET_DATASET", "synthetic")  # or a folder
profile: str = os.environ.get("FACNET_PROFILE", "quick")  # or smoke, full
seeds: int = 3  # how many: 0, 1, ...
output: str = os.environ.get("FACNET_OUTPUT", "results")  # for what is saved
live: bool = "FACNET_LIVE" in os.environ  # sliders; `make lab` sets it

# %% tags=["remove-cell"]
from facnet.study.notebook import check_parameters

check_parameters(globals())

# %% tags=["hide-input"]
from pathlib import Path

import pandas as pd
from IPython.display import Markdown

from facnet.config import changed
from facnet.data import load
from facnet.experiment import run
from facnet.study import claims, explore, plots, published, statistics, timelines
from facnet.study.records import provenance
from facnet.study.statistics import summary
from facnet.study.tables import MANY_SEEDS, base_of, sweep

plots.use_style()
folder = Path(output) / "experiments"  # what is there is not run again
data = load(dataset, profile)
source = provenance(data, profile, seeds)
Markdown(f"> {source}")

# %% tags=["hide-input"]
frame = sweep("table3", dataset, profile, seeds, folder)
draws = claims.resampled(frame, folder)
full = frame.variant.iloc[-1]
table = claims.rows(frame, full, draws)
many = sweep("seeds", dataset, profile, MANY_SEEDS, folder)

# %% tags=["hide-input"] mystnb={"image": {"alt": "Twenty rows, one a combination of branches; points for the seeds, a stroke and a band for the mean and its interval, a diamond for the paper's number"}, "figure": {"name": "fig-table3", "caption": "Every run of Table 3: AVG on the test videos of the data named above, by combination of branches. BG: with a background class. Blue, orange and green are CW, CA and MIL alone; combinations are grey. Band: 95 % bootstrap interval over seeds, which with three seeds or fewer reaches from the smallest to the largest. Diamonds: what the paper prints for THUMOS14."}}
figure = plots.strip(frame)
plots.save_figure(figure, "table3", output, source)

# %% [markdown]
# The paper's argument is this table: three branches that complete each other, a background class
# that helps, hybrid attention on top. CW is class-wise foreground classification, CA class-agnostic
# attention and MIL multiple instance learning, the branches of [the model](03_the_model.ipynb);
# $P_f$ is a video's class probability from the CA branch. AVG is the mean of mAP over the tIoUs
# (temporal intersections over union) named above
# ([From features to detections](04_from_features_to_detections.ipynb)). The paper prints one number
# a row.
#
# ## Twenty models
#
# A row switches branches on and off by their loss. The paper leaves three things open, and they
# are settled the same way for all rows:
#
# - **Weights.** The losses that are on keep the preset's ratios 1 : 0.1 : 0.1, and the largest gets
#   weight 1.
# - **Classes of a test video.** From $P_f$ (equation 11), as in the full model. Where the CA branch
#   is off, nothing teaches $P_f$: then from the mean of $P_a$ and $P_m$ of the branches that are on.
# - **Localisation.** One rule for all rows, the preset's: thresholds on the softmax over classes,
#   in multiples of its uniform value. A row's AVG by the other rule, thresholds on each sequence's
#   own range, stands beside it.

# %% [markdown]
# ## Table 3
#
# *Collapsed* counts seeds of which a stream takes background for action, and says which stream:
# within the test videos, the class's sequence is on average higher outside its instances than
# inside ([Seeds and collapse](11_seeds_and_collapse.ipynb)). Nothing is left out for it. *Behind
# full* is how much AVG a row lacks of the last one, the full model, which the paper has as best:
# the mean of the differences seed by seed.

# %% tags=["hide-input", "full-width"]
# The synthetic data at a larger size; beside other data it has no place.
large, large_source = published.result("table3_full") if data.name == "synthetic" else (None, "")
shown = claims.readable_rows(table, "full", large)
shown.insert(0, "row", shown.index)
place = frame.drop_duplicates("variant").set_index("variant")
numbers = place[["cw", "ca", "mil", "hybrid", "background"]].join(table).reset_index()
statistics.save_table(shown, "table3", output, numbers)
statistics.on_page(shown)

# %% [markdown]
# A few seeds can be lucky ones, and the full model is in every difference of the column *behind
# full*. [Seeds and collapse](11_seeds_and_collapse.ipynb) trains it with many more:

# %% tags=["hide-input"]
runs = frame.drop_duplicates(["variant", "seed"])
whole = runs[runs.collapsed == ""]
lowest = whole.loc[whole.average.idxmin()] if len(whole) else None
Markdown(
    f"**More seeds of the full model.** {claims.of_many_seeds(table, full, many)}\n\n"
    + ("" if lowest is None else
       "**Low without collapse.** Collapse is not the only way to fail: among the runs without a"
       f" collapsed stream AVG goes down to {lowest.average:.1f} ({lowest.variant}, seed"
       f" {lowest.seed}).\n\n")
    + f"AVG in percent. *Paper*: as printed, on THUMOS14. *Here*: {source} Means with their 95 %"
    " bootstrap intervals over seeds; *over test videos*: the interval of the same difference when"
    " the test videos are drawn again. The verdict asks whether the full model is better than the"
    " row: *holds* if both intervals lie above zero, *does not hold* if both lie below.\n\n"
    + (f"*Full size*: {large_source}. Its verdicts go by the interval over seeds alone.\n\n"
       if large is not None else "")
    + claims.caution(seeds)
)

# %% [markdown]
# ## What the paper concludes
#
# The text draws five conclusions from the table. Each becomes one difference or several; where
# it says *consistently*, every pair of rows that it can mean.

# %% tags=["hide-input", "full-width"]
wanted = claims.table3_claims()
statistics.on_page(claims.said_by_the_paper(wanted))

# %% tags=["hide-input"] mystnb={"image": {"alt": "Differences of AVG in five groups, one a claim; a point with a thick and a thin interval for each, and a diamond for the paper's difference"}, "figure": {"name": "fig-claims3", "caption": "The paper's conclusions as differences of AVG that should be positive, on the data named above. Thick: 95 % bootstrap interval over seeds, with three seeds or fewer from the smallest to the largest; thin: over test videos. Diamonds: the paper's differences, THUMOS14."}}
compared = claims.compare(frame, wanted, draws)
figure = plots.differences(compared)
plots.save_figure(figure, "table3_claims", output, source)

# %% tags=["hide-input", "full-width"]
table_claims = claims.claims(frame, wanted, draws)
shown = claims.readable_claims(
    table_claims, None if large is None else claims.claims(large, wanted))
statistics.save_table(shown, "table3_claims", output, compared)
statistics.on_page(shown)

# %% tags=["hide-input"]
ranks = table[["paper", "mean", "other"]].corr("spearman")
best = {"mean": table["mean"].idxmax(), "other": table.other.idxmax()}
Markdown(
    "Differences in points of AVG, the mean over a claim's comparisons, by which every claim is"
    " judged. *Each*: how many of them hold, do not, or are open. The paper makes the first four"
    " claims of each; where their mean holds and some comparisons do not, the verdict says so."
    f" {claims.by_chance(table_claims)}\n\n{claims.outcome(table_claims)}\n\n"
    f"**The threshold rule.** By the preset's rule the best row is {best['mean']}, by the other"
    f" one {best['other']}. The rank correlation of the two columns is"
    f" {statistics.number(ranks.loc['mean', 'other'], digits=2)}; with the paper's column they have"
    f" {statistics.number(ranks.loc['paper', 'mean'], digits=2)} and"
    f" {statistics.number(ranks.loc['paper', 'other'], digits=2)}."
)

# %% [markdown]
# ## FAC-Net's Fig. 4: the weights of the branches
#
# One λ is fixed to 1 in each panel, the main branch's, and the other two vary, with a background
# class. The figure prints no values and the text names no grid; here each λ runs from 0.001 to 1.

# %% tags=["hide-input"]
points = sweep("fig4", dataset, profile, seeds, folder)
both, weights = claims.fig4_claims(points, frame[frame.variant == full])
draws4 = claims.resampled(both, folder)

# %% tags=["hide-input"] mystnb={"image": {"alt": "Three maps of AVG, one for each main branch, over the weights of the other two branches"}, "figure": {"name": "fig-lambda", "caption": "The paper's Fig. 4: AVG on the test videos of the data named above where one λ is fixed and the others vary, the mean over as many seeds as the colour bar says. The second line of a cell counts the seeds with a collapsed stream, of all seeds."}}
figure = plots.lambda_maps(points)
plots.save_figure(figure, "fig4", output, source)

# %% [markdown]
# Every cell in numbers:

# %% tags=["hide-input", "hide-output"]
weights_of = ["main", "lambda_cw", "lambda_ca", "lambda_mil"]
of_cell = points.drop_duplicates("variant").set_index("variant")[weights_of].join(
    summary(points).drop(columns=["paper", "values"])).reset_index(drop=True)
words = of_cell[weights_of].assign(main=of_cell.main.str.upper())
for branch in ("cw", "ca", "mil"):
    words[f"lambda_{branch}"] = words[f"lambda_{branch}"].map("{:g}".format)
words.columns = ["main branch", "λ_CW", "λ_CA", "λ_MIL"]
words["AVG"] = [statistics.cell(*row) for row in of_cell[["mean", "low", "high"]].values]
words["n"], words["collapsed"] = of_cell.n, of_cell.collapsed
statistics.save_table(words, "fig4", output, of_cell)
statistics.on_page(words)

# %% tags=["hide-input"]
grid = sorted(points.lambda_cw.unique())
models = points[points.seed == 0].key.nunique()
preset = base_of("fig4", profile).training
of_preset = {name: getattr(preset, f"lambda_{name.lower()}") for name in ("CW", "CA", "MIL")}
off_grid = sorted(set(of_preset.values()) - set(grid))
Markdown(
    "Each λ takes the values " + ", ".join(f"{value:g}" for value in grid)
    + f". These are {points.variant.nunique()} cells and {models} different models, since a point"
    " with two weights of 1 lies in two panels. The preset's own weights are "
    + ", ".join(f"{name} {value:g}" for name, value in of_preset.items())
    + (f"; {', '.join(f'{value:g}' for value in off_grid)} is not on this grid." if off_grid
       else ".")
    + " *Best* is taken over points of a panel, each seed's chosen by the mean over the other"
    " seeds, so that the largest of several noisy numbers is not taken for better."
)

# %% tags=["hide-input", "full-width"]
statistics.on_page(claims.said_by_the_paper(weights))

# %% tags=["hide-input", "full-width"]
compared4 = claims.compare(both, weights, draws4)
table4 = claims.claims(both, weights, draws4)
shown = claims.readable_claims(table4)
statistics.save_table(shown, "fig4_claims", output, compared4)
statistics.on_page(shown)

# %% tags=["hide-input"]
means = pd.Series({name: own.average.mean() for name, own in points.groupby("variant")})
smallest, largest = weights[0].worse[0], weights[0].better[0]
name_of = points.drop_duplicates("key").set_index("key").variant
best = sorted(set(name_of[both[both.variant == "best point, CW main"].key]))
small, enough = (published.statement(f"{size} lambda_ca and lambda_mil")
                 for size in ("small", "large"))


def said(claim: str) -> str:
    """A claim's comparisons, one after the other."""
    return "; ".join(
        f"{one.name}: {statistics.cell(one.mean, one.low, one.high, sign=True)}"
        + (f", the same model in {one.same} of {one.n} seeds" if one.same else "")
        for one in compared4[compared4.claim == claim].itertuples())


Markdown(
    f"{claims.outcome(table4)} {claims.by_chance(table4)}\n\n"
    f"**Small and large.** The paper's >{enough - small:g} is *above {enough:g}* less *about"
    f" {small:g}*. With both small ({smallest}) AVG is {means[smallest]:.1f} here, with both large"
    f" ({largest}) {means[largest]:.1f}; the lowest point of all is {means.idxmin()},"
    f" {means.min():.1f}, and the highest {means.idxmax()}, {means.max():.1f}.\n\n"
    f"**CW as the main branch.** {said('CW is the best main branch')}. The best point with CW"
    f" as the main branch: {' or '.join(best)}. A seed of which both panels have"
    " the same model as their best counts as no difference.\n\n"
    f"**CW as an auxiliary branch.** {said('CW helps as an auxiliary branch')}."
)

# %% [markdown]
# ## Move the weight of CW
#
# One video, seen by the preset's model and by models of another λ_CW, λ_CA and λ_MIL as in the preset
# and all else the same; first seed. In JupyterLab, as `make lab` starts it, a slider moves λ_CW over
# the grid of Fig. 4.

# %% tags=["hide-input"] mystnb={"image": {"alt": "Foreground scores and the class's sequence of one test video over time, a row for the preset's model and one for a model of another weight of the CW branch, true instances as shade"}, "figure": {"name": "fig-weight", "caption": "One test video of the data named above, last stream, by λ_CW; AVG is of all streams and test videos. Left: foreground activation (equation 8, between −5 and 5). Right: the class activation sequence that is thresholded. Across: time in seconds. Green shade: ground truth."}}
stream, own = data.streams[-1], of_preset["CW"]
video, label = timelines.example_video(data, "HammerThrow")
moved = {weight: run(data, changed(base_of("fig4", profile), {"training.lambda_cw": weight}),
                     folder=folder, progress=False) for weight in dict.fromkeys([*grid, own])}


def beside_preset(weight):
    """The preset's model, and below it that of another weight."""
    return timelines.activations(data, {
        f"$λ_{{CW}}$ {one:g}, AVG {moved[one].evaluation.average:.1f} %": moved[one].scores[stream]
        for one in dict.fromkeys([own, weight])}, video, label, moved[own].experiment.localization)


figure = explore.with_slider(beside_preset, list(moved), grid[0], "λ_CW", live)
plots.save_figure(figure, "weight", output, provenance(data, profile, seeds=1))

# %% tags=["hide-input"]
Markdown("AVG with the first seed: " + ", ".join(
    f"λ_CW {weight:g} {one.evaluation.average:.1f}" for weight, one in moved.items())
    + ". One seed is an example and no finding; Fig. 4 above has several.")

# %% tags=["hide-cell", "nbval-check-output"]
print(len(table), "rows of Table 3,", frame.seed.nunique(), "seeds;",
      points.variant.nunique(), "points of Fig. 4")
print(published.table(3).to_string(index=False))

# %% [markdown]
# ## To remember, and to try
#
# - An ablation is a set of differences. Their spread over seeds decides what it can say, and it is
#   often wider than the gaps that papers print.
# - Which row is best depends on the rule that turns scores into detections, too.
# - Try `seeds = 10`: only what is missing runs. Or `facnet sweep table3 --seeds 10 --jobs 2`, with
#   `--results` naming the folder that this page reads ([How to scale](../book/how_to_scale.md)).
# - Try `--preset paper` there, or `base` in `sweep`: the recipe of the text in place of the released
#   code's.
