"""Training by video-level labels, of one model or of several at once, and prediction (section 3.6).

What an optimiser step sees of the videos comes from :mod:`facnet.batches`.
"""

import copy
import ctypes
import json
import os
import platform
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap
from tqdm import tqdm

from facnet.batches import SHARE, Batch, Member, Source, features_of, one_seed, pack
from facnet.checkpoints import load_training, origin, save_training
from facnet.config import CommonTraining, Experiment, flat, to_dict
from facnet.data import Dataset
from facnet.errors import FacnetError
from facnet.localization import Scores
from facnet.methods import Method, method_of, preset
from facnet.model import Packing

TOGETHER = 16  # models at most: more gain little
# cuBLAS reads this at its first product in a process; without it, it may add in another order.
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")

if platform.libc_ver()[0] == "glibc":
    # To keep what is freed, up to a gigabyte: a step's tensors are some megabytes each, and mapped
    # and cleared anew every time they cost a sixth of a training. Largest piece kept, and in all.
    for setting, size in ((-3, 32 << 20), (-1, 1 << 30)):
        ctypes.CDLL(None).mallopt(setting, size)


def adam(weights: Iterable[Tensor], config: CommonTraining) -> torch.optim.Adam:
    """The released optimiser; the L2 penalty is added to the gradient."""
    return torch.optim.Adam(weights, config.learning_rate, config.betas,
                            weight_decay=config.weight_decay, fused=True)


def has_bfloat16() -> bool:
    """Whether the processor multiplies in bfloat16: AVX512-BF16 or AMX, or BF16 on Arm."""
    return any(map(torch.cpu.get_capabilities().get, ("avx512_bf16", "amx_bf16", "bf16")))


def losses_of(method: Method, model: nn.Module, config: CommonTraining, x: Tensor, lengths: Tensor,
              labels: Tensor, key: Tensor | None = None, frames: Tensor | None = None,
              weights: dict[str, Tensor] | None = None) -> dict[str, Tensor]:
    """The losses of the videos of a packed mini-batch by name, [B] each.

    Parameters
    ----------
    method, model, config
    x : Tensor [N, D], lengths : Tensor [B] or [N, B], key : Tensor []
        As in `FACNet.forward`.
    labels : Tensor [B, C]
        Video-level labels.
    frames : Tensor [N, C], optional
        Which classes each snippet shows; their cross-entropy, averaged over a video's snippets,
        is added to "total".
    weights : dict of str to Tensor, optional
        In place of the model's own, by the names of its parameters.
    """
    seen = x, lengths, config.bfloat16, key
    output = functional_call(model, weights, seen) if weights else model(*seen)
    losses = method.losses(output, labels, config)
    if frames is not None:
        own = _frame_loss(method.frame_logits(model, output), Packing(lengths, x), frames)
        losses = losses | {"total": losses["total"] + own}
    return losses


def train_step(losses: dict[str, Tensor], optimizer: torch.optim.Optimizer,
               config: CommonTraining) -> dict[str, Tensor]:
    """One optimiser step down the losses of a mini-batch, [..., B]; their sums by name, [...]."""
    total = losses["total"]
    objective = total.sum(-1) if config.reduction == "sum" else total.mean(-1)
    for weight in optimizer.param_groups[0]["params"]:
        weight.grad = None  # as zero_grad, a hundredth of a step faster
    objective.sum().backward()  # models have no weight in common: each gets its own gradient
    optimizer.step()
    return {name: value.detach().sum(-1) for name, value in losses.items()}


@contextmanager
def repeatable(device: str = "cpu", tf32: bool = False) -> Iterator[None]:
    """Compute so that the same comes out every time on a machine.

    On the CPU on one core, since the order of sums follows from the number of cores; more are for
    more experiments at once. On CUDA by algorithms that add in a fixed order.
    """
    threads, fixed = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    products = torch.backends.cuda.matmul
    precision = products.fp32_precision
    torch.set_num_threads(1)
    if torch.device(device).type == "cuda":
        torch.use_deterministic_algorithms(True)
        products.fp32_precision = "tf32" if tf32 else "ieee"
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(fixed)
        products.fp32_precision = precision


def fit(dataset: Dataset, stream: str, experiments: Experiment | Sequence[Experiment] = preset(),
        device: str | None = None, state_file: Path | None = None, progress: bool = True,
        after_epoch: Callable[[int, nn.Module], None] | None = None,
        ) -> tuple[nn.Module, pd.DataFrame] | list[tuple[nn.Module, pd.DataFrame]]:
    """Train a model on the training videos of one stream, or several models.

    What becomes of a model does not depend on the others. On a CPU they are trained one after the
    other; elsewhere those that `stacks` finds to fit together take their steps at once.

    Parameters
    ----------
    dataset : Dataset
    stream : str
        Or streams side by side, "rgb+flow"; `Method.streams` has what the method is trained on.
    experiments : Experiment, or a sequence of them
        `method`, `model`, `training` and `seed` are used. Initial weights, the order of videos,
        their sampling and dropout follow from the seed alone, so a run repeats exactly on a
        machine.
    device : str, optional
        By default the data set's.
    state_file : Path, optional
        Of one experiment: where the state of training is kept: written after every epoch, and gone
        on from if it exists. A training that was cut short then ends as if it had not been.
    progress : bool
        Whether to show a bar.
    after_epoch : callable, optional
        Of one experiment: called with the number of epochs that are done and the model, in
        evaluation mode: before the first epoch, and after each.

    Returns
    -------
    model : Module, in evaluation mode
        The method's network; :class:`facnet.model.FACNet` for FAC-Net.
    history : DataFrame [epoch, total, ...]
        Mean losses of a video by epoch, epochs counted from 1; FAC-Net's are cw, ca, mil, total.
        Of several experiments a list of such pairs, in their order.

    Raises
    ------
    FacnetError
        If a stream or video cannot be read, if a loss stops being a number, if the device has not
        enough memory, or if `state_file` is damaged or comes of another training.

    Notes
    -----
    The released loop leaves the gradient of an incomplete last mini-batch to the next epoch's
    first one; here an incomplete mini-batch makes a step of its own. At THUMOS14's 200 videos
    and 10 a mini-batch there is none.
    """
    if device not in (None, dataset.device):
        dataset = replace(dataset, device=device)
    if isinstance(experiments, Experiment):
        (only,) = _fit(dataset, stream, [experiments], state_file, progress, after_epoch)
        return only
    found = {}
    for group in stacks(experiments, dataset, stream):
        found |= zip(group, _fit(dataset, stream, group, progress=progress))
    return [found[one] for one in experiments]


def _fit(dataset: Dataset, stream: str, group: list[Experiment],
         state_file: Path | None = None, progress: bool = True,
         after_epoch: Callable[[int, nn.Module], None] | None = None,
         ) -> list[tuple[nn.Module, pd.DataFrame]]:
    """`fit` of experiments that `stacks` has put together."""
    config, device = group[0].training, dataset.device
    hooks = [after_epoch] if after_epoch else []
    for experiment in group:
        _check(experiment, method_of(experiment), device)
    with repeatable(device, config.tf32), _memory_named(
            device, f"training {len(group)} at once; set training.batch_size lower,"
            " training.snippets, or training.bfloat16"):
        members = [Member(dataset, stream, experiment) for experiment in group]
        stack = Stack(members, device)
        if state_file is not None:
            (own,), known = members, origin(dataset, stream, group[0])
            if state_file.exists():
                own.history, own.random = load_training(
                    state_file, known, own.model, stack.optimizer)
            hooks.insert(0, lambda *_: own.history and save_training(
                state_file, known, own.model, stack.optimizer, own.history, own.random))
        done = len(members[0].history)
        bar = tqdm(range(done + 1, config.epochs + 1), initial=done, total=config.epochs,
                   desc=f"training {stream}" + f", {len(group)} models" * (len(group) > 1),
                   unit="epoch", **({} if progress else {"disable": True}))  # else TQDM_DISABLE
        for hook in hooks:
            hook(done, members[0].model.eval())
        source = Source(dataset, stream, members) if done < config.epochs else None
        for epoch in bar:
            for member, losses in zip(members, _epoch(stack, source)):
                if not np.isfinite(losses["total"]):
                    raise FacnetError(
                        f"{dataset.name}, {stream}: the loss is {losses['total']} in epoch {epoch};"
                        " check the features for NaN, or lower learning_rate.")
                member.history.append({"epoch": epoch, **losses})
            bar.set_postfix({name: f"{value:.3f}" for name, value in losses.items()})
            for hook in hooks:
                hook(epoch, members[0].model.eval())
        stack.hand_back()
    return [(one.model.eval(), pd.DataFrame(
        one.history, columns=None if one.history else ["epoch", "total"])) for one in members]


class Stack:
    """Models that take their optimiser steps at once.

    One is computed by its network as it is. Of several the weights lie in one tensor each, with an
    axis of models before its own, and `torch.func.vmap` computes for all what the network computes
    for one: a product of matrices becomes a batch of them.
    """

    def __init__(self, members: list[Member], device: str):
        first = members[0]
        self.method, self.members, self.settings = first.method, members, first.experiment
        networks = [member.model.to(device).train() for member in members]
        self.network, self.weights = networks[0], dict(networks[0].named_parameters())
        if len(members) > 1:
            self.weights, _ = stack_module_state(networks)
            like = next(iter(self.weights.values()))
            settings = [flat(to_dict(one.experiment)) for one in members]
            self.varying = {place: like.new_tensor([own[place] for own in settings])
                            for place in self.method.together}
        self.optimizer = adam(self.weights.values(), first.experiment.training)

    def step(self, batch: Batch) -> dict[str, Tensor]:
        """An optimiser step of each model; its summed losses by name, [M]."""
        training = self.settings.training
        if len(self.members) == 1:
            losses = losses_of(self.method, self.network, training, *batch)
            losses = {name: value.unsqueeze(0) for name, value in losses.items()}
        else:
            axes = (0, 0, *(None if own is None or one_seed(self.members) else 0 for own in batch))
            losses = vmap(self._losses, axes)(self.weights, self.varying, *batch)
        return train_step(losses, self.optimizer, training)

    def _losses(self, weights: dict[str, Tensor], varying: dict[str, Tensor],
                *batch: Tensor) -> dict[str, Tensor]:
        """`losses_of` one of several models, with settings that are its own."""
        self.network.config = _with(self.settings.model, "model", varying)
        training = _with(self.settings.training, "training", varying)
        return losses_of(self.method, self.network, training, *batch, weights=weights)

    def hand_back(self) -> None:
        """Give each member's network its weights."""
        self.network.config = self.settings.model
        for m, member in enumerate(self.members):
            if len(self.members) > 1:
                member.model.load_state_dict({name: own[m] for name, own in self.weights.items()})


def _with(config: object, part: str, varying: dict[str, Tensor]) -> object:
    """The settings of one model of a stack: a tensor where the models differ."""
    own = copy.copy(config)
    for place, value in varying.items():
        if place.startswith(f"{part}."):
            object.__setattr__(own, place.partition(".")[2], value)
    return own


def stacks(experiments: Sequence[Experiment], dataset: Dataset,
           stream: str) -> list[list[Experiment]]:
    """Put experiments together that can be trained at once on the data set's device.

    On a CPU each is alone. Elsewhere those of a method that say of every setting the same but for
    the seed and `Method.together`, those of one seed side by side, which see the same mini-batches.
    A stack has at most `TOGETHER` models, and takes at most `SHARE` of the device's free memory.
    """
    alike = {}
    for one in dict.fromkeys(experiments):
        method = method_of(one)
        if torch.device(dataset.device).type == "cpu" or method.together is None:
            alike[one] = [one]
            continue
        settings = flat(to_dict(one) | {"seed": 0, "localization": {}})
        rest = settings | {place: np.shape(settings[place]) for place in method.together}
        alike.setdefault(json.dumps(rest, sort_keys=True), []).append(one)
    found = []
    for group in alike.values():
        most = len(group) if len(group) == 1 else _most(group[0], dataset, stream)
        group = sorted(group, key=lambda one: one.seed)
        found += [group[i : i + most] for i in range(0, len(group), most)]
    return found


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
            " processor, but training takes several times as long as in float32.", stacklevel=4)


def _most(experiment: Experiment, dataset: Dataset, stream: str) -> int:
    """How many models like this one are trained at once: `TOGETHER`, or what memory allows.

    Reckoned are six numbers a channel and snippet of the largest mini-batch, four an attention
    weight and video, and five a weight: itself, its gradient, Adam's two and one to spare.
    """
    if not dataset.device.startswith("cuda") or not torch.cuda.is_available():  # a worker has it
        return TOGETHER
    config, videos = experiment.training, dataset.subset("train")
    snippets = sorted(len(dataset.features(stream, video)) for video in videos)
    size = min(config.batch_size, len(videos))
    rows = size * config.snippets if config.snippets else sum(snippets[-size:])
    own = Member(dataset, stream, experiment).model
    columns = len(dataset.classes) * len(getattr(own.config, "temperatures", (1.0,)))
    floats = (rows * (own.input_width + 6 * sum(own.config.embedding_widths) + 4 * size * columns)
              + 5 * sum(weight.numel() for weight in own.parameters()))
    free, _ = torch.cuda.mem_get_info(dataset.device)
    return int(np.clip(free * SHARE / (4 * floats), 1, TOGETHER))


@contextmanager
def _memory_named(device: str, doing: str) -> Iterator[None]:
    """Out of memory is one line that says what can be done."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise FacnetError(f"{device}: out of memory, {doing}.") from error


def _epoch(stack: Stack, source: Source) -> list[dict[str, float]]:
    """An optimiser step on each mini-batch; of each member the mean losses of a video by name."""
    stack.network.train()
    sums, seen = {}, 0
    for batch in source:
        losses = stack.step(batch)
        sums = {name: sums.get(name, 0) + value for name, value in losses.items()}
        seen += batch.labels.shape[-2]
        del batch  # before the next is packed: two at a time fragment memory
    means = {name: (value / seen).tolist() for name, value in sums.items()}
    return [dict(zip(means, own)) for own in zip(*means.values())]


def predict(model: nn.Module, dataset: Dataset, stream: str, videos: tuple[str, ...],
            experiment: Experiment = preset()) -> Scores:
    """Scores of whole videos, dropout off; `videos` in the order given.

    Computed where the model lies, from all of a video's snippets, whatever training saw of them.

    Raises
    ------
    FacnetError
        If a video's features are not numbers, or not as many a snippet as the model takes.
    """
    method, device = method_of(experiment), next(model.parameters()).device
    first_of = stream.partition("+")[0]  # of streams side by side: that would read them all
    counts = [len(dataset.features(first_of, video)) for video in videos]
    offsets, found = np.concatenate([[0], np.cumsum(counts)]), []
    begins = np.arange(len(videos) + 1), offsets, offsets  # of each video in each result
    with torch.inference_mode(), repeatable(device), _memory_named(
            device, "scoring videos; what else runs there? Or take the CPU"):
        for first, last in _groups(counts, device):
            x, lengths = pack(
                features_of(dataset, stream, videos[first:last], model.input_width), device)
            values = method.predictions(model(x, lengths), experiment.training)
            if not found:  # what comes out is large, too: it goes where it stays at once
                found = [np.empty((begin[-1], *value.shape[1:]), np.float32)
                         for begin, value in zip(begins, values)]
            for array, begin, value in zip(found, begins, values):
                array[begin[first]:begin[last]] = value.cpu().numpy()
            del x, values, value  # as in `_epoch`
    useless = ~np.isfinite(found[0]).all(1)
    if useless.any():  # of a mini-batch one such video can spoil the others
        first = next((one for one in videos if not np.isfinite(
            dataset.features(first_of, one)).all()), videos[useless.argmax()])
        raise FacnetError(f"{dataset.name}, {stream}, {first}: the scores are"
                          " not numbers; check the features for NaN with `facnet data check`.")
    return Scores(tuple(videos), offsets, *found)


def _frame_loss(logits: Tensor, videos: Packing, shown: Tensor) -> Tensor:
    """Cross-entropy of snippets averaged over each video, [B]; of logits [N, K] and shown [N, C].

    A snippet's target is even over the classes that it shows; where it shows none, the background
    if there is a column for it.
    """
    if logits.shape[1] > shown.shape[1]:
        shown = torch.cat([shown, (shown.sum(1, keepdim=True) == 0).float()], dim=1)
    targets = shown / shown.sum(1, keepdim=True).clamp_min(1)
    of_snippet = -(targets * torch.log_softmax(logits, dim=-1)).sum(-1)
    return videos.means(of_snippet)


def _groups(counts: list[int], device: torch.device) -> Iterator[tuple[int, int]]:
    """Videos first to last, exclusive, of some 8,000 snippets: that bounds the memory of a group.

    Of short videos 128 at most: each takes an open file, and a row for each class. Off the CPU 32:
    there `Packing` has a column for each of a group's videos and classes.
    """
    first, snippets, most = 0, 0, 128 if device.type == "cpu" else 32
    for v, count in enumerate(counts):
        if v > first and (snippets + count > 8192 or v - first == most):
            yield first, v
            first, snippets = v, 0
        snippets += count
    yield first, len(counts)
