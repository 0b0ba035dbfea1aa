# %% [markdown]
# # From a video to a timeline
#
# Section 3.1 of the paper begins with features of videos: rows that a network, I3D, makes of frames.
# This page goes all the way, from files to a page with a timeline, on clips that it draws.
#
# **The weights are random.** What I3D knows of real videos lies in weights that do not ship.
# Random ones tell still from moving and a turn from a jump, no more, which is enough for these
# clips and for no real video. With weights and models named in the first cell, the page shows a
# video of yours.

# %% tags=["parameters"]
import os

video: str = ""  # a file of yours to show; it takes rgb_weights and checkpoints
rgb_weights: str = ""  # rgb_imagenet.pt, or what `facnet video weights` writes
flow_weights: str = ""  # flow_imagenet.pt, where the models have two streams
checkpoints: str = ""  # folder of models that were trained on such features
dataset: str = "synthetic"  # not used: the clips are drawn here
profile: str = os.environ.get("FACNET_PROFILE", "quick")  # or smoke: shorter clips
seeds: int = 1  # not used: this page shows one run
device: str = os.environ.get("FACNET_DEVICE", "cpu")  # or auto, cuda, mps; of FAC-Net
output: str = os.environ.get("FACNET_OUTPUT", "results")  # for what is saved

# %% tags=["remove-input"]
import base64
from mimetypes import guess_type
from pathlib import Path
import av
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from IPython.display import IFrame
from safetensors.torch import save_file
from facnet import detect, fit, load, predict
from facnet.checkpoints import load_checkpoint
from facnet.config import changed
from facnet.errors import FacnetError, normal
from facnet.experiment import checkpoint_scores
from facnet.importers.own import init_folder
from facnet.study import base_of, check_parameters, new_folder, plots
from facnet.video.extract import Recipe, extract
from facnet.video.frames import frames, inputs
from facnet.video.i3d import I3D, LAYERS
from facnet.video.view import page

check_parameters(globals())
plots.use_style()

# %% [markdown]
# ## Clips
#
# A square lies still, and now and then it *spins* or *jumps*. A model is told which of the
# two a training clip shows; the last clip shows both.

# %%
folder = new_folder(output, "from_a_video")
count, seconds, bouts = 6, 6.4 if profile == "smoke" else 9.6, []
for number in range(count):
    act, start = ("spin", "jump")[number % 2], seconds * (0.1 + 0.02 * number)
    bouts += [(number, "spin" if number == count - 1 else act, start, start + 0.25 * seconds),
              (number, act, start + 0.45 * seconds, start + 0.7 * seconds)]


def picture(number, time):
    """A frame of a clip: its square has turned, or risen."""
    y, x = np.mgrid[:96, :128] - np.array([60, 64])[:, None, None]
    turn = 0
    for own, act, start, end in bouts:
        if own == number and start <= time < end:
            turn, rise = (8 * (time - start), 0) if act == "spin" else (0, 30)
            y = y + rise * abs(np.sin(8 * (time - start)))
    inside = np.maximum(abs(x * np.cos(turn) + y * np.sin(turn)),
                        abs(y * np.cos(turn) - x * np.sin(turn))) < 18
    return np.where(inside[..., None], (225, 110, 40), (60, 66, 80)).astype(np.uint8)


clips = [folder / f"clip_{number}.mp4" for number in range(count)]
for number, path in enumerate(clips):
    with av.open(str(path), "w") as file:
        stream = file.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
        for time in np.arange(0, seconds, 1 / 25):
            file.mux(stream.encode(av.VideoFrame.from_ndarray(picture(number, time))))
        file.mux(stream.encode())

# %% mystnb={"image": {"classes": "photo", "alt": "Two rows of frames: in each a square that lies still, then turns, lies still again and rises"}, "figure": {"name": "fig-clips", "caption": "The last two clips, a frame each 0.8 s, as the network will get them: 25 a second, the short side 256 pixels, the middle 224 of them."}}
figure, panels = plt.subplots(2, 12, figsize=(7.2, 1.5))
for row, path in zip(panels, clips[-2:]):
    for axes, image in zip(row, [*inputs(frames(path), ["rgb"])][::20]):
        axes.imshow((image["rgb"] + 1) / 2)
for axes in panels.flat:
    axes.axis("off")
plots.save_figure(figure, "clips", output, "Clips drawn by this page.")

# %% [markdown]
# ## I3D
#
# Sixteen frames go through three-dimensional convolutions {cite}`carreira2017i3d`; the mean over
# what is left of time and place is a row of 1,024 features. Here the convolutions' weights are
# random, and batch normalisation takes means and variances from two of the clips: or all rows
# would look alike.

# %% tags=["nbval-check-output"]
def chunks(path):
    """What becomes rows: [T, 3, 16, 224, 224]."""
    images = np.stack([one["rgb"] for one in inputs(frames(path), ["rgb"])])
    images = images[: len(images) // 16 * 16]
    return torch.from_numpy(images).unflatten(0, (-1, 16)).permute(0, 4, 1, 2, 3)


torch.manual_seed(0)
network, shapes = I3D("rgb"), {}
network.apply(lambda layer: setattr(layer, "momentum", 1.0))  # those of this one batch
with torch.inference_mode():
    x = torch.cat([chunks(path)[::3] for path in clips[:2]])
    for name in LAYERS:
        x = network[name](x)
        shapes[name] = dict(zip(("channels", "time", "height", "width"), x.shape[1:]))
print(pd.DataFrame(shapes).T.to_string())

# %% [markdown]
# What `facnet video extract FOLDER --rgb-weights FILE --out data/clips` does is here a function:

# %%
weights = folder / "random.safetensors"
save_file(network.state_dict(), weights)
failed = extract(clips, folder / "clips", Recipe((("rgb", weights),)))
print(len(failed), "failed; clip_0:", np.load(folder / "clips/features/rgb/clip_0.npy").shape)

# %% [markdown]
# ## Localisation
#
# From here on a clip is like any video of this book: rows of features and, to train on, a class.
# FAC-Net is trained for seconds on all clips but two. Then each bout is found, by both names; the
# wrong one scores less. A video of yours is extracted, and asked about, in place of this.

# %%
if video:
    path, name = Path(video), normal(Path(video).stem)
    models = sorted(Path(checkpoints).glob("*.safetensors")) if checkpoints else []
    given = {"rgb": rgb_weights, "flow": flow_weights}
    recipe = Recipe(tuple((stream, Path(file)) for stream, file in given.items() if file))
    if not (models and recipe.weights):
        raise FacnetError(f"{video}: takes weights, and models; checkpoints = {checkpoints!r}.")
    mine = Path(output, "from_a_video_features")  # of an earlier run too, which is gone on with
    if failed := extract([path], mine, recipe, load_checkpoint(models[0]).classes):
        raise FacnetError(failed[0])
    data = load(mine, device=device)
    scores, experiment = checkpoint_scores(Path(checkpoints), data, (name,))
    length = data.videos.set_index("video").duration[name]
else:
    segments = pd.DataFrame(bouts, columns=["video", "label", "start", "end"])
    segments["subset"] = np.where(segments.video < count - 2, "train", "test")
    segments["video"] = [clips[number].stem for number in segments.video]
    segments.to_csv(folder / "segments.csv", index=False)
    init_folder(folder / "clips/features/rgb", folder / "segments.csv", folder / "data", 0.64)
    data = load(folder / "data", device=device)
    experiment = changed(base_of("seeds"), {  # short acts, by either name
        "localization.minimum_length": 1, "localization.class_threshold": 0.0})
    (stream,) = data.streams
    model, losses = fit(data, stream, experiment)
    scores = {stream: predict(model, data, stream, data.subset("test"), experiment)}
    path, name, length = clips[-1], clips[-1].stem, seconds
found = detect(scores, data, experiment)
found.sort_values("score", ascending=False).head(8).round(2)

# %% [markdown]
# ## The page
#
# `facnet video view DETECTIONS.json --video FILE` makes a page of its own. A click goes to that
# time, the slider hides what scores less, and the time axis listens to arrow keys.

# %%
url = f"data:{guess_type(path)[0]};base64," + base64.b64encode(path.read_bytes()).decode()
made = page(found, name, url, length, data, [*scores.values()][-1], experiment)
(folder / "view.html").write_text(made, "utf-8")
packed = base64.b64encode(made.encode()).decode()
IFrame(f"data:text/html;base64,{packed}", "100%", 860, extras=['title="The video and its timeline"'])

# %% [markdown]
# ## To remember, and to try
#
# - A row of features says what 0.64 s of video look like to a network that was trained elsewhere.
#   Frame rate, crop and flow belong to it: made in another way they are other features.
# - Optical flow takes most of the time ([Speed](../book/benchmark.md)).
# - Try `facnet video weights` ([How to rerun](../book/how_to_rerun.md#from-video-files)).
#
# **Exercise.** Detections end later than the acts do. Which choice of localisation is it?

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Solution"}
exact = changed(experiment, {"localization.extra_end_snippet": False})
detect(scores, data, exact).sort_values("score", ascending=False).head(8).round(2)
