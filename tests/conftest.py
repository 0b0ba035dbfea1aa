"""Fixtures that several test modules share."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

# No deadline: on a busy machine it fails tests whose answers are right.
os.environ.setdefault("TQDM_DISABLE", "1")  # bars would mix with what commands print

settings.register_profile("usual", deadline=None)
settings.register_profile("thorough", deadline=None, max_examples=4000)
settings.load_profile("usual")

FIXTURES = Path(__file__).parent / "fixtures"


@pytest.fixture(scope="session")
def reference() -> Path:
    """The folder of reference material (oracles/ and data/), where one is named."""
    folder = os.environ.get("FACNET_REFERENCE")
    if not folder:
        pytest.skip("FACNET_REFERENCE names no folder of reference material")
    path = Path(folder)
    assert (path / "oracles").is_dir(), f"FACNET_REFERENCE={folder} holds no oracles/"
    return path
