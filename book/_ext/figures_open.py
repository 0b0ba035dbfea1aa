"""Sphinx extension: a click on a figure opens it alone, in full size."""

import posixpath

from docutils import nodes
from sphinx.util.osutil import relative_uri


def link(app, doctree, docname):
    """Wrap each picture that is no link yet in one to its own file."""
    if app.builder.format != "html":
        return
    folder = relative_uri(app.builder.get_target_uri(docname), app.builder.imagedir)
    for picture in list(doctree.findall(nodes.image)):
        known = app.env.images.get(picture.get("candidates", {}).get("*", picture["uri"]))
        if known is None or isinstance(picture.parent, nodes.reference):
            continue
        reference = nodes.reference("", "", internal=True, classes=["opens-figure"],
                                    refuri=posixpath.join(folder, known[1]))
        picture.replace_self(reference)
        reference += picture


def setup(app):
    app.connect("doctree-resolved", link)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
