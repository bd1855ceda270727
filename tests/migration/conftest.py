"""One cache for all tests of migration."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session", autouse=True)
def own_cache(shared_cache: Path) -> Path:
    """The cache of this session, never the user's."""
    return shared_cache
