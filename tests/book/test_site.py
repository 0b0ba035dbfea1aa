"""Every page of the built book, opened in a real browser that may not leave this machine."""

import os
import shutil
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urldefrag

import pytest
import yaml

ROOT = Path(__file__).parents[2]
SITE = ROOT / os.environ.get("SITE", "_build/smoke/html")
SHOTS = os.environ.get("SHOTS")  # a folder for pictures of the pages, for people to look at
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]
HARMLESS = (
    "invalid theme mode",  # the theme logs it where no theme was ever chosen
    "/favicon.ico",  # the browser asks for it on the front page, which only leads on
)
PHONE = {"width": 390, "height": 844}


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


@pytest.fixture(scope="module")
def browser():
    executable = next(filter(None, map(shutil.which, BROWSERS)), None)
    if executable is None:
        pytest.skip(f"no browser on this machine: none of {', '.join(BROWSERS)}")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser, address):
    """A page that notes what goes wrong on it, and fails the test for it at the end."""
    page = browser.new_page()
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
    if SHOTS:
        take_picture(page, f"{name}.png")


@pytest.mark.parametrize("name", toc_pages())
def test_page_fits_a_phone(page, address, name):
    page.set_viewport_size(PHONE)
    page.goto(address + name)
    wait_for_mathematics(page)
    if SHOTS:
        take_picture(page, f"{name}.phone.png")
    assert page.evaluate("document.scrollingElement.scrollWidth") <= PHONE["width"]


def test_search_finds_hybrid_attention(page, address):
    page.goto(address + "search.html")
    page.locator("input[type=search]:visible").first.fill("hybrid attention")
    page.keyboard.press("Enter")
    page.locator("#search-results li a").first.wait_for()
    assert "q=hybrid+attention" in page.url


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
    page.screenshot(path=Path(SHOTS, name.replace("/", "_")), full_page=True)
