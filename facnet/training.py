"""Fit one model a stream on video-level labels (section 3.6)."""

import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from tqdm import tqdm

from facnet.checkpoints import load_training, origin, save_training
from facnet.config import Experiment, TrainingConfig
from facnet.datasets import Dataset
from facnet.errors import FacnetError, suggest
from facnet.losses import fac_net_losses
from facnet.model import FACNet, Output

__all__ = [
    "Scores", "adam", "fit", "frame_labels", "has_bfloat16", "pack", "predict", "train_step",
]


@dataclass(frozen=True)
class Scores:
    """What a model says of some videos of one stream; snippets are packed.

    Attributes
    ----------
    videos : tuple of str
    offsets : ndarray [V + 1] of int
        Video v's snippets are rows `offsets[v]` to `offsets[v + 1]`.
    probability : ndarray [V, K]
        P_f of equation 11, a video's class probabilities.
    activation : ndarray [N, K]
        S_a of equation 1, the class activation sequence.
    foreground : ndarray [N]
        S_f of equation 8.
    embedding : ndarray [N, D]
        X_e.
    """

    videos: tuple[str, ...]
    offsets: np.ndarray
    probability: np.ndarray
    activation: np.ndarray
    foreground: np.ndarray
    embedding: np.ndarray

    def rows(self, video: str) -> slice:
        """The rows of a video's snippets."""
        v = self.videos.index(video)
        return slice(self.offsets[v], self.offsets[v + 1])


def pack(arrays: list[np.ndarray], device: str | torch.device = "cpu") -> tuple[Tensor, Tensor]:
    """Videos [T, D] one under the other, [N, D], and their lengths [B] (on the CPU)."""
    packed = torch.from_numpy(np.concatenate(arrays).astype(np.float32, copy=False))
    lengths = torch.tensor([len(array) for array in arrays])
    return packed.to(device, non_blocking=True), lengths


def adam(model: FACNet, config: TrainingConfig) -> torch.optim.Adam:
    """The released optimiser; the L2 penalty is added to the gradient."""
    return torch.optim.Adam(
        model.parameters(), config.learning_rate, config.betas, weight_decay=config.weight_decay,
        fused=True,
    )


def has_bfloat16() -> bool:
    """Whether the processor multiplies in bfloat16: AVX512-BF16 or AMX, or BF16 on Arm."""
    capabilities = torch.cpu.get_capabilities()
    return any(capabilities.get(name) for name in ("avx512_bf16", "amx_bf16", "bf16"))


def train_step(
    model: FACNet, optimizer: torch.optim.Optimizer, x: Tensor, lengths: Tensor, labels: Tensor,
    config: TrainingConfig, frames: Tensor | None = None,
) -> Tensor:
    """One optimiser step on a packed mini-batch.

    Parameters
    ----------
    model, optimizer, config
    x : Tensor [N, D], lengths : Tensor [B]
        As in `FACNet.forward`.
    labels : Tensor [B, C]
        Video-level labels.
    frames : Tensor [N, K], optional
        Target distribution of each snippet; its cross-entropy, averaged over a video's snippets,
        is added to the loss.

    Returns
    -------
    Tensor [4]
        The mini-batch's summed losses: cw, ca, mil, total.
    """
    output = model(x, lengths, config.bfloat16)
    losses = fac_net_losses(output, labels, config)
    total = losses.total
    if frames is not None:
        total = total + _frame_loss(model, output, lengths, frames)
    objective = total.sum() if config.reduction == "sum" else total.mean()
    optimizer.zero_grad(set_to_none=True)
    objective.backward()
    optimizer.step()
    return torch.stack([v.detach().sum() for v in (losses.cw, losses.ca, losses.mil, total)])


def fit(
    dataset: Dataset, stream: str, experiment: Experiment = Experiment(), device: str = "cpu",
    supervision: str = "video", state_file: Path | None = None, progress: bool = True,
) -> tuple[FACNet, pd.DataFrame]:
    """Train a model on the training videos of one stream.

    Parameters
    ----------
    dataset : Dataset
    stream : str
    experiment : Experiment
        Its `model`, `training` and `seed` are used. Initial weights, the order of videos and
        dropout follow from the seed alone, so a run repeats exactly on a machine.
    device : str
        Such as "cpu" or "cuda".
    supervision : {"video", "frame"}
        "frame" adds the cross-entropy of every snippet's class to the loss: not FAC-Net, but a
        ceiling for what the same network could learn from these features.
    state_file : Path, optional
        Where the state of training is kept: written after every epoch, and gone on from if it
        exists. A training that was cut short then ends as if it had not been.
    progress : bool
        Whether to show a bar.

    Returns
    -------
    model : FACNet, in evaluation mode
    history : DataFrame [epoch, cw, ca, mil, total]
        Mean losses of a video by epoch, epochs counted from 1.

    Raises
    ------
    FacnetError
        If a stream or video cannot be read, if the loss stops being a number, or if `state_file`
        is damaged or comes of another training.

    Notes
    -----
    The released loop leaves the gradient of an incomplete last mini-batch to the next epoch's
    first one; here an incomplete mini-batch makes a step of its own. At THUMOS14's 200 videos
    and 10 a mini-batch there is none.
    """
    if supervision not in ("video", "frame"):
        raise FacnetError(
            f"supervision = {supervision!r} is unknown.{suggest(supervision, ['video', 'frame'])}"
        )
    config, videos = experiment.training, dataset.subset("train")
    if config.bfloat16 and torch.device(device).type == "cpu" and not has_bfloat16():
        warnings.warn(
            "bfloat16: this processor has no instructions for it; results are those of any other"
            " processor, but training takes several times as long as in float32.", stacklevel=2)
    labels = torch.from_numpy(dataset.labels(videos)).to(device)
    history = []
    known = None if state_file is None else origin(dataset, stream, experiment, supervision)
    with torch.random.fork_rng():
        torch.manual_seed(experiment.seed)
        width = dataset.features(stream, videos[0]).shape[1]
        model = FACNet(width, len(dataset.classes), experiment.model).to(device).train()
        optimizer = adam(model, config)
        if known and state_file.exists():
            history = load_training(state_file, known, model, optimizer)
        bar = tqdm(
            range(len(history) + 1, config.epochs + 1), desc=f"training {stream}", unit="epoch",
            initial=len(history), total=config.epochs,
            **({} if progress else {"disable": True}),  # unsaid, TQDM_DISABLE decides
        )
        for epoch in bar:
            sums = torch.zeros(4, device=device)
            for batch in torch.randperm(len(videos)).split(config.batch_size):
                names = [videos[v] for v in batch]
                x, lengths = _packed(dataset, stream, names, width, device)
                frames = None
                if supervision == "frame":
                    frames = _frame_targets(dataset, names, lengths, model).to(device)
                sums += train_step(model, optimizer, x, lengths, labels[batch], config, frames)
                del x  # before the next is packed: two at a time fragment memory
            losses = dict(zip(("cw", "ca", "mil", "total"), (sums / len(videos)).tolist()))
            if not np.isfinite(losses["total"]):
                raise FacnetError(
                    f"{dataset.name}, {stream}: the loss is {losses['total']} in epoch {epoch};"
                    " check the features for NaN, or lower learning_rate."
                )
            history.append({"epoch": epoch, **losses})
            if known:
                save_training(state_file, known, model, optimizer, history)
            bar.set_postfix({name: f"{value:.3f}" for name, value in losses.items()})
    columns = ["epoch", "cw", "ca", "mil", "total"]
    return model.eval(), pd.DataFrame(history, columns=columns)


def predict(
    model: FACNet, dataset: Dataset, stream: str, videos: tuple[str, ...], device: str = "cpu",
    training: TrainingConfig = TrainingConfig(),
) -> Scores:
    """Scores of whole videos, dropout off; `videos` in the order given.

    A video's class probabilities are P_f (equation 11), as in text and released code. Where
    `training` has the CA branch off, nothing taught P_f; then they are the mean of the
    predictions of the branches that are on, P_a (equation 5) and P_m.

    Raises
    ------
    FacnetError
        If a video's features are not numbers, or not as many a snippet as the model takes.
    """
    parts = []
    with torch.inference_mode():
        for names in _groups(dataset, stream, videos):
            x, lengths = _packed(dataset, stream, names, model.input_width, device)
            output = model(x, lengths)
            values = (_video_probability(output, training), output.S_a, output.S_f, output.X_e)
            parts.append([lengths.numpy(), *(v.cpu().numpy() for v in values)])
    lengths, *arrays = (np.concatenate(column) for column in zip(*parts))
    useless = ~np.isfinite(arrays[0]).all(1)
    if useless.any():
        raise FacnetError(
            f"{dataset.name}, {stream}, {videos[useless.argmax()]}: the scores are not numbers;"
            " check the features for NaN with `facnet data check`.")
    return Scores(tuple(videos), np.concatenate([[0], np.cumsum(lengths)]), *arrays)


def frame_labels(dataset: Dataset, video: str, snippets: int) -> np.ndarray:
    """Which classes a snippet shows, [T, C] of bool: those of instances covering half of it."""
    shown = np.zeros((snippets, len(dataset.classes)), bool)
    own = dataset.instances[dataset.instances.video == video]
    begin = np.arange(snippets) * dataset.snippet_seconds
    for label, start, end in zip(own.label, own.start, own.end):
        covered = np.minimum(end, begin + dataset.snippet_seconds) - np.maximum(start, begin)
        # Rounded, so that exactly half is half: from 1.6 s on, .32 s of the snippet at 1.28 s.
        shown[covered.round(9) >= dataset.snippet_seconds / 2, dataset.classes.index(label)] = True
    return shown


def _packed(
    dataset: Dataset, stream: str, names: list[str], width: int, device: str
) -> tuple[Tensor, Tensor]:
    """`pack` of some videos' features, which must be `width` wide."""
    arrays = [dataset.features(stream, name) for name in names]
    for name, array in zip(names, arrays):
        if array.shape[1] != width:
            raise FacnetError(
                f"{dataset.name}, {stream}, {name}: {array.shape[1]} features a snippet, but the"
                f" model takes {width}.")
    return pack(arrays, device)


def _video_probability(output: Output, training: TrainingConfig) -> Tensor:
    if training.lambda_ca > 0 or training.lambda_cw == training.lambda_mil == 0:
        return output.R_f.softmax(-1)
    on = [scores.softmax(-1) for scores, weight in
          ((output.R_a, training.lambda_cw), (output.R_m, training.lambda_mil)) if weight > 0]
    return torch.stack(on).mean(0)


def _frame_targets(
    dataset: Dataset, names: list[str], lengths: Tensor, model: FACNet
) -> Tensor:
    """Distribution over classes a snippet, [N, K]; background where no class is shown."""
    shown = [frame_labels(dataset, name, int(n)) for name, n in zip(names, lengths)]
    targets = torch.from_numpy(np.concatenate(shown)).float()
    if model.config.background_class:
        background = (targets.sum(1, keepdim=True) == 0).float()
        targets = torch.cat([targets, background], dim=1)
    return targets / targets.sum(1, keepdim=True).clamp_min(1)


def _frame_loss(model: FACNet, output: Output, lengths: Tensor, frames: Tensor) -> Tensor:
    """Cross-entropy of snippets averaged over each video, [B]."""
    sharpness = model.config.video_scale / model.config.scale
    of_snippet = -(frames * torch.log_softmax(sharpness * output.S_a, dim=-1)).sum(-1)
    video = torch.repeat_interleave(torch.arange(len(lengths)), lengths).to(frames.device)
    sums = of_snippet.new_zeros(len(lengths)).index_add(0, video, of_snippet)
    return sums / lengths.to(frames.device)


def _groups(dataset: Dataset, stream: str, videos: tuple[str, ...]) -> list[list[str]]:
    """Videos in groups of some 8,000 snippets, which bounds the memory of a forward pass."""
    groups, room = [], 0
    for video in videos:
        snippets = len(dataset.features(stream, video))
        if snippets > room or not groups:
            groups.append([])
            room = 8192
        groups[-1].append(video)
        room -= snippets
    return groups
