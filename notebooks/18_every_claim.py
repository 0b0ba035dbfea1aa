# %% [markdown]
# # Every claim
#
# This page sets each claim of the paper beside what was measured for it in this book: on synthetic
# data, on all of it (20 classes, a larger model), and on real recordings of gestures. The numbers are those of
# the other chapters, and every verdict follows from them by one rule.

# %% tags=["parameters"]
import os

dataset: str = os.environ.get("FACNET_DATASET", "synthetic")  # or a folder
profile: str = os.environ.get("FACNET_PROFILE", "quick")  # or smoke, full
seeds: int = 3  # how many: 0, 1, ..., as in the chapters on Tables 3 to 5
seeds_table1: int = 5  # as in the chapter on Table 1
output: str = os.environ.get("FACNET_OUTPUT", "results")  # for what is saved

# %% tags=["remove-cell"]
from facnet.study.notebook import check_parameters

check_parameters(globals())

# %% tags=["hide-input"]
from pathlib import Path

import pandas as pd
from IPython.display import Markdown

from facnet.data import load
from facnet.study import claims, gestures, plots, published, separation, statistics
from facnet.study.records import provenance
from facnet.study.tables import base_of, sweep, variants

plots.use_style()
folder = Path(output) / "experiments"  # what is there is not run again
data = load(dataset, profile)
source = provenance(data, profile, seeds)
here = data.name
larger = data.name == "synthetic"  # beside other data the larger size has no place
real = "SHREC'21, the book's run"

# %% tags=["hide-input"]
frames = {name: sweep(name, dataset, profile, n, folder)
          for name, n in (("table1", seeds_table1), ("table3", seeds), ("table4", seeds),
                          ("fig4", seeds), ("table5", seeds), ("seeds", seeds))}
hybrid_single, mil = claims.single_claims(), claims.mil_claims()
full = frames["table3"].variant.iloc[-1]
with_best, weights = claims.fig4_claims(
    frames["fig4"], frames["table3"][frames["table3"].variant == full])
own = [
    (frames["table1"], claims.table1_claims()),
    (frames["table3"], claims.table3_claims() + hybrid_single),
    (frames["table4"], claims.table4_claims()),
    (frames["table5"], claims.table5_claims()),
    (with_best, weights),
]
told = [claims.claims(frame, wanted, claims.resampled(frame, folder)) for frame, wanted in own]

# Without an interval over test videos: what these compare is kept as a mean over videos.
both = pd.concat([frames["table5"], frames["seeds"].assign(variant="FAC-Net")])
areas = claims.foreground_areas(
    data, claims.foreground_claims(), base_of("table3", profile), seeds, folder)
by_classification = frames["table3"].assign(average=frames["table3"].classification)
named = {one.name: one.experiment for one in variants("table3", base_of("table3", profile))}
pair = {"CA only": named["CA, hybrid"], "full": named["CW+CA+MIL, hybrid"]}
_, apart = separation.measure(
    data, pair, data.streams[-1], separation.drawn_snippets(data), seeds, folder)
separate = "Features separate foreground better than with CA alone, by "
measures = [claims.fig1_claims(both, folder),
            claims.by_measure(apart.rename(columns={"features": "variant"}),
                              {"silhouette": f"{separate}silhouette",
                               "probe": f"{separate}a linear probe"}, "full", "CA only")]
told += [*(claims.claims(*one) for one in measures),
         claims.claims(areas, claims.foreground_claims()),
         claims.claims(by_classification, mil)]
measured = {here: pd.concat(told)}

# %% tags=["hide-input"]
of_full = claims.table4_claims(["Full"])
if larger:
    large3, large_source = published.result("table3_full")
    large4, _ = published.result("table4_full")
    measured["synthetic, all videos"] = pd.concat([
        claims.claims(large3, claims.table3_claims() + hybrid_single),
        claims.claims(large3.assign(average=large3.classification), mil),
        claims.claims(large4, of_full)])
study = gestures.read_study()
asked = {"table3": claims.table3_claims() + hybrid_single, "table4_full": of_full,
         "table5": claims.table5_claims()}
real3 = study.frames["table3"]
measured[real] = pd.concat(
    [claims.claims(study.frames[name], wanted, study.draws[name])
     for name, wanted in asked.items()]
    + [claims.claims(real3.assign(average=real3.classification), mil)])
every = claims.every_claim(measured)

# %% tags=["hide-input"] mystnb={"image": {"alt": "A matrix: a row for each claim of the paper, a column for each data set, and in each cell a mark for the verdict; a cross where a claim does not hold, a filled circle where it holds"}, "figure": {"name": "fig-every-claim", "caption": "Every claim of the paper (rows, with where it stands) on every data set that it was asked of (columns). The first column is this page's data, named below the table."}}
figure = plots.verdicts(every)
plots.save_figure(figure, "every_claim", output, source)

# %% [markdown]
# ## The table
#
# *Where* the paper says it. *Paper*: the difference that it prints, the mean over those of a claim's
# comparisons for which it prints numbers. Then for each data set the mean difference as measured,
# with its 95 % interval over seeds, the verdict, and the number of seeds.

# %% tags=["hide-input", "full-width"]
shown = claims.readable_every(every)
statistics.save_table(shown, "every_claim", output, every)
statistics.on_page(shown.replace("; ", "\n", regex=True)).set_properties(
    subset=list(measured), **{"white-space": "pre-line", "min-width": "11em"})

# %% tags=["hide-input"]
counts = pd.crosstab(every.verdict, every.data).reindex(
    [verdict for verdict in plots.MARKS if verdict in set(every.verdict)])[list(measured)]
Markdown(
    f"*{here}*: {source} Claims on Table 1 have {seeds_table1} seeds."
    + (f" *synthetic, all videos*: {large_source}." if larger else "")
    + f" *{real}*: {study.sources['table3']}. Differences are of AVG in points, those on Figs 1, 5, 6"
    " and 8 and of classification in other units; what is compared stands below.")

# %% [markdown]
# ## How many
#
# Verdicts, counted:

# %% tags=["hide-input"]
statistics.save_table(counts.reset_index(), "every_claim_counts", output)
statistics.on_page(counts.reset_index())

# %% tags=["hide-input"]
positive = every.verdict.isin(["holds", claims.AVERAGE_ONLY, claims.PARTLY])
negative = every.verdict == "does not hold"
tested = every[every.verdict != claims.UNTESTED].groupby("claim", sort=False).data.nunique()
wide = tested.index[tested == len(measured)]
everywhere, nowhere, divided = (
    [claim for claim in tested.index if rule(claim)] for rule in (
        lambda claim: claim in wide and positive[every.claim == claim].all(),
        lambda claim: claim in wide and not positive[every.claim == claim].any(),
        lambda claim: positive[every.claim == claim].any() and negative[every.claim == claim].any()))


def listed(names: list[str]) -> str:
    """Claims one after the other, or that there is none."""
    return "; ".join(names) or "none"


Markdown(
    f"The paper's claims are {every.claim.nunique()} rows here; {len(tested)} of them could be"
    f" tested, {len(wide)} on each of the {len(measured)} data sets.\n\n"
    f"- **Holding on all of these, at least on average:** {listed(everywhere)}.\n"
    f"- **Holding on none of them** (the opposite was measured, or it is not resolved):"
    f" {listed(nowhere)}.\n"
    f"- **Holding on one data set, and the opposite on another:** {listed(divided)}.\n\n"
    "These are counts of rows, and rows are not alike: some claims are one comparison, some many,"
    " and several are of the same trained models.")

# %% [markdown]
# ## How a verdict is made
#
# A claim becomes one difference or several that should be positive. Each is taken seed by seed, and
# the claim is judged by their mean. It *holds* if the 95 % interval over seeds lies above zero and
# so does the interval over test videos that are drawn again; it *does not hold* if both lie below,
# which means that the opposite was measured; else it is *not resolved*. At the larger size, and for
# Figs 1, 5, 6 and 8 and classification, only the interval over seeds is there. Where the paper says a
# thing of each of several comparisons, and the mean holds but not each of them does, it *holds on
# average, not in each*. Where both sides of a comparison are one and the same model, that comparison
# cannot be told, and the others decide.

# %% tags=["hide-input"]
Markdown(
    f"{claims.caution(int(every.n.min()))} {claims.by_chance(every)} Verdicts are not corrected for"
    " their number: read single ones with care, and what several data sets say alike with less.")

# %% [markdown]
# ## What is compared

# %% tags=["hide-input", "full-width"]
wanted = [*(one for _, own_claims in measures for one in own_claims),
          *claims.foreground_claims(), *mil]
statistics.on_page(claims.said_by_the_paper([one for _, some in own for one in some] + wanted))

# %% [markdown]
# ## What cannot be told here, and why

# %% tags=["hide-input", "full-width"]
statistics.on_page(claims.untested())

# %% [markdown]
# Of Table 2, [ActivityNet](06_activitynet.ipynb) asks instead whether FAC-Net finds anything beyond
# a video's class. Not told either is why a claim holds on one data set and not on another: they
# differ in data, number of classes, size of the model and weights of the branches at once, and there is chance.
#
# ## What is replicated
#
# In [the ACM's words](https://www.acm.org/publications/policies/artifact-review-and-badging-current)
# a result is *reproduced* by another team with the authors' own artefacts, and *replicated* by
# another team with artefacts of its own. This is an attempt at replication, with code of its own;
# that it computes what the released code computes is checked on recorded inputs
# ([which](../book/how_to_rerun.md)). What it tries to replicate are directions of differences.
#
# Not replicated is any number on THUMOS14 or ActivityNet-1.3: for want of the features none could
# be. Synthetic data say how FAC-Net behaves under the assumptions by which a program made them, and
# nothing of video. [SHREC'21](17_real_data_shrec21.ipynb) is real, but not what the paper is about:
# recordings show several classes, features come from the joints of a hand, and the weights of the
# branches were chosen anew.

# %% tags=["nbval-check-output"]
print(every.claim.nunique(), "claims,", len(tested), "of them tested,", len(claims.untested()), "not")

# %% [markdown]
# ## To remember, and to try
#
# - A claim is a direction, an interval and the data that it was measured on. Without the last two it
#   is a memory of one run.
# - *Not resolved* is an answer: so many seeds cannot tell.
# - Try `seeds = 10`, and expect narrower intervals and fewer rows that are not resolved. What is
#   missing is trained then; `facnet sweep table3 --seeds 10` does it beforehand
#   ([How to scale](../book/how_to_scale.md)).
# - Try your own data as `dataset`: the first column is then theirs.
