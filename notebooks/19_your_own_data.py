# %% [markdown]
# # Your own data
#
# You have an array of features for each of your videos, and a list of what they show. Five commands
# lead to detections, a number and a picture ([details](../book/data.md#a-data-set-of-your-own)).

# %% tags=["parameters"]
import os

features: str = ""  # your folder of arrays; "" takes the example
annotations: str = ""  # your CSV
snippet_seconds: float = 0.64  # from the start of one row of an array to that of the next
streams: str = ""  # "rgb,flow" where the columns of an array are two streams side by side
dataset: str = "synthetic"  # not used: the example is always of synthetic videos
profile: str = os.environ.get("FACNET_PROFILE", "quick")  # or smoke, full
seeds: int = 1  # not used: this page shows one run
device: str = os.environ.get("FACNET_DEVICE", "cpu")  # or auto, cuda, mps
output: str = os.environ.get("FACNET_OUTPUT", "results")  # for what is saved

# %% tags=["remove-input"]
import json
import shlex
import shutil
import subprocess
import sys
from textwrap import fill
import numpy as np
from IPython.display import Image
from facnet import load
from facnet.errors import FacnetError
from facnet.files import read_text
from facnet.study import check_parameters, new_folder

check_parameters(globals())

# %%
def run(*command, ends=(0,), last=0):
    """Run a `facnet` command, as one types it, in `folder`; its status must be one of `ends`."""
    print("$", " \\\n    ".join(command))
    words = shlex.split(" ".join(command))
    done = subprocess.run([sys.executable, "-m", "facnet.cli", *words[1:]], cwd=folder,
                          env=os.environ | {"PYTHONUTF8": "1", "FACNET_DEVICE": device}, encoding="utf-8",
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    for line in done.stdout.splitlines()[-last:]:
        print(fill(line, 78, subsequent_indent="    ") if len(line) > 78 else line)
    if done.returncode not in ends:
        raise FacnetError(f"{command[0]}: status {done.returncode}, for the reason above.")


if bool(features) != bool(annotations):
    raise FacnetError("parameters.features and parameters.annotations go together: give both.")
folder = new_folder(output, "your_own_data")  # what an earlier run of this page has left stays

# %% [markdown]
# ## What you need
#
# - A folder of NumPy arrays, one a video: `VIDEO.npy`, a row a snippet, a column a feature.
# - A CSV with a row for each action: `video,label,start,end`, in seconds.
#
# **The example is synthetic.** What is measured on it says nothing about real videos.

# %%
example = load("synthetic", "smoke")
(folder / "i3d").mkdir()
called = {video: f"match_{i:02}" for i, video in enumerate(example.videos.video)}
for video, name in called.items():
    array = np.hstack([example.features(stream, video) for stream in example.streams])
    np.save(folder / "i3d" / f"{name}.npy", array)
segments = example.instances.assign(video=example.instances.video.map(called)).round(2)
segments.to_csv(folder / "segments.csv", index=False)
rows = f"--snippet-seconds {example.snippet_seconds:g} --streams rgb,flow"  # of the example
if not features:
    features, annotations, streams = "i3d", "segments.csv", "rgb,flow"
    snippet_seconds = example.snippet_seconds

# %% tags=["nbval-check-output"]
print(*sorted(os.listdir(folder / features))[:3], sep="\n")
print(*read_text(folder / annotations).splitlines()[:4], sep="\n")

# %% [markdown]
# ## First: make a data set
#
# The example's arrays hold two streams side by side, so it says `--streams`. Videos to test on are
# drawn, unless a column `subset` of the CSV names them. Look at the data before you train: times of
# the right size, no class with a handful of instances, a sensible share of foreground. An *oddity* is
# worth a look and may be harmless: the example's videos just happen to be equally long.

# %%
own = [shlex.quote(given) for given in (features, annotations, streams)]
run(f"facnet data init --features {own[0]} --annotations {own[1]}",
    f"--snippet-seconds {snippet_seconds:g}" + (f" --streams {own[2]}" if streams else ""),
    "--out data/mine")
run("facnet data check data/mine")

# %% [markdown]
# ## Then: train, localise, evaluate, draw
#
# One network a stream, from the labels of the training videos alone. On features of your own take
# `--profile full`, the sizes and the schedule of the released code; what is smaller is for a look, as
# here: the example's detections are poor. They are in the schema of ActivityNet's results. Mean
# average precision is by class and by how much a detection must overlap an instance (tIoU).

# %%
run(f"facnet train --dataset data/mine --profile {profile} --out runs/mine")
run("facnet localize runs/mine --dataset data/mine --out runs/mine/detections.json")
print(read_text(folder / "runs/mine/detections.json")[:240])
run("facnet evaluate runs/mine/detections.json --annotations data/mine", ends=(0, 2))

# %% mystnb={"image": {"alt": "Foreground scores of one test video above each class's sequence with thresholds and its detections, true instances as shade"}, "figure": {"name": "fig-your-own", "caption": "What `facnet draw` makes of a test video (in the book: a synthetic one): foreground scores, then each class's sequence with thresholds, and detections, the better the higher and stronger."}}
video = load(folder / "data/mine").subset("test")[0]
run("facnet draw runs/mine --dataset data/mine", f"--video {shlex.quote(video)} --out timeline.png")
Image(folder / "timeline.png")

# %% [markdown]
# `facnet report` puts all of it on one page: mAP by class, errors by their cause, five videos, the
# recipe. Send it to whoever asks how good the result is.

# %%
run("facnet report runs/mine --dataset data/mine --out report.html", last=1)

# %% [markdown]
# ## Labels alone
#
# From here on the page is about the example again, whatever data you gave. If nobody has marked when
# things happen, leave the times out: two columns are enough to train and to localise. The losses are
# the same to the last digit; only a number cannot be had.

# %%
segments[["video", "label"]].drop_duplicates().to_csv(folder / "labels.csv", index=False)
run("facnet data init --features i3d --annotations labels.csv", rows, "--out data/labels", last=3)
run(f"facnet train --dataset data/labels --profile {profile} --out runs/labels")
run("facnet localize runs/labels --dataset data/labels --out runs/labels/detections.json")
run("facnet evaluate runs/labels/detections.json --annotations data/labels", ends=(2,))
if features == "i3d":
    pair = (read_text(folder / f"runs/{name}/flow_losses.csv") for name in ("mine", "labels"))
    print("different losses:", len(set(pair)) - 1)

# %% [markdown]
# ## When something is wrong
#
# `facnet data init` writes nothing unless all of it is right, and tells every fault of the CSV at
# once. Here a label is missing, two times are exchanged, and a file is misspelt.

# %%
shutil.copytree(folder / "i3d", folder / "faulty")
(folder / "faulty/match_30.npy").rename(folder / "faulty/MATCH_30.npy")
faulty = segments.copy()
faulty.loc[0, "label"] = ""
faulty.loc[1, ["start", "end"]] = faulty.loc[1, ["end", "start"]].tolist()
faulty.to_csv(folder / "faulty.csv", index=False)
run("facnet data init --features faulty --annotations faulty.csv", rows, "--out data/faulty",
    ends=(2,))

# %% [markdown]
# `facnet data check` looks at a folder that was changed by hand, arrays included. An *error* is what
# training or evaluation would fail on or get wrong; an *oddity* is worth a look. Here times are
# exchanged, a class is in two spellings, and an array is not a number.

# %%
run("facnet data init --features i3d --annotations segments.csv", rows, "--out data/right", last=1)
theirs = folder / "data/theirs"
shutil.copytree(folder / "data/right", theirs)  # with its arrays, to which `init` made a link
np.save(theirs / "features/match_00.npy", np.load(folder / "i3d/match_00.npy") * np.nan)
facts = json.loads(read_text(theirs / "annotations.json"))
first = facts["database"]["match_00"]["annotations"]
first[0]["segment"].reverse()
first[-1]["label"] = first[-1]["label"].lower()
(theirs / "annotations.json").write_text(json.dumps(facts), "utf-8")
run("facnet data check data/theirs", ends=(1,))

# %% [markdown]
# ## To remember, and to try
#
# - Arrays, a CSV and the seconds between two rows are all that it takes; times only for a number.
# - Ask `facnet data check` first. What it calls an error would have become a wrong number later.
# - Try `facnet train --preset STPN`, or any other [method](10_cw_in_other_methods.ipynb).
# - Run this page on your own files, and copy its commands from there:
#
# ```bash
# papermill notebooks/19_your_own_data.ipynb mine.ipynb -p features /data/i3d \
#     -p annotations /data/segments.csv -p snippet_seconds 0.64 -p profile full
# ```
#
# **Exercise.** An array is turned: a column a snippet, a row a feature. What does `check` say of it?

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Solution"}
np.save(theirs / "features/match_00.npy", np.load(folder / "i3d/match_00.npy").T)
run("facnet data check data/theirs", ends=(1,))
