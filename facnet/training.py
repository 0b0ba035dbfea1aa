"""Fit a method's models on video-level labels, one a stream or one on all (section 3.6)."""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from tqdm import tqdm

from facnet.checkpoints import load_training, origin, save_training
from facnet.config import CommonTraining, Experiment
from facnet.data import Dataset
from facnet.errors import FacnetError
from facnet.localization import Scores
from facnet.methods import Method, method_of, preset
from facnet.model import Packing


def pack(arrays: list[np.ndarray], device: str | torch.device = "cpu") -> tuple[Tensor, Tensor]:
    """Videos [T, D] one under the other, [N, D], and their lengths [B] (on the CPU)."""
    packed = torch.from_numpy(np.concatenate(arrays).astype(np.float32, copy=False))
    lengths = torch.tensor([len(array) for array in arrays])
    return packed.to(device, non_blocking=True), lengths


def adam(model: nn.Module, config: CommonTraining) -> torch.optim.Adam:
    """The released optimiser; the L2 penalty is added to the gradient."""
    return torch.optim.Adam(model.parameters(), config.learning_rate, config.betas,
                            weight_decay=config.weight_decay, fused=True)


def has_bfloat16() -> bool:
    """Whether the processor multiplies in bfloat16: AVX512-BF16 or AMX, or BF16 on Arm."""
    return any(map(torch.cpu.get_capabilities().get, ("avx512_bf16", "amx_bf16", "bf16")))


def training_videos(dataset: Dataset,
                    experiment: Experiment) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The videos to train on, and those of the training videos that are held out."""
    videos, share = dataset.subset("train"), experiment.training.held_out
    order = np.random.default_rng(experiment.seed).permutation(len(videos))
    chosen = order[: round(share * len(videos))]
    left, held_out = (tuple(video for v, video in enumerate(videos) if (v in chosen) == held)
                      for held in (False, True))
    if not left or (share > 0 and not held_out):
        raise FacnetError(f"{dataset.name}: held_out = {share} leaves {len(left)} of {len(videos)}"
                          f" training videos to train on and {len(held_out)} to judge by.")
    return left, held_out


def sampled(length: int, config: CommonTraining) -> np.ndarray | slice:
    """Which of a video's snippets an optimiser step sees; see `CommonTraining.sampling`."""
    wanted = config.snippets
    if wanted is None or (config.sampling == "crop" and length <= wanted):
        return slice(None)
    if config.sampling == "crop":
        first = int(torch.randint(length - wanted + 1, ()))
        return slice(first, first + wanted)
    # Part i of STPN's and UM's code is [i T / n, (i + 1) T / n], both ends included.
    edges = np.arange(wanted + 1) * length // wanted
    size = np.minimum(edges[1:] + 1, length) - edges[:-1]
    return edges[:-1] + (torch.rand(wanted).numpy() * size).astype(int)


def train_step(method: Method, model: nn.Module, optimizer: torch.optim.Optimizer, x: Tensor,
               lengths: Tensor, labels: Tensor, config: CommonTraining,
               frames: Tensor | None = None) -> dict[str, Tensor]:
    """One optimiser step on a packed mini-batch.

    Parameters
    ----------
    method, model, optimizer, config
    x : Tensor [N, D], lengths : Tensor [B]
        As in `FACNet.forward`.
    labels : Tensor [B, C]
        Video-level labels.
    frames : Tensor [N, C], optional
        Which classes each snippet shows; their cross-entropy, averaged over a video's snippets,
        is added to the loss.

    Returns
    -------
    dict of str to Tensor
        The mini-batch's summed losses by name.
    """
    output = model(x, lengths, config.bfloat16)
    losses = method.losses(output, labels, config)
    if frames is not None:
        own = _frame_loss(method.frame_logits(model, output), lengths, frames)
        losses = losses | {"total": losses["total"] + own}
    total = losses["total"]
    objective = total.sum() if config.reduction == "sum" else total.mean()
    optimizer.zero_grad(set_to_none=True)
    objective.backward()
    optimizer.step()
    return {name: value.detach().sum() for name, value in losses.items()}


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute on one core: the order of sums, and with it the result, is then always the same.

    More cores are for more experiments at once.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@one_thread()
def fit(dataset: Dataset, stream: str, experiment: Experiment = preset(), device: str = "cpu",
        state_file: Path | None = None, progress: bool = True,
        after_epoch: Callable[[int, nn.Module], None] | None = None,
        ) -> tuple[nn.Module, pd.DataFrame]:
    """Train a model on the training videos of one stream.

    Parameters
    ----------
    dataset : Dataset
    stream : str
        Or streams side by side, "rgb+flow"; `Method.streams` has what the method is trained on.
    experiment : Experiment
        Its `method`, `model`, `training` and `seed` are used. Initial weights, the order of
        videos, their sampling and dropout follow from the seed alone, so a run repeats exactly on a
        machine.
    device : str
        Such as "cpu" or "cuda".
    state_file : Path, optional
        Where the state of training is kept: written after every epoch, and gone on from if it
        exists. A training that was cut short then ends as if it had not been.
    progress : bool
        Whether to show a bar.
    after_epoch : callable, optional
        Called with the number of epochs that are done and the model, in evaluation mode: before
        the first epoch, and after each. As long as it draws no random number, nothing changes.

    Returns
    -------
    model : Module, in evaluation mode
        The method's network; :class:`facnet.model.FACNet` for FAC-Net.
    history : DataFrame [epoch, total, ...]
        Mean losses of a video by epoch, epochs counted from 1; FAC-Net's are cw, ca, mil, total.

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
    method, config = method_of(experiment), experiment.training
    _check(experiment, method, device)
    videos, _ = training_videos(dataset, experiment)
    labels = torch.from_numpy(dataset.labels(videos)).to(device)
    history, hooks = [], [after_epoch] if after_epoch else []
    with torch.random.fork_rng():
        torch.manual_seed(experiment.seed)
        width = dataset.features(stream, videos[0]).shape[1]
        model = method.network(width, len(dataset.classes), experiment.model).to(device)
        optimizer = adam(model, config)
        if state_file is not None:
            known = origin(dataset, stream, experiment)
            if state_file.exists():
                history = load_training(state_file, known, model, optimizer)
            hooks.insert(0, lambda *_: history and save_training(
                state_file, known, model, optimizer, history))
        bar = tqdm(
            range(len(history) + 1, config.epochs + 1), desc=f"training {stream}", unit="epoch",
            initial=len(history), total=config.epochs,
            **({} if progress else {"disable": True}))  # unsaid, TQDM_DISABLE decides
        for hook in hooks:
            hook(len(history), model.eval())
        for epoch in bar:
            losses = _epoch(
                method, model.train(), optimizer, dataset, stream, videos, labels, config)
            if not np.isfinite(losses["total"]):
                raise FacnetError(
                    f"{dataset.name}, {stream}: the loss is {losses['total']} in epoch {epoch};"
                    " check the features for NaN, or lower learning_rate.")
            history.append({"epoch": epoch, **losses})
            bar.set_postfix({name: f"{value:.3f}" for name, value in losses.items()})
            for hook in hooks:
                hook(epoch, model.eval())
    return model.eval(), pd.DataFrame(history, columns=None if history else ["epoch", "total"])


def _check(experiment: Experiment, method: Method, device: str) -> None:
    """Refuse a training that cannot be; warn of one that will be slow."""
    config = experiment.training
    if config.supervision == "frame" and method.frame_logits is None:
        raise FacnetError(f"supervision = 'frame': {method.name} has no training by frames.")
    if config.lambda_cw > 0 and not experiment.model.embedding_widths:
        raise FacnetError(f"{method.name}: embedding_widths is empty, and the CW branch has nothing"
                          " to teach; set lambda_cw to 0, or give widths.")
    if config.bfloat16 and torch.device(device).type == "cpu" and not has_bfloat16():
        warnings.warn(
            "bfloat16: this processor has no instructions for it; results are those of any other"
            " processor, but training takes several times as long as in float32.", stacklevel=3)


def _epoch(method: Method, model: nn.Module, optimizer: torch.optim.Optimizer, dataset: Dataset,
           stream: str, videos: tuple[str, ...], labels: Tensor,
           config: CommonTraining) -> dict[str, float]:
    """An optimiser step on each mini-batch; the mean losses of a video by name."""
    sums, seen = {}, 0
    for batch in method.batches(labels, config):
        names, frames = [videos[v] for v in batch], None
        arrays = _features(dataset, stream, names, model.input_width)
        rows = [sampled(len(array), config) for array in arrays]
        x, lengths = pack([array[own] for array, own in zip(arrays, rows)], labels.device)
        if config.supervision == "frame":
            shown = [frame_labels(dataset, name, len(array))[own]
                     for name, array, own in zip(names, arrays, rows)]
            frames = torch.from_numpy(np.concatenate(shown)).to(x)
        losses = train_step(method, model, optimizer, x, lengths, labels[batch], config, frames)
        sums = {name: sums.get(name, 0) + value for name, value in losses.items()}
        seen += len(batch)
        del x, arrays  # before the next is packed: two at a time fragment memory
    return {name: (value / seen).item() for name, value in sums.items()}


@one_thread()
def predict(model: nn.Module, dataset: Dataset, stream: str, videos: tuple[str, ...],
            experiment: Experiment = preset(), device: str = "cpu") -> Scores:
    """Scores of whole videos, dropout off; `videos` in the order given.

    All of a video's snippets are used, whatever training saw of them at a time.

    Raises
    ------
    FacnetError
        If a video's features are not numbers, or not as many a snippet as the model takes.
    """
    method = method_of(experiment)
    first_of = stream.partition("+")[0]  # of streams side by side: that would read them all
    counts = [len(dataset.features(first_of, video)) for video in videos]
    offsets, found = np.concatenate([[0], np.cumsum(counts)]), []
    begins = np.arange(len(videos) + 1), offsets, offsets  # of each video in each result
    with torch.inference_mode():
        for first, last in _groups(counts):
            x, lengths = pack(
                _features(dataset, stream, videos[first:last], model.input_width), device)
            values = method.predictions(model(x, lengths), experiment.training)
            if not found:  # what comes out is large, too: it goes where it stays at once
                found = [np.empty((begin[-1], *value.shape[1:]), np.float32)
                         for begin, value in zip(begins, values)]
            for array, begin, value in zip(found, begins, values):
                array[begin[first]:begin[last]] = value.cpu().numpy()
            del x, values, value  # as in `_epoch`
    useless = ~np.isfinite(found[0]).all(1)
    if useless.any():
        raise FacnetError(f"{dataset.name}, {stream}, {videos[useless.argmax()]}: the scores are"
                          " not numbers; check the features for NaN with `facnet data check`.")
    return Scores(tuple(videos), offsets, *found)


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


def _features(dataset: Dataset, stream: str, names: list[str], width: int) -> list[np.ndarray]:
    """Some videos' features, which must be `width` wide."""
    arrays = [dataset.features(stream, name) for name in names]
    for name, array in zip(names, arrays):
        if array.shape[1] != width:
            raise FacnetError(f"{dataset.name}, {stream}, {name}: {array.shape[1]} features a"
                              f" snippet, but the model takes {width}.")
    return arrays


def _frame_loss(logits: Tensor, lengths: Tensor, shown: Tensor) -> Tensor:
    """Cross-entropy of snippets averaged over each video, [B]; of logits [N, K] and shown [N, C].

    A snippet's target is even over the classes that it shows; where it shows none, the background
    if there is a column for it.
    """
    if logits.shape[1] > shown.shape[1]:
        shown = torch.cat([shown, (shown.sum(1, keepdim=True) == 0).float()], dim=1)
    targets = shown / shown.sum(1, keepdim=True).clamp_min(1)
    of_snippet = -(targets * torch.log_softmax(logits, dim=-1)).sum(-1)
    return Packing(lengths, logits.device).means(of_snippet)


def _groups(counts: list[int]) -> Iterator[tuple[int, int]]:
    """Videos first to last, exclusive, of some 8,000 snippets: that bounds the memory of a group.

    Of short videos 128 at most: each takes an open file, and a row for each class.
    """
    first, snippets = 0, 0
    for v, count in enumerate(counts):
        if v > first and (snippets + count > 8192 or v - first == 128):
            yield first, v
            first, snippets = v, 0
        snippets += count
    yield first, len(counts)
