# %% [markdown]
# # From features to detections
#
# This page trains FAC-Net and follows one video's scores through thresholds, proposals and
# non-maximum suppression to detections. Then it evaluates them.

# %% tags=["parameters"]
import os

dataset: str = os.environ.get("FACNET_DATASET", "synthetic")  # or a folder
profile: str = os.environ.get("FACNET_PROFILE", "quick")  # or smoke, full
seeds: int = 1  # not used: this page shows one run
output: str = os.environ.get("FACNET_OUTPUT", "results")  # for what is saved
live: bool = "FACNET_LIVE" in os.environ  # sliders; `make lab` sets it

# %% tags=["remove-cell"]
from facnet.study.notebook import check_parameters

check_parameters(globals())

# %% tags=["hide-input"]
from pathlib import Path

import pandas as pd
from IPython.display import Markdown

from facnet import config, methods
from facnet.data import load
from facnet.experiment import detect, evaluate_test, run
from facnet.localization import kept_classes, localize, propose
from facnet.study import explore, plots, timelines
from facnet.study.records import provenance

plots.use_style()
folder = Path(output) / "experiments"  # what is there is not run again
data = load(dataset, profile)
source = provenance(data, profile, seeds=1)
Markdown(f"> {source}")

# %%
recipe = config.profile(profile).apply(methods.preset("released"))
first = run(data, recipe, folder=folder)  # seed 0

# %% tags=["hide-input"] mystnb={"image": {"alt": "Foreground and softmax sequence of one class with its thresholds above bars for proposals, detections and ground truth"}, "figure": {"name": "fig-stages", "caption": "One class of one test video of the data named above, last stream. Across: time in seconds. From the top: foreground scores (equation 8, between −5 and 5); the class's sequence, a probability, and the thresholds (lines); proposals of all thresholds, which overlap; what non-maximum suppression keeps of them, the better the darker; the ground truth. Green shade: ground truth."}}
video, label = timelines.example_video(data, "HammerThrow")
scores = first.scores[data.streams[-1]]
parts = scores, data.classes, data.snippet_seconds, recipe.localization
proposals, detections = propose(*parts), localize(*parts)
figure = timelines.timeline(data, scores, {video: [label]}, detections, recipe, proposals)
plots.save_figure(figure, "stages", output, source)

# %% tags=["hide-input"]
place = scores.videos.index(video), data.classes.index(label)
searched = kept_classes(scores, len(data.classes), recipe.localization)[place]
drawn = ((proposals.video == video) & (proposals.label == label)).sum()
Markdown(
    f"In this stream {label} has a class probability of {scores.probability[place]:.2f},"
    + (f" enough to be searched for (step 1 below), and gives {drawn} proposals." if searched else
       " which is below the class threshold (step 1 below): no proposal of it is drawn, whatever"
       " its sequence.")
)

# %% [markdown]
# ## From scores to detections
#
# A network gives each video the probabilities $P_f$ of equation 11, and each snippet the class
# activations $S_a$ of equation 1. What follows is not learnt. The released procedure, for each
# stream:
#
# 1. **Classes.** Keep a class if $P_f(j)$ is at least 0.1, as text and code say for THUMOS14's 20
#    classes and background: 2.1 times the uniform probability 1/21. At other numbers of classes,
#    and without a background class, it is the multiple that stays, here and at the thresholds.
# 2. **Sequence.** Softmax of $S_a$ over the classes, snippet by snippet: how likely each is. $S_f$
#    cuts nothing; it acts only through $P_f$ and through training.
# 3. **Proposals.** At each of five thresholds, runs of at least three snippets above it.
# 4. **Score.** Mean inside the run minus 0.6 times the mean in a ring of a quarter of its length
#    on each side (the outer-inner contrast of AutoLoc {cite}`shou2018autoloc`): a run that stands
#    out against its neighbourhood is worth more.
# 5. **Non-maximum suppression, NMS,** within a class over all thresholds: greedily keep the best,
#    drop what overlaps with it by more than 0.2. The overlap is the intersection over the length of
#    the segment with the lower score, a snippet added to both. What is left are detections.
#
# Then the streams are pooled, rgb scores times 0.1, and go through NMS once more with 0.9. Protocol
# `released` drops detections that touch an interval annotated as ambiguous, before that pooling.
# It reads annotations of test videos for this: the step belongs to the evaluation of the protocol,
# not to the method.

# %% tags=["hide-input"]
counts = {f"proposals, {data.streams[-1]}": len(proposals),
          f"after NMS, {data.streams[-1]}": len(detections),
          "all streams, fused": len(first.detections)}
pd.DataFrame({"detections in all test videos": counts})

# %% [markdown]
# ## Move the threshold
#
# One threshold in place of five, as a multiple of the uniform probability. The higher it is, the
# shorter the runs: an instance falls into pieces, or is lost. The lower, the more neighbours run
# together. Below uniform is not low for a class: between actions the background has most of the
# probability. Drawn is twice uniform, above the recipe's range. In JupyterLab, as `make lab` starts
# it, a slider moves it.

# %% tags=["hide-input"] mystnb={"image": {"alt": "The video of the first picture with a single threshold, its proposals, detections and ground truth"}, "figure": {"name": "fig-threshold", "caption": "The first picture again, with one threshold. The title counts what is found of this class in this video by the last stream, and has AVG over all test videos, streams fused. Across: time in seconds."}}
multiples = (0.05, 0.2, 0.4, *recipe.localization.thresholds, 1.5, 2.0, 3.0, 4.0)
figure = explore.with_slider(
    lambda multiple: explore.at_threshold(data, first, video, label, multiple),
    multiples, 2.0, "threshold (times uniform)", live)
plots.save_figure(figure, "threshold", output, source)

# %% tags=["hide-input"]
averages = {multiple: evaluate_test(detect(first.scores, data, config.changed(
    recipe, {"localization.thresholds": (multiple,)})), data).average for multiple in multiples}
Markdown(
    "AVG over all test videos at each threshold alone: "
    + ", ".join(f"{multiple:g} times uniform {value:.1f}" for multiple, value in averages.items())
    + f". The recipe's {len(recipe.localization.thresholds)} together reach"
    f" {first.evaluation.average:.1f}. It fixes them beforehand: to pick the best of this list would"
    " be to choose by test data."
)

# %% [markdown]
# The grid sets a limit of its own: even perfect snippet labels would stay far from 100
# ([The data](02_the_data.ipynb) shows how far).
#
# ## Training
#
# One network a stream, Adam, ten videos a step, their gradients summed (sections 3.6 and 4.2; the
# released settings). The recipe is a value; a profile changes nothing in it but sizes, epochs and
# learning rate.

# %% tags=["hide-input"] mystnb={"image": {"alt": "Losses of the three branches and their weighted sum against epochs, one panel a stream"}, "figure": {"name": "fig-losses", "caption": "Mean losses of a training video, in nats, by epoch, first seed, data named above. MIL cannot reach zero: its labels include the background, so even a perfect prediction has the entropy of two or more classes."}}
figure = plots.training_curves(first.histories)
plots.save_figure(figure, "training_curves", output, source)

# %% [markdown]
# ## Evaluation
#
# A detection is a true positive if its temporal intersection over union (tIoU) with an instance of
# its class, not yet claimed by a better detection, reaches a threshold. Average precision (AP)
# summarises precision over recall, class by class; mAP is the mean over classes, and AVG the mean of
# mAP over several tIoUs, for THUMOS14 0.1, 0.2, ..., 0.7. Protocols differ in the details, by
# several points on the same detections; `facnet.evaluation.evaluate` lists their rules.

# %% tags=["hide-input"] mystnb={"image": {"alt": "Precision against recall, one line a class, the two best and two worst classes named"}, "figure": {"name": "fig-precision-recall", "caption": "Precision (share of the detections that are right) against recall (share of the instances that are found) of every class at tIoU 0.5, first seed, data named above; grey lines are the classes between the two best and the two worst."}}
figure = plots.precision_recall(first.evaluation, tiou=0.5)
plots.save_figure(figure, "precision_recall", output, source)

# %% tags=["hide-input"]
classes = first.evaluation.ap.assign(AVG=first.evaluation.ap.mean(axis=1))
classes["instances"] = first.evaluation.instances
classes.rename_axis(index="class", columns=None).round(1)

# %% tags=["nbval-check-output"]
for name in ("class_threshold", "minimum_length", "outer_inner_weight", "nms_threshold"):
    print(f"{name:18s} {getattr(recipe.localization, name)}")

# %% [markdown]
# ## To remember, and to try
#
# - Much of the way from features to a number is not the network: thresholds, minimum length, NMS,
#   fusion and the protocol all move it.
# - [Beside other methods](05_beside_other_methods.ipynb) repeats this run with several seeds: their
#   spread is part of the result.
# - Try `methods.preset("paper")` for the recipe of the text: sequences scaled to their own range
#   have other failures than absolute thresholds.
# - Try `detect(first.scores, data, config.changed(recipe, {"localization.minimum_length": 1}))`:
#   short instances become reachable, and so do false alarms.
