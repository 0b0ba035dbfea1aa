# %% [markdown]
# # Your own data
#
# You have an array of features for each of your videos, and a list that says what they show. Three
# commands lead from there to detections, a fourth to a number, a fifth to a picture. This page runs
# them, as one would in a terminal, on a small example; [Data](../book/data.md#a-data-set-of-your-own)
# has the details.

# %% tags=["parameters"]
import os

features: str = ""  # your folder of arrays, as an absolute path; "" takes the example
annotations: str = ""  # your CSV, as an absolute path
snippet_seconds: float = 0.64  # from the start of one row of an array to that of the next
streams: str = ""  # "rgb,flow" where the columns of an array are two streams side by side
dataset: str = "synthetic"  # not used: the example is always of synthetic videos
profile: str = os.environ.get("FACNET_PROFILE", "quick")  # or smoke, full
seeds: int = 1  # not used: this page shows one run
output: str = os.environ.get("FACNET_OUTPUT", "results")  # for what is saved

# %% tags=["remove-cell"]
from facnet.study.notebook import check_parameters

check_parameters(globals())

# %% tags=["hide-input"]
import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path
from textwrap import fill

import numpy as np
from IPython.display import Image

from facnet.data import load

folder = Path(output) / "your_own_data"
shutil.rmtree(folder, ignore_errors=True)  # what an earlier run of this page has left
folder.mkdir(parents=True)
here = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])


def shell(command: str, *statuses: int) -> None:
    """Run a command in `folder` as a terminal does; it must end with 0 or one of `statuses`.

    Long lines are broken: a command so that it can be copied, others at a blank.
    """
    print("$", command if len(command) < 76 else command.replace(" --", " \\\n    --"))
    done = subprocess.run(
        command, shell=True, cwd=folder, env=os.environ | {"PATH": here, "TQDM_DISABLE": "1"},
        text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    for line in done.stdout.splitlines():
        print(line if len(line) < 78 else fill(line, 78, subsequent_indent="    "))
    print()
    assert done.returncode in (0, *statuses), f"it ended with status {done.returncode}"


# %% [markdown]
# ## What you need
#
# - A folder of NumPy arrays, one a video: `VIDEO.npy`, a row a snippet, a column a feature.
# - A CSV with a row for each action: `video,label,start,end`, in seconds.
#
# **The example is synthetic**: some videos of this book's data set, whose features were made by a
# program, written to such a folder. What is measured on it says nothing about real videos.

# %% tags=["hide-input"]
example = load("synthetic", "smoke")
(folder / "i3d").mkdir()
called = {video: f"match_{i:02}" for i, video in enumerate(example.videos.video)}
for video, name in called.items():
    parts = [example.features(stream, video) for stream in example.streams]
    np.save(folder / "i3d" / f"{name}.npy", np.hstack(parts))
with open(folder / "segments.csv", "w", newline="") as file:
    rows = csv.writer(file)
    rows.writerow(["video", "label", "start", "end"])
    for video, label, start, end in example.instances.itertuples(index=False):
        rows.writerow([called[video], label, round(start, 2), round(end, 2)])
if not features:
    features, annotations, streams = "i3d", "segments.csv", "rgb,flow"
    snippet_seconds = example.snippet_seconds

# %% tags=["hide-input", "nbval-check-output"]
shell(f"ls {features} | head -n 3")
shell(f"head -n 4 {annotations}")

# %% [markdown]
# ## First command: make a data set
#
# Nothing is copied. The example's arrays hold two streams side by side, so it says `--streams`.
# Videos to test on are drawn, unless a column `subset` of the CSV names them.

# %% tags=["hide-input"]
which = f" --streams {streams}" if streams else ""
shell(f"facnet data init --features {features} --annotations {annotations}"
      f" --snippet-seconds {snippet_seconds:g}{which} --out data/mine")

# %% [markdown]
# Look at it once before you train: times of the right size, no class with a handful of instances,
# a sensible share of foreground.

# %% tags=["hide-input"]
shell("facnet data check data/mine")

# %% [markdown]
# ## Second command: train
#
# One network a stream, from the labels of the training videos alone. On features of your own take
# `--profile full`, the sizes and the schedule of the released code; what is smaller is for a look.

# %% tags=["hide-input"]
shell(f"facnet train --dataset data/mine --profile {profile} --out runs/mine")

# %% [markdown]
# ## Third command: localise
#
# Detections of the test videos, in the schema of ActivityNet's results.

# %% tags=["hide-input"]
shell("facnet localize runs/mine --dataset data/mine --out runs/mine/detections.json")
shell("head -c 240 runs/mine/detections.json")

# %% [markdown]
# ## A number, and a picture
#
# Mean average precision, by class and by how much a detection must overlap an instance (tIoU).

# %% tags=["hide-input"]
shell("facnet evaluate runs/mine/detections.json --annotations data/mine", 2)

# %% tags=["hide-input"]
video = load(folder / "data/mine").subset("test")[0]
shell(f"facnet draw runs/mine --dataset data/mine --video '{video}' --out timeline.png")

# %% tags=["hide-input"] mystnb={"image": {"alt": "Foreground scores of one test video above each class's sequence with thresholds, its detections and its ground truth"}, "figure": {"name": "fig-your-own", "caption": "What `facnet draw` makes of the first test video (in the book: of a synthetic one). From the top: foreground scores; then for each class what is thresholded, the thresholds, detections, the better the darker, and ground truth."}}
Image(folder / "timeline.png")

# %% [markdown]
# ## Labels alone
#
# If nobody has marked when things happen, leave the times out: two columns are enough to train and
# to localise. The same videos are drawn to test on, and the losses are the same to the last digit,
# since training never looks at a time. Only a number cannot be had, and `facnet evaluate` says so.
# Where times are known in some of the test videos, these are evaluated and the others left out.

# %% tags=["hide-input"]
with open(folder / "segments.csv", newline="") as file:
    shown = dict.fromkeys(tuple(row[:2]) for row in csv.reader(file))
(folder / "labels.csv").write_text("".join(f"{video},{label}\n" for video, label in shown))
shell("head -n 3 labels.csv")
shell("facnet data init --features i3d --annotations labels.csv --snippet-seconds"
      f" {example.snippet_seconds:g} --streams rgb,flow --out data/labels | tail -n 3")
shell(f"facnet train --dataset data/labels --profile {profile} --out runs/labels")
shell("facnet localize runs/labels --dataset data/labels --out runs/labels/detections.json")
shell("facnet evaluate runs/labels/detections.json --annotations data/labels", 2)

# %% tags=["hide-input"]
if features == "i3d":
    shell("cmp runs/mine/flow_losses.csv runs/labels/flow_losses.csv && echo the same losses")

# %% [markdown]
# ## When something is wrong
#
# `facnet data init` writes nothing unless all of it is right. It tells every fault at once, by row,
# file, video and value. Here a label is missing, two times are exchanged, a file is misspelt, and
# an array holds a NaN.

# %% tags=["hide-input"]
shutil.copytree(folder / "i3d", folder / "faulty")
text = (folder / "segments.csv").read_text().splitlines()
video, label, start, end = text[1].split(",")
text[1] = f"{video},,{start},{end}"
video, label, start, end = text[2].split(",")
text[2] = f"{video},{label},{end},{start}"
(folder / "faulty.csv").write_text("\n".join(text))
names = sorted({line.split(",")[0] for line in text[1:]})
(folder / "faulty" / f"{names[-1]}.npy").rename(folder / "faulty" / f"{names[-1].upper()}.npy")
array = np.load(folder / "faulty" / f"{names[0]}.npy")
array[3, 5] = np.nan
np.save(folder / "faulty" / f"{names[0]}.npy", array)
shell("facnet data init --features faulty --annotations faulty.csv --snippet-seconds"
      f" {example.snippet_seconds:g} --out data/faulty", 2)

# %% [markdown]
# A folder that somebody laid out by hand, with an `annotations.json` of their own, is looked at by
# `facnet data check`. An *error* is what training or evaluation would fail on or get wrong; an
# *oddity* is worth a look. This one has three of the faults above, a key too few, and a class that
# was typed in two ways.

# %% tags=["hide-input"]
theirs = folder / "data" / "theirs"
theirs.mkdir()
(theirs / "features").symlink_to(os.path.relpath(folder / "faulty", theirs))
facts = {
    "name": "theirs", "classes": sorted(example.classes), "train": "train", "test": "test",
    "streams": {"rgb": {"columns": [0, 32]}, "flow": {"columns": [32, 64]}},
    "database": {
        called[row.video]: {
            "subset": row.subset, "duration": row.duration, "annotations": [
                {"label": own.label, "segment": [own.start, own.end]}
                for own in example.instances[example.instances.video == row.video].itertuples()]}
        for row in example.videos.itertuples()},
}
first = facts["database"][names[0]]["annotations"]
first[0]["segment"].reverse()
first[-1]["label"] = first[-1]["label"].lower()
(theirs / "annotations.json").write_text(json.dumps(facts))
shell("facnet data check data/theirs", 1)

# %% [markdown]
# ## To remember, and to try
#
# - Arrays, a CSV and the seconds between two rows are all that it takes; times only for a number.
# - Ask `facnet data check` first. What it calls an error would have become a wrong number later.
# - Run this page on your own files, and copy its commands from there:
#
# ```bash
# papermill notebooks/19_your_own_data.ipynb mine.ipynb -p features /data/i3d \
#     -p annotations /data/segments.csv -p snippet_seconds 0.64 -p profile full
# ```
#
# - Try `facnet draw ... --stream rgb`, or `--out timeline.svg` for a picture to edit; `facnet train
#   --preset STPN`, or any other [method of this book](10_cw_in_other_methods.ipynb), on the same
#   folder.
