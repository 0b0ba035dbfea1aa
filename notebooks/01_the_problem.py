# %% [markdown]
# # The problem
#
# A program is to find when each action in a video begins and ends. It learns from videos that
# come with the names of their actions and nothing else. What goes wrong, and what does FAC-Net
# {cite}`huang2021facnet` do about it? Its answer: foreground and action must be the same moments. On
# THUMOS14, videos of sports and the field's usual test, the paper reports an AVG of 42.2, and 41.9
# for the best method before it, UM {cite}`lee2021um`. (AVG says in percent how well detections fit.)

# %% tags=["parameters"]
import os

dataset: str = os.environ.get("FACNET_DATASET", "synthetic")  # or a folder
profile: str = os.environ.get("FACNET_PROFILE", "quick")  # or smoke, full
seeds: int = 3  # how many: 0, 1, ... Pictures show the first
device: str = os.environ.get("FACNET_DEVICE", "cpu")  # or auto, cuda, mps
output: str = os.environ.get("FACNET_OUTPUT", "results")  # for what is saved

# %% tags=["remove-input"]
from pathlib import Path
import pandas as pd
import torch
from facnet import load, preset, run
from facnet.model import cosine, normalised_cross_entropy
from facnet.study import (base_of, check_parameters, claims, consistency, kept, plots, provenance,
                          readable, save_table, show, show_if_measurable, summary, tables, variants)

check_parameters(globals())
plots.use_style()

# %%
data, folder = load(dataset, profile, device), Path(output) / "experiments"  # runs are remembered there
source = provenance(data, profile, seeds=1)
print(source)
show_if_measurable(data)

# %% [markdown]
# ## What is given, and what is wanted
# A video is cut into *snippets* of 16 frames. A network that was trained elsewhere turns each into a
# vector of *features*, one for each *stream*: rgb, from the pictures, and flow, from the motion
# between them. (Here a program makes the features: they show how methods work, not how well.)
#
# Given are training videos, each with the list of classes that it shows: *what*, never *when*. This
# is *weak supervision*. Wanted are *detections* in new videos: class, start, end and score.

# %% mystnb={"image": {"alt": "Foreground score and class activation of one test video over time, above detections at the height of their scores; true instances as shade"}, "figure": {"name": "fig-problem", "caption": "FAC-Net on one test video, last stream, first seed: foreground score, class sequence with thresholds, and detections, the better the higher and stronger. Green: ground truth."}}
recipes = {one.name: one.experiment for one in variants("table1", base_of("table1", profile))}
recipes = tables.possible(recipes, data)
video, label = plots.example_video(data, "HammerThrow")
first = {name: run(data, recipes[name], folder=folder) for name in ("STPN", "W-TALC", "FAC-Net")
         if name in recipes}
models = {name: (recipes[name], [*one.scores.values()][-1]) for name, one in first.items()}
found = first["FAC-Net"].detections
figure = plots.timeline(data, models["FAC-Net"][1], {video: [label]}, found, recipes["FAC-Net"])
plots.save_figure(figure, "the_problem", output, source)

# %% [markdown]
# Green is the *ground truth*, which nobody told the model: *instances* of the action, from start
# to end. The orange curve is the model's *foreground* score, $S_f$: does anything happen here? All
# that is not foreground is *background*. The blue one is a *class activation sequence* (CAS): does
# it look like this class? Where it stays above a threshold for long enough, a detection is cut
# out.
#
# A detection is right if it overlaps an instance of its class enough: the time that both share over
# the time that either covers, the *temporal intersection over union* (tIoU), must reach a
# threshold. *Average precision* (AP) sums up a class's detections, best score first: 100 % if all
# instances are found before any false alarm. *mAP* is its mean over classes, *AVG* the mean of mAP
# over several tIoUs. [A later chapter](04_from_features_to_detections.ipynb) goes step by step.
#
# ## What goes wrong
# The same video by three methods. STPN {cite}`nguyen2018stpn` selects foreground by an *attention*,
# a learnt weight of each snippet, W-TALC {cite}`paul2018wtalc` by the class's own score, FAC-Net by
# $S_f$.

# %% mystnb={"image": {"alt": "One video against time, a row for each of STPN, W-TALC and FAC-Net: what selects foreground, the probability of the video's class, a line at the middle, and the true instances as shade"}, "figure": {"name": "fig-selection", "caption": "The paper's Fig. 1 on that video, first seed: what each method selects and its probability of the class, each on its own range. Above the middle line counts as selected. Green: ground truth."}}
figure = plots.selection(data, models, video, label)
plots.save_figure(figure, "fig1", output, source)

# %% [markdown]
# STPN's attention hardly changes, so that it selects everything. W-TALC's curves agree with each
# other, as they are made of the same scores, and miss parts of the actions. FAC-Net's foreground
# covers them, but is wider than its class's curve: what lies above the middle lines of the two
# overlaps less than with STPN. Over all test videos:

# %%
missed = pd.concat({name: consistency.mistakes(own, data) for name, (_, own) in models.items()})
hits = 100 * (1 - missed.groupby(level=0, sort=False).mean(numeric_only=True))
hits.set_axis(["foreground in the truth (%)", "truth in the foreground (%)"], axis=1).round()

# %% [markdown]
# Why do methods miss parts? In *multiple instance learning*, MIL, the snippets that score highest for
# a class speak for the video, and are trained to fit its label. Nothing here needs the *whole* action: one second of
# spinning gives a hammer throw away. Nor does it need an *action*: a cage that every hammer throw
# shows will do. An attention is trained through the classifier, too: *what is foreground must be
# an action*. The most telling second satisfies this perfectly.
#
# FAC-Net adds the way back: *what is an action must be foreground*. Both together are
# *foreground-action consistency*. Three branches share two classifiers, $W_a$ of classes and $W_f$
# of foreground, and each answers its question with the video's label:
#
# | branch | asks | direction |
# | --- | --- | --- |
# | MIL | Take each class's best snippets. Do they show the class? | classes alone |
# | CA, class-agnostic attention | Take the foreground. Which class is it? | foreground → action |
# | CW, class-wise foreground | Take where each class looks. Which class looks at foreground? | action → foreground |
#
# Shared classifiers carry the gain on to the detections: once the swing of a hammer throw is
# foreground, CA teaches $W_a$ that it is a throw.
#
# ## Three snippets, two classes
# The smallest video in which the branches disagree shows a hammer throw, a *spin* and a *swing* of the
# arms, then an empty *field*. A baseball pitch, which it does not show, has a swing, a field, and a
# mound that is not here. Scores are cosines times a scale. A class's attention is the softmax of its
# scores over the snippets: where does each class look?

# %% tags=["nbval-check-output"]
spin, swing, field, mound = torch.eye(4, dtype=torch.float64)
x, y = torch.stack([spin, swing, field]), torch.tensor([[1.0, 0.0]])  # a throw, no pitch
throw, pitch = 0.75 * spin + 0.66 * swing, 0.4 * swing + 0.8 * field + 0.45 * mound


def scores(features, *classifiers):
    """Equations 1, 4, 8, 11: a row a feature, a column a classifier."""
    return preset().model.scale * cosine(features, torch.stack(classifiers))


def losses(throw, foreground):
    """The branches' losses (nats) with these two classifiers."""
    S_a, S_f = scores(x, throw, pitch), scores(x, foreground)
    A_a, A_f = S_a.softmax(0), S_f.softmax(0)  # (2), (9)
    asked = {"MIL": (A_a * S_a).sum(0),  # (13)
             "CA": scores(A_f.T @ x, throw, pitch),  # (10), (11)
             "CW": scores(A_a.T @ x, foreground)}  # (3), (4)
    return {name: normalised_cross_entropy(own.reshape(1, 2), y).item()
            for name, own in asked.items()}


attention = scores(x, throw, pitch).softmax(0).T  # where each class looks
pd.DataFrame(attention, ["throw", "pitch"], ["spin", "swing", "field"]).round(2)

# %% [markdown]
# How large is each branch's loss if the foreground knows the spin alone, both parts of the throw,
# or all three snippets? And if the classifier of throws knows the spin alone, too?

# %% mystnb={"image": {"alt": "Three panels, one a branch, with a bar for the loss under each of four foregrounds and classifiers; CW's is least for spin and swing, the two others' for the spin alone"}, "figure": {"name": "fig-branches-ask", "caption": "The branches' losses on three snippets, the less the better. Rows: what the foreground knows, and in the last the throw's classifier, too."}}
known = {"spin": spin - swing - field, "spin, swing": spin + swing - field, "all": x.sum(0)}
rows = {name: losses(throw, W_f) for name, W_f in known.items()}
rows["spin; throw: spin"] = losses(spin, known["spin"])
table = pd.DataFrame(rows).T[::-1]
axes = table.plot.barh(subplots=True, layout=(1, 3), sharey=True, figsize=(7.2, 2), legend=False,
                       color=[plots.COLOURS[name.lower()] for name in table], logx=True)[0]
for panel in axes:
    panel.bar_label(panel.containers[0], fmt="%.2g", padding=2)
    panel.set(xlabel="loss (nats)", xlim=(5e-4, 9))
plots.save_figure(axes[0].figure, "three_snippets", output, "No data: the four vectors above.")

# %% [markdown]
# - **MIL** does not look at the foreground. It would narrow the throw to the spin.
# - **CA** refuses the field, and likes the spin alone a little better than both parts: a pitch
#   swings, too.
# - **CW** has ten times the loss for the spin alone that it has for both parts. Much of the throw's
#   attention rests on the swing, and a foreground that rejects the swing has to pay. It refuses the field, where the absent
#   pitch looks.
# - **The last row** is a way out: a narrow foreground and a narrow throw agree. MIL and CA like it
#   best, and CW hardly objects: it asks for agreement, not for the whole action. What keeps a
#   class wide may come from other videos.
#
# ## Does it help?
# The paper prints an AVG of 38.4 without CW and of 42.2 with it, one run each. On synthetic videos at
# the paper's schedule CW adds two points at half the width (five seeds, below), and
# [eight at the full width](07_what_each_branch_adds.ipynb) (four seeds of a prototype). *Hybrid* and
# *BG*, background class, are two more parts of [the model](03_the_model.ipynb).
# [Every claim](18_every_claim.ipynb) says when a difference *holds*.

# %%
runs, draws, large = kept("table3", dataset, profile, seeds, folder, device=device)
print(large)
without, whole = "CA+MIL, hybrid, BG", "CW+CA+MIL, hybrid, BG"
asked = claims.Comparison("CW helps the full model", "", {whole: 1, without: -1})
table = claims.judge(runs, [asked], draws)
shown = readable(table.drop(columns=["paper", "holds"]), signed=["mean"])
display(show(readable(summary(runs).loc[[without, whole]])), save_table(shown, "without_cw", output, table))

# %% [markdown]
# ## To remember, and to try
# - Labels say *what*, never *when*. A classifier needs the most telling second; a localiser all.
# - CA asks whether the foreground is an action, CW whether the action is foreground. What passes
#   both is consistent. Whether it is right, only the ground truth says.
# - Try `example_video(data, "CliffDiving")`: every cliff dive is annotated as a dive, too.
#
# **Exercise.** The less the throw's classifier knows of the swing, the less CW misses the swing in
# the foreground. Where does it begin to like the spin alone better?

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Solution", "image": {"alt": "The loss of CW against the weight of the swing in the throw's classifier, a line for a foreground of the spin alone and one for both parts"}}
weights = [step / 40 for step in range(41)]
pd.DataFrame({name: [losses(0.75 * spin + w * swing, known[name])["CW"] for w in weights]
              for name in ("spin", "spin, swing")}, weights).plot(
    figsize=(6, 2.8), logy=True, xlabel="weight of the swing", ylabel="loss of CW (nats)");
