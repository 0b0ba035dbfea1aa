# %% [markdown]
# # What the features learned
#
# The paper's Fig. 8 is to show that FAC-Net's features keep foreground and background further apart
# than those of its class-agnostic attention branch, the CA branch, alone. This page draws that
# figure, measures the same over seeds, and takes the paper's reason for it at its word: what
# equation 7 bounds, and how much of that is reached.

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

import numpy as np
import pandas as pd
from IPython.display import Markdown
from scipy.stats import spearmanr

from facnet import config, methods
from facnet.data import load
from facnet.study import claims, information, plots, separation, statistics
from facnet.study.records import provenance
from facnet.study.separation import CHANCE
from facnet.study.statistics import interval
from facnet.study.tables import MANY_SEEDS, sweep, variants

plots.use_style()
folder = Path(output) / "experiments"  # what is there is not run again
data = load(dataset, profile)
source = provenance(data, profile, seeds)
Markdown(f"> {source}")

# %% tags=["hide-input"]
recipe = config.profile(profile).apply(methods.preset("released"))
table3 = {one.name: one.experiment for one in variants("table3", recipe)}
ca, full = table3["CA, hybrid"], table3["CW+CA+MIL, hybrid"]
models = {"input features": None, "untrained": config.changed(full, {"training.epochs": 0}),
          "CA only": ca, "full": full}
stream = data.streams[-1]
snippets = separation.drawn_snippets(data)
found, measured = separation.measure(data, models, stream, snippets, seeds, folder)

# %% tags=["hide-input"] mystnb={"image": {"alt": "Two clouds of points, one a model: snippets inside an instance as filled green dots, background as grey crosses"}, "figure": {"name": "fig-features", "caption": "The paper's Fig. 8: embedded features of test snippets of the data named above, last stream, by t-SNE; left the CA branch alone, right the full model, both without a background class. The same snippets in both panels. Axes of t-SNE have no unit: who is whose neighbour counts, and neither the distance of two clouds nor their size. Of each model the seed of median silhouette is shown, with its own silhouette (times 100) and ROC area of a linear probe (in percent)."}}
shown = snippets[:1000]  # they are in random order
places = {}
for name in ("CA only", "full"):
    own = measured[measured.features == name].sort_values("silhouette", kind="stable")
    one = own.iloc[(len(own) - 1) // 2]  # of two in the middle, the lower
    title = (f"{name}, seed {one.seed}\nsilhouette × 100: {statistics.number(one.silhouette)};"
             f" linear probe: {one.probe:.1f} %")
    places[title] = separation.laid_out(found[name, one.seed][: len(shown)])
figure = plots.embeddings(places, shown.foreground.to_numpy(bool))
plots.save_figure(figure, "fig8", output, source)

# %% tags=["hide-input"]
probes = measured.groupby("features", sort=False).probe.mean()
inputs, learned = probes["input features"], probes.drop("input features")
ahead = learned.index[learned < inputs]
Markdown(
    f"A linear probe tells foreground from background in the features that go in with a ROC area of"
    f" {inputs:.1f} %; in the embeddings with "
    + ", ".join(f"{value:.1f} % ({name})" for name, value in learned.items()) + ". By it the input"
    " features are ahead of "
    + ("every embedding" if len(ahead) == len(learned) else ", ".join(ahead) or "none of them")
    + ". Means over seeds; below, with intervals and with the silhouette."
)

# %% [markdown]
# ## What the paper says, and what it leaves open
#
# CW is class-wise foreground classification, CA class-agnostic attention and MIL multiple instance
# learning, the three branches of [the model](03_the_model.ipynb); *full* has all three. The caption
# of Fig. 8: *visualization of foreground-background separation of embedding features of (a) only
# the CA branch and (b) our method via t-SNE on the THUMOS14 test set. Note that, for a fair
# comparison, we do not use a background class in both models.* The text: *our method can better
# separate foreground from background than the baseline model*. It does not say which stream, which
# seed or how many snippets are shown, whether the CA branch has hybrid attention, nor how t-SNE
# {cite}`vandermaaten2008tsne` was set. Here both models have hybrid attention, and t-SNE goes by
# cosine distance, since cosines are all that the model uses, with one fixed seed.

# %% tags=["hide-input"]
kept = int(snippets.foreground.sum())
Markdown(
    f"Of the test videos' snippets {len(snippets)} are measured, chosen at random where there are"
    f" more, and {len(shown)} of these are shown. They are not balanced: foreground has the share"
    f" that it has in the data, here {statistics.percent(kept / len(snippets))}. *Foreground* is a"
    " snippet of which an instance of any class covers at least half."
)

# %% [markdown]
# ## The same, measured
#
# t-SNE shows clusters where there are few and hides others. Two numbers are taken of the features
# themselves, not of the picture:
#
# - **Silhouette**, by cosine distance: how much nearer a snippet is to its own kind than to the
#   other one, between −1 and 1, here times 100. At 0 neither is nearer.
# - **Linear probe**: a logistic regression from features to foreground, in five folds of test
#   videos: each video's snippets are judged by a fit to those of other videos. Its ROC area says
#   how often a foreground snippet gets a higher score than one of the background, in percent;
#   chance is 50.
#
# Both use the labels of test snippets, which no training here has seen. They measure; nothing is
# chosen by them. Beside the two models stand the features that go in, and a network that was
# not trained.

# %% tags=["hide-input"]
table = separation.summary_of(measured)
statistics.save_table(table, "fig8", output, measured)
statistics.on_page(table)

# %% tags=["hide-input"]
apart = separation.differences(measured, "full", ["CA only", "untrained", "input features"])
numbers = apart[["mean", "low", "high"]].values
words = pd.DataFrame({
    "of": apart.measure.map(separation.MEASURES), "full less": apart.less,
    "difference": [statistics.cell(*v, sign=True, digits=2) for v in numbers],
    "full is better": apart.verdict})
statistics.save_table(words, "fig8_differences", output, apart)
statistics.on_page(words)

# %% tags=["hide-input"]
claim = apart[apart.less == "CA only"].set_index("measure")
behind = [f"{of}, less {other}: {difference}" for (of, other, difference, said) in words.values
          if said == "does not hold"]
Markdown(
    "**That the full model separates foreground from background better than the CA branch alone:**"
    f" by the silhouette, {claim.verdict['silhouette']}; by the linear probe,"
    f" {claim.verdict['probe']}. Only the rows against CA are the paper's claim.\n\n"
    + (f"**Where the full model is behind.** {'; '.join(behind)}. Features are a function of what"
       " goes in: training can arrange what is there, and can lose some of it. The probe is told"
       " which snippets are foreground, which the model never is.\n\n" if behind else "")
    + f"Means with 95 % bootstrap intervals over {seeds} seed{'s' * (seeds > 1)}, stream {stream};"
    " differences are paired by seed. " + claims.caution(seeds, videos=False)
)

# %% [markdown]
# ## The paper's reason: equation 7
#
# Equation 7 writes the CW branch as a softmax over $N$ candidates, the class-wise features
# $F_a(1), \dots, F_a(N)$ of one video, each compared with $W_f$. $N$ is $C + 1$ with a background
# class and $C$ without. The paper calls it similar to noise contrastive estimation and says:
# *minimizing Eq. (6) actually maximizes the lower bound of mutual information (MI) between the
# foreground classifier $W_f$ and the feature $F_a(j)$*. The bound is InfoNCE's {cite}`oord2018cpc`:
# $I \ge \log N - L$, if one candidate belongs to the context and the $N - 1$ others are drawn
# independently of it. What does that give here?
#
# In short: the bound is about which class, not about foreground; its conditions fail; and it
# saturates.
#
# 1. **Not information about $W_f$.** $W_f$ is a parameter, the same in every video, and a constant
#    has no mutual information with anything. What the derivation leaves is a divergence. Let
#    $p_+$ be the distribution of $F_a(j)$ for classes that a video shows and $p_-$ for those it
#    does not. If every candidate were an independent draw from its own distribution, and each
#    column $J$ equally likely to be the one that is shown, then
#    $\log N - L_{CW} \le I(J; F_a) \le \mathrm{KL}(p_+ \| p_-)$. That is foreground-background
#    separation, and it is what the paper needs. (In InfoNCE the context varies, $p_+$ is
#    $p(x \mid c)$ and $p_-$ is $p(x)$: the mean of this divergence is the mutual information.)
# 2. **The conditions do not hold.** The candidates are weighted means of the snippets of one video.
#    They share whatever that video has, and the paper's *hard negatives* are just that. The softmax
#    compares within a video: the loss can vanish while foreground of one video looks like
#    background of another. Nor can the columns be exchanged: the background's is never the one that
#    is shown, and column $j$ is made with $W_a(j)$.
# 3. **What holds without conditions** is that a cross-entropy is no less than an entropy:
#    $I(J; F_a) \ge H(J) - L_{CW}$, where $J$ is the class that the video shows. $H(J)$ is at most
#    $\log C$, so that $\log N - L_{CW}$ is larger, and no bound on this, wherever there is a
#    background class or classes are not equally frequent. It is information about *which class*. A
#    model that tells classes apart by their background has it, too.
# 4. **Several classes.** With $\hat y = y / \sum y$ the loss is that of a $J$ drawn evenly from the
#    video's classes. It cannot fall below the entropy of $\hat y$, which is $\log k$ for $k$
#    classes, however well the video is understood. The reachable bound is $\log N$ less the mean
#    of these entropies.
# 5. **Samples.** All of this is about expectations. The loss on the videos that it was minimised on
#    is no estimate of one. Only the bound on test videos is.
#
# Below are the released recipe, with its background class, on each stream, and the two models of
# Fig. 8. Of these, CA alone does not minimise $L_{CW}$, so that a lower bound there is no finding.

# %% tags=["hide-input"]
traced = {f"released, {one}": (recipe, one) for one in data.streams}
traced |= {f"CA only, {stream}": (ca, stream), f"full, {stream}": (full, stream)}
curves, ends = information.information(data, traced, seeds, folder)

# %% tags=["hide-input"] mystnb={"image": {"alt": "Panels, one a model: the bound in nats by epoch, a thin line a seed, beneath a dashed line at log N; a dotted one for what the labels leave of it; after the last epoch filled dots for training videos and open squares for test videos"}, "figure": {"name": "fig-bound", "caption": "log N less the CW loss, in nats, on the data named above: over the training videos through each epoch, with dropout (lines, one a seed); after the last epoch, without dropout, over training and test videos (marks, to the right of the last epoch). Dashed: log N, which it cannot exceed; dotted: what is left of it for the labels of these training videos. Released: with a background class; CA only and full: without."}}
figure = plots.information(curves, ends)
plots.save_figure(figure, "equation7", output, source)

# %% tags=["hide-input"]
ends["overfit"] = ends.train - ends.test
rows = []
for name, own in ends.groupby("model", sort=False):
    rows.append(
        {"model": name, "N": own.candidates.iloc[0], "log N": f"{own.ceiling.iloc[0]:.2f}",
         "reachable": f"{own.reachable.mean():.2f}"}
        | {title: statistics.cell(*interval(own[column]), digits=2)
           for column, title in {"train": "training videos", "test": "test videos",
                                 "overfit": "difference", "classes": "about the class"}.items()})
table7 = pd.DataFrame(rows)
statistics.save_table(table7, "equation7", output, ends)
statistics.on_page(table7)

# %% tags=["hide-input"]
scales = {name: methods.preset(name).model.video_scale for name in ("released", "paper")}
most = len(data.classes) + 1
least = {name: information.least_cw_loss(most, scale) for name, scale in scales.items()}
released = ends[ends.model.str.startswith("released")]
bound, reachable = released.train.mean(), released.reachable.mean()
worst = released.loc[released.train.idxmin()]
reached = "below zero" if bound < 0 else f"at {statistics.percent(bound / reachable)} of what is reachable"
Markdown(
    "In nats, without dropout. *Reachable*: log N less the mean entropy of the training videos'"
    " labels. *Difference*: training less test videos. *About the class*: $H(J) - L_{CW}$ over the"
    " test videos, the bound that needs no condition. Below zero a bound says nothing.\n\n"
    f"**Saturation.** On its training videos the released recipe ends {reached}, in the mean"
    f" over streams and seeds; the lowest of these, {worst.model}, seed {worst.seed}, at"
    f" {statistics.percent(worst.train / worst.reachable)}. On test videos the mean is"
    f" {statistics.number(released.overfit.mean(), digits=2)} nats lower: as far as these are like the"
    " training videos, that is overfitting. Scale"
    f" is no obstacle: with {most} candidates the loss of a video of one class can go down to"
    f" {least['released']:.1e} at the released δ = {scales['released']:g} and to"
    f" {least['paper']:.1e} at the text's δ = {scales['paper']:g}. (Past a ReLU no feature is"
    " negative, so that two cosines with $W_f$ differ by √2 at most.)"
)

# %% [markdown]
# ## Does a larger bound separate better?
#
# If the bound were about foreground and background, a seed with a larger bound should separate
# them better. [Seeds and collapse](11_seeds_and_collapse.ipynb) trains the released recipe with
# many seeds; here is the bound of their last epoch beside the area that tells whether the sequence
# of a class is higher inside its instances than outside.

# %% tags=["hide-input"]
seeded = sweep("seeds", dataset, profile, MANY_SEEDS, folder)
many = information.bounds_and_areas(seeded, folder, data)
said = []
for name, own in many.groupby("stream", sort=False):
    fell, rank = own.area < CHANCE, spearmanr(own.bound, own.area)
    said.append({
        "stream": name, "seeds": len(own),
        "bound": f"{own.bound.min():.2f} to {own.bound.max():.2f}",
        "rank correlation with area": statistics.number(rank.statistic, digits=2),
        "p": f"{rank.pvalue:.2g}",
        "collapsed": int(fell.sum()),
        "bound of these": statistics.number(own.bound[fell].mean(), digits=2) if fell.any() else "–",
        "bound of the others":
            statistics.number(own.bound[~fell].mean(), digits=2) if not fell.all() else "–"})
table_many = pd.DataFrame(said)
statistics.save_table(table_many, "equation7_seeds", output, many)
statistics.on_page(table_many)

# %% tags=["hide-input"]
lowest = many.loc[many.area.idxmin()]
ceiling = np.log(len(data.classes) + recipe.model.background_class)
Markdown(
    "Bounds in nats, over the training videos, through the last epoch and with dropout; *p*: of the"
    " correlation, if there were none; *collapsed*: an area below one half, background taken for"
    " action. A positive correlation with a small p agrees with the paper; it does not say that one"
    " causes the other. With dropout seeds differ by little near the ceiling; the table before this"
    " one has the bounds of the first few without it. A large bound is no proof of"
    f" separation: the seed that separates worst (stream {lowest.stream}, seed {lowest.seed}, area"
    f" {lowest.area:.2f}) has one of {lowest.bound:.2f}, log N being {ceiling:.2f}. Labels fix which"
    " class a video shows, and that is what the bound counts; they do not say which of its snippets"
    " show it."
)

# %% tags=["nbval-check-output"]
print(*traced, sep="\n")

# %% [markdown]
# ## To remember, and to try
#
# - A t-SNE picture is an illustration. A number over seeds, on the features themselves, can fail.
# - A bound near its ceiling says little: InfoNCE cannot exceed $\log N$, however much there is to
#   know {cite}`poole2019bounds`. Here the labels themselves hold no more than $\log C$.
# - Try `stream = data.streams[0]`, the other stream: expect other numbers, since other features go
#   in. Where the order of the models changes with the stream, the claim depends on it.
# - Try `table3["CW, hybrid"]` among the models: it minimises $L_{CW}$ alone. If equation 7 were the
#   reason for the separation, expect it to be ahead of CA, too.
# - Try `config.changed(recipe, {"model.video_scale": 1.0})` in `traced`: at so small a scale the
#   loss cannot fall far (`information.least_cw_loss`), and the bound stops well below its ceiling.
