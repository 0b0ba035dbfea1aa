# %% [markdown]
# # The field since
#
# What have weakly supervised methods reported on THUMOS14 since FAC-Net, and what did people meet
# with who tried to reach such numbers? From FAC-Net in 2021 to 2024 the reported AVG rose from 42.2
# to 50.8. All is read from public repositories, abstracts and the paper's Table 1; nothing was run.

# %% tags=["parameters"]
import os

dataset: str = os.environ.get("FACNET_DATASET", "synthetic")  # not used
profile: str = os.environ.get("FACNET_PROFILE", "quick")  # not used
seeds: int = 0  # not used: nothing is trained here
output: str = os.environ.get("FACNET_OUTPUT", "results")  # for what is saved

# %% tags=["remove-input"]
import re
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from facnet.study import check_parameters, plots, published, save_table

check_parameters(globals())
plots.use_style()

# %%
field, stated = published.read("field").fillna({"uses": ""}), published.statement
others = pd.DataFrame([
    ("FAC-Net", stated("default seed of the released code"), "a user's run"),
    *((one, stated(f"{one} by a user"), "a user's run") for one in ("UM", "CO2-Net", "DELU")),
    ("FAC-Net", stated("released checkpoint"), "the released checkpoint"),
    ("DELU", stated("DELU by its authors"), "mean of the authors' seeds"),
    ("PVLR", stated("PVLR at the last line of its log"), "last line of the authors' log"),
], columns=["method", "average", "what"])

# %% mystnb={"image": {"alt": "Methods in the order of their years, a row each: the AVG that they report rises; beside some of them runs of users, which lie lower, one far lower"}, "figure": {"name": "fig-field", "caption": "AVG on THUMOS14 as methods report it, and other numbers for the same methods. Asterisk: the method uses what the others do not have."}}
numbers = pd.concat([field.dropna(subset="average").assign(what="reported"), others])
stars = field.uses.ne("").map({True: "*", False: ""})
names = dict(zip(field.method, field.method + ", " + field.venue + stars))
figure, axes = plt.subplots(figsize=(7.2, 4.6))
sns.scatterplot(numbers.replace({"method": names}), x="average", y="method", hue="what",
                style="what", palette=["black", *sns.color_palette()[:4]], s=45, ax=axes)
axes.set(xlabel="AVG (%) over tIoU 0.1 to 0.7", ylabel="")
axes.legend(loc="lower left")
axes.grid(axis="y", color="0.9")
plots.save_figure(figure, "field", output, "Numbers as reported; sources in data/published/")

# %% [markdown]
# The points differ in features, test videos and the choice of the epoch as well. Of users' runs
# FAC-Net's is the best of three lines of results, UM's the best of about a hundred, DELU's the mean
# of five seeds; ASM-Loc's and P-MIL's own numbers are of one checkpoint. PVLR's is the best line of
# a log of the test videos: 50.27, where the last line has 48.47. Choosing the line is worth 1.8
# points, and FAC-Net's lead over UM in Table 1 is 0.3. The numbers, over three ranges of tIoU, and
# where each was read; an asterisk marks what uses something that the others do not have:

# %% tags=["full-width"]
shown = field.replace({"method": names}).rename(columns={"average": "0.1:0.7"})
columns = ["method", "idea", "0.1:0.5", "0.3:0.7", "0.1:0.7", "kind", "source"]
save_table(shown[columns], "field", output, field)

# %% [markdown]
# The works: CoLA {cite}`zhang2021cola`, UM {cite}`lee2021um`, UGCT {cite}`yang2021ugct`, FAC-Net
# {cite}`huang2021facnet`, CO2-Net {cite}`hong2021co2net`, RSKP {cite}`huang2022rskp`, ASM-Loc
# {cite}`he2022asmloc`, DELU {cite}`chen2022delu`, P-MIL {cite}`ren2023pmil`, PVLR
# {cite}`lim2024pvlr`: no survey, but methods of which a repository prints all of these numbers. The
# last three are read from abstracts and a listing: FuSTAL {cite}`feng2024fustal`, PseudoFormer
# {cite}`liu2025pseudoformer`, MLLM4WTAL {cite}`zhang2025mllm4wtal`. The line goes from better
# attention to students that are trained on pseudo labels, and to knowledge from language models.
#
# ## What went wrong for users
#
# What people wrote who ran such code, in issues of the repositories, or what their files say.

# %% tags=["full-width"]
def linked(source):
    """A repository and its issues as links."""
    place, _, rest = source.partition(",")
    home = f"https://github.com/{place}"
    rest = re.sub(r"\b(\d+)\b", rf'<a href="{home}/issues/\1">\1</a>', rest)
    return f'<a href="{home}">{place}</a>,{rest}'


reports = published.read("reports")
save_table(reports, "reports", output).format(linked, subset="source")

# %% [markdown]
# What this book does about each (what code and paper do differently has [a chapter of its
# own](14_paper_against_released_code.ipynb)):
#
# - *Seeds*: many, each one shown, with intervals, [collapsed ones
#   counted](11_seeds_and_collapse.ipynb); claims are [judged as claims](18_every_claim.ipynb).
# - *Test data*: nothing is chosen on them; what that would be worth [is
#   shown](15_protocols.ipynb), as are other *splits* and *metrics* for the same detections.
# - *Features*, *own videos*: [a grid and a check of files](02_the_data.ipynb), and the way [from
#   arrays and a CSV to detections](19_your_own_data.ipynb).
# - *Building*: [NMS without a compiler](04_from_features_to_detections.ipynb), checkpoints without
#   pickle. *Figures*: [code for every one](08_what_the_branches_see.ipynb).

# %% tags=["nbval-check-output"]
print(len(field), "methods,", len(reports), "reports on", *reports.about.unique())

# %% [markdown]
# ## To remember, and to try
#
# - A difference between two published numbers can be the seed, the epoch, the features, the test
#   videos or the range of tIoU. It can also be the method. Run the released checkpoint first.
# - Try adding a method to `data/published/field.csv`: it appears in the picture and the table.
#
# **Exercise.** What does it add to print the best of n runs? Ask the ten seeds of one model on
# [gestures](17_real_data_shrec21.ipynb), from their committed results.

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Solution", "image": {"alt": "The expected best AVG of n runs rises with n, above the mean of all runs"}, "figure": {"name": "fig-best-of", "caption": "The AVG to expect of the best of n runs of one model on SHREC'21, and the mean of its ten seeds (dashed)."}}
averages = published.result("shrec21_multilabel")[0].query("variant == 'λ chosen'").average
drawn = np.random.default_rng(0).choice(averages, (10_000, 10))
best = pd.Series(np.maximum.accumulate(drawn, axis=1).mean(axis=0), range(1, 11))
axes = best.plot(marker="o", xlabel="runs, of which the best is printed", ylabel="AVG (%)")
_ = axes.axhline(averages.mean(), color="0.5", ls="--")
