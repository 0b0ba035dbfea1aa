"""`facnet report` makes one page of a run that needs no other file."""

from html.parser import HTMLParser

import numpy as np
from small_datasets import make
from test_cli import facnet, fails

from facnet import load
from facnet.experiment import checkpoint_scores, detect, evaluate_test

CLASSES = ("dive <fast>", "jump & run")


class Page(HTMLParser):
    """The elements of a page with their attributes, its text, and the rows of its tables."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.text, self.rows = [], "", []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag == "tr":
            self.rows.append([])

    def handle_data(self, data):
        self.text += data
        if self.elements and self.elements[-1][0] in ("th", "td") and data.strip():
            self.rows[-1].append(data)


def reported(folder, preset="released", **kinds):
    """A trained run's page, read as text, and its data set."""
    make(folder / "data", classes=CLASSES, **kinds)
    given = ["--dataset", folder / "data", "--profile", "smoke"]
    facnet("train", *given, "--preset", preset, "--set", "training.epochs=2", "--out",
           folder / "run")
    facnet("report", folder / "run", *given, "--out", folder / "page.html")
    return (folder / "page.html").read_text("utf-8"), load(folder / "data")


def test_the_page_has_the_numbers_of_evaluate_and_names_what_was_run(tmp_path):
    text, data = reported(tmp_path)
    scores, experiment = checkpoint_scores(tmp_path / "run", data, data.subset("test"))
    result = evaluate_test(detect(scores, data, experiment), data)
    rows = {row[0]: row[1:] for row in Page(text).rows if row}
    expected = {"mAP": [*result.mean_ap, result.average]} | {
        label: [*own, own.mean()] for label, own in result.ap.iterrows()}
    for name, values in expected.items():
        np.testing.assert_allclose([float(one) for one in rows[name][:-1]], values, atol=0.051)
    assert rows["experiment.training.epochs"] == ["2"] and rows["protocol"] == ["seconds"]
    assert rows["dataset.fingerprint"] == [data.fingerprint]


def test_the_page_needs_nothing_else_and_describes_its_pictures(tmp_path):
    page = Page(reported(tmp_path)[0])
    pictures = [given for tag, given in page.elements if tag == "img"]
    assert len(pictures) == 1 + 4  # errors by cause, and all four test videos
    for given in pictures:
        assert given["alt"] and given["src"].startswith("data:image/svg+xml;base64,")
    linked = [one for _, given in page.elements for name, one in given.items()
              if name in ("href", "src") and not one.startswith("data:")]
    assert not linked and not {"script", "link", "iframe"} & {tag for tag, _ in page.elements}
    assert ("html", {"lang": "en"}) in page.elements
    assert CLASSES[0] in page.text  # and not as an element


def test_without_instances_it_says_that_nothing_is_measured(tmp_path):
    page = Page(reported(tmp_path, timed=False)[0])
    assert "Nothing is measured. data: no test video has an instance" in page.text
    assert "mAP" not in page.text and sum(tag == "img" for tag, _ in page.elements) == 4


def test_a_method_without_foreground_scores_and_a_video_that_shows_nothing(tmp_path):
    page = Page(reported(tmp_path, bare=True, preset="W-TALC")[0])
    assert sum(tag == "img" for tag, _ in page.elements) == 1 + 4


def test_data_of_other_classes_are_refused_before_anything_is_written(tmp_path, capsys):
    reported(tmp_path)
    make(tmp_path / "other", classes=("run", "sit"))
    error = fails(capsys, "report", tmp_path / "run", "--dataset", tmp_path / "other",
                  "--out", tmp_path / "other.html")
    assert "classes" in error and not (tmp_path / "other.html").exists()
