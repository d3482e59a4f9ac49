"""Contents of artefacts as bytes, within the limits of the API."""

import io
import json
import math
import os
import stat
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from livewatch.delivery.operations import plain, text

MAX_ARTEFACT_BYTES = 20 * 2**20
MAX_MARKDOWN_BYTES = 200_000
MAX_TABLE_CELLS = 100_000
MAX_NAME_CHARACTERS = 200
IMAGE_HEADS = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a")


class ArtefactRefusedError(ValueError):
    """Why an artefact is not sent, as a sentence."""


def artefact_name(name: object) -> str:
    """Return a name as the API takes it: without control characters, at most 200 characters, no folder's."""
    shown = "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text(name, 10_000)).strip()
    if shown in ("", ".", ".."):
        shown = "artefact"
    return text(shown, MAX_NAME_CHARACTERS)


def file_bytes(path: object) -> bytes:
    """Read a regular file; raises ArtefactRefusedError, before it is read, for one above the limit."""
    try:
        given = Path(os.fspath(path))  # type: ignore[call-overload]
        found = given.stat()
        if not stat.S_ISREG(found.st_mode):
            raise ArtefactRefusedError("it is no regular file")
        if found.st_size > MAX_ARTEFACT_BYTES:
            raise ArtefactRefusedError(f"it has {found.st_size:,} bytes; the maximum is {MAX_ARTEFACT_BYTES:,}")
        with given.open("rb") as file:
            # A file may grow meanwhile.
            return file.read(MAX_ARTEFACT_BYTES + 1)
    except OSError as error:
        raise ArtefactRefusedError(f"it cannot be read: {error.strerror}") from error
    except (TypeError, ValueError) as error:
        if isinstance(error, ArtefactRefusedError):
            raise
        raise ArtefactRefusedError(f"{str(path)[:60]!r} is no path") from error


def checked(content: bytes, kind: str) -> bytes:
    """Return a content; raises ArtefactRefusedError for one above the limit of its kind."""
    most = MAX_MARKDOWN_BYTES if kind == "markdown" else MAX_ARTEFACT_BYTES
    if len(content) > most:
        raise ArtefactRefusedError(f"it has {len(content):,} bytes; the maximum is {most:,}")
    return content


def image_bytes(source: Any) -> bytes:
    """Return an image as bytes: of a path, of bytes, or drawn as PNG by an object of Pillow or Matplotlib."""
    if isinstance(source, bytes | bytearray | memoryview):
        content = bytes(source)
    elif hasattr(source, "savefig") or hasattr(source, "save"):
        drawn = io.BytesIO()
        (source.savefig if hasattr(source, "savefig") else source.save)(drawn, format="png")
        content = drawn.getvalue()
    else:
        content = file_bytes(source)
    is_webp = content[:4] == b"RIFF" and content[8:12] == b"WEBP"
    if not content.startswith(IMAGE_HEADS) and not is_webp:
        raise ArtefactRefusedError("it is no PNG, JPEG, GIF or WebP: send it with file()")
    return content


def table_bytes(rows: Any, columns: Iterable[object] | None = None) -> bytes:
    """Return a table as JSON: of rows, of mappings by column, or of a data frame.

    Raises:
        ArtefactRefusedError: It has more than 100,000 cells, of which no more are read.
    """
    names = None if columns is None else [text(each) for each in columns]
    if hasattr(rows, "itertuples") and hasattr(rows, "columns"):
        names = [text(each) for each in rows.columns] if names is None else names
        rows = rows.itertuples(index=False, name=None)
    lines: list[list[Any]] = []
    cells = 0
    for row in rows:
        if isinstance(row, Mapping):
            if names is None:
                names = [text(each) for each in row]
            by_name = {text(key): value for key, value in row.items()}
            line = [by_name.get(name) for name in names]
        else:
            line = list(row) if isinstance(row, Sequence) and not isinstance(row, str | bytes) else [row]
        cells += len(line)
        if cells + len(names or ()) > MAX_TABLE_CELLS:
            raise ArtefactRefusedError(
                f"it has more than {MAX_TABLE_CELLS:,} cells: send a part of it, or the whole with file()"
            )
        lines.append([_cell(each) for each in line])
    width = max(map(len, lines), default=0)
    names = names if names is not None else [f"Column {n + 1}" for n in range(width)]
    return json.dumps({"columns": names, "rows": lines}, separators=(",", ":"), ensure_ascii=False).encode(
        "utf-8", "replace"
    )


def _cell(value: Any) -> Any:
    # NumPy's numbers are no numbers of JSON, but say what they are.
    if hasattr(value, "item") and not isinstance(value, str | bytes):
        try:
            value = value.item()
        except Exception:
            return plain(value)
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return plain(value)
