# %% [markdown]
# # What the branches see
#
# What does CW, class-wise foreground classification, change in what a model takes for foreground?
# The paper's Fig. 5 shows one video of pole vault and says: *after adding the CW branch, foreground
# activation scores can better cover the ground truth*. Here it is, and measured on all test videos.

# %% tags=["parameters"]
import os

dataset: str = os.environ.get("FACNET_DATASET", "synthetic")  # or a folder
profile: str = os.environ.get("FACNET_PROFILE", "quick")  # or smoke, full
seeds: int = 3  # how many: 0, 1, ...
device: str = os.environ.get("FACNET_DEVICE", "cpu")  # or auto, cuda, mps
output: str = os.environ.get("FACNET_OUTPUT", "results")  # for what is saved

# %% tags=["remove-input"]
from pathlib import Path
from facnet import load
from facnet.experiment import stream_scores
from facnet.study import (base_of, check_parameters, means, plots, provenance, readable, save_table,
                          show_if_measurable, variants, Verdict)
from facnet.study.separation import FIG5, gains, roc_areas, scores_by_seed, typical_seeds

check_parameters(globals())
plots.use_style()

# %%
data, folder = load(dataset, profile, device), Path(output) / "experiments"
source = provenance(data, profile, seeds)
print(source)
show_if_measurable(data, background=True)

# %% mystnb={"image": {"alt": "Six rows, one a combination of branches: foreground scores and class probabilities of one video over time, ground truth shaded"}, "figure": {"name": "fig-branches", "caption": "The paper's Fig. 5 on one test video of the data named above, last stream: foreground scores (equation 8) and the sequence that is localised. Shade: ground truth."}}
preset, stream = base_of("table3", profile), data.streams[-1]
table3 = {one.name: one.experiment for one in variants("table3", preset)}
models = {name: table3[name] for pair in FIG5.values() for name in pair}
scores = scores_by_seed(data, models, stream, seeds, folder)
areas = roc_areas(data, scores, preset)
video, label = plots.example_video(data, "PoleVault")
chosen = {one.label: scores[name, one.seed] for name, one in typical_seeds(areas).iterrows()}
figure = plots.activations(data, chosen, video, label, preset.localization)
plots.save_figure(figure, "fig5", output, source)

# %% [markdown]
# Read it in pairs: without CW, and below it with CW. CA is class-agnostic attention, MIL multiple
# instance learning; no model here has a background class. Video and seeds are chosen by rule: the
# number of instances is the closest to six, and a model's sequence separates as its median seed's
# does. The two numbers behind it are the areas that come next, foreground | sequence.
#
# ## The same, measured
# How often does a snippet inside an instance score higher than one outside? In percent that is the
# area under the ROC curve, taken within a video and averaged; chance is 50. *Foreground*: of $S_f$,
# for instances of any class, which the paper's sentence is about. *Sequence*: of a class's own.

# %%
table = means(areas, "variant", ["foreground", "sequence"])
save_table(readable(table), "fig5", output, table)

# %% [markdown]
# With CW less without it, seed by seed (no interval over test videos). Where MIL is alone no loss
# reaches the foreground classifier $W_f$, so that what CW adds to it is not tested.

# %% tags=["full-width"]
compared = gains(areas, ["foreground", "sequence"], FIG5)
at_random = (compared.claim == "foreground") & compared.name.str.startswith("MIL")
compared.loc[at_random, "verdict"] = Verdict.UNTESTED
shown = compared[["claim", "name", "n", "mean", "low", "high", "verdict"]].rename(
    columns={"claim": "of", "name": "pair", "verdict": "more with CW"})
save_table(readable(shown, signed=["mean"]), "fig5_claims", output, shown)

# %% tags=["nbval-check-output", "hide-output"]
print(*models, sep="\n")

# %% [markdown]
# ## To remember, and to try
# - Scores that look alike in one video can differ over all of them, and the other way round.
# - A high area says that an instance's snippets come first, not that a threshold finds their edges.
#
# **Exercise.** What does CW alone see? (Then try `data.streams[0]`, the other stream, above.)

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Solution", "image": {"alt": "The same video by a model of the CW branch alone"}}
alone = {"CW, hybrid, seed 0": stream_scores(data, table3["CW, hybrid"], stream, folder)}
figure = plots.activations(data, alone, video, label, preset.localization)
