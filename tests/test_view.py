"""The page with a video and its detections, in a real browser, from a file."""

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("av", reason="takes pip install -e '.[video]'")

from test_video import drawn  # noqa: E402

from facnet import fit, load, predict, preset  # noqa: E402
from facnet.config import changed  # noqa: E402
from facnet.data import Dataset  # noqa: E402
from facnet.errors import FacnetError  # noqa: E402
from facnet.localization import Scores  # noqa: E402
from facnet.video.view import page as made  # noqa: E402

NAME = "clip </script> & more"
FOUND = pd.DataFrame({
    "video": NAME, "label": ["jump", "jump", "run <fast>"], "start": [1.0, 4.0, 2.0],
    "end": [2.0, 5.5, 3.0], "score": [0.9, 0.4, 0.2]})
DATA = Dataset(
    "mine", ("jump", "run <fast>"), ("rgb",), 0.64,
    pd.DataFrame({"video": [NAME], "subset": ["test"], "duration": [6.0], "labels": [("jump",)]}),
    pd.DataFrame({"video": NAME, "label": "jump", "start": [1.2, 5.0], "end": [2.2, 7.0]}),
    pd.DataFrame(columns=["video", "start", "end"]), lambda stream, video: np.zeros((10, 4)))
SCORES = Scores((NAME,), np.array([0, 10]), np.full((1, 3), 1 / 3),
                np.random.default_rng(0).normal(size=(10, 3)), np.linspace(0, 1, 10))


@pytest.fixture
def page(browser, tmp_path):
    """The page of a six-second clip, which asks for nothing but that and logs no error."""
    drawn(tmp_path / "clip.mp4", 6.0)
    out = tmp_path / "view.html"
    out.write_text(made(FOUND, NAME, "clip.mp4", 6.0, DATA, SCORES, preset()), "utf-8")
    page, trouble = browser.new_page(viewport={"width": 1000, "height": 900}), []
    page.on("console", lambda said: said.type == "error" and trouble.append(said.text))
    page.on("pageerror", lambda error: trouble.append(str(error)))
    page.on("request", lambda one: one.url.startswith("file:") or trouble.append(one.url))
    page.goto(out.as_uri())
    page.wait_for_function("document.getElementById('video').readyState >= 1")
    yield page
    page.close()
    assert not trouble


def time_of(page) -> float:
    return page.evaluate("document.getElementById('video').currentTime")


def test_a_click_on_a_detection_or_beside_it_seeks(page):
    assert page.locator("h1").inner_text() == NAME
    bars = page.locator("button.found")
    assert bars.count() == 3
    page.get_by_role("button", name="jump, 4.0 to 5.5 s, score 0.400").click()
    assert time_of(page) == pytest.approx(4.0, abs=0.05)
    assert page.locator("#time").inner_text() == "0:04.0 of 0:06.0"
    box = page.locator(".lane").first.bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + 3)
    assert time_of(page) == pytest.approx(3.0, abs=0.05)
    line, lane = (page.locator(one).first.bounding_box() for one in ("#now", "#timeline"))
    assert line["x"] - lane["x"] == pytest.approx(lane["width"] / 2, abs=3)


def test_scores_and_ground_truth_are_drawn_and_named(page):
    curves = page.evaluate(
        "[...document.querySelectorAll('path')].map((one) => [one.className.baseVal,"
        " one.getAttribute('d').split('L').length])")
    assert curves == [["foreground", 10], ["class", 10], ["class", 10]]
    assert page.locator("path.foreground").get_attribute("d").startswith("M0.32 1L0.96 0.8889")
    lane = page.get_by_role("group", name="jump")
    assert lane.get_by_role("img").count() == 2 and lane.get_by_role("button").count() == 2
    bar = page.get_by_role("img", name="ground truth, jump, 5.0 to 7.0 s").bounding_box()
    whole = lane.bounding_box()
    assert bar["x"] - whole["x"] == pytest.approx(5 / 6 * whole["width"], abs=1)
    assert bar["x"] + bar["width"] == pytest.approx(whole["x"] + whole["width"], abs=1)
    assert page.locator("video").get_attribute("aria-label") == f"Video {NAME}"
    assert page.locator(".key span:visible").all_inner_texts() == [
        "detection, the better the stronger", "ground truth", "class", "foreground"]
    assert page.evaluate("document.querySelector('[role=slider]').compareDocumentPosition("
                         "document.querySelector('.found')) & Node.DOCUMENT_POSITION_FOLLOWING")


def test_the_key_lists_only_what_is_there(page, tmp_path):
    (tmp_path / "bare.html").write_text(made(FOUND, NAME, "clip.mp4", 6.0), "utf-8")
    page.goto((tmp_path / "bare.html").as_uri())
    assert page.locator(".key span:visible").all_inner_texts() == [
        "detection, the better the stronger"]


def test_a_video_that_cannot_be_played_is_said_to_be_so(browser, tmp_path):
    (tmp_path / "clip.mp4").write_bytes(b"no video")
    (tmp_path / "view.html").write_text(made(FOUND, NAME, "clip.mp4", 6.0), "utf-8")
    page = browser.new_page()
    page.goto((tmp_path / "view.html").as_uri())
    alert = page.get_by_role("alert")
    alert.filter(has_text="This browser cannot play the video.").wait_for()
    page.get_by_role("slider", name="Time in the video, in seconds").focus()
    page.keyboard.press("Space")
    assert alert.is_visible()
    page.close()


def test_what_ends_after_the_video_ends_with_its_lane(page, tmp_path):
    late = FOUND.assign(end=9.0, start=[1.0, 8.0, 2.0])
    (tmp_path / "late.html").write_text(made(late, NAME, "clip.mp4", 6.0), "utf-8")
    page.goto((tmp_path / "late.html").as_uri())
    lane = page.locator(".lane").first.bounding_box()
    for bar in page.locator("button.found").all():
        box = bar.bounding_box()
        assert box["x"] + box["width"] <= lane["x"] + lane["width"] + 1


def test_keys_seek(page):
    axis = page.get_by_role("slider", name="Time in the video, in seconds")
    axis.focus()
    for key, seconds in (("ArrowRight", 1), ("ArrowRight", 2), ("ArrowLeft", 1), ("End", 6),
                         ("Home", 0), ("PageUp", 6), ("PageDown", 0)):
        page.keyboard.press(key)
        assert time_of(page) == pytest.approx(seconds, abs=0.06), key
        assert float(axis.get_attribute("aria-valuenow")) == pytest.approx(seconds, abs=0.06)
    bar = page.get_by_role("button", name="run <fast>, 2.0 to 3.0 s, score 0.200")
    bar.focus()
    page.keyboard.press("Enter")
    assert time_of(page) == pytest.approx(2.0, abs=0.05)


def test_the_filter_hides_what_scores_less_and_counts(page):
    least, count = page.get_by_label("Least score"), page.locator("#count")
    assert count.inner_text().startswith("3 of 3 detections")
    least.focus()
    page.keyboard.press("End")
    assert count.inner_text().startswith("1 of 3 detections")
    assert page.locator("button.found:visible").count() == 1
    box = least.bounding_box()
    page.mouse.click(box["x"] + box["width"] * 0.35, box["y"] + box["height"] / 2)
    assert count.inner_text().startswith("2 of 3 detections")


def test_axe_finds_no_serious_fault(page):
    from axe_playwright_python.base import AXE_SCRIPT

    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        page.evaluate(AXE_SCRIPT)
        found = page.evaluate("axe.run({preload: false, resultTypes: ['violations']})")
        assert not [f"{fault['id']}: {node['html']}" for fault in found["violations"]
                    if fault["impact"] in ("serious", "critical") for node in fault["nodes"]]


def test_a_video_in_which_nothing_was_found_is_shown_where_its_scores_are_known():
    data = load("synthetic", "smoke")
    name = data.subset("test")[0]
    held = made(FOUND, name, "a.mp4", 6.0, data)
    assert '"detections": []' in held and f'"name": "{name}"' in held


def test_a_detection_of_no_class_of_the_scores_is_named():
    data, experiment = load("synthetic", "smoke"), changed(preset(), {"training.epochs": 1})
    stream, (name, *_) = data.streams[0], data.subset("test")
    model, _ = fit(data, stream, experiment, progress=False)
    scores = predict(model, data, stream, (name,), experiment)
    with pytest.raises(FacnetError, match="of class 'jump', and synthetic has none of that"):
        made(FOUND.assign(video=name), name, "a.mp4", 6.0, data, scores, experiment)


def test_a_video_without_detections_is_named():
    with pytest.raises(FacnetError, match="no detections in a video called 'clop'"):
        made(FOUND, "clop", "clop.mp4", 6.0)
