"""How fast and how large: measure, write tests/benchmark.json and the page's tables.

    python tests/benchmark.py            an epoch of training, evaluation, memory; some ten minutes
    python tests/benchmark.py cuda       an epoch of training there, alone and many models at once
    python tests/benchmark.py video      from a video file to features; some minutes
    python tests/benchmark.py bfloat16   what bfloat16 changes in AVG over five seeds; half an hour
                                         on a core without instructions for it

`make bench` runs the first and the third, `make bench DEVICE=cuda` the second. Needs Linux, which
tells a process's peak memory.
"""

import copy
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from benchmark_video import measure_video, table
from torch.nn import functional

from facnet.batches import pack
from facnet.config import ModelConfig, TrainingConfig
from facnet.data import Dataset, load
from facnet.evaluation import evaluate
from facnet.experiment import run
from facnet.methods import METHODS, preset
from facnet.model import FACNet
from facnet.study.statistics import cell, interval
from facnet.training import adam, fit, has_bfloat16, losses_of, repeatable, train_step

FILE = Path(__file__).with_name("benchmark.json")
PAGE = Path(__file__).parents[1] / "book" / "benchmark_results.md"
SNIPPETS, WIDTH = 65_215, 1024  # of THUMOS14's 200 training videos, one stream of I3D
SEEDS = range(5)


def write_features(folder: Path, source: Dataset, snippets: int, width: int) -> None:
    """A data set in a folder: random features of one stream, in videos of the source's lengths.

    The lengths of its training videos are scaled so that there are `snippets` of them in all.
    """
    videos = source.videos[source.videos.subset == "train"]
    ends = np.rint(videos.duration.cumsum() / videos.duration.sum() * snippets).astype(int)
    lengths = dict(zip(videos.video, np.diff(ends, prepend=0)))
    test = source.subset("test")[0]  # a data set has test videos; this one is never read
    random = np.random.default_rng(0)
    (folder / "features" / "rgb").mkdir(parents=True)
    for video, length in (lengths | {test: 1}).items():
        features = np.abs(random.standard_normal((max(length, 1), width), dtype=np.float32))
        np.save(folder / "features" / "rgb" / f"{video}.npy", features)
    database = {
        row.video: {"subset": row.subset, "duration": row.duration, "labels": list(row.labels),
                    "annotations": []}
        for row in source.videos.itertuples() if row.video in lengths or row.video == test
    }
    (folder / "annotations.json").write_text(json.dumps({
        "name": "random features", "classes": list(source.classes), "streams": {"rgb": {}},
        "snippet_seconds": source.snippet_seconds, "train": "train", "test": "test",
        "database": database,
    }))


def cosine(x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
    """Cosines of rows: [T, D] and [K, D] to [T, K]."""
    return functional.normalize(x, dim=1) @ functional.normalize(w, dim=1).T


class PlainLoop:
    """The released training as it reads in the paper: video by video, gradients added up."""

    def __init__(self, model: FACNet, videos: list[torch.Tensor], labels: torch.Tensor):
        first, second = model.embedding
        weights = (first.weight, first.bias, second.weight, second.bias, model.W_a, model.W_f)
        self.weights = [w.detach().clone().requires_grad_() for w in weights]
        self.optimizer = torch.optim.Adam(self.weights, 1e-4, (0.9, 0.99), weight_decay=0.005)
        self.videos, self.labels = videos, labels

    def losses(self, video: int, dropout: float) -> torch.Tensor:
        """cw, ca, mil and total of one video; numbers are the paper's equations."""
        W_1, b_1, W_2, b_2, W_a, W_f = self.weights
        x = self.videos[video]
        x = functional.dropout(functional.relu(functional.linear(x, W_1, b_1)), dropout)
        x = functional.dropout(functional.relu(functional.linear(x, W_2, b_2)), dropout)
        S_a, S_f = 5 * cosine(x, W_a), 5 * cosine(x, W_f)  # (1), (8)
        R_a, R_f, R_m = [], [], []
        for tau in (1, 2, 5):
            A_a, A_f = (tau * S_a).softmax(0), (tau * S_f).softmax(0)  # (2), (9)
            F_a, F_f = A_a.T @ x, A_f.T @ x  # (3), (10)
            R_a.append(10 * cosine(F_a, W_f)[:, 0])  # (4)
            R_f.append(10 * cosine(F_f, W_a)[0])  # inside (11)
            R_m.append(2 * (A_a * S_a).sum(0))  # (13)
        y = self.labels[video]
        action = functional.pad(y, (0, 1)) / y.sum()
        with_background = functional.pad(y, (0, 1), value=1) / (y.sum() + 1)
        cw, ca, mil = (
            -(target * torch.stack(scores).mean(0).log_softmax(0)).sum()  # (6), (12)
            for target, scores in ((action, R_a), (action, R_f), (with_background, R_m))
        )
        return torch.stack([cw, ca, mil, cw + 0.1 * ca + 0.1 * mil])  # (14)

    def step(self, batch: torch.Tensor, dropout: float = 0.5) -> torch.Tensor:
        """One optimiser step on the videos of a mini-batch; their summed losses."""
        self.optimizer.zero_grad()
        sums = torch.zeros(4, device=self.labels.device)
        for video in batch.tolist():
            losses = self.losses(video, dropout)
            losses[3].backward()
            sums += losses.detach()
        self.optimizer.step()
        return sums

    def epoch(self, batch_size: int) -> None:
        """One pass over all videos in random order."""
        for batch in torch.randperm(len(self.videos)).split(batch_size):
            self.step(batch)


def check_agreement(data: Dataset, loop: PlainLoop, model: FACNet, config: TrainingConfig) -> None:
    """That loop and package compute the same: losses of two mini-batches, dropout off.

    Those of the second depend on the optimiser step of the first.
    """
    names, stream = data.subset("train"), data.streams[0]
    loop = PlainLoop(model, loop.videos, loop.labels)
    model = copy.deepcopy(model)
    model.embedding.dropout = 0.0
    optimizer = adam(model.parameters(), config)
    for batch in torch.arange(len(names)).split(config.batch_size)[:2]:
        x, lengths = pack([data.features(stream, names[v]) for v in batch], loop.labels.device)
        ours = train_step(losses_of(METHODS["FAC-Net"], model, config, x, lengths,
                                    loop.labels[batch]), optimizer, config)
        ours = torch.stack(list(ours.values()))
        torch.testing.assert_close(ours, loop.step(batch, dropout=0.0), rtol=1e-4, atol=1e-4)


def measure_training(folder: Path, model: ModelConfig, rounds: int, device: str = "cpu",
                     models: int = 2) -> dict:
    """Seconds of an epoch, of a stack of models per model; on a CPU all on one thread.

    On CUDA the loop's features lie there, the clock waits for the device, and a first round, which
    is not counted, warms it. Two runs of a stack from one seed must be equal bit by bit.
    """
    data = load(folder, device=device)
    stream, names = data.streams[0], data.subset("train")
    assert isinstance(data.features(stream, names[0]), np.memmap)
    videos = [torch.from_numpy(np.array(data.features(stream, name))).to(device) for name in names]
    training = replace(preset("released").training, epochs=1)
    network = FACNet(videos[0].shape[1], len(data.classes), model).train().to(device)
    loop = PlainLoop(network, videos, torch.from_numpy(data.labels(names)).to(device))
    with repeatable(device):
        check_agreement(data, loop, network, training)

    def epoch(config: TrainingConfig, number: int = 1, by_seed: bool = False) -> list:
        weights = np.linspace(0, 1, number)
        group = [replace(preset(), model=model, seed=n * by_seed,
                         training=replace(config, lambda_cw=1.0 if by_seed else weights[n]))
                 for n in range(number)]
        return fit(data, stream, group, progress=False)

    faster = replace(training, bfloat16=True, tf32=True)
    contenders = {
        "loop": lambda: loop.epoch(training.batch_size), "float32": lambda: epoch(training),
        "bfloat16": lambda: epoch(replace(training, bfloat16=True)),
        "variants": lambda: epoch(training, models), "seeds": lambda: epoch(training, models, True)}
    if device != "cpu":
        contenders["tf32"] = lambda: epoch(replace(training, tf32=True))
        contenders["variants, bfloat16 and tf32"] = lambda: epoch(faster, models)
        first, second = (epoch(training, models, True) for _ in range(2))
        assert all(torch.equal(a, b) for (one, _), (other, _) in zip(first, second)
                   for a, b in zip(one.parameters(), other.parameters())), "it does not repeat"
    measured = {name: [] for name in contenders}
    for number in range(-(device != "cpu"), rounds):
        for name, run_epoch in contenders.items():
            # Without its instructions an epoch in bfloat16 takes minutes, and once is enough.
            if name == "bfloat16" and number > 0 and device == "cpu" and not has_bfloat16():
                continue
            with repeatable(device):
                taken = seconds(lambda: (run_epoch(), device != "cpu" and torch.cuda.synchronize()))
            if number >= 0:
                many = models if name.startswith(("variants", "seeds")) else 1
                measured[name].append(taken / many)
        print(f"round {number + 1} of {rounds}:", *(
            f"{name} {own[-1]:.3f} s" for name, own in measured.items() if len(own) > number >= 0),
            flush=True)
    return {"videos": len(videos), "snippets": sum(map(len, videos)),
            "features": videos[0].shape[1], "embedding_widths": list(model.embedding_widths),
            "batch_size": training.batch_size, "models": models, "device": name_of(device),
            "machine": machine(),
            "seconds": measured}


def name_of(device: str) -> str:
    """What a reader knows it by."""
    return torch.cuda.get_device_name(device) if device.startswith("cuda") else "one thread"


def make_detections(source: Dataset, count: int) -> pd.DataFrame:
    """Each test instance once, start and end jittered, and random segments; random scores."""
    random, grid = np.random.default_rng(0), source.snippet_seconds
    near = source.instances_of("test").copy()
    length = near.end - near.start
    near["start"] += random.normal(0, 0.2, len(near)) * length
    near["end"] += random.normal(0, 0.2, len(near)) * length
    videos = source.videos[source.videos.subset == "test"]
    chosen = videos.iloc[random.integers(len(videos), size=count - len(near))]
    begin = random.uniform(0, chosen.duration)
    labels = np.array(source.classes)[random.integers(len(source.classes), size=len(chosen))]
    far = pd.DataFrame({"video": chosen.video.to_numpy(), "label": labels, "start": begin,
                        "end": begin + random.exponential(5, len(chosen))})
    every = pd.concat([near, far], ignore_index=True)
    start = np.maximum(np.rint(every.start / grid), 0)
    every["start"], every["end"] = start * grid, np.maximum(np.rint(every.end / grid), start + 1)
    return every.assign(end=every.end * grid, score=random.random(len(every)))


def mean_ap_by_sets(
    detections: pd.DataFrame, instances: pd.DataFrame, thresholds: tuple[float, ...]
) -> list[float]:
    """mAP in percent by threshold, as the released code computes it.

    Every detection is held against every instance of its class; those of one video become sets of
    snippets, anew for each pair, and again for the intersection and the union.
    """
    columns = ["video", "start", "end"]
    detections = detections.assign(
        start=(detections.start * 25 / 16).round(), end=(detections.end * 25 / 16).round())
    means = []
    for threshold in thresholds:
        aps = []
        for label in sorted(set(instances.label)):
            own = detections[detections.label == label].sort_values("score", ascending=False)
            truth = instances[instances.label == label].sort_values(["start", "end"])
            truth = truth[columns].values.tolist()
            count, true = len(truth), []
            for video, start, end in own[columns].values.tolist():
                best, chosen = 0.0, None
                for j, (other, begin, finish) in enumerate(truth):
                    if video == other:
                        found = range(int(start), int(end))
                        instance = range(round(begin * 25 / 16), round(finish * 25 / 16))
                        shared = len(set(found) & set(instance))
                        tiou = shared / len(set(found) | set(instance))
                        if tiou >= threshold and tiou > best:
                            best, chosen = tiou, j
                if chosen is not None:
                    del truth[chosen]
                true.append(chosen is not None)
            precision = np.cumsum(true) / np.arange(1, len(true) + 1)
            envelope = np.maximum.accumulate(precision[::-1])[::-1]
            aps.append(100 * envelope[true].sum() / count)
        means.append(float(np.mean(aps)))
    return means


def measure_evaluation(source: Dataset, count: int, rounds: int) -> dict:
    """Seconds of evaluating `count` detections of the test videos, by sets and by `evaluate`."""
    detections, instances = make_detections(source, count), source.instances_of("test")
    result = evaluate(detections, instances, "released")
    by_sets = mean_ap_by_sets(detections, instances, result.tiou)
    np.testing.assert_allclose(result.mean_ap, by_sets, rtol=0, atol=1e-9)
    measured = {"sets": [], "facnet": []}
    for number in range(rounds):
        measured["sets"].append(
            seconds(lambda: mean_ap_by_sets(detections, instances, result.tiou)))
        measured["facnet"].append(float(np.median(
            [seconds(lambda: evaluate(detections, instances, "released")) for _ in range(5)])))
        print(f"round {number + 1} of {rounds}:", *(
            f"{name} {own[-1]:.3f} s" for name, own in measured.items()), flush=True)
    return {"videos": instances.video.nunique(), "instances": len(instances),
            "detections": len(detections), "thresholds": len(result.tiou), "seconds": measured}


def measure_memory(folder: Path, model: ModelConfig) -> dict:
    """Peak memory of one epoch beyond that of a process with its imports, in bytes."""
    command = [sys.executable, __file__, "memory", str(folder), json.dumps(model.embedding_widths)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    data = load(folder)
    stream = sum(data.features("rgb", video).nbytes for video in data.subset("train"))
    return {"peak_bytes": int(done.stdout), "stream_bytes": stream}


def print_peak(folder: str, widths: str) -> None:
    """The child of `measure_memory`."""
    model = ModelConfig(embedding_widths=json.loads(widths))
    before = _process_memory("VmRSS")
    data = load(folder)
    assert isinstance(data.features("rgb", data.subset("train")[0]), np.memmap)
    fit(data, "rgb", replace(preset(), model=model, training=TrainingConfig(epochs=1)))
    print(_process_memory("VmHWM") - before)


def _process_memory(name: str) -> int:
    """A line of /proc/self/status in bytes, such as VmHWM, the largest resident size so far."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:"))


def measure_bfloat16(size: str) -> dict:
    """AVG by seed with and without bfloat16, on the synthetic data."""
    from calibrate_synthetic import recipe

    data, experiment, averages = load("synthetic", size), recipe(size), {}
    for name in ("float32", "bfloat16"):
        training = replace(experiment.training, bfloat16=name == "bfloat16")
        results = [run(data, replace(experiment, training=training, seed=s)) for s in SEEDS]
        averages[name] = [round(r.evaluation.average, 3) for r in results]
        print(size, name, averages[name], flush=True)
    settings = {"embedding_widths": list(experiment.model.embedding_widths),
                "epochs": experiment.training.epochs}
    return settings | averages


def machine() -> dict:
    """What the numbers were measured on, and when."""
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "processor": torch.cpu.get_capabilities().get("cpu_name") or platform.machine(),
        "cores": os.cpu_count(), "instructions": torch.backends.cpu.get_cpu_capability(),
        "bfloat16": has_bfloat16(), "memory_gib": round(pages / 2**30), "system": platform.system(),
        "python": platform.python_version(), "torch": torch.__version__, "numpy": np.__version__,
        "date": date.today().isoformat(),
    }


def seconds(function: Callable[[], object]) -> float:
    """How long a call takes."""
    started = time.perf_counter()
    function()
    return time.perf_counter() - started


def as_page(measured: dict) -> str:
    """The page's tables and the sentences that depend on them."""
    parts = []
    for name in ("training", "cuda"):
        if name in measured:
            parts += [_epochs(measured[name])]
    if "evaluation" in measured:
        parts += [_rest(measured)]
    if "video" in measured:
        parts += [table(measured["video"]["frames"], _about(measured["video"]["machine"]))]
    if "bfloat16" in measured:
        parts += [_differences(measured["bfloat16"])]
    return "\n\n".join(parts) + "\n"


SAID = {"loop": "plain loop, video by video", "float32": "`fit`, one model",
        "bfloat16": "`fit`, one model, `bfloat16`", "tf32": "`fit`, one model, `tf32`",
        "variants": "`fit`, {} variants of one seed", "seeds": "`fit`, {} seeds",
        "variants, bfloat16 and tf32": "`fit`, {} variants of one seed, `bfloat16` and `tf32`"}


def _epochs(training: dict) -> str:
    loop = training["seconds"]["loop"]
    lines = [f"| an epoch, {training['device']} | seconds a model | times as fast as the loop |",
             "| --- | --- | --- |"]
    for name, own in training["seconds"].items():
        ratios = np.array(loop[: len(own)]) / own
        lines.append(f"| {SAID[name].format(training['models'])} | {_seconds(own)}"
                     f" | {np.median(ratios):.3g} |")
    return "\n".join(lines) + (
        f"\n\nMedians, smallest and largest of {len(loop)} rounds, in which the contenders took"
        f" turns; an epoch is {training['videos']} videos, {training['snippets']:,} snippets of"
        f" {training['features']} features, {training['embedding_widths'][-1]} channels."
        f" {_about(training['machine'])}")


def _rest(measured: dict) -> str:
    evaluation, memory = measured["evaluation"], measured["memory"]
    scoring = evaluation["seconds"]
    rows = [("evaluation with sets of snippets", _seconds(scoring["sets"])),
            ("evaluation, `facnet`", _ratio(scoring["sets"], scoring["facnet"])),
            ("peak memory of an epoch, `facnet`",
             f"{memory['peak_bytes'] / memory['stream_bytes']:.2f} times the features"
             f" ({memory['peak_bytes'] / 2**20:.0f} MiB)")]
    lines = ["| what | measured |", "| --- | --- |", *(f"| {' | '.join(row)} |" for row in rows)]
    return "\n".join(lines) + (
        f"\n\nEvaluation: {evaluation['detections']:,} detections against"
        f" {evaluation['instances']:,} instances in {evaluation['videos']} videos at"
        f" {evaluation['thresholds']} tIoUs, {len(scoring['sets'])} rounds. Memory: once.")


def _about(one: dict) -> str:
    return (
        f"Measured on {one['date']}: {one['processor']}, {one['cores']} cores,"
        f" {one['instructions']}"
        f" {'with' if one['bfloat16'] else 'without'} bfloat16 instructions,"
        f" {one['memory_gib']} GiB; {one['system']}, Python {one['python']}, PyTorch"
        f" {one['torch']}, NumPy {one['numpy']}.")


def _differences(measured: dict) -> str:
    lines = [
        "| data | epochs, embedding | float32 | bfloat16 | difference, 95 % interval |",
        "| --- | --- | --- | --- | --- |",
    ]
    for size in ("quick", "full"):
        if size in measured:
            one = measured[size]
            plain, rounded = np.array(one["float32"]), np.array(one["bfloat16"])
            mean, low, high = interval(rounded - plain)
            lines.append(
                f"| synthetic, `{size}` | {one['epochs']}, {one['embedding_widths'][-1]} wide"
                f" | {plain.mean():.1f} | {rounded.mean():.1f}"
                f" | {cell(mean, low, high, sign=True, digits=2)}, {len(plain)} seeds |")
    return "\n".join(lines)


def _seconds(values: list[float]) -> str:
    digits = 1 if np.median(values) >= 1 else 3
    return f"{np.median(values):.{digits}f} s{_range(values, digits)}"


def _ratio(theirs: list[float], ours: list[float]) -> str:
    ratios = np.array(theirs[: len(ours)]) / ours
    digits = 2 if np.median(ratios) < 10 else 0
    return f"{_seconds(ours)}, {np.median(ratios):.{digits}f} times{_range(ratios, digits)}"


def _range(values: list[float], digits: int) -> str:
    """The smallest and the largest; of a single measurement there is no range."""
    if len(values) == 1:
        return ""
    return f" ({min(values):.{digits}f} to {max(values):.{digits}f})"


def main(arguments: list[str]) -> None:
    """Measure, and write what was measured."""
    if arguments == ["bfloat16"]:
        for size in ("quick", "full"):  # each is kept as it comes
            _write({"bfloat16": {size: measure_bfloat16(size)}})
        return
    if arguments == ["video"]:
        _write(_video())
        return
    if arguments and arguments[0] != "cuda":
        sys.exit(f"{arguments[0]}: only cpu and cuda are measured.")
    source, on_gpu = load("synthetic"), arguments == ["cuda"]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "random"
        write_features(folder, source, SNIPPETS, WIDTH)
        if on_gpu:
            _write({"cuda": measure_training(folder, ModelConfig(), 5, "cuda", models=16)})
            return
        _write({"memory": measure_memory(folder, ModelConfig()),
                "training": measure_training(folder, ModelConfig(), rounds=5),
                "evaluation": measure_evaluation(source, 8000, rounds=3), **_video()})


def _video() -> dict:
    return {"video": {"frames": measure_video(seconds), "machine": machine()}}


def _write(new: dict) -> None:
    measured = json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}
    if "bfloat16" in new:
        new = {"bfloat16": measured.get("bfloat16", {}) | new["bfloat16"]}
    measured |= new
    FILE.write_text(json.dumps(measured, indent=1) + "\n", encoding="utf-8")
    PAGE.write_text(as_page(measured), encoding="utf-8")


if __name__ == "__main__":
    if sys.argv[1:2] == ["memory"]:
        print_peak(*sys.argv[2:])
    else:
        main(sys.argv[1:])
