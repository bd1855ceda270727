"""The log of a server on standard error, as lines of text or of JSON."""

from __future__ import annotations

import datetime
import json
import logging
import sys

from cladewise.escapes import escaped

LOGGERS = {
    "cladewise.serving": logging.INFO,
    "uvicorn.error": logging.ERROR,
    "python_multipart": logging.ERROR,
    "PIL": logging.CRITICAL,
}
"""Level of each logger that is written; malformed requests, which others warn about, are answered and counted."""


class TextLines(logging.Formatter):
    """One line per entry, with control characters escaped."""

    def format(self, record: logging.LogRecord) -> str:
        traceback = f"\n{self.formatException(record.exc_info)}" if record.exc_info else ""
        return f"cladewise: {escaped(record.getMessage())}{traceback}"


class JsonLines(logging.Formatter):
    """One JSON object per entry: time, level, message, fields of requests, and the traceback of a fault."""

    def format(self, record: logging.LogRecord) -> str:
        time = datetime.datetime.fromtimestamp(record.created, datetime.UTC).isoformat(timespec="milliseconds")
        entry = {"time": time, "level": record.levelname.lower(), "message": record.getMessage()}
        entry |= getattr(record, "fields", {})
        if record.exc_info:
            entry["traceback"] = self.formatException(record.exc_info)
        return json.dumps(entry)


def set_up(*, as_json: bool) -> None:
    """Write the log of the server to standard error.

    Args:
        as_json: Write one JSON object per line.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if as_json else TextLines())
    for name, level in LOGGERS.items():
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(level)
