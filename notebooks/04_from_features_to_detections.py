# %% [markdown]
# # From features to detections
#
# How do scores become detections, and detections a number? One video's way through thresholds,
# proposals and non-maximum suppression. Nothing of it is learnt, and much depends on it.

# %% tags=["parameters"]
import os

dataset: str = os.environ.get("FACNET_DATASET", "synthetic")  # or a folder
profile: str = os.environ.get("FACNET_PROFILE", "quick")  # or smoke, full
seeds: int = 1  # not used: this page shows one run
device: str = os.environ.get("FACNET_DEVICE", "cpu")  # or auto, cuda, mps
output: str = os.environ.get("FACNET_OUTPUT", "results")  # for what is saved
live: bool = "FACNET_LIVE" in os.environ  # sliders; `make lab` sets it

# %% tags=["remove-input"]
from pathlib import Path
import matplotlib.pyplot as plt
import pandas as pd
from facnet import detect, load, run
from facnet.config import changed
from facnet.experiment import evaluate_test
from facnet.localization import localize, propose
from facnet.study import base_of, check_parameters, plots, provenance, show_if_measurable

check_parameters(globals())
plots.use_style()

# %%
data = load(dataset, profile, device)
source = provenance(data, profile, seeds=1)
print(source)
show_if_measurable(data)

# %%
recipe = base_of("seeds", profile)  # the preset `released` at this size
first = run(data, recipe, folder=Path(output) / "experiments")  # seed 0

# %% mystnb={"image": {"alt": "Foreground and softmax sequence of one class with its thresholds above proposals and detections at the height of their scores, true instances as shade"}, "figure": {"name": "fig-stages", "caption": "One class of one test video of the data named above, last stream: foreground score, sequence with thresholds, proposals of all thresholds, and detections, the better the higher and stronger."}}
video, label = plots.example_video(data, "HammerThrow")
scores = first.scores[data.streams[-1]]


def stages(recipe):
    parts = scores, data.classes, data.snippet_seconds, recipe.localization
    return plots.timeline(
        data, scores, {video: [label]}, localize(*parts), recipe, propose(*parts))


figure = stages(recipe)
plots.save_figure(figure, "stages", output, source)

# %% [markdown]
# A network gives each video $P_f$ (equation 11) and each snippet $S_a$ (1). Then, for each stream:
#
# 1. **Classes.** Those whose $P_f(j)$ is at least 2.1 / (C + 1), which is 0.1 for 20 classes.
# 2. **Sequence.** Softmax of $S_a$ over the classes, snippet by snippet. The foreground score $S_f$ is
#    not used here at all: it helps only while training.
# 3. **Proposals.** At each of five thresholds, runs of at least three snippets above it.
# 4. **Score.** Mean inside the run less 0.6 times that beside it (AutoLoc {cite}`shou2018autoloc`).
# 5. **Non-maximum suppression, NMS.** Where a class's proposals overlap by 0.2, the best remains.
# 6. **Fusion.** Drop what touches an interval that the test annotations mark as unclear (the released
#    code does); pool streams, rgb times 0.1; NMS again.

# %%
parts = scores, data.classes, data.snippet_seconds, recipe.localization
print("last stream: proposals", len(propose(*parts)), "after NMS", len(localize(*parts)),
      "| all streams, fused:", len(first.detections))

# %% tags=["nbval-check-output"]
for name in ("class_threshold", "minimum_length", "outer_inner_weight", "nms_threshold"):
    print(f"{name:18s} {getattr(recipe.localization, name)}")

# %% [markdown]
# ## Move the threshold
# One threshold in place of five, in multiples of uniform. Higher, it has shorter runs; lower,
# neighbours run together. The slider below the picture moves it. To pick the best from the table
# would be to choose by test data: the recipe fixes its five beforehand.

# %% mystnb={"image": {"alt": "The video of the first picture with a single threshold, its proposals, detections and ground truth"}, "figure": {"name": "fig-threshold", "caption": "The first picture again, with one threshold."}}
multiples = (0.05, 0.2, 0.4, *recipe.localization.thresholds, 1.5, 2.0, 3.0, 4.0)
moved = {one: changed(recipe, {"localization.thresholds": (one,)}) for one in multiples}
figure = stages(moved[2.0])
plots.save_figure(figure, "threshold", output, source)

# %%
plots.slider(lambda one: stages(moved[one]), multiples, 2.0, "threshold (times uniform)", source,
             live)

# %%
average = {name: evaluate_test(detect(first.scores, data, own), data).average
           for name, own in (moved | {"all five": recipe}).items()}
pd.Series(average, name="AVG (%)").rename_axis("threshold").to_frame().round(1)

# %% [markdown]
# ## Training
# One network a stream, Adam, ten videos a step. MIL's label is shared by the video's classes and the
# background, so that its loss cannot reach zero.

# %% mystnb={"image": {"alt": "Losses of the three branches and their weighted sum against epochs, one panel a stream"}, "figure": {"name": "fig-losses", "caption": "Mean losses of a training video by epoch, first seed, data named above."}}
figure, panels = plt.subplots(1, len(data.streams), figsize=(7.2, 2.9), sharey=True, squeeze=False)
for axes, (stream, history) in zip(panels[0], first.histories.items()):
    history.plot("epoch", ax=axes, title=plots.plain(stream), color=plots.COLOURS,
                 style=plots.LINES, ylabel="mean loss of a video (nats)")
plots.save_figure(figure, "training_curves", output, source)

# %% [markdown]
# ## Evaluation
# A detection is right if its tIoU with an instance of its class, not yet claimed by a better one,
# reaches a threshold. [Protocols](15_protocols.ipynb) differ in the details.

# %% mystnb={"image": {"alt": "Precision against recall, one line a class, the two best and two worst classes"}, "figure": {"name": "fig-precision-recall", "caption": "Precision (share of the detections that are right) against recall (share of the instances that are found) at tIoU 0.5, the two best classes and the two worst."}}
ap = first.evaluation.ap[0.5].dropna().sort_values()
figure, axes = plt.subplots(figsize=(5.2, 3.2))
for name in [*ap.index[-2:], *ap.index[:2]]:  # the two best and the two worst
    first.evaluation.curve(name, 0.5).plot(
        "recall", "precision", ax=axes, ylabel="precision",
        label=f"{plots.plain(name)} (AP {ap[name]:.0f})")
plots.save_figure(figure, "precision_recall", output, source)

# %%
ap = first.evaluation.ap.iloc[:, ::2]  # every other tIoU
ap.assign(AVG=first.evaluation.ap.mean(axis=1), instances=first.evaluation.instances).round(1)

# %% [markdown]
# ## To remember, and to try
# - Much of the way to a number is not the network: thresholds, NMS, fusion, protocol all move it.
# - Try `base_of("seeds", profile, "paper")`: sequences scaled to their range fail in other ways.
#
# **Exercise.** What does it bring, by tIoU, to keep runs of any length?

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Solution"}
every = detect(first.scores, data, changed(recipe, {"localization.minimum_length": 1}))
(evaluate_test(every, data).mean_ap - first.evaluation.mean_ap).to_frame("mAP gained").round(1)
