"""Every page of the built book, opened in a real browser that may not leave this machine."""

import os
import re
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urldefrag

import pytest
import yaml

ROOT = Path(__file__).parents[2]
SITE = ROOT / os.environ.get("SITE", "_build/smoke/html")
RESULTS = SITE.parent / "results"
SHOTS = os.environ.get("SHOTS")  # a folder for pictures of the pages, for people to look at
HARMLESS = (
    "invalid theme mode",  # the theme logs it where no theme was ever chosen
    "/favicon.ico",  # the browser asks for it on the front page, which only leads on
)
PHONE = {"width": 390, "height": 844}
MEGABYTE = 1_000_000
PAGE_LIMIT, SITE_LIMIT = 3 * MEGABYTE, 40 * MEGABYTE
FIGURES = [f"fig{number}" for number in (1, *range(3, 9))]  # the paper's; Fig. 2 is drawn by hand


def toc_pages() -> list[str]:
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text())
    chapters = [chapter for part in toc["parts"] for chapter in part["chapters"]]
    return [f"{name}.html" for name in [toc["root"], *(c["file"] for c in chapters)]]


@pytest.fixture(scope="module")
def address():
    if not SITE.is_dir():
        pytest.skip(f"no site in {SITE}: `make test` builds it first")

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=SITE))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


@pytest.fixture
def page(browser, address):
    """A page that notes what goes wrong on it, and fails the test for it at the end."""
    page = browser.new_page(reduced_motion="reduce", color_scheme="light")
    trouble = []

    def note_request(request):
        if not request.url.startswith((address, "data:", "blob:")):
            trouble.append(f"asks for {request.url}")

    def note_console(message):
        text = f"{message.text} ({message.location['url']})"
        if message.type == "error" and not any(word in text for word in HARMLESS):
            trouble.append(f"console: {text}")

    page.on("request", note_request)
    page.on("console", note_console)
    page.on("pageerror", lambda error: trouble.append(f"script: {error}"))
    page.on(
        "response",
        lambda response: response.status >= 400
        and trouble.append(f"{response.status}: {response.url}"),
    )
    yield page
    page.close()
    assert not trouble


def test_front_page_leads_to_the_introduction(page, address):
    page.goto(address)
    page.wait_for_url(f"**/{toc_pages()[0]}")


@pytest.mark.parametrize("name", toc_pages())
def test_page(page, address, name):
    page.goto(address + name)
    assert page.locator("article h1").count() == 1
    check_mathematics(page)
    check_pictures(page)
    check_links(page, address)
    check_weight(page, address, name)
    check_accessibility(page)
    take_picture(page, f"{name}.png")

    page.emulate_media(color_scheme="dark")
    page.locator("html[data-theme=dark]").wait_for()
    check_accessibility(page, "color-contrast")
    check_pictures_in_the_dark(page)
    take_picture(page, f"{name}.dark.png")

    page.emulate_media(color_scheme="light")
    page.set_viewport_size(PHONE)
    take_picture(page, f"{name}.phone.png")
    assert page.evaluate("document.scrollingElement.scrollWidth") <= PHONE["width"]
    page.wait_for_timeout(400)  # 300 ms after a change of size the theme looks for what scrolls
    check_accessibility(page, "scrollable-region-focusable")


def test_everything_is_reached_by_keyboard(page, address):
    """From the skip link through search and chapters to figures, always with the focus in sight."""
    page.goto(address + next(name for name in toc_pages() if "problem" in name))
    wait_for_mathematics(page)
    wanted = [".skip-link a, a[href='#main-content']", ".search-button-field",
              ".bd-sidebar-primary nav a", ".theme-switch-button", "article summary",
              "a.opens-figure"]
    reached = set()
    page.keyboard.press("Tab")
    while page.evaluate("document.activeElement !== document.body"):
        reached |= {kind for kind in wanted if page.evaluate(
            "kind => document.activeElement.matches(kind)", kind)}
        focus = page.evaluate("""() => {
            const {outlineStyle, outlineWidth} = getComputedStyle(document.activeElement);
            const {width, height} = document.activeElement.getBoundingClientRect();
            return {element: document.activeElement.outerHTML.slice(0, 200),
                    seen: outlineStyle !== 'none' && parseFloat(outlineWidth) >= 2
                        && width * height > 0};
        }""")
        assert focus["seen"], focus["element"]
        page.keyboard.press("Tab")
    assert reached == set(wanted)


def test_enter_skips_follows_and_opens(page, address):
    first, second, *_ = [name for name in toc_pages() if name.startswith("notebooks/")]
    page.goto(address + first)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url("**/*#main-content")
    page.locator(f".bd-sidebar-primary a[href$='{Path(second).name}']").focus()
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/{second}")
    page.locator("a.opens-figure").first.focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/_images/*")


def pages_with_sliders() -> list[str]:
    return [name for name in toc_pages() if name.startswith("notebooks/")
            and "plots.slider(" in (ROOT / name).with_suffix(".py").read_text()]


@pytest.mark.parametrize("name", pages_with_sliders())
def test_a_slider_changes_its_picture_by_key_and_by_mouse(page, address, name):
    page.goto(address + name)
    slider = page.locator("div.slider input")
    picture = page.locator(".cell:has(+ .cell div.slider) img")
    said = page.locator("div.slider output")
    start, first, sizes = said.inner_text(), picture.get_attribute("src"), set()
    seen = {start: first}

    def look():
        assert slider.get_attribute("aria-valuetext") == said.inner_text()
        assert picture.get_attribute("alt").endswith(f": {said.inner_text()}")
        seen[said.inner_text()] = picture.get_attribute("src")
        sizes.add(tuple(picture.evaluate(
            "async one => (await one.decode(), [one.naturalWidth, one.naturalHeight])")))

    slider.focus()
    page.keyboard.press("End")
    look()
    page.keyboard.press("ArrowLeft")
    look()
    box = slider.bounding_box()
    page.mouse.click(box["x"] + 3, box["y"] + box["height"] / 2)
    look()
    assert len(seen) >= 3 and len(set(seen.values())) == len(seen)
    page.keyboard.press("Home")
    while said.inner_text() != start:
        page.keyboard.press("ArrowRight")
    look()
    assert page.evaluate("url => new URL(url, document.baseURI).href", first) == seen[start]
    assert len(sizes) == 1  # or the page would jump
    check_accessibility(page)


def test_search_finds_hybrid_attention(page, address):
    page.goto(address + toc_pages()[0])
    page.locator(".search-button-field").focus()
    page.keyboard.press("Enter")
    page.keyboard.type("hybrid attention")
    page.keyboard.press("Enter")
    page.locator("#search-results li a").first.wait_for()
    assert "q=hybrid+attention" in page.url
    check_accessibility(page)


def test_site_is_small(address):
    assert sum(file.stat().st_size for file in SITE.rglob("*") if file.is_file()) < SITE_LIMIT


@pytest.mark.parametrize("suffix", ["svg", "pdf", "png"])
@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_of_the_paper_was_saved(address, name, suffix):
    assert (RESULTS / f"{name}.{suffix}").stat().st_size > 0


def wait_for_mathematics(page) -> None:
    if page.locator(".math").count():
        page.wait_for_function("window.MathJax?.startup?.promise !== undefined")
        page.evaluate("MathJax.startup.promise")


def check_mathematics(page) -> None:
    wait_for_mathematics(page)
    assert page.locator(".math:not(:has(mjx-container))").all_inner_texts() == []
    errors = "[data-mjx-error], mjx-container [data-mml-node=merror], mjx-container [mathcolor=red]"
    assert page.locator(errors).count() == 0


def check_pictures(page) -> None:
    pictures = page.evaluate("""async () => {
        const pictures = [...document.images];
        for (const picture of pictures) picture.loading = 'eager';
        await Promise.all(pictures.map(picture => picture.decode().catch(() => {})));
        return pictures.map(picture => ({
            source: picture.src,
            description: picture.alt.trim(),
            area: picture.naturalWidth * picture.naturalHeight,
            shown: !picture.closest('article') || picture.getBoundingClientRect().width > 0
                || picture.closest('details:not([open])') !== null,
        }));
    }""")
    assert not [p["source"] for p in pictures if not p["area"] or not p["shown"]]
    # Without a description Sphinx puts the file's name in its place.
    named = [p for p in pictures if p["description"].endswith((".png", ".svg", ".jpg"))]
    assert not [p["source"] for p in pictures if not p["description"] or p in named]


def check_pictures_in_the_dark(page) -> None:
    """What is drawn in black is inverted; a photograph keeps a light ground."""
    looks = page.evaluate("""[...document.querySelectorAll('article img')].map(picture => {
        const style = getComputedStyle(picture);
        return [picture.src, style.filter, style.backgroundColor]; })""")
    for source, effect, ground in looks:
        if "invert(0.93)" in effect:
            continue
        colour = re.fullmatch(r"rgb\((\d+), (\d+), (\d+)\)", ground)  # rgba: one sees through it
        assert colour and min(map(int, colour.groups())) > 127, (source, ground)


def check_weight(page, address, name: str) -> None:
    """The page and its own pictures; scripts and styles are the whole site's."""
    pictures = page.evaluate("[...document.querySelectorAll('article img')].map(p => p.src)")
    files = [SITE / name, *(SITE / unquote(p.removeprefix(address)) for p in set(pictures))]
    assert sum(file.stat().st_size for file in files) < PAGE_LIMIT


def check_accessibility(page, *rules: str) -> None:
    """No serious fault that axe-core knows of: by all its rules, or by some."""
    from axe_playwright_python.base import AXE_SCRIPT

    page.evaluate(AXE_SCRIPT)
    options = {"preload": False, "resultTypes": ["violations"]}  # preload asks for styles anew
    if rules:
        options["runOnly"] = list(rules)
    found = page.evaluate("options => axe.run(options)", options)
    assert not [
        f"{fault['id']}: {node['failureSummary']} {node['html']}"
        for fault in found["violations"] if fault["impact"] in ("serious", "critical")
        for node in fault["nodes"]
    ]


def check_links(page, address) -> None:
    links = page.evaluate("[...document.querySelectorAll('a[href]')].map(a => a.href)")
    dead = []
    for link in {link for link in links if link.startswith(address)}:
        path, anchor = urldefrag(link.removeprefix(address))
        file = SITE / unquote(path.partition("?")[0])
        file = file / "index.html" if file.is_dir() else file
        if not file.is_file():
            dead.append(link)
        elif anchor and f'id="{unquote(anchor)}"' not in file.read_text():
            dead.append(link)
    assert not dead


def take_picture(page, name: str) -> None:
    if SHOTS:
        page.screenshot(path=Path(SHOTS, name.replace("/", "_")), full_page=True)
