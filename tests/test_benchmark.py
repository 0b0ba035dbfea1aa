"""The benchmark runs, compares like with like, and its page shows what was measured."""

import json
import re

import benchmark
import numpy as np
import pytest
import torch
from benchmark_video import STAGES, measure_video
from benchmark import (
    FILE, PAGE, PlainLoop, as_page, check_agreement, machine, make_detections, measure_evaluation,
    measure_memory, measure_training, write_features,
)

from facnet.config import ModelConfig, TrainingConfig
from facnet.data import load
from facnet.model import FACNet

MODEL = ModelConfig(embedding_widths=(8, 8))


@pytest.fixture(scope="module")
def source():
    return load("synthetic", "smoke")


@pytest.fixture(scope="module")
def folder(source, tmp_path_factory):
    folder = tmp_path_factory.mktemp("features") / "random"
    write_features(folder, source, 400, 8)
    return folder


def test_the_features_have_the_size_asked_for(source, folder):
    data = load(folder)
    assert data.subset("train") == source.subset("train")
    lengths = [len(data.features("rgb", video)) for video in data.subset("train")]
    assert sum(lengths) == 400 and len(set(lengths)) > 2
    durations = source.videos.duration[source.videos.subset == "train"]
    assert np.corrcoef(lengths, durations)[0, 1] > 0.99
    np.testing.assert_array_equal(data.labels(data.subset("train")),
                                  source.labels(source.subset("train")))


@pytest.mark.filterwarnings("ignore:bfloat16")
def test_every_measurement_runs_and_makes_a_page(source, folder, monkeypatch):
    monkeypatch.setattr(benchmark, "SEEDS", range(2))
    measured = {
        "machine": machine(),
        "training": measure_training(folder, MODEL, rounds=2),
        "evaluation": measure_evaluation(source, 300, rounds=2),
        "memory": measure_memory(folder, MODEL),
        "bfloat16": {"quick": {"embedding_widths": [8, 8], "epochs": 1, "float32": [40.0, 41.0],
                               "bfloat16": [40.5, 40.9]}},
        "video": {"frames": measure_video(benchmark.seconds, rounds=1, flows=1),
                  "machine": machine()},
    }
    measured = json.loads(json.dumps(measured))
    assert measured["training"]["snippets"] == 400
    assert measured["memory"]["stream_bytes"] == 400 * 8 * 4
    assert measured["memory"]["peak_bytes"] > 0
    page = as_page(measured)
    assert "| `fit`, 2 seeds | " in page and "largest of 2 rounds" in page
    assert "400 snippets of 8 features" in page and "300 detections" in page
    assert "| +0.20 ± 3.81, 2 seeds |" in page
    assert measured["video"]["frames"].keys() == STAGES.keys()
    assert re.search(r"both streams, TV-L1\*\* \| .* \| .* h, most of it flow, TV-L1 \|", page)
    assert benchmark._ratio([3.0, 3.3], [1.0, 1.1]).startswith("1.1 s (1.0 to 1.1), 3.00 times (")
    assert benchmark._ratio([3.0, 3.3], [1.5]) == "1.5 s, 2.00 times"  # measured once: no range


def test_the_bfloat16_study_pairs_seeds(monkeypatch):
    monkeypatch.setattr(benchmark, "SEEDS", range(1))
    asked = []

    def run(data, experiment):
        asked.append((experiment.training.bfloat16, experiment.seed))
        return type("Result", (), {"evaluation": type("E", (), {"average": 40.0})})

    monkeypatch.setattr(benchmark, "run", run)
    measured = benchmark.measure_bfloat16("smoke")
    assert asked == [(False, 0), (True, 0)]
    assert measured["float32"] == measured["bfloat16"] == [40.0]


def test_a_loop_that_computes_something_else_is_noticed(folder, monkeypatch):
    data = load(folder)
    names = data.subset("train")
    model = FACNet(8, len(data.classes), MODEL)
    videos = [torch.from_numpy(np.array(data.features("rgb", name))) for name in names]
    loop = PlainLoop(model, videos, torch.from_numpy(data.labels(names)))
    check_agreement(data, loop, model, TrainingConfig())
    with pytest.raises(AssertionError):  # cosines are a hundredth too large
        monkeypatch.setattr(benchmark, "cosine", lambda x, w: 1.01 * (
            torch.nn.functional.normalize(x, dim=1) @ torch.nn.functional.normalize(w, dim=1).T))
        check_agreement(data, loop, model, TrainingConfig())


def test_detections_are_on_the_grid_and_of_every_class(source):
    detections = make_detections(source, 300)
    instances = source.instances_of("test")
    assert len(detections) == 300 > len(instances)
    snippets = detections[["start", "end"]].to_numpy() / source.snippet_seconds
    np.testing.assert_allclose(snippets, np.rint(snippets), atol=1e-9)
    assert (detections.end > detections.start).all() and (detections.start >= 0).all()
    assert set(detections.label) == set(instances.label)
    assert detections.score.is_unique


def test_the_page_shows_what_was_recorded():
    assert PAGE.read_text() == as_page(json.loads(FILE.read_text()))
