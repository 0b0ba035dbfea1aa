# %% [markdown]
# # Every claim
#
# Which of the paper's claims hold, and on which data: those of this run, all the synthetic videos
# (20 classes, a larger model), or real recordings of gestures? CW is the best single branch, it
# says, with an AVG of 31.2; its full model's 42.2 is the best there was; and some thirty things
# more. The numbers are the other chapters'.

# %% tags=["parameters"]
import os

dataset: str = os.environ.get("FACNET_DATASET", "synthetic")  # or a folder
profile: str = os.environ.get("FACNET_PROFILE", "quick")  # or smoke, full
seeds: int = 3  # how many: 0, 1, ..., as in the chapters on Tables 3 to 5
seeds_table1: int = 5  # as in the chapter on Table 1
output: str = os.environ.get("FACNET_OUTPUT", "results")  # for what is saved

# %% tags=["remove-input"]
from pathlib import Path
import pandas as pd
from facnet import load
from facnet.study import (
    base_of, check_parameters, claims, consistency, gestures, plots, provenance, published,
    read_claims, readable, save_table, separation, show, sweep, variants, Verdict)

check_parameters(globals())
plots.use_style()

# %%
data, folder = load(dataset, profile), Path(output) / "experiments"
source = provenance(data, profile, seeds)
print(source)
counts = {"table1": seeds_table1} | dict.fromkeys(["table3", "table4", "table5", "fig4"], seeds)
runs = {name: sweep(name, dataset, profile, n, folder) for name, n in counts.items()}
full = runs["table3"][runs["table3"].variant == runs["table3"].variant.iloc[-1]]
runs["fig4"] = claims.with_best_points(runs["fig4"], full)
draws = {name: claims.resampled(own, folder) for name, own in runs.items()}

# %%
# In Figs 1, 5, 6 and 8 other measures take the place of AVG, without draws of test videos.
base, stream = base_of("table3", profile), data.streams[-1]
models = {one.name: one.experiment for one in variants("table3", base)}
drawn = {name: models[name] for one in read_claims("fig5") + read_claims("fig6")
         for name in one.weights}
scores = separation.scores_by_seed(data, drawn, stream, seeds, folder)
pair = {"CA only": models["CA, hybrid"], "full": models["CW+CA+MIL, hybrid"]}
snippets = separation.drawn_snippets(data)
_, features = separation.measured_features(data, pair, stream, snippets, seeds, folder)
fac_net = sweep("seeds", dataset, profile, seeds, folder).assign(variant="FAC-Net")
runs["fig1"] = consistency.fig1_runs(pd.concat([runs["table5"], fac_net]), folder)
runs["fig5"] = runs["fig6"] = separation.roc_areas(data, scores, base)
runs["fig8"] = separation.by_measure(features)

# %%
def judged(runs, draws):
    """The claims on each table or figure and on classification, as far as variants have run."""
    by_class = runs["table3"].assign(average=runs["table3"].classification)
    runs = runs | {"classification": by_class}
    asked = {name: [one for one in read_claims(name) if {*one.weights} <= {*own.variant}]
             for name, own in runs.items()}
    return pd.concat([claims.judge(runs[name], asked[name], draws.get(name)) for name in runs])


measured = {data.name: judged(runs, draws)}
if data.name == "synthetic":  # beside other data the larger size has no place
    (large3, made), (large4, _) = published.result("table3_full"), published.result("table4_full")
    measured["synthetic, all videos"] = judged({"table3": large3, "table4": large4}, {})
    print("All videos:", made)
study = gestures.read_study()
names = {"table3": "table3", "table4": "table4_full", "table5": "table5"}
real = ({name: found[own] for name, own in names.items()} for found in (study.frames, study.draws))
measured["SHREC'21, the book's run"] = judged(*real)
print("SHREC'21:", study.sources["table3"])

# %% mystnb={"image": {"alt": "A matrix: a row for each claim of the paper, a column for each data set, and in each cell a mark for the verdict; a cross where a claim does not hold, a filled circle where it holds"}, "figure": {"name": "fig-every-claim", "caption": "Every claim of the paper (rows, with where it stands) on every data set (columns). The first column is this page's data."}}
every = claims.every_claim(measured).astype({"n": "Int64"})
figure = plots.verdicts(every)
plots.save_figure(figure, "every_claim", output, source)

# %% [markdown]
# A claim is one difference or several, taken seed by seed, and is judged by their mean. It *holds*
# if the 95 % interval over seeds lies above zero and so does that over test videos drawn again,
# where there is one. It *does not hold* if both lie below; else it is *not resolved*. If the paper
# says it of each comparison and only the mean holds, it *holds on average, not in each*. *Paper*:
# the mean of the differences that it prints. Of twenty intervals with nothing behind them one
# excludes zero, and more do where seeds are few.

# %% tags=["full-width"]
rows = every.groupby(["claim", "where"], sort=False).paper.first().reset_index()
wide = every.pivot(index="claim", columns="data", values="verdict")[list(measured)]
shown = readable(rows, signed=["paper"]).join(wide, on="claim")
save_table(shown, "every_claim", output, every)

# %% tags=["full-width", "hide-output"]
tested = every[every.verdict != Verdict.UNTESTED].drop(columns="where")
said = show(claims.said(*runs, "classification"))
display(show(readable(tested, signed=["paper", "mean"])), said)

# %%
counts = pd.crosstab(every.verdict, every.data)[list(measured)]
display(save_table(counts.reset_index(), "every_claim_counts", output))
yes, no = wide.isin([Verdict.HOLDS, Verdict.ON_AVERAGE, Verdict.PARTLY]), wide == Verdict.FAILS
everywhere = (wide != Verdict.UNTESTED).all(axis=1)
for name, chosen in {"Holds on all data:": yes.all(axis=1),
                     "Tested on all, holds on none:": everywhere & ~yes.any(axis=1),
                     "Holds on one, fails on another:": yes.any(axis=1) & no.any(axis=1)}.items():
    print(name, *wide.index[chosen], sep="\n  ")

# %% [markdown]
# Some of these claims are one comparison, some many. Why one holds here and not there is not told:
# data, classes, size and weights of the branches differ at once. And some cannot be tested. Of
# Table 2, [ActivityNet](06_activitynet.ipynb) asks whether FAC-Net finds more than a video's class.

# %% tags=["full-width"]
show(claims.untested())

# %% [markdown]
# In [the ACM's
# words](https://www.acm.org/publications/policies/artifact-review-and-badging-current) a result is
# *reproduced* with the authors' artefacts and *replicated* with others. Here directions of
# differences may be replicated, by code that [computes what the released code
# does](../book/how_to_rerun.md), and no number on THUMOS14 or ActivityNet-1.3: the features are not
# at hand. Synthetic data say nothing of video; [SHREC'21](17_real_data_shrec21.ipynb) is real, but
# of the joints of a hand, with several classes a recording and weights chosen anew.

# %% tags=["nbval-check-output"]
print(every.claim.nunique(), "claims,", tested.claim.nunique(), "of them tested")

# %% [markdown]
# ## To remember, and to try
#
# - A claim is a direction, an interval and the data that it was measured on.
# - *Not resolved* is an answer: so many seeds cannot tell.
# - Try your own data: the first column is then theirs. For `seeds = 10`, train what is missing
#   beforehand: `facnet sweep table3 --seeds 10` ([How to scale](../book/how_to_scale.md)).
# - Predict first: which verdicts on Table 3 change if test videos are not drawn again?

# %% mystnb={"image": {"alt": "The claims on Table 3, a row each, with marks for the verdicts by seeds alone and by seeds and test videos"}, "figure": {"name": "fig-rule", "caption": "Verdicts on Table 3 by the interval over seeds alone, and by both."}}
table3 = {"table3": runs["table3"]}
rules = {"seeds alone": judged(table3, {}), "seeds and videos": judged(table3, draws)}
figure = plots.verdicts(claims.every_claim(rules).query("verdict != 'not tested'"))
