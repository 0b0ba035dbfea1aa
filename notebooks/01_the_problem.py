# %% [markdown]
# # The problem
#
# A program is to find when in a video each action begins and ends, and has learnt from videos of
# which it was told only which actions they show. How can it go wrong, and why does FAC-Net
# {cite}`huang2021facnet` ask that foreground and action be the same moments? On THUMOS14, videos of
# sports and the field's usual test, the paper reports an AVG of 42.2, against 41.9 of its best
# predecessor, UM {cite}`lee2021um`. (AVG says in percent how well detections fit; more below.)

# %% tags=["parameters"]
import os

dataset: str = os.environ.get("FACNET_DATASET", "synthetic")  # or a folder
profile: str = os.environ.get("FACNET_PROFILE", "quick")  # or smoke, full
seeds: int = 3  # how many: 0, 1, ... Pictures show the first
device: str = os.environ.get("FACNET_DEVICE", "cpu")  # or auto, cuda, mps
output: str = os.environ.get("FACNET_OUTPUT", "results")  # for what is saved

# %% tags=["remove-input"]
from dataclasses import replace
from pathlib import Path
import pandas as pd
import torch
from facnet import load, run
from facnet.model import cosine, normalised_cross_entropy
from facnet.study import (base_of, check_parameters, consistency, means, plots, provenance,
                          readable, save_table, separation, show, show_if_measurable, tables,
                          variants)

check_parameters(globals())
plots.use_style()

# %%
data, folder = load(dataset, profile, device), Path(output) / "experiments"  # runs are remembered there
source = provenance(data, profile, seeds)
print(source)
show_if_measurable(data)

# %% mystnb={"image": {"alt": "One video against time, a row for each of STPN, W-TALC and FAC-Net: what selects foreground, the probability of the video's class, a line at the middle, and the true instances as shade"}, "figure": {"name": "fig-selection", "caption": "The paper's Fig. 1 on a test video, first seed: what each method selects and its probability of the class, each on its own range. Green: ground truth."}}
recipes = {one.name: one.experiment for one in variants("table1", base_of("table1", profile))}
recipes = tables.possible(recipes, data)
video, label = plots.example_video(data, "HammerThrow")
first = {name: run(data, recipes[name], folder=folder) for name in ("STPN", "W-TALC", "FAC-Net")
         if name in recipes}
models = {name: (recipes[name], [*one.scores.values()][-1]) for name, one in first.items()}
figure = plots.selection(data, models, video, label)
plots.save_figure(figure, "fig1", output, provenance(data, profile, seeds=1))

# %% [markdown]
# A video is cut into *snippets* of 16 frames. For each, a network that was trained elsewhere gives
# a vector of *features* a *stream*: rgb, from the pictures, and flow, from the motion between them.
# (A program makes those of synthetic data: they show how methods work, not how well.) The blue
# curve is a *class activation sequence* (CAS): how much each snippet looks like the class. The
# orange one selects the *foreground*, the part of a video that is to hold its actions; the rest is
# *background*. STPN {cite}`nguyen2018stpn` selects by an *attention*, a learnt weight of each
# snippet, W-TALC {cite}`paul2018wtalc` by the class's own score, FAC-Net by a foreground score
# $S_f$. A snippet counts as selected if its curve is above the middle line; a curve that never changes
# is drawn at the top, since it selects everything. Green is the *ground
# truth*, which no method was told: *instances* of the action, from start to end. How far foreground
# and truth agree, in all test videos:

# %%
missed = pd.concat({name: consistency.mistakes(own, data) for name, (_, own) in models.items()})
hits = 100 * (1 - missed.groupby(level=0, sort=False).mean(numeric_only=True))
hits.set_axis(["foreground in the truth (%)", "truth in the foreground (%)"], axis=1).round()

# %% [markdown]
# An attention that selects everything, such as STPN's, has the whole truth and all the rest with it.
# *Foreground-action consistency* means
# that what a model takes for foreground and what it takes for action are the same snippets.
# Training can ask for this agreement. Whether both hit the truth is another matter: W-TALC's curves
# agree by construction.
#
# ## What is given, and what is wanted
# Given are training videos, each with the list of classes that it shows: *what*, never *when*. This
# is *weak supervision*. Wanted are *detections* in new videos: class, start, end and score, cut out
# of the class activation sequence.

# %% mystnb={"image": {"alt": "Foreground score and class activation of one test video over time, above detections at the height of their scores; true instances as shade"}, "figure": {"name": "fig-problem", "caption": "FAC-Net on the video of the first picture, last stream, first seed: foreground score, class sequence with thresholds, and detections, the better the higher and darker. Green: ground truth."}}
full = recipes["FAC-Net"]
figure = plots.timeline(
    data, models["FAC-Net"][1], {video: [label]}, first["FAC-Net"].detections, full)
plots.save_figure(figure, "the_problem", output, provenance(data, profile, seeds=1))

# %% [markdown]
# A detection is right if it overlaps an instance of its class enough: the time that both share over
# the time that either covers, the *temporal intersection over union* (tIoU), must reach a
# threshold. *Average precision* (AP) sums up a class's detections, best score first: 100 % if all
# instances are found before any false alarm. *mAP* is its mean over classes, *AVG* the mean of mAP
# over several tIoUs. [A later chapter](04_from_features_to_detections.ipynb) goes step by step.
#
# ## Why labels alone lead astray
# In *multiple instance learning*, MIL, the snippets that score highest for a class speak for the
# video and are trained to fit its label. Nothing here needs the *whole* action: one second of
# spinning that gives a hammer throw away is enough. Nor does it need an *action*: a cage that every
# hammer throw shows will do. An attention is trained through the classifier, too: *what is
# foreground must be an action*. The most telling second satisfies this perfectly. FAC-Net adds the
# way back: *what is an action must be foreground*. Three branches share two classifiers, $W_a$ of
# classes and $W_f$ of foreground, and each answers its question with the video's label:
#
# | branch | asks | direction |
# | --- | --- | --- |
# | MIL | Take each class's best snippets. Do they show the class? | classes alone |
# | CA, class-agnostic attention | Take the foreground. Which class is it? | foreground → action |
# | CW, class-wise foreground | Take where each class looks. Which class looks at foreground? | action → foreground |
#
# A better foreground reaches class scores, and so detections, through what is shared: once the
# swing of a hammer throw is foreground, CA teaches $W_a$ that it is a throw.
#
# ## Three snippets, two classes
# A video shows a hammer throw in two snippets, a spin and a swing of the arms, then an empty field.
# A baseball pitch, which it does not show, has a swing, a field, and a mound that is not here.
# Scores are scaled cosines; the softmax of a class's scores over the snippets is its attention. How
# large are the losses if the foreground knows the spin alone, both parts of the throw, or all? And
# if the classifier of throws knows the spin alone, too?

# %% tags=["nbval-check-output"]
spin, swing, field, mound = torch.eye(4, dtype=torch.float64)
x, y = torch.stack([spin, swing, field]), torch.tensor([[1.0, 0.0]])  # a throw, no pitch
throw, pitch = 0.75 * spin + 0.66 * swing, 0.4 * swing + 0.8 * field + 0.45 * mound


def scores(features, *classifiers):
    """Equations 1, 4, 8, 11: a row a feature, a column a classifier."""
    return full.model.scale * cosine(features, torch.stack(classifiers))


def losses(throw, foreground):
    """The branches' losses (nats) with these two classifiers."""
    S_a, S_f = scores(x, throw, pitch), scores(x, foreground)
    A_a, A_f = S_a.softmax(0), S_f.softmax(0)  # (2), (9)
    asked = {"MIL": (A_a * S_a).sum(0),  # (13)
             "CA": scores(A_f.T @ x, throw, pitch),  # (10), (11)
             "CW": scores(A_a.T @ x, foreground)}  # (3), (4)
    return {name: normalised_cross_entropy(own.reshape(1, 2), y).item()
            for name, own in asked.items()}


known = {"spin": spin - swing - field, "spin, swing": spin + swing - field, "all": x.sum(0)}
rows = {("spin, swing", name): losses(throw, W_f) for name, W_f in known.items()}
rows["spin", "spin"] = losses(spin, known["spin"])
table = pd.DataFrame(rows).T.rename_axis(["throw", "foreground"])
table.assign(weighted=table @ pd.Series({"MIL": 0.1, "CA": 0.1, "CW": 1.0})).round(4)

# %% [markdown]
# - **MIL** does not care for the foreground, and would narrow the throw.
# - **CA** refuses the field, but likes the spin alone better than both parts: a pitch swings, too.
# - **CW** refuses the spin alone: much of the throw's attention rests on the swing, and a
#   foreground that rejects it has to pay. It refuses the field, where the absent pitch looks. Yet
#   there is a second way out, the last row. By the released weights its loss is the least of all: MIL
#   likes a narrow throw, and CW hardly objects, since it asks for agreement, not for the whole
#   throw. What keeps a class wide has to come from other videos.
#
# ## Does it help here?
# FAC-Net beside the same trained on CA and MIL alone. *Foreground* and *sequence* are ROC areas of
# $S_f$ and of the class scores: how often a snippet inside an instance has a higher value than one
# outside, 50 being chance. The verdict is on what CW adds. The paper's AVG: 38.4 and 42.2.

# %% tags=["hide-output"]
without = tables.with_branches(full, ("ca", "mil"), full.model.temperatures, background=True)
results = {(name, seed): run(data, replace(recipe, seed=seed), folder=folder) for name, recipe
           in {"without CW": without, "FAC-Net": full}.items() for seed in range(seeds)}
last = {key: one.scores[data.streams[-1]] for key, one in results.items()}
measured = separation.roc_areas(data, last, full).rename(columns={"average": "AVG"})
measured["AVG"] = [one.evaluation.average for one in results.values()]
show(measured)

# %%
names = ["foreground", "sequence", "AVG"]
gains = separation.gains(measured, names, {"CW": ("without CW", "FAC-Net")}).set_index("claim")
table = readable(means(measured, "variant", names)).set_index("variant").T
table[["CW adds", "verdict"]] = readable(gains, signed=["mean"])[["mean", "verdict"]]
save_table(table.reset_index(names=""), "without_cw", output, measured)

# %% [markdown]
# ## To remember, and to try
# - Labels say *what*, never *when*. A classifier needs the most telling second; a localiser all.
# - CA asks whether the foreground is an action, CW whether the action is foreground. What passes
#   both is consistent. Whether it is right, only the ground truth says.
# - Try `example_video(data, "CliffDiving")`: every cliff dive is annotated as a dive, too.
#
# **Exercise.** The less the throw's classifier knows of the swing, the less CW misses the swing in the
# foreground. Where does it begin to like the spin alone better?

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Solution", "image": {"alt": "The loss of CW against the weight of the swing in the throw's classifier, a line for a foreground of the spin alone and one for both parts"}}
weights = [step / 40 for step in range(41)]
pd.DataFrame({name: [losses(0.75 * spin + w * swing, known[name])["CW"] for w in weights]
              for name in ("spin", "spin, swing")}, weights).plot(
    figsize=(6, 2.8), logy=True, xlabel="weight of the swing", ylabel="loss of CW (nats)");
