# %% [markdown]
# # What the branches see
#
# The paper's Fig. 5 shows one video of pole vault under several combinations of branches, and says:
# *after adding the CW branch, foreground activation scores can better cover the ground truth*. This
# page draws that figure, and measures the sentence on all test videos.

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
from dataclasses import replace
from pathlib import Path

from IPython.display import Markdown

from facnet import config, methods
from facnet.data import load
from facnet.experiment import stream_scores
from facnet.study import claims, plots, statistics, timelines
from facnet.study.records import provenance
from facnet.study.tables import variants

plots.use_style()
folder = Path(output) / "experiments"  # what is there is not run again
data = load(dataset, profile)
source = provenance(data, profile, seeds)
Markdown(f"> {source}")

# %% tags=["hide-input"]
recipe = config.profile(profile).apply(methods.preset("released"))
table3 = {one.name: one.experiment for one in variants("table3", recipe)}
stream = data.streams[-1]
scores = {
    name: [stream_scores(data, replace(table3[name], seed=seed), stream, folder)
           for seed in range(seeds)]
    for pair in claims.FIG5.values() for name in pair
}
areas = claims.separations(data, scores, recipe)
typical = claims.typical_seeds(areas)
video, label = timelines.example_video(data, "PoleVault")

# %% tags=["hide-input"] mystnb={"image": {"alt": "Six rows, one a combination of branches: foreground scores and class probabilities of one video over time, ground truth shaded"}, "figure": {"name": "fig-branches", "caption": "The paper's Fig. 5: foreground scores (equation 8) and the sequence that is localised, of one test video of the data named above, last stream, without a background class. Each pair of rows: without and with CW. Above each row its seed, the one of median sequence area, and that model's areas over all test videos in percent (foreground | sequence). Green shade: ground truth. The video is chosen by rule: the one with the number of instances of its class closest to six."}}
chosen_seeds = {one.label: scores[name][one.seed] for name, one in typical.iterrows()}
figure = timelines.activations(data, chosen_seeds, video, label, recipe.localization)
plots.save_figure(figure, "fig5", output, source)

# %% [markdown]
# ## Three pairs of models
#
# CW is class-wise foreground classification, CA class-agnostic attention and MIL multiple instance
# learning, the three branches of [the model](03_the_model.ipynb); all models here are without a
# background class. The sentence compares models without CW with the same models after adding it. Table 3
# ([What each branch adds](07_what_each_branch_adds.ipynb)) has three such pairs; here they are with
# hybrid attention, and one stream is enough. The foreground classifier $W_f$ is what CW and CA
# train. Where MIL is alone, no loss reaches $W_f$, and its foreground scores are those of a random
# direction in a space that was learned for the classes: what adding CW does to them cannot be
# judged. Of each model the seed is shown whose sequence separates as well as the median seed's does
# (of two in the middle, the lower).

# %% [markdown]
# ## The same, measured
#
# How often does a snippet inside an instance score higher than one outside, in percent? This is
# the area under the ROC curve, taken within a video and averaged; chance is 50. *Foreground*: of
# $S_f$, for the snippets of any instance, which the paper's sentence is about. *Sequence*: of a
# class's own sequence, for its own instances, about which it says nothing.

# %% tags=["hide-input"]
untrained = [name for name in scores  # neither CW nor CA: no loss reaches W_f
             if not table3[name].training.lambda_cw and not table3[name].training.lambda_ca]
table = claims.gains(areas, claims.FIG5, untrained)
statistics.save_table(table, "fig5", output, areas)
statistics.on_page(table)

# %% tags=["hide-input"]
of_foreground = table[table["of"] == "foreground"].set_index("pair").verdict
Markdown(
    f"Means with their 95 % bootstrap intervals over {seeds} seed{'s' * (seeds > 1)}, stream"
    f" {stream}, example of {label}. The verdict goes by the interval over seeds; there is no"
    " interval over test videos here. That adding CW makes foreground scores cover the ground truth"
    " better: "
    + "; ".join(f"for {pair.partition(',')[0]}, {said}" for pair, said in of_foreground.items())
    + ". " + claims.caution(seeds, videos=False)
)

# %% tags=["nbval-check-output"]
print(*scores, sep="\n")

# %% [markdown]
# ## To remember, and to try
#
# - Scores that look alike in one video can differ over all of them, and the other way round.
# - A high area says that an instance's snippets come first; it does not say that a threshold finds
#   their edges. AVG asks for both.
# - Try `table3["CW, hybrid"]` in a fourth pair, or the rows with `, BG`.
# - Try `data.streams[0]`: the other stream.
