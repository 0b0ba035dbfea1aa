# %% [markdown]
# # The field since
#
# This page shows what weakly supervised methods have reported on THUMOS14 since FAC-Net, and what
# people met with who tried to reach such numbers. It starts just before FAC-Net, with methods of the
# same year. All of it is read from public repositories and from the paper's Table 1, each fact with
# its source; nothing was run for it.

# %% tags=["parameters"]
import os

dataset: str = os.environ.get("FACNET_DATASET", "synthetic")  # not used
profile: str = os.environ.get("FACNET_PROFILE", "quick")  # not used
seeds: int = 0  # not used: nothing is trained here
output: str = os.environ.get("FACNET_OUTPUT", "results")  # for what is saved

# %% tags=["remove-cell"]
from facnet.study.notebook import check_parameters

check_parameters(globals())

# %% tags=["hide-input"]
import re

import pandas as pd
from IPython.display import Markdown

from facnet.study import plots, published, statistics

plots.use_style()
field = published.field()
stated = published.statement
user, elsewhere = "a user's run", "mean of the authors' seeds"
other = pd.DataFrame([
    ("FAC-Net", stated("default seed of the released code"), user),
    ("UM", stated("UM by a user"), user),
    ("CO2-Net", stated("CO2-Net by a user"), user),
    ("DELU", stated("DELU by a user"), user),
    ("FAC-Net", stated("released checkpoint"), "the released checkpoint"),
    ("DELU", stated("DELU by its authors"), elsewhere),
    ("PVLR", stated("PVLR at the last line of its log"), "last line of the authors' log"),
], columns=["method", "average", "what"])

# %% tags=["hide-input"] mystnb={"image": {"alt": "Methods in the order of their years, a row each: the AVG that they report rises; beside some of them runs of users, which lie lower, one far lower"}, "figure": {"name": "fig-field", "caption": "AVG on THUMOS14 as methods report it (diamonds), and other numbers for the same methods (see the key), by method, venue and year. The marks do not tell a best of many runs from a mean or a single run: of users' runs FAC-Net's is the best of three lines of results, UM's the best of about a hundred, DELU's the mean of five seeds; of the diamonds ASM-Loc's and P-MIL's are of one checkpoint, PVLR's is the best line of a log. Features, test videos and the choice of the epoch differ between rows. Asterisk: the method uses what the others do not have, proposals of another model (P-MIL) or CLIP (PVLR)."}}
figure = plots.reported(field, other)
plots.save_figure(figure, "field", output, "Numbers as reported; sources in data/published/")

# %% tags=["hide-input"]
by_name = field.set_index("method")
picked = stated("PVLR at the best line of its log") - stated("PVLR at the last line of its log")
lead = by_name.average["FAC-Net"] - by_name.average["UM"]
last, first = by_name.iloc[-1], by_name.loc["FAC-Net"]
Markdown(
    f"From {first.year} to {last.year} the reported AVG rose from {first.average:.1f} to"
    f" {last.average:.1f}. The points differ in more than their methods. The log that PVLR's authors"
    f" keep in their repository is of the test videos; its best line has"
    f" {stated('PVLR at the best line of its log'):.2f}, its last one"
    f" {stated('PVLR at the last line of its log'):.2f}. Choosing the line is worth"
    f" {statistics.number(picked)} points, and FAC-Net's lead over UM in Table 1 is"
    f" {statistics.number(lead)}. A user gives three lines of results of FAC-Net's"
    " released code with its default settings; the best comes to"
    f" {stated('default seed of the released code')}.")

# %% [markdown]
# ## The numbers
#
# AVG over three ranges of tIoU, since papers differ in which one they print. Where a number is
# another paper's quotation the source says whose.

# %% tags=["hide-input", "full-width"]
ranges = {"0.1:0.5": "AVG 0.1:0.5", "0.3:0.7": "AVG 0.3:0.7", "average": "AVG 0.1:0.7"}
shown = field[["method", "venue", "idea", *ranges, "uses", "source"]].rename(columns=ranges)
for column in ranges.values():
    shown[column] = shown[column].map("{:.1f}".format)
statistics.save_table(shown, "field", output, field)
statistics.on_page(shown.rename(columns={"uses": "uses besides"}))

# %% [markdown]
# The works: CoLA {cite}`zhang2021cola`, UM {cite}`lee2021um`, UGCT {cite}`yang2021ugct`, FAC-Net
# {cite}`huang2021facnet`, CO2-Net {cite}`hong2021co2net`, RSKP {cite}`huang2022rskp`, ASM-Loc
# {cite}`he2022asmloc`, DELU {cite}`chen2022delu`, P-MIL {cite}`ren2023pmil` and PVLR
# {cite}`lim2024pvlr`. It is no survey: a method is here if its repository, or one that compares with
# it, prints its numbers in full.
#
# ## What went wrong for users
#
# What people wrote who ran such code, in issues of the repositories, or what their files say; and
# the chapter of this book that answers it. What the released code and the paper do differently is in
# [a chapter of its own](14_paper_against_released_code.ipynb).

# %% tags=["hide-input"]
answers = {
    "seeds": ("Seeds that fail", "11_seeds_and_collapse", "many seeds, all shown, and a remedy"),
    "test data": ("Choosing on test data", "15_protocols", "the last epoch beside the best one"),
    "features": ("Features", "02_the_data", "a data set's grid, and a check of its files"),
    "splits": ("Test videos", "15_protocols", "the same detections on other lists of videos"),
    "metrics": ("Ranges of tIoU", "15_protocols", "the same detections by other rules"),
    "own videos": ("One's own videos", "19_your_own_data",
                   "from a folder of arrays and a CSV to detections"),
    "building": ("Building", "04_from_features_to_detections", "NMS without a compiler"),
    "figures": ("Figures", "08_what_the_branches_see", "code for every figure"),
}


def linked(source: str) -> str:
    """A repository with links to its issues, or to itself."""
    place, _, rest = source.partition(", ")
    issues = re.findall(r"\d+", rest) if rest.startswith("issue") else []
    home = f"https://github.com/{place}"
    return (f"{place}, issue " + ", ".join(f"[{n}]({home}/issues/{n})" for n in issues)
            if issues else f"[{place}]({home}), {rest}")


reports = published.reports()
statistics.save_table(reports, "reports", output)
Markdown("\n\n".join(
    f"**{title}.** In this book: [{answer}]({chapter}.ipynb).\n\n" + "\n".join(
        f"- {one.seen} ({linked(one.source)})"
        for one in reports[reports.about == about].itertuples())
    for about, (title, chapter, answer) in answers.items()))

# %% [markdown]
# ## Practices
#
# What follows from it, and what this book does:
#
# - **Several seeds, each one shown**, with an interval over them; a second interval over test
#   videos; collapsed seeds counted and not left out.
# - **Nothing chosen on test data** by this book: no epoch, threshold, weight or seed. What such
#   choices would be worth is a result, not a habit. The released λ and thresholds are the authors';
#   how they were chosen is not known.
# - **A number comes with what it was measured on**: data, videos, features, sizes, seeds, protocol,
#   revision of the code.
# - **Equality is not promised** by PyTorch between releases or devices: what is checked is checked
#   to a tolerance.
# - **Weights without pickle**: a checkpoint is tensors and text, and loading it runs no code.
# - **A claim is judged as a claim** ([Every claim](18_every_claim.ipynb)).

# %% tags=["nbval-check-output"]
print(len(field), "methods,", len(reports), "reports;", set(reports.about) == set(answers))

# %% [markdown]
# ## To remember, and to try
#
# - A difference between two published numbers can be the seed, the epoch, the features, the test
#   videos or the range of tIoU. It can also be the method.
# - Before comparing with a printed number, run the released checkpoint: that tells the code's part
#   from the training's.
# - Try adding a method to `data/published/field.csv`, with its source: it appears in the picture and
#   the table.
