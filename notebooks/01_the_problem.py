# %% [markdown]
# # The problem
#
# Someone has watched a hundred hours of sports videos and written one word beside each: *diving*,
# *hammer throw*. From these words alone, a program is to learn when in a video each action begins
# and ends. This page shows what that asks for, and what FAC-Net {cite}`huang2021facnet` makes of it.

# %% tags=["parameters"]
import os

dataset: str = os.environ.get("FACNET_DATASET", "synthetic")  # or a folder
profile: str = os.environ.get("FACNET_PROFILE", "quick")  # or smoke, full
seeds: int = 1  # not used: this page shows one run
output: str = os.environ.get("FACNET_OUTPUT", "results")  # for what is saved

# %% tags=["remove-cell"]
from facnet.config import check_parameters

check_parameters(globals())

# %% tags=["hide-input"]
from pathlib import Path

from IPython.display import Markdown

from facnet import config, figures, methods, published
from facnet.datasets import load
from facnet.experiments import provenance, run
from facnet.training import frame_labels

figures.use_style()
folder = Path(output) / "experiments"  # what is there is not run again
data = load(dataset, profile)
source = provenance(data, profile, seeds=1)
Markdown(f"> {source}")

# %% tags=["hide-input"]
recipe = config.profile(profile).apply(methods.preset("released"))
result = run(data, recipe, folder=folder)

# %% [markdown]
# ## One video

# %% tags=["hide-input"]
video, label = figures.example_video(data, "HammerThrow")
Markdown(
    "The example is chosen by rule, not by result: the test video whose number of instances of"
    f" {label} comes closest to six. A *snippet* is {data.snippet_seconds:.2g} s of video; each has"
    f" one feature vector for each stream ({' and '.join(data.streams)}). The network has never"
    " been told where in a video anything happens."
)

# %% tags=["hide-input"] mystnb={"image": {"alt": "Foreground score and class activation of one test video over time, above bars that mark detections and ground truth"}, "figure": {"name": "fig-problem", "caption": "One test video of the data named above, last stream. Top: how much each snippet looks like any action (foreground activation, equation 8). Middle: how much it looks like the video's class, beside all others (softmax of equation 1), the thresholds that a detection has to pass, and the probability that this stream gives the class in this video. Bottom: what was detected from both streams, the better the darker, and what is there. Green shade: ground truth."}}
last = result.scores[data.streams[-1]]
figure = figures.timeline(data, last, {video: [label]}, result.detections, recipe)
figures.save_figure(figure, "the_problem", output, source)

# %% tags=["hide-input"]
rows = last.rows(video)
inside = frame_labels(data, video, rows.stop - rows.start)[:, data.classes.index(label)]
foreground = last.foreground[rows]
Markdown(
    f"In this video the foreground score averages {foreground[inside].mean():.2f} inside instances"
    f" of {label} and {foreground[~inside].mean():.2f} outside (it lies between −5 and 5). Over"
    f" all test videos, AVG, the mean average precision over tIoU 0.1 to 0.7, is"
    f" {result.evaluation.average:.1f} % with this seed."
)

# %% [markdown]
# ## Given and wanted
#
# Given are $N$ untrimmed training videos $V_i$ with binary label vectors $y_i$ over $C$ actions.
# Wanted, for a new video, is a set of *detections* $(c, q, t_s, t_e)$: class, confidence, start and
# end. A detection counts as found if it overlaps a true instance of its class enough; the
# *temporal intersection over union* (tIoU) says how much.
#
# Video-level labels make classification easy and localisation hard. What tells a hammer throw from
# a discus throw may be a second of spinning, or the cage that stands there through the whole
# video. A classifier can succeed with either, and a localiser built on it finds too little in the
# first case and too much in the second.
#
# ## Foreground and actions should include each other
#
# Every method of this kind has a *selector* that picks the snippets that matter, the
# *foreground*: an attention, or the top-scoring snippets of a class. The usual training signal
# runs one way: *the foreground must be an action* (what was selected should be classifiable). A
# selector that picks only the most telling second of each throw satisfies it perfectly.
#
# FAC-Net adds the way back: *an action must be foreground*. Its three branches share one
# embedding and two classifiers, one for the actions and one for the foreground:
#
# | branch | asks | relation |
# | --- | --- | --- |
# | CW, class-wise foreground classification | is the part of the video that looks like class $j$ foreground? Yes for the classes present, no for all others | action → foreground |
# | CA, class-agnostic attention | which class is the part that looks like foreground? | foreground → action |
# | MIL, multiple instance learning | which classes occur in the video? | foreground → action |
#
# Each branch looks through several attentions at once, sharp and smooth ones (*hybrid
# attention*), so that the less telling parts of an action are not left out.
#
# [From features to detections](04_from_features_to_detections.ipynb) sets what the paper reports
# beside what comes out here.

# %% tags=["hide-input"]
printed = {name: published.value(1, f"{name} (I3D)", "average")
           for name in ("FAC-Net", "FAC-Net w/o BG", "UM")}
Markdown(
    f"The paper prints an AVG of {printed['FAC-Net']} on THUMOS14, and"
    f" {printed['FAC-Net w/o BG']} without a background class. The best method before it, UM"
    f" (Lee et al., 2021), has {printed['UM']}."
)

# %% [markdown]
# ## What the data are
#
# THUMOS14's features are gigabytes that this book cannot ship. Its default data are **synthetic**:
# timelines drawn to THUMOS14's statistics, features made of named parts
# ([how](../book/data.md)). They show how the method works and whether the code is right, not how
# well the method does in the world. Whoever has the real features
# [names their folder](../book/how_to_rerun.md) and gets this same page from them.

# %% tags=["hide-input"]
truth = data.instances_of("test")
hours = data.videos.groupby("subset").duration.sum() / 3600
Markdown(
    f"Here: {hours['train']:.1f} hours of training video, of which training never sees when an"
    f" action happens, and {hours['test']:.1f} hours of test video with {len(truth)} instances. Half of those in the test videos last less than"
    f" {(truth.end - truth.start).median():.1f} s."
)

# %% tags=["nbval-check-output"]
print(*data.classes, sep="\n")

# %% [markdown]
# ## To remember, and to try
#
# - The labels say *what*, never *when*. Classification can be near perfect while localisation
#   fails.
# - FAC-Net ties foreground and actions together in both directions.
# - Try another class in `example_video(data, "CliffDiving")`: every cliff dive is annotated as a
#   dive too, so two classes claim the same seconds.
# - Try `profile = "full"`: more classes and videos, longer training, the full width.
