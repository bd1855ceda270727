"""Memory of decoded images, given back to the system when they are freed."""

from __future__ import annotations

import contextlib
import ctypes
import os

LARGE = 1 << 19
"""Bytes of a block from which on it has pages of its own. A decoded image has about 600 kB."""
_M_MMAP_THRESHOLD = -3  # of malloc.h


def give_back_images() -> None:
    """Let the C library return the memory of an image to the system as soon as it is freed.

    By default glibc raises the size of such blocks to 32 MB after the first one is freed and keeps images in its heaps,
    one per thread, which then grow for thousands of images. A threshold of our own stops that. It costs a few percent
    of the time, and elsewhere than on glibc nothing happens. A user's ``MALLOC_MMAP_THRESHOLD_`` is respected.
    """
    if "MALLOC_MMAP_THRESHOLD_" not in os.environ:
        with contextlib.suppress(OSError, AttributeError, TypeError):  # no such function in this C library
            ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, LARGE)
