# %% [markdown]
# # Protocols
#
# Two papers that print mAP at the same tIoU (temporal intersection over union) on the same data set
# need not have counted alike: which test videos, ambiguous intervals, time grid, matching and
# precision are choices, and so is the epoch. This page scores the same detections by one rule and
# by another, those of a public reproduction of STPN {cite}`nguyen2018stpn` on THUMOS14 and those of
# models trained here, and shows how far AVG, the mean of mAP over tIoU 0.1 to 0.7, goes up and down
# by that alone.

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

import numpy as np
import pandas as pd
from IPython.display import Markdown

from facnet import config, methods
from facnet.data import load
from facnet.evaluation import average_precision, temporal_iou, to_snippets
from facnet.experiment import detect, evaluate_test
from facnet.study import claims, plots, protocols, published, statistics
from facnet.study.records import provenance
from facnet.study.statistics import interval

plots.use_style()
data = load(dataset, profile)
source = provenance(data, profile, seeds)
Markdown(f"> {source}")

# %% tags=["hide-input"]
looks = 20  # as often as the released code tests: every 5 of 100 epochs
recipe = config.profile(profile).apply(methods.preset("released"))
last = recipe.training.epochs
through = {seed: protocols.scores_by_epoch(data, replace(recipe, seed=seed), looks)
           for seed in range(seeds)}
here = protocols.by_rule_here({seed: own[last] for seed, own in through.items()}, data, recipe)
counted = published.thumos14("protocols")
real = counted.drop(index="as published").reset_index()

# %% tags=["hide-input"] mystnb={"image": {"alt": "Two panels, a row a rule of evaluation: a dot for AVG, joined to the dashed line that marks the released code's rules"}, "figure": {"name": "fig-protocols", "caption": "AVG in percent of the same detections by different rules. Left: public detections of a reproduction of STPN, on THUMOS14's real annotations. Right: the released recipe on the data named above; grey: a seed, blue: the mean. First row and dashed line: the rules of FAC-Net's released code. Below it one of them is changed at a time; then come three codes whole, and the released rules on fewer test videos. The two scales differ."}}
figure = plots.rules({"STPN reproduced, THUMOS14": real, f"FAC-Net, {data.name}": here})
# By eleven sets of rules, so that the source is named without the data's own.
here_named = source.partition(", protocol")[0] + "."
plots.save_figure(figure, "protocols", output, f"Left: THUMOS14, real. Right: {here_named}")

# %% tags=["hide-input"]
average = real.set_index("rule").average
single = (average - average[protocols.BASE]).drop([protocols.BASE, *protocols.WHOLE])
largest = single.reindex(single.abs().sort_values(ascending=False).index)
ahead = (published.value(1, "FAC-Net (I3D)", "average")
         - published.value(1, "UM (I3D)", "average"))
Markdown(
    f"On THUMOS14 the AVG of one and the same set of detections lies between {average.min():.1f}"
    f" ({average.idxmin()}) and {average.max():.1f} ({average.idxmax()}). The single choices that"
    " move it most: " + "; ".join(f"*{name}* ({statistics.number(value, sign=True)})"
                                  for name, value in largest.head(4).items())
    + ". For scale: in the paper's Table 1 FAC-Net is ahead of UM, the best method before it, by"
    f" {statistics.number(ahead)}."
)

# %% [markdown]
# ## Real detections
#
# The author of [a reproduction of STPN](https://github.com/bellos1203/STPN) published detections of
# THUMOS14's test videos with their scores. The numbers below are counted from them and from the
# annotations that W-TALC distributes (`data/published/thumos14_protocols.csv`); neither is part of
# this book. They were scored with ActivityNet's toolkit on 210 videos and printed, so that one can
# check this book's evaluation on real detections:

# %% tags=["hide-input"]
tious = [column for column in counted if column.startswith("0.")]
printed = published.thumos14("stpn").loc["reproduction", tious].astype(float)
check = pd.DataFrame({"printed by the reproduction": printed,
                      "counted here": counted.loc["as published", tious].astype(float)}).T
statistics.on_page(check.map("{:.1f}".format).rename_axis("mAP (%) at tIoU").reset_index())

# %% tags=["hide-input"]
gap = (check.iloc[0] - check.iloc[1]).abs().max()
Markdown(f"The largest gap is {gap:.2f} points of mAP, "
         + ("which rounding or cutting to one decimal explains." if gap < 0.1 else
            "more than rounding or cutting to one decimal explains."))

# %% [markdown]
# Each rule, in words:
#
# - **Grid or seconds.** The released code rounds an instance's times to whole snippets of 0.64 s and
#   takes tIoU of sets of snippets. THUMOS14's kit and ActivityNet's toolkit take it of seconds.
#   These detections, made at another frame rate, do not lie on that grid and are rounded to it too.
# - **Ambiguous intervals** are marked in the test videos: something is there that may be the action.
#   The released code deletes each detection that touches one, whatever its class. THUMOS14's kit
#   does not count those that touch one and match nothing. ActivityNet's toolkit does not know them.
# - **Matching.** In the order of their scores, detections take the free instance of largest tIoU; or,
#   in W-TALC's code, the first free one of the list that overlaps enough. In THUMOS14's kit, instances choose:
#   each takes the free detection of largest tIoU, *whatever its score*, and tIoU has to exceed the
#   threshold, not only to reach it.
# - **Precision.** The released code and ActivityNet's toolkit take for each precision the largest at
#   or after it; W-TALC's code and THUMOS14's kit take it as it is.
# - **Which videos.** The kit names 213, of which `video_test_0001292` has ambiguous intervals alone;
#   W-TALC and FAC-Net evaluate the other 212. `video_test_0000270` is annotated far past its end,
#   and without it there are 211 (G-TAD, OpenTAD); `video_test_0001496` is labelled with another
#   class than its instances have, and without both there are 210 (SSN, STPN, BaS-Net, UM).

# %% tags=["hide-input", "full-width"]
shown = protocols.changes(real)
statistics.save_table(shown, "protocols_thumos14", output, real)
statistics.on_page(shown)

# %% tags=["hide-input"]
most, fewest = counted.loc[protocols.BASE], counted.loc["210 test videos"]
missed, found = most.instances - fewest.instances, most.detections - fewest.detections
Markdown(
    f"mAP in percent by tIoU, AVG, and its change. The two videos hold {missed} of the"
    f" {most.instances} instances, and {found or 'none'} of these detections lie in them"
    + (": their author left the two out, so that with them all their instances count as missed. With"
       " detections there the choice would be worth something else." if not found else ".")
)

# %% [markdown]
# ## Detections of models trained here
#
# The same rules, on detections of the released recipe on the data named above. Here they lie on the
# grid. No detection is dropped before fusion, since all rules are to judge the same; the released
# code drops earlier. Which videos are left out is a question of THUMOS14 alone.

# %% tags=["hide-input", "full-width"]
shown = protocols.changes(here)
statistics.save_table(shown, "protocols_here", output, here)
statistics.on_page(shown)

# %% [markdown]
# Means over seeds; the change with its 95 % bootstrap interval over seeds.
#
# ## The last epoch, or the best on the test videos
#
# The released code tests on the test videos every five epochs, and its README advises to keep the
# epoch with the best mAP. This book never does: the last epoch counts. Here alone it looks, as often
# as the released code would, to see what the habit is worth, by the data set's own protocol.

# %% tags=["hide-input"]
evaluations = {
    seed: {epoch: evaluate_test(detect(scores, data, recipe), data)
           for epoch, scores in own.items()} for seed, own in through.items()}
chosen = pd.DataFrame([{"seed": seed, **protocols.best_on_test(own, data)}
                       for seed, own in evaluations.items()])
curves = pd.DataFrame([{"seed": seed, "epoch": epoch, "average": one.average}
                       for seed, own in evaluations.items() for epoch, one in own.items()])

# %% tags=["hide-input"] mystnb={"image": {"alt": "AVG against the epoch, a line a seed, with a dot on its last epoch and a ring round its best"}, "figure": {"name": "fig-epochs", "caption": "AVG in percent on the test videos of the data named above through training of the released recipe, a line a seed, at as many epochs as the released code looks at. Dot: the last epoch. Ring: the one that is best on these videos."}}
figure = plots.epochs(curves)
plots.save_figure(figure, "epochs", output, source)

# %% tags=["hide-input"]
words = chosen.astype({"seed": int, "epoch": int}).round(1)
statistics.save_table(words, "epochs", output, chosen)
statistics.on_page(words.astype(str))

# %% tags=["hide-input"]
gain, same, other = (statistics.cell(*interval(chosen[name]), sign=True)
                     for name in ("gain", "same", "other"))
kept = interval(chosen["other"])
Markdown(
    f"*Gain* of the best epoch over the last: {gain} points of AVG, mean and 95 % bootstrap interval"
    " over seeds. It cannot be negative: it is the largest of"
    f" {looks} noisy numbers less one of them. "
    + ("A method that reports its best epoch on the test videos has that much of a head start over"
       " one that reports its last. " if chosen.gain.mean() > 0 else
       "Here the last epoch is the best of every seed. ")
    + "How much is luck with these videos? *Same*: the"
    f" epoch chosen on a random half of them gains {same} on that half, at first. *Other*: on the"
    f" other half, which had no part in the choice, it gains {other}. "
    + (f"On other videos of the same kind {statistics.percent(kept[0] / chosen.same.mean())} of that"
       " first gain are left." if kept[0] > 0 else
       "On other videos of the same kind nothing of that first gain is left." if chosen.same.mean() > 0
       else "There is no gain to keep.")
    + f"\n\n{claims.caution(seeds, videos=False)}"
)

# %% [markdown]
# To choose an epoch without the test videos, hold out training videos: their labels say how well it
# classifies (`training.held_out`).

# %% tags=["nbval-check-output"]
print(len(protocols.RULES), "sets of rules;", len(counted), "evaluations of the public detections,"
      f" AVG {counted.average.min():.1f} to {counted.average.max():.1f}")

# %% [markdown]
# ## Worked examples
#
# What the grid does to two overlaps, and what interpolation does to two ranked lists of right (1) and
# wrong (0) detections:

# %% tags=["nbval-check-output"]
for instance, detection in (((0.3, 0.9), (0, 1.28)), ((5.0, 7.5), (5.12, 7.68))):
    on_grid = temporal_iou(to_snippets(instance), to_snippets(detection))
    print(f"{instance} s against {detection} s: tIoU {temporal_iou(instance, detection):.4f}"
          f" in seconds, {on_grid:.4f} in snippets")
for ranked in ([0, 1, 1], [1, 0, 0, 1, 1]):
    right, total = np.array(ranked), sum(ranked)
    print(f"{ranked}: AP {average_precision(right, total):.2f} interpolated,"
          f" {average_precision(right, total, False):.2f} as it is")

# %% [markdown]
# ## To remember, and to try
#
# - A mAP without the name of its protocol cannot be compared: the difference between two papers may
#   be one between two protocols.
# - An epoch that was chosen on the test videos was fitted to them.
# - Try `facnet evaluate detections.json --annotations FOLDER --protocol thumos --tiou 0.1:0.7:0.1` on
#   detections of your own, then `released` and `activitynet`, with the same `--tiou`, since each
#   protocol has thresholds of its own. In the table of real detections THUMOS14's kit gives the
#   lowest AVG of the three and the released code the highest; yours need not agree.
# - Try another rule: `evaluate(detections, instances, replace(rules_of("released"), latest=True))`.
#   Expect little: in that table it is the smallest change of all.
# - Try `looks = 5`, or more: the best of fewer looks is less of a head start.
