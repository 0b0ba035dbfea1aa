# %% [markdown]
# # Every claim
#
# Which of the paper's claims hold, on synthetic videos and on real recordings of gestures? There
# are some thirty: that CW is the best single branch, with an AVG of 31.2, that the full model's
# 42.2 is the best there was, and so on. The numbers are the other chapters'.
#
# In short: that the background class helps holds on both. That CW boosts the other branches holds on
# synthetic videos at the paper's schedule; that it is the best branch alone fails on gestures, and is
# open on the videos. The claim that a fourth attention does not help the full model fails there. At a
# short schedule two more fail: that FAC-Net beats BM without a background class, and that its foreground
# overlaps its classes more than STPN's. Of most of the rest five seeds cannot tell.

# %% tags=["parameters"]
import os

dataset: str = os.environ.get("FACNET_DATASET", "synthetic")  # or a folder
profile: str = os.environ.get("FACNET_PROFILE", "quick")  # or smoke, full
seeds: int = 5  # how many: 0, 1, ...; a verdict takes five. Kept runs have their own
device: str = os.environ.get("FACNET_DEVICE", "cpu")  # or auto, cuda, mps
output: str = os.environ.get("FACNET_OUTPUT", "results")  # for what is saved

# %% tags=["remove-input"]
from pathlib import Path
from facnet import load
from facnet.study import (check_parameters, claims, evidence, gestures, judged, plots, provenance,
                          published, readable, save_table, show, show_if_measurable, Verdict)

check_parameters(globals())
plots.use_style()

# %%
data, folder = load(dataset, profile, device), Path(output) / "experiments"
show_if_measurable(data)

# %%
names, study = (*evidence.TABLES, *evidence.MEASURES), gestures.read_study()
large = [name for name in names if published.has_edition(name)]  # at the paper's schedule
book = evidence.all_kept(large, *published.KEPT, seeds, folder)
here = evidence.all_kept(names, dataset, profile, seeds, folder, device, edition=False)
runs, draws = ({name: one[part] for name, one in here.items()} for part in (0, 1))
measured = {
    "paper's schedule": judged(*({name: one[part] for name, one in book.items()} for part in (0, 1))),
    "SHREC'21": judged(*({"table3": part["table3"]} for part in (study.frames, study.draws))),
    f"{data.name}, {profile}": judged(runs, draws)}
sources = {"paper's schedule": book["table3"][2], "SHREC'21": study.sources["table3"],
           f"{data.name}, {profile}": provenance(data, profile, seeds)
           + " Kept in data/results." * ((dataset, profile) == published.KEPT)}
print(*(f"{name}: {source}" for name, source in sources.items()), sep="\n")

# %% mystnb={"image": {"alt": "A matrix: a row for each claim of the paper, a column for each data set, and in each cell a mark for the verdict; a cross where a claim fails, a filled circle where it holds"}, "figure": {"name": "fig-every-claim", "caption": "Every claim of the paper (rows, with where it stands): on synthetic data at the paper's schedule (Table 3, and Full of Table 4), on SHREC'21 (Table 3), and on this page's data at its profile."}}
every = claims.every_claim(measured)
figure = plots.verdicts(every)
plots.save_figure(figure, "every_claim", output, " ".join(sources.values()))

# %% [markdown]
# A claim is one difference or several, taken seed by seed, and is judged by their mean. It *holds*
# if the mean is further above zero than both errors together: the 95 % interval over seeds, and
# that over test videos drawn again, where there is one. It *fails* if it is as far below; else it
# is *open*. If the paper says it of each comparison and only the mean holds, it holds *on average*; if
# some compare a model with itself, *partly*; if all do, it is the *same*. *Few seeds* are less
# than five, and a dash stands for what was not tested. If none were true, about one in forty would
# still seem to hold. Below each verdict is the mean difference with its interval over seeds;
# *paper* is the mean of the differences that it prints.

# %% tags=["full-width"]
said = readable(every, signed=["paper", "mean"])
said["verdict"] = (said.verdict + "\n" + said["mean"]).str.strip().replace(Verdict.UNTESTED, "–")
rows = said.groupby(["claim", "where"], sort=False).paper.max().reset_index("where")
words, ranks = (table.pivot(index="claim", columns="data", values="verdict")[list(measured)]
                for table in (said, every))
ranks = ranks.map([*Verdict].index).sort_values(list(measured), kind="stable")  # what holds, first
shown = rows.join(words).loc[ranks.index].reset_index()
save_table(shown, "every_claim", output, every).set_properties(
    subset=list(measured), **{"white-space": "pre"})

# %% tags=["full-width", "hide-output"]
tested = every[every.verdict != Verdict.UNTESTED]
show(claims.said(*names, "classification"))

# %% [markdown]
# The last column is of runs at profile `quick`, in the book ([how far that is from the paper's
# schedule](02_the_data.ipynb)). In Table 3, on both kinds of data, the background class helps.
# CW boosts the other branches on synthetic videos; on gestures it costs CA points and the rest is
# open. Why one holds here and not there is not told by this table: data, classes, width, schedule and
# weights of the branches differ at once.
#
# Some claims cannot be tested. Of Table 2, [ActivityNet](06_activitynet.ipynb) asks whether
# FAC-Net finds more than a video's class.

# %% tags=["full-width"]
show(claims.untested().rename(columns={"why_not": "why not"}))

# %% [markdown]
# Directions of differences may be replicated here, by code that [computes what the released code
# does](../book/how_to_rerun.md), and no number on THUMOS14 or ActivityNet-1.3: the features are not
# at hand. Synthetic data say nothing of video; [SHREC'21](17_real_data_shrec21.ipynb) is real, but
# of the joints of a hand, with several classes a recording and weights chosen anew.

# %% tags=["nbval-check-output"]
print(every.claim.nunique(), "claims,", tested.claim.nunique(), "of them tested")

# %% [markdown]
# ## To remember, and to try
#
# - A claim is a direction, an interval and the data that it was measured on.
# - *Open* is an answer: this number of seeds cannot tell.
# - Try your own data: the last column is then theirs. Train beforehand, on many cores: `facnet
#   sweep table3 --dataset data/mine --seeds 5` ([How to scale](../book/how_to_scale.md)).
#
# **Exercise.** Which verdicts on Table 3 change if test videos are not drawn again?

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Solution", "image": {"alt": "The claims on Table 3, a row each, with marks for the verdicts by seeds alone and by seeds and test videos"}, "figure": {"name": "fig-rule", "caption": "Verdicts on Table 3 by the interval over seeds alone, and by both."}}
table3 = {"table3": runs["table3"]}
rules = {"seeds alone": judged(table3, {}), "seeds and videos": judged(table3, draws)}
figure = plots.verdicts(claims.every_claim(rules).query("verdict != 'untested'"))
