"""What each optimiser step sees of the videos: drawn, read, and packed into mini-batches.

What is drawn follows from random numbers that are a model's own, whatever is trained beside it.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from facnet.config import CommonTraining, Experiment
from facnet.data import Dataset, frame_labels
from facnet.errors import FacnetError
from facnet.methods import method_of

SHARE = 1 / 4  # of a GPU's free memory, for features and again for models: two processes take turns


def pack(arrays: list[np.ndarray], device: str | torch.device = "cpu") -> tuple[Tensor, Tensor]:
    """Videos [T, D] one under the other, [N, D], and their lengths [B] (on the CPU)."""
    packed = torch.from_numpy(np.concatenate(arrays).astype(np.float32, copy=False))
    lengths = torch.tensor([len(array) for array in arrays])
    on_cuda = torch.device(device).type == "cuda"
    packed = packed.pin_memory() if on_cuda else packed  # else the copy waits, and all behind it
    return packed.to(device, non_blocking=on_cuda), lengths


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


class Plan(NamedTuple):
    """What an optimiser step of one model sees."""

    batch: list[int]  # videos
    rows: list[np.ndarray | slice]  # snippets of each
    key: Tensor  # of its dropout


class Batch(NamedTuple):
    """A packed mini-batch, as `losses_of` takes it; of several models with an axis of them before.

    What is the same for all models, since they have one seed, has no such axis.
    """

    x: Tensor
    lengths: Tensor
    labels: Tensor
    key: Tensor
    frames: Tensor | None


class Member:
    """A model in training, with all that is its own: weights, videos, random numbers, losses."""

    def __init__(self, dataset: Dataset, stream: str, experiment: Experiment):
        self.method, self.experiment, self.history = method_of(experiment), experiment, []
        self.videos, _ = training_videos(dataset, experiment)
        self.labels = torch.from_numpy(dataset.labels(self.videos))
        self.width = dataset.features(stream, self.videos[0]).shape[1]
        with torch.random.fork_rng(devices=()):
            torch.manual_seed(experiment.seed)
            self.model = self.method.network(self.width, len(dataset.classes), experiment.model)
            self.random = torch.get_rng_state()

    def plans(self, snippets: dict[str, int]) -> list[Plan]:
        """Those of an epoch, from the member's own random numbers."""
        config = self.experiment.training
        with torch.random.fork_rng(devices=()):
            torch.set_rng_state(self.random)
            plans = [
                Plan(batch.tolist(), [sampled(snippets[self.videos[v]], config) for v in batch],
                     torch.randint(2**62, ()))
                for batch in self.method.batches(self.labels, config)]
            self.random = torch.get_rng_state()
        return plans


class Source:
    """A stream's features of the training videos, packed into mini-batches on a device.

    They lie on the device where they take at most `SHARE` of its free memory. Else, and on a CPU,
    each mini-batch is read when its turn comes; for another device while that computes the one
    before.
    """

    def __init__(self, dataset: Dataset, stream: str, members: list[Member]):
        self.dataset, self.stream, self.members = dataset, stream, members
        self.device, self.table, self.stream_aside = torch.device(dataset.device), None, None
        videos = tuple(dict.fromkeys(one for member in members for one in member.videos))
        self.snippets = {one: len(dataset.features(stream, one)) for one in videos}
        self.first = dict(zip(videos, np.cumsum([0, *self.snippets.values()])))
        size = 4 * members[0].width * sum(self.snippets.values())
        if self.device.type == "cuda" and size <= torch.cuda.mem_get_info(self.device)[0] * SHARE:
            self.table = torch.cat([pack(self._features([one]), self.device)[0] for one in videos])

    def __iter__(self) -> Iterator[Batch]:
        """The mini-batches of an epoch."""
        plans = zip(*(member.plans(self.snippets) for member in self.members), strict=True)
        if self.device.type == "cpu" or self.table is not None:
            yield from map(self.batch, plans)
            return
        with ThreadPoolExecutor(1) as reader:
            coming = reader.submit(self._aside, next(plans))
            for following in plans:
                ready, coming = coming.result(), reader.submit(self._aside, following)
                yield self._here(ready)
            yield self._here(coming.result())

    def batch(self, plans: tuple[Plan, ...]) -> Batch:
        """A step's mini-batch of each member."""
        seen = list(zip(self.members, plans))[: 1 if one_seed(self.members) else None]
        parts = [self._part(member, plan) for member, plan in seen]
        if len(self.members) == 1:
            return parts[0]
        longest = max(len(part.x) for part in parts)
        parts = [part._replace(lengths=membership(part.lengths, longest, part.x),
                               x=_filled(part.x, longest), frames=_filled(part.frames, longest))
                 for part in parts]
        if len(parts) == 1:
            return parts[0]
        return Batch(*(None if own[0] is None else torch.stack(own) for own in zip(*parts)))

    def _aside(self, plans: tuple[Plan, ...]) -> Batch:
        """`batch` on CUDA's second stream, so that copies do not wait for what is computed."""
        if self.device.type != "cuda":
            return self.batch(plans)
        self.stream_aside = self.stream_aside or torch.cuda.Stream(self.device)
        with torch.cuda.stream(self.stream_aside):
            batch = self.batch(plans)
            self.stream_aside.synchronize()
        return batch

    def _here(self, batch: Batch) -> Batch:
        """To be used on the first stream: its memory is not given away before that is done."""
        for own in batch:
            if own is not None and own.is_cuda:
                own.record_stream(torch.cuda.current_stream(self.device))
        return batch

    def _part(self, member: Member, plan: Plan) -> Batch:
        """The mini-batch of one member, `lengths` as a packed batch has them."""
        names = [member.videos[v] for v in plan.batch]
        counts, frames = [self.snippets[name] for name in names], None
        if self.table is None:
            arrays = [array[own] for array, own in zip(self._features(names), plan.rows)]
            x, lengths = pack(arrays, self.device)
        else:
            index = [self.first[name] + np.arange(count)[own]
                     for name, count, own in zip(names, counts, plan.rows)]
            lengths = torch.tensor([len(own) for own in index])
            x = self.table[torch.from_numpy(np.concatenate(index)).to(self.device)]
        if member.experiment.training.supervision == "frame":
            shown = [frame_labels(self.dataset, name, count)[own]
                     for name, count, own in zip(names, counts, plan.rows)]
            frames = torch.from_numpy(np.concatenate(shown)).to(x)
        return Batch(x, lengths, member.labels[plan.batch].to(x), plan.key.to(x.device), frames)

    def _features(self, names: list[str]) -> list[np.ndarray]:
        return features_of(self.dataset, self.stream, names, self.members[0].width)


def membership(lengths: Tensor, snippets: int, x: Tensor) -> Tensor:
    """Which of so many snippets is of which video, as `Packing` takes it: [B] to [N, B]."""
    ends = lengths.cumsum(0).to(x.device)
    place = torch.arange(snippets, device=x.device).unsqueeze(1)
    return ((place < ends) & (place >= ends - lengths.to(x.device))).to(x.dtype)


def _filled(x: Tensor | None, rows: int) -> Tensor | None:
    """With rows of zeros below."""
    return x if x is None else functional.pad(x, (0, 0, 0, rows - len(x)))


def one_seed(members: list[Member]) -> bool:
    """Whether all see the same videos in the same order, with the same dropout."""
    return len({member.experiment.seed for member in members}) == 1


def features_of(dataset: Dataset, stream: str, names: list[str], width: int) -> list[np.ndarray]:
    """Some videos' features, which must be `width` wide."""
    arrays = [dataset.features(stream, name) for name in names]
    for name, array in zip(names, arrays):
        if array.shape[1] != width:
            raise FacnetError(f"{dataset.name}, {stream}, {name}: {array.shape[1]} features a"
                              f" snippet, but the model takes {width}.")
    return arrays
