# %% [markdown]
# # The problem
#
# A program is to find when in a video each action begins and ends, and has learnt from videos that
# only say which actions they show. This page shows with one video how such programs go wrong, and
# why FAC-Net {cite}`huang2021facnet` asks that foreground and action coincide.

# %% tags=["parameters"]
import os

dataset: str = os.environ.get("FACNET_DATASET", "synthetic")  # or a folder
profile: str = os.environ.get("FACNET_PROFILE", "quick")  # or smoke, full
seeds: int = 3  # how many: 0, 1, ... Pictures show the first
output: str = os.environ.get("FACNET_OUTPUT", "results")  # for what is saved

# %% tags=["remove-cell"]
from facnet.study.notebook import check_parameters

check_parameters(globals())

# %% tags=["hide-input"]
from dataclasses import replace
from pathlib import Path

import pandas as pd
import torch
from IPython.display import Markdown

from facnet.data import load
from facnet.experiment import run, stream_scores
from facnet.methods import METHODS, preset
from facnet.model import cosine, normalised_cross_entropy
from facnet.study import claims, plots, published, statistics, timelines
from facnet.study.consistency import mistakes
from facnet.study.records import provenance
from facnet.study.statistics import interval, verdict
from facnet.study.tables import BRANCHES, base_of, with_branches
from facnet.training import frame_labels

plots.use_style()
folder = Path(output) / "experiments"  # what is there is not run again
data = load(dataset, profile)
stream, source = data.streams[-1], provenance(data, profile, seeds)
first_seed = provenance(data, profile, seeds=1)
video, label = timelines.example_video(data, "HammerThrow")
Markdown(
    f"> {source}\n\n*Profile*: the size of data and training. *Protocol*: the rules by which"
    " detections are judged. *Seed*: where random numbers start. *Stream*: one kind of features,"
    f" here {' and '.join(data.streams)}; the last is {stream}. *Instance*: an action once, from"
    " its start to its end."
)

# %% tags=["hide-input"] mystnb={"image": {"alt": "One video against time, a row for each of STPN, W-TALC and FAC-Net: what selects foreground, the probability of the video's class, a line at the middle, and the true instances as shade"}, "figure": {"name": "fig-selection", "caption": "The paper's Fig. 1: one test video of the data named above, first seed. Across: time in seconds. Up: each method's selection of foreground and its probability of the video's class, each on its own range, lowest to highest; what varies by less than a hundredth of its size is drawn flat, at the top. A snippet (some 16 frames) whose orange, dashed curve is above the line in the middle counts as selected. Green: where the action is. STPN's and FAC-Net's curves are of the last stream, W-TALC's of all streams."}}
full = base_of("seeds", profile)
recipes = {name: base_of("table5", profile)[name] for name in ("STPN", "W-TALC")}
shown = {}
for name, recipe in (recipes | {"FAC-Net": full}).items():
    of_model = METHODS[recipe.method].streams(data)[-1]
    shown[name] = (recipe, stream_scores(data, recipe, of_model, folder))
figure = timelines.selection(data, shown, video, label)
plots.save_figure(figure, "fig1", output, first_seed)

# %% tags=["hide-input"]
kinds = ["not_action", "not_foreground"]
found = {name: mistakes(scores, data, recipe) for name, (recipe, scores) in shown.items()}
here = pd.DataFrame({name: table[(table.video == video) & (table.label == label)][kinds].mean()
                     for name, table in found.items()})
fewer, more = (int((sign * (here["W-TALC"] - here["FAC-Net"]) > 0).sum()) for sign in (1, -1))
answer = {
    (2, 0): "fewer of both", (0, 2): "more of both", (1, 1): "fewer of one and more of the other",
    (1, 0): "fewer of one, as many of the other", (0, 1): "more of one, as many of the other",
    (0, 0): "as many of both"}[fewer, more]
Markdown(
    "The picture shows what the two mistakes are, selected snippets outside the green and green"
    " that is not selected; it does not show who makes fewer. Counted in this one video, FAC-Net,"
    f" set against W-TALC, makes *{answer}*. No detection is cut out of the orange curve, FAC-Net's"
    " included: it says what a model attends to in training. They are cut out of class scores such"
    " as the blue one."
)

# %% [markdown]
# ## How to read it
#
# A video is cut into *snippets* of some 16 frames. For each, a network that was trained elsewhere and
# stays as it is gives one vector of features a *stream*: rgb, from the pictures, and flow, from the
# motion between them. No method here sees anything else. (The features of synthetic data come from a
# program in that network's place.)
#
# The blue curve, solid, is a *class activation sequence* (CAS): how much each snippet looks like one
# class, here as a probability. The orange curve, dashed, is a *selector*. What it rates high is the
# *foreground*, the part of a video that is to hold the actions; the rest is *background*. STPN
# {cite}`nguyen2018stpn` selects with an *attention*, a learnt weight for each snippet. W-TALC
# {cite}`paul2018wtalc` takes the snippets with the largest scores of a class. FAC-Net has a
# foreground score $S_f$ for each snippet. The green shade is the *ground truth*: where people saw
# the action. No method has been told it.
#
# *Foreground-action consistency* is that what a model takes for foreground and what it takes for
# action are the same snippets; the paper wants the two *mutually inclusive*. Labels of videos let
# training ask for this agreement alone. Two curves can agree and both be wrong. Whether they hit
# the ground truth is what we measure, afterwards. For the foreground there are two mistakes, the
# middle being that of the orange curve's own range in the video:
#
# - **Foreground outside the truth.** Of the snippets above the middle, the share outside the green.
# - **Truth that is not foreground.** Of the snippets in the green, the share below the middle.

# %% tags=["hide-input"]
rows = []
for name, everywhere in found.items():
    means = (here[name], everywhere[kinds].mean())
    rows.append([name] + [f"{100 * share:.0f} %" for mean in means for share in mean])
columns = ["foreground outside the truth", "truth that is not foreground"]
pd.DataFrame(rows, columns=pd.MultiIndex.from_tuples(
    [("", "method"), *((of, c) for of in ("this video", "all test videos") for c in columns)]
)).style.hide(axis="index")

# %% tags=["hide-input"]
stpn = shown["STPN"][1]
rows = stpn.rows(video)
outside = ~frame_labels(data, video, rows.stop - rows.start)[:, data.classes.index(label)]
attention = stpn.foreground.mean()
epochs, in_full = (one.training.epochs for one in (recipes["STPN"], preset("STPN")))
Markdown(
    "Shares of snippets; the *truth* is what lies inside instances of the class. The video is"
    f" {video}, chosen by rule and not by result: the test video whose number of instances of"
    f" {label} comes closest to six. {100 * outside.mean():.0f} % of it lies outside them: whoever"
    " selects everything has as much foreground outside the truth, and leaves no truth out."
    f" STPN's attention, at most 1, is {attention:.2f} on average over all test videos"
    + (": it rejects next to nothing. The weight of the loss that asks it for few snippets is that"
       " of the full recipe" + (f"; the full recipe trains {in_full} epochs, this profile {epochs}"
                                if epochs != in_full else "") if attention > 0.9 else "")
    + ". W-TALC selects by the class's own score. Its two curves rise together by construction,"
    " which makes neither of them the action."
)

# %% [markdown]
# ## What is given, and what is wanted
#
# Given are untrimmed training videos, each with the list of classes that it shows: *what*, never
# *when*. This is called *weak* supervision. Wanted are *detections* in new videos: class, start,
# end, and a score. Most methods cut them out of the class activation sequence. A *proposal* is a
# run of snippets above a threshold; of proposals that overlap, the best become detections.
#
# A detection counts as found if it overlaps a true instance of its class enough. The *temporal
# intersection over union*, tIoU, says how much: the time that both share over the time that either
# covers. *Average precision* (AP) sums up a class's list of detections, ordered by score: 100 % if
# all instances are found before any false alarm. The mean over classes is *mAP*, at one tIoU, and
# *AVG* is the mean of mAP over tIoU 0.1, 0.2, ..., 0.7. With other data the tIoUs may be others.
#
# ## Why labels alone lead astray
#
# The label of a video is learnt with *multiple instance learning*, MIL: a video is a bag of
# snippets, each snippet has a score for each class, the largest scores of a class speak for the
# video, and they are trained to fit its label. Nothing in this needs the *whole* action. If one
# second of spinning gives a hammer throw away, that second is enough. Nor does it need an *action*:
# if every hammer throw shows the same cage, the cage will do.
#
# An attention is trained through the classifier, too: *what is foreground must be an action*. If it
# picks only the most telling second, that is satisfied perfectly. FAC-Net adds the way back: *what is
# an action must be foreground*. Three branches share two classifiers, $W_a$, which tells classes
# apart, and $W_f$, which tells foreground from background:
#
# | branch | what it pools | what it asks | from → to |
# | --- | --- | --- | --- |
# | MIL | each class's scores, weighted by its attention | which classes occur in this video? | classes only |
# | CA, class-agnostic attention | what looks like foreground | which class is the foreground? | foreground → action |
# | CW, class-wise foreground classification | for each class $j$, what looks like $j$ | does what looks like $j$ look more like foreground if the video shows $j$ than what looks like absent classes? | action → foreground |
#
# In the paper MIL, too, goes from foreground to action: each class's attention selects for it. It
# asks nothing of $S_f$, the one foreground that all classes share, and so stands apart in the
# example below.
#
# ## How CW reaches detections
#
# Detections are cut out of class scores $S_a$, not out of the foreground. A better foreground
# reaches them through what the branches share: the features and $W_a$. Once the swing of a hammer
# throw is foreground, CA asks which class the foreground is, and so teaches $W_a$ that the swing is
# a throw. CW's own gradient, too, moves features and $W_a$, through the attention: a class that is
# there is drawn to what is foreground already, which can also make it narrower. (Beside that, the
# foreground decides which classes a video is searched for.)
#
# ## Three snippets, two classes
#
# A video shows a hammer throw in two snippets, a spin and a swing of the arms, and then an empty
# field. A baseball pitch, which it does not show, has a swing of the arms too, a field, and a mound
# that is not in this video. Each snippet's feature is 1 at its own place and 0 elsewhere. A
# snippet's score for a class is a scaled cosine of the two; the softmax of a class's scores over the
# snippets is what the class attends to:

# %%
parts, delta = ["spin", "swing", "field"], full.model.scale
x = torch.eye(4, dtype=torch.float64)[:3]  # the fourth feature is the mound
W_a = torch.tensor([[0.75, 0.66, 0, 0], [0, 0.4, 0.8, 0.45]], dtype=torch.float64)


def looks(W):
    """Snippets' scores by each classifier (equations 1 and 8), and their attention (2 and 9)."""
    scores = delta * cosine(x, W)
    return scores, torch.softmax(scores, dim=0)


def loss(scores):
    """A video's scores of throw and pitch against its label: a throw (equation 6)."""
    return normalised_cross_entropy(scores.reshape(1, 2), torch.tensor([[1.0, 0.0]])).item()


S_a, A_a = looks(W_a)
words = {f"{what} {c}": values[:, j] for what, values in (("score,", S_a), ("attention of", A_a))
         for j, c in enumerate(("throw", "pitch"))}
pd.DataFrame(words, index=parts).rename_axis("snippet").round(2)

# %% [markdown]
# The throw attends to the spin and the swing. The pitch is absent, but an attention sums to 1 in
# any case: it goes to what looks most like a pitch, here the field. CW lives on that. Its argument
# needs absent classes to attend mostly to background: from an absent class that attended to the
# swing it would learn that the swing is none.
#
# Now take three foreground classifiers, one after the other: one that knows the spin alone, one
# that knows both parts of the throw, and one that takes all for foreground. Each row below shows
# what it selects, and the loss of each branch, in nats; smaller is better.

# %% tags=["nbval-check-output"]
classifiers = {"the spin alone": [1, -1, -1, 0], "spin and swing": [1, 1, -1, 0],
               "everything": [1, 1, 1, 0]}
rows = {}
for name, row in classifiers.items():
    W_f = torch.tensor([row], dtype=torch.float64)
    A_f = looks(W_f)[1]
    rows[name] = {f"selects {part}": f"{100 * share.item():.0f} %"
                  for part, share in zip(parts, A_f)}
    rows[name] |= {"MIL": loss((A_a * S_a).sum(0)),  # (13)
                   "CA": loss(delta * cosine(A_f.T @ x, W_a)),  # (10) and (11)
                   "CW": loss(delta * cosine(A_a.T @ x, W_f))}  # (3) and (4)
losses = pd.DataFrame.from_dict(rows, orient="index").rename_axis("foreground is")
losses.round(4)

# %% tags=["hide-input"]
narrow, whole, all_of_it = (losses.loc[name] for name in losses.index)
spin_alone, its_attention = looks(torch.stack([x[0], W_a[1]]))
knows_spin = loss((its_attention * spin_alone).sum(0))
W_f = torch.tensor([classifiers["the spin alone"]], dtype=torch.float64)
agreed = loss(delta * cosine(its_attention.T @ x, W_f))
both_narrow = {"CW": agreed, "MIL": knows_spin, "CA": loss(
    delta * cosine(looks(W_f)[1].T @ x, torch.stack([x[0], W_a[1]])))}
summed = [sum(getattr(full.training, f"lambda_{branch}") * of[branch.upper()]
              for branch in BRANCHES) for of in (whole, both_narrow)]
Markdown(
    "- **MIL** has the same loss throughout: the foreground classifier has no part in it. It would"
    " rather narrow the throw: with a throw classifier that knows the spin alone its loss is"
    f" {knows_spin:.2f} in place of {whole.MIL:.2f}.\n"
    f"- **CA** refuses to take in the field ({all_of_it.CA:.2f}), but hardly tells the first two"
    f" apart: {narrow.CA:.3f} and {whole.CA:.3f}. It even likes the spin alone better, since a"
    " pitch has a swing as well.\n"
    f"- **CW** does tell them apart: {narrow.CW:.4f} for the spin alone, {narrow.CW / whole.CW:.0f}"
    f" times the {whole.CW:.4f} for both, and {narrow.CW - whole.CW:.3f} nats more."
    f" {100 * A_a[1, 0]:.0f} % of the throw's attention rests on the swing, and a foreground"
    " classifier that rejects it has to pay. It refuses the field, too"
    f" ({all_of_it.CW:.2f}), which is what looks like the absent pitch. Yet there is a second way"
    " to please it: not to widen the foreground but to narrow the throw. With the spin alone for"
    f" foreground *and* for throw its loss is {agreed:.4f}. CW asks for agreement, not for the"
    " whole throw.\n"
    f"- **Together**, weighted as in the released recipe, they come to {summed[0]:.3f} for a throw"
    f" and a foreground of both parts, and to {summed[1]:.3f} where both know the spin alone. In"
    f" this one video the sum prefers {'the narrow pair' if summed[1] < summed[0] else 'the whole'}:"
    " CW only keeps the foreground from being narrower than its class. What keeps the class wide"
    " has to come from elsewhere, as from videos in which the swing tells more than the spin."
)

# %% [markdown]
# CW can only ask for what the class still resembles. Were the classifier so narrow that the swing
# scored nothing, CW would not miss it either. While it scores something, a smooth attention leaves
# it more weight than a sharp one. Each branch looks through several, sharp and smooth ones, at once
# (*hybrid attention*). [The model](03_the_model.ipynb) has all of this in equations.
#
# ## Does it help here?
#
# FAC-Net as it is, and trained without the CW branch, on CA and MIL in their own ratio. Beside the
# two shares from under the first picture, over all test videos, stand two ROC areas, which need no
# line in the middle: how often a snippet inside an instance has a higher value than one outside, in
# percent, 50 being chance. One is of $S_f$, the other of the class scores that detections are cut
# out of. AVG is what comes of it all.

# %% tags=["hide-input"]
variants = {"without CW": with_branches(full, ("ca", "mil"), full.model.temperatures, True),
            "FAC-Net": full}
results = {name: [run(data, replace(recipe, seed=seed), folder=folder) for seed in range(seeds)]
           for name, recipe in variants.items()}
of_stream = {name: [one.scores[stream] for one in own] for name, own in results.items()}
measured = claims.separations(data, of_stream, full).rename(columns={
    "model": "trained", "foreground": "ROC area of foreground", "sequence": "ROC area of classes"})
shares = [100 * mistakes(one, data, full)[kinds].mean() for own in of_stream.values() for one in own]
for place, (column, kind) in enumerate(zip(columns, kinds)):
    measured.insert(2 + place, column, [share[kind] for share in shares])
measured["AVG"] = [one.evaluation.average for own in results.values() for one in own]
by_model = measured.set_index(["trained", "seed"])
gain = by_model.loc["FAC-Net"] - by_model.loc["without CW"]
table = pd.DataFrame([
    *({"trained": name, **{column: statistics.cell(*interval(own[column])) for column in own}}
      for name, own in by_model.groupby(level="trained", sort=False)),
    {"trained": "CW adds",
     **{column: statistics.cell(*interval(gain[column]), sign=True) for column in gain}}])
statistics.save_table(table, "without_cw", output, measured)
statistics.on_page(table)

# %% tags=["hide-input"]
better = {column: verdict(*interval(gain[column] * (-1 if column in columns else 1))[1:], seeds)
          for column in gain}
said = []
for words, start in (("Better with CW", "holds"), ("Worse with it", "does not hold"),
                     ("Not resolved", "not resolved")):
    which = [column for column, found in better.items() if found.startswith(start)]
    if which:
        said.append(f"**{words}:** {'; '.join(which)}.")
fallen = measured[measured["ROC area of foreground"] < 50]
table3 = published.table(3).set_index(["cw", "ca", "mil", "hybrid", "background"]).average
printed = {"without CW": table3[0, 1, 1, 1, 1], "FAC-Net": table3[1, 1, 1, 1, 1]}
used = {name: "{:g}, {:g} and {:g}".format(*(
    getattr(one.training, f"lambda_{branch}") for branch in BRANCHES))
    for name, one in variants.items()}
Markdown(
    " ".join(said) + " The two shares should fall, all else should rise."
    + (" In " + ", ".join(f"seed {one.seed} ({one.trained})" for one in fallen.itertuples())
       + " the foreground selects worse than chance: a training that went wrong, of which"
       " [Seeds and collapse](11_seeds_and_collapse.ipynb) has more." if len(fallen) else "")
    + f"\n\nIn percent, stream {stream} (AVG: all streams), means with 95 % intervals over {seeds}"
    f" seeds. {source} $S_f$ knows no class: foreground on another action of the same video counts"
    f" as outside the truth here. {claims.caution(seeds, videos=False)}\n\n"
    f"The weights λ of CW, CA and MIL are {used['FAC-Net']} in this recipe, and"
    f" {used['without CW']} without CW. (Adam divides a gradient by its size, so that weights in the"
    " same ratio train nearly the same model.) With CW, then, CA and MIL also weigh little beside"
    " it, and few seeds of one recipe on one kind of data say no more than that. For these two the"
    f" paper prints an AVG of {printed['without CW']:.1f} and {printed['FAC-Net']:.1f} on THUMOS14."
    " [What each branch adds](07_what_each_branch_adds.ipynb) has AVG for all combinations,"
    " [What the branches see](08_what_the_branches_see.ipynb) the areas, and"
    " [Plugging CW into other methods](10_cw_in_other_methods.ipynb) adds CW to four of them."
)

# %% [markdown]
# ## From scores to detections
#
# The whole way in one picture: scores of each snippet, thresholds, and what becomes of them.
# [From features to detections](04_from_features_to_detections.ipynb) takes it step by step.

# %% tags=["hide-input"] mystnb={"image": {"alt": "Foreground score and class activation of one test video over time, above bars that mark detections and ground truth"}, "figure": {"name": "fig-problem", "caption": "FAC-Net on the test video of the first picture, data named above, last stream, first seed. Across: time in seconds. Top: foreground activation (equation 8, between −5 and 5). Middle: the class activation sequence as a probability (softmax of equation 1 over classes), the thresholds that a proposal has to pass, and the probability that this stream gives the class in this video. Bottom: what was detected from all streams, the better the darker, and what is there, the *ground truth*. Green shade: ground truth."}}
result = results["FAC-Net"][0]
figure = timelines.timeline(data, result.scores[stream], {video: [label]}, result.detections, full)
plots.save_figure(figure, "the_problem", output, first_seed)

# %% tags=["hide-input"]
printed = {name: published.value(1, f"{name} (I3D)", "average") for name in ("FAC-Net", "UM")}
Markdown(
    f"AVG over all test videos is {result.evaluation.average:.1f} % with this seed"
    " ([with others](11_seeds_and_collapse.ipynb)). The paper"
    f" prints {printed['FAC-Net']} for THUMOS14, its main data set of sports videos, and"
    f" {printed['UM']} for the best weakly supervised method before it in its Table 1, UM"
    " {cite}`lee2021um`:"
    " [Beside other methods](05_beside_other_methods.ipynb)."
    + (" THUMOS14's features are gigabytes that this book cannot ship. The data of this"
       " page are *synthetic*: "
       + ("timelines drawn to THUMOS14's statistics, " if data.name == "synthetic" else "")
       + "features made by a program ([how](../book/data.md)). They show how a method works and"
       " whether the code is right, not how well it does on real videos. Whoever has the real"
       " features [names their folder](../book/how_to_rerun.md) and gets this same page from them."
       if data.simulated else "")
)

# %% [markdown]
# ## To remember, and to try
#
# - The labels say *what*, never *when*. A classifier needs the most telling second; a localiser
#   needs them all.
# - CA asks whether the foreground is an action, CW whether the action is foreground. Consistent is
#   what passes both. Whether it is right, only the ground truth says.
# - Try `example_video(data, "CliffDiving")`: every cliff dive is annotated as a dive too, so two
#   classes claim the same seconds.
# - Try `W_a` with 0 in place of 0.66, a throw classifier that ignores the swing: then CW, too, likes
#   the spin alone better.
# - Try `profile = "full"`: the recipes' own epochs and width. Look whether STPN's attention then
#   rejects anything.
