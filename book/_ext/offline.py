"""Sphinx extension: a site that asks the network for nothing.

MathJax comes out of the package ``sphinx-mathjax-offline``: one of its files, since
``tex-svg.js`` needs no fonts. The scripts of sphinx-thebe, which Jupyter Book puts on every
page and which fetch more from the network, are taken out; so are the theme's orders to load fonts
early, which a browser refuses with an error where the site is opened as files.
"""

import re
from importlib.metadata import distribution
from pathlib import Path
from shutil import copyfile

MATHJAX = "mathjax/tex-svg.js"


def copy_mathjax(app, exception):
    if exception is None and app.builder.format == "html":
        package = distribution("sphinx-mathjax-offline")
        target = Path(app.outdir, "_static", MATHJAX)
        target.parent.mkdir(parents=True, exist_ok=True)
        copyfile(package.locate_file(f"sphinx-mathjax-offline/static/{MATHJAX}"), target)


def drop_preloads(app, exception):
    if exception is None and app.builder.format == "html":
        for name in app.env.found_docs:
            page = Path(app.builder.get_outfilename(name))
            text = page.read_text("utf-8")
            page.write_text(re.sub(r'<link rel="preload" as="font"[^>]*>', "", text), "utf-8")


def drop_thebe(app, pagename, templatename, context, doctree):
    def words(script) -> str:
        return f"{getattr(script, 'filename', script)} {getattr(script, 'attributes', '')}"

    context["script_files"] = [
        script for script in context["script_files"] if "thebe" not in words(script).lower()
    ]


def setup(app):
    app.config.mathjax_path = MATHJAX
    app.connect("html-page-context", drop_thebe, priority=900)  # after Thebe has added them
    app.connect("build-finished", copy_mathjax)
    app.connect("build-finished", drop_preloads)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
