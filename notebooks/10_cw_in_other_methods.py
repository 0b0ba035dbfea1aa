# %% [markdown]
# # Plugging CW into other methods
#
# The paper's third claim is that class-wise foreground classification helps methods other than
# FAC-Net: its Table 5 puts the CW branch into four of them. This page runs all nine rows of it with
# one data layout and one evaluator, chooses the weight of the CW branch without looking at test
# data, and measures whether what selects foreground agrees with what recognises the action.

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
from pathlib import Path

import pandas as pd
from IPython.display import Markdown

from facnet.data import load
from facnet.study import claims, plots, published, statistics
from facnet.study.records import provenance
from facnet.study.statistics import interval
from facnet.study.tables import HOSTS, WEIGHTS, chosen_weights, sweep

plots.use_style()
folder = Path(output) / "experiments"  # what is there is not run again
data = load(dataset, profile)
source = provenance(data, profile, seeds)
Markdown(f"> {source}")

# %% [markdown]
# ## Five hosts
#
# | host | what selects foreground | what makes a video's class scores | models |
# | --- | --- | --- | --- |
# | STPN {cite}`nguyen2018stpn` | attention λ, a sigmoid; few snippets shall have it | attention-weighted mean of features | one a stream |
# | STPN + Embedding | the same, on features that learn | the same | one a stream |
# | BM {cite}`nguyen2019bm`, on features that learn | attention λ, and 1 - λ for the background | both pooled features are classified, with a background class | one a stream |
# | W-TALC {cite}`paul2018wtalc` | the k largest scores of a class | their mean; two videos of a class shall have like features | one on both streams |
# | UM {cite}`lee2021um` | the length of a snippet's feature | the k largest scores of a class | one on both streams |
#
# Each keeps its own losses, its own training settings and its own way from scores to detections, as
# published where that is known. Of BM no code is public: what stands here is its equations as
# recalled, with an added layer that learns and the pooling of DGAM, a later method on the same
# terms. `facnet.methods` has a module for each, whose docstrings say what
# comes from a paper, from public code, or from neither. Only sizes, epochs and the learning rate are
# this page's profile, the same for all.
#
# ## What CW adds
#
# The branch takes a host's snippet features, its class scores and a direction $W_f$ that stands for
# the foreground (equations 2 to 6): each class's scores are turned into attention over time, the
# attended feature is compared with $W_f$, and the video's own classes must win. It works in training
# alone; the host's test procedure stays as it is. $W_f$ is the attention's own weight in
# STPN + Embedding, the foreground vector of BM, and a new vector in W-TALC and UM. Plain STPN has no
# row with CW: its features are frozen, and the branch would have nothing to teach. The paper says
# neither what it used as scores and as $W_f$, nor the weight λ of the branch's loss; the choices
# are this book's.
#
# ## The weight of the branch
#
# One rule for all hosts: hold out a fifth of the training videos, train with each weight on the
# rest, and take the one whose models classify the held-out videos with the least binary
# cross-entropy, the mean over seeds. No segment and no test video has a say. AVG on the test videos
# is shown below for the reader, and so are both without CW, on the same videos.

# %% tags=["hide-input"] mystnb={"image": {"alt": "For each of four hosts, held-out loss and test AVG against the weight of the CW branch, the chosen weight marked"}, "figure": {"name": "fig-cw-weights", "caption": "The weight of the CW branch in each host, on the data named above: loss on held-out training videos, by which it is chosen (band), and AVG on test videos, which is not used. Points are seeds, lines their means, dashed the host without CW; all trained without the held-out fifth."}}
weights = sweep("lambda_cw", dataset, profile, seeds, folder)
chosen = chosen_weights(weights)
figure = plots.cw_weights(weights, chosen)
plots.save_figure(figure, "cw_weights", output, source)

# %% tags=["hide-input"]
one = weights.drop_duplicates(["variant", "seed"])
means = one.groupby(["host", "lambda_cw"])[
    ["held_out_loss", "held_out_classification", "average"]].mean()
lines = []
for host in HOSTS:
    own = means.loc[host]
    with_cw, weight = own.drop(0.0), chosen[host]
    end = " (an end of the grid)" if weight in (min(WEIGHTS), max(WEIGHTS)) else ""
    least, most = (f"{value:.1f}" for value in with_cw.held_out_classification.agg(["min", "max"]))
    lines.append(
        f"- **{host}**: {weight:g}{end}, loss {own.held_out_loss[weight]:.3f}; without CW"
        f" {own.held_out_loss[0.0]:.3f}"
        + (", which is less" if own.held_out_loss[0.0] < own.held_out_loss[weight] else "")
        + ". Held-out classification mAP "
        + (f"is {least} throughout" if least == most else f"lies between {least} and {most}")
        + ". The best AVG on test videos is that of"
        f" {with_cw.average.idxmax():g}.")
statistics.save_table(
    one.drop(columns=["tiou", "mean_ap", "paper", "other_average"]), "cw_weights", output)
Markdown(
    "Chosen:\n\n" + "\n".join(lines)
    + "\n\nThe choice is itself uncertain: each seed holds out"
    f" {round(0.2 * len(data.subset('train')))} videos. The intervals of Table 5 are those of the"
    " chosen weights; they leave that uncertainty out."
)

# %% [markdown]
# ## Table 5
#
# All rows are trained on all training videos.

# %% tags=["hide-input"]
frame = sweep("table5", dataset, profile, seeds, folder)
draws = claims.resampled(frame, folder)

# %% tags=["hide-input"] mystnb={"image": {"alt": "Nine rows, five hosts without and four with CW; points for the seeds, a bar for the mean and its interval, a diamond for the paper's number"}, "figure": {"name": "fig-table5", "caption": "Table 5, every run: AVG on the test videos of the data named above. Diamonds: what the FAC-Net paper prints for its own runs on THUMOS14."}}
figure = plots.strip(frame)
plots.save_figure(figure, "table5", output, source)

# %% tags=["hide-input", "full-width"]
table = claims.readable_hosts(frame, draws)
own_paper = published.table(1).set_index("method").reindex(table.method + " (I3D)")
printed = published.table(5)
printed.index = printed.method.str.removesuffix(" (reproduced)")
printed = printed.loc[table.method]
tious = [t for t in ("0.3", "0.7") if float(t) in set(frame.tiou.round(2))]
for column in ("AVG", *tious):
    if column in tious:
        at = frame[frame.tiou.round(2) == float(column)].groupby("variant").mean_ap
        table[column] = [statistics.cell(*interval(at.get_group(name))) for name in table.method]
    value = "average" if column == "AVG" else column
    table[f"{column}: paper, there"] = [
        ", ".join("–" if pd.isna(v) else f"{v:.1f}" for v in said)
        for said in zip(own_paper[value], printed[value])]
statistics.save_table(table, "table5", output, claims.compare(frame, claims.table5_claims(), draws))
statistics.on_page(table)

# %% tags=["hide-input"]
judged = claims.claims(frame, claims.table5_claims(), draws)
classification = frame.drop_duplicates(["variant", "seed"]).groupby(
    "variant", sort=False).classification.mean()
fell = frame[frame.collapsed != ""].groupby("variant").seed.nunique()
Markdown(
    f"AVG, and mAP at tIoU {' and '.join(tious)}, in percent. {source} Means with their"
    " 95 % bootstrap intervals over seeds. *Paper*: as the host's own paper prints it, as far as"
    " FAC-Net's Table 1 quotes it; *there*: as the FAC-Net paper reproduced it; both on THUMOS14."
    " *CW adds*: host with CW minus host, seed by seed; *over test videos*: the interval of that"
    " difference when the test videos are drawn again. A row holds if both intervals lie above"
    f" zero.\n\n{claims.caution(seeds)}\n\n"
    f"{claims.outcome(judged)} On average over the four hosts CW adds"
    f" {statistics.cell(judged['mean'].iloc[0], judged.low.iloc[0], judged.high.iloc[0], sign=True)}"
    f" ({judged.paper.iloc[0]:+.1f} there). Video classification mAP is"
    f" {classification.min():.1f} ({classification.idxmin()}) to {classification.max():.1f}"
    f" ({classification.idxmax()}). "
    + ("Seeds of which a stream takes background for action: "
       + ", ".join(f"{name} {n}" for name, n in fell.items()) + f" of {seeds} each."
       if len(fell) else "In no run does a stream take background for action.")
)

# %% [markdown]
# ## Does the foreground lie where the action does?
#
# The paper's Fig. 1 shows it for one video, and so does [The problem](01_the_problem.ipynb): what
# selects foreground beside the probability of the class. Over all test videos and the classes that
# they show, two numbers: the rank correlation of the two sequences, and the tIoU of their supports,
# the snippets above the middle of each sequence's range. Both would be 1 if foreground and action
# were one; where the selection *is* the class's score, as with W-TALC, the two rise together by
# construction.

# %% tags=["hide-input"]
full = sweep("seeds", dataset, profile, seeds, folder).assign(variant="FAC-Net")
agreement = claims.consistencies(pd.concat([frame, full]), folder)
statistics.save_table(agreement, "consistency", output)
statistics.on_page(agreement)

# %% tags=["hide-input"]
Markdown(
    f"Means over videos and classes, with 95 % bootstrap intervals over seeds. {source} How an"
    " attention ranks snippets says little where it rejects next to none;"
    " [The problem](01_the_problem.ipynb) says how much STPN's rejects."
)

# %% tags=["hide-cell", "nbval-check-output"]
print(frame.variant.nunique(), "rows of Table 5,", len(WEIGHTS), "weights in", len(HOSTS), "hosts")
print(published.table(5).to_string(index=False))

# %% [markdown]
# ## To remember, and to try
#
# - A plug-in's gain depends on its weight, and its weight must not be chosen where the gain is
#   reported.
# - How well a method classifies videos says little of how well it finds where an action lies:
#   compare the columns of Table 5 with the classification below it.
# - Try `facnet train --preset "BM + CW" --set model.cw_activation=cosine --out out`: the branch then
#   sees scores of the same sharpness in every host. Then `facnet localize` and `facnet evaluate`.
# - Try `--preset BM --set model.embedding_widths=[]`: BM on the features as they are.
# - Try `--set localization.foreground=margin` with `--preset UM`: the text's probability of being
#   action in place of the code's.
# - Add a method of your own: [how](../book/how_to_add_a_method.md).
