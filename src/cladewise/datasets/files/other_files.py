"""Recognition of files that are not images, such as a README, so that they are not reported as broken images."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from pathlib import PurePosixPath

from cladewise.datasets.dataset import Skipped

_SUFFIXES = re.compile(
    r"\.("
    r"txt|md|rst|pdf|docx?|odt|rtf|html?|css|js|log|bib|tex"  # texts
    r"|csv|tsv|jsonl?|ndjson|xml|ya?ml|toml|ini|cfg|conf|xlsx?|ods|pptx?|names|lst|url|lnk|aae|dvc"  # notes and lists
    r"|parquet|arrow|feather|db|sqlite|pkl|pickle|npy|npz|mat|h5|hdf5|pth?|onnx|safetensors|tfrecord"  # data
    r"|py|ipynb|m|r|sh|bat"  # programs
    r"|zip|tar|t?gz|bz2|xz|7z|rar|md5|sha1|sha256|crc"  # archives and their sums
    r"|mp4|mov|avi|mkv|webm|mpe?g|wav|mp3|ogg|flac"  # films and sounds
    r")",
    re.IGNORECASE,
)
_NAMES = re.compile(
    r"(read.?me|licen[cs]e|copying|notice|authors|contributors|citation|changelog|credits?|makefile|dockerfile"
    r"|md5sums?|sha\d+sums?|thumbs\.db|desktop\.ini|icon\r)([-_.].*)?",
    re.IGNORECASE,
)


def set_aside(skipped: Iterable[Skipped]) -> tuple[list[Skipped], tuple[str, ...]]:
    """Separate possibly broken images from files that are not images by name; the latter as one sentence.

    Example:
        >>> set_aside([Skipped("a/README.md", "no image"), Skipped("b.csv", "no image"), Skipped("c.jpg", "empty")])
        ([Skipped(path='c.jpg', reason='empty')], ('2 files that are no images: 1 .csv, 1 .md',))
    """
    broken: list[Skipped] = []
    kinds: Counter[str] = Counter()
    for skip in skipped:
        path = PurePosixPath(skip.path)
        if _SUFFIXES.fullmatch(path.suffix) or _NAMES.fullmatch(path.name):
            kinds[path.suffix.lower() or path.name] += 1
        else:
            broken.append(skip)
    if not kinds:
        return broken, ()
    listed = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items(), key=lambda item: (-item[1], item[0])))
    are = "is no image" if kinds.total() == 1 else "are no images"
    return broken, (f"{counted(kinds.total(), 'file')} that {are}: {listed}",)


def counted(number: int, noun: str) -> str:
    """A number with its noun in singular or plural.

    Example:
        >>> counted(1, "file"), counted(2_000, "file")
        ('1 file', '2,000 files')
    """
    return f"{number:,} {noun}" + ("" if number == 1 else "s")
