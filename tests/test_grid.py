"""What the grid of snippets costs: marks, shares, perfect labels and their score."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from facnet.data import Dataset, load
from facnet.errors import FacnetError
from facnet.experiment import detect
from facnet.importers.check import portrait
from facnet.methods import preset
from facnet.study import published
from facnet.study.grid import VARIANTS, grid_ceiling, grid_marks, perfect_scores, shares_below

SECONDS = 0.64
SHORT, LONG, TWINS = "a", "b", "c"


@pytest.fixture(scope="module")
def data():
    """Three test videos of 20 snippets: one instance of 2 snippets, one of 5, two that touch."""
    at = [(SHORT, "jump", 4, 6), (LONG, "jump", 3, 8), (TWINS, "run", 2, 6), (TWINS, "run", 6, 11)]
    instances = pd.DataFrame(at, columns=["video", "label", "start", "end"])
    instances[["start", "end"]] = instances[["start", "end"]] * SECONDS
    labels = {SHORT: ("jump",), LONG: ("jump",), TWINS: ("run",), "d": ("run",)}
    videos = pd.DataFrame([(v, "train" if v == "d" else "test", 20 * SECONDS, shown)
                           for v, shown in labels.items()],
                          columns=["video", "subset", "duration", "labels"])
    return Dataset("four videos", ("jump", "run"), ("rgb", "flow"), SECONDS, videos, instances,
                   pd.DataFrame(columns=["video", "start", "end"]),
                   read=lambda stream, video: np.zeros((20, 1), np.float32))


def test_the_shortest_released_detection_is_a_snippet_longer_than_its_run():
    config = VARIANTS["released: 3, end 1 late"]
    assert list(grid_marks(1.0, config).values()) == [1, 3, 4]
    assert list(grid_marks(1.0, replace(config, extra_end_snippet=False)).values()) == [1, 3, 3]


def test_shares_below_count_what_is_strictly_shorter(data):
    lengths = {"five snippets": 5 * SECONDS, "more": 5.1 * SECONDS}
    shares = shares_below(data, lengths)
    assert shares.test.tolist() == [0.5, 1.0]
    assert shares.train.isna().all()  # its instances are not given


def test_perfect_scores_name_the_classes_of_every_snippet(data):
    scores = perfect_scores(data)
    assert scores.videos == (SHORT, LONG, TWINS)
    jump, run, background = scores.activation.T
    assert np.flatnonzero(jump).tolist() == [4, 5, *range(23, 28)]
    assert np.flatnonzero(run).tolist() == list(range(42, 51))
    assert ((jump > 0) | (run > 0)).tolist() == (background == 0).tolist()
    assert scores.probability.tolist() == [[1, 0, 0], [1, 0, 0], [0, 1, 0]]


def test_runs_are_the_instances_where_the_grid_lets_them(data):
    found = detect({"labels": perfect_scores(data)}, data,
                   replace(preset(), localization=VARIANTS["all runs"]))
    times = {(v, round(s / SECONDS), round(e / SECONDS)) for v, s, e in
             zip(found.video, found.start, found.end)}
    # The two that touch have no snippet between them, so they are one run.
    assert times == {(SHORT, 4, 6), (LONG, 3, 8), (TWINS, 2, 11)}


def test_what_is_shorter_than_the_shortest_run_is_lost(data):
    table = grid_ceiling(data)
    # AP of jump: both of two instances, or the longer one. AP of run: 50, up to 5/9.
    jumps = {"all runs": 100, "runs of 2 or more": 100, "runs of 3 or more": 50}
    for name, jump in jumps.items():
        assert table.loc[name, "0.5"] == pytest.approx((jump + 50) / 2)
        assert table.loc[name, "0.6"] == pytest.approx(jump / 2)
    assert table.detections.tolist() == [3, 3, 2, 2]
    # One snippet late: 5 of 6 snippets still reach .7, and 5 of 10 still reach .5.
    assert table.loc["released: 3, end 1 late", "0.5"] == pytest.approx(50)


def test_detections_that_touch_an_ambiguous_interval_do_not_count(data):
    ignored = pd.DataFrame([(LONG, 0.0, 2.5)], columns=["video", "start", "end"])
    table = grid_ceiling(replace(data, ignored=ignored))
    assert table.loc["all runs", "detections"] == 2


def test_longer_minimums_never_help_on_the_embedded_data():
    average = grid_ceiling(load("synthetic", "smoke")).average
    assert (np.diff(average) <= 0).all() and average.iloc[0] < 100


def test_every_row_of_a_portrait_has_thumos14_beside_it(data):
    rows = [*portrait(data).index, *(f"below {mark}" for mark in grid_marks(SECONDS))]
    assert published.read("thumos14", index_col=0).index.tolist() == rows
    ceiling = published.read("thumos14_ceiling", index_col=0)
    assert ceiling.index.tolist() == list(VARIANTS)
    assert [c for c in ceiling if c != "source"] == list(grid_ceiling(data))


@pytest.mark.parametrize("name", sorted(path.stem for path in published.FOLDER.glob("thumos14*")))
def test_every_number_of_thumos14_has_a_source(name):
    frame = published.read(name, index_col=0)
    assert frame.index.is_unique and frame.source.str.contains("counted from |README of ").all()


def test_an_unknown_part_of_thumos14_is_one_clear_line():
    with pytest.raises(FacnetError, match="Did you mean 'thumos14_lengths'?"):
        published.read("thumos14_length")


def test_the_data_page_shows_the_recorded_oddities():
    from count_thumos14 import PAGE, as_page

    assert PAGE.read_text() == as_page(published.read("thumos14_oddities"))


def test_thumos14s_numbers_are_what_its_annotations_count(reference):
    from count_thumos14 import count

    folder = reference / "data" / "thumos14" / "Thumos14reduced-Annotations"
    for path, text in count(folder).items():
        assert text == path.read_text(), f"Run tests/count_thumos14.py: {path.name} differs."


def test_thumos14s_numbers_agree_with_an_earlier_count(reference):
    """A count by other code, of the same files; it took the labels of the instances."""
    stats = json.loads((reference / "facts" / "thumos14_stats.json").read_text())["splits"]
    ours, odd = (published.read(name, index_col=0) for name in ("thumos14", "thumos14_oddities"))
    for split, subset in (("validation", "train"), ("test", "test")):
        theirs = stats[split]
        assert ours.loc["videos", subset] == theirs["n_videos"]
        assert ours.loc["instances", subset] == theirs["n_instances"]
        assert ours.loc["snippets", subset] == theirs["snippets_total"]
        assert ours.loc["hours", subset] == pytest.approx(theirs["total_hours"], abs=0.005)
        share = theirs["foreground_fraction_total"]
        assert ours.loc["foreground share", subset] == pytest.approx(share, abs=5e-5)
        median = theirs["instance_duration_s"]["p50"]
        assert ours.loc["median instance (s)", subset] == pytest.approx(median)
        several = odd.loc["videos of several classes, by their instances", subset]
        assert several == theirs["n_videos"] - theirs["n_classes_per_video"]["1"]
        differ = odd.loc["videos whose labels_all are not the labels of their instances", subset]
        assert differ == len(theirs["labels_all_differs"])
        late = odd.loc["videos with an annotation past their end", subset]
        assert late == len(theirs["annotation_beyond_duration"])
        assert odd.loc["instances of CliffDiving", subset] == theirs["cliffdiving_instances"]


def test_the_one_real_video_is_measured_as_recorded(reference):
    from count_one_video import FILE, table

    found = table(reference / "data" / "thumos14_one_video",
                  reference / "data" / "thumos14" / "Thumos14reduced-Annotations")
    recorded = pd.read_csv(FILE, index_col="measure")
    pd.testing.assert_frame_equal(found, recorded, atol=0.011)
