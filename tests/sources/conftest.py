from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

Picture = Callable[..., bytes]


@pytest.fixture(scope="session")
def picture() -> Picture:
    """Encodes a small image of one grey; the same grey gives the same bytes."""

    def encode(grey: int = 0, size: tuple[int, int] = (8, 6), format: str = "PNG") -> bytes:
        content = io.BytesIO()
        Image.new("RGB", size, (grey, grey, grey)).save(content, format)
        return content.getvalue()

    return encode


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that is the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path
