"""Fixtures that several test modules share."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("thorough", max_examples=4000)

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
