"""Formats of inputs, and the suffixes that show them."""

from __future__ import annotations

FORMATS = ("images", "csv", "tsv", "jsonl", "parquet", "tar", "boxes", "video")
"""Formats that can be named; the suffixes decide otherwise."""

SUFFIXES = {
    **dict.fromkeys((".csv", ".csv.gz"), "csv"),
    **dict.fromkeys((".tsv", ".tab", ".tsv.gz", ".tab.gz"), "tsv"),
    **dict.fromkeys((".jsonl", ".ndjson", ".jsonl.gz", ".ndjson.gz"), "jsonl"),
    **dict.fromkeys((".parquet", ".pq"), "parquet"),
    **dict.fromkeys((".tar", ".tar.gz", ".tgz"), "tar"),
    ".json": "boxes",
    **dict.fromkeys((".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".mts", ".m2ts"), "video"),
    **dict.fromkeys((".wmv", ".3gp"), "video"),
}
"""Format of each suffix; of others, ``images``."""

UNREAD = {
    **dict.fromkeys((".zip", ".7z", ".rar", ".bz2", ".xz", ".zst"), "Unpack it, or pack the images into a .tar."),
    **dict.fromkeys((".xlsx", ".xls", ".ods", ".arrow", ".feather", ".sqlite", ".db"), "Save it as CSV or Parquet."),
    **dict.fromkeys(
        (".h5", ".hdf5", ".npz", ".npy", ".tfrecord", ".lmdb"), "Write the images as files, or into a .tar."
    ),
    **dict.fromkeys((".txt", ".lst"), "If it lists images, add a header line, path, and name it .csv."),
}
"""Advice for files of formats that are not read, by suffix."""

KNOWN = (
    "image files, folders or patterns, tables (.csv, .tsv, .jsonl, .parquet), archives (.tar, .tar.gz), boxes (.json) "
    "or videos"
)
