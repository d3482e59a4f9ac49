"""Bytes of artefacts: in the data directory, or in the bucket of a Supabase project."""

import asyncio
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol
from uuid import UUID

import httpx
from pydantic import SecretStr

from services.errors import LivewatchError

BUCKET = "livewatch"
TIMEOUT_SECONDS = 30.0


class FilesUnavailable(LivewatchError):
    """The place of the artefacts could not be reached, or has no room."""


class ArtefactFiles(Protocol):
    """Holds bytes by the organisation and the id of a blob; no name of a program is part of a path."""

    async def put(self, org: UUID, blob: UUID, content: bytes) -> None:
        """Store bytes; raises FilesUnavailable."""

    async def get(self, org: UUID, blob: UUID) -> bytes | None:
        """Return bytes; None if there are none. Raises FilesUnavailable."""

    async def remove(self, blobs: Sequence[tuple[UUID, UUID]]) -> None:
        """Remove bytes, by organisation and blob; those that are gone already count as removed."""

    async def aclose(self) -> None:
        """Close what was opened; idempotent."""


class DirectoryFiles:
    """Files below a directory, one for each blob, of mode 0600; a file that is there is complete."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    async def put(self, org: UUID, blob: UUID, content: bytes) -> None:
        """See `ArtefactFiles`."""
        await self._run(self._write, self._path(org, blob), content)

    async def get(self, org: UUID, blob: UUID) -> bytes | None:
        """See `ArtefactFiles`."""
        path = self._path(org, blob)
        try:
            return await asyncio.to_thread(path.read_bytes)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise FilesUnavailable(f"{path} cannot be read: {error.strerror}. Check the data directory.") from error

    async def remove(self, blobs: Sequence[tuple[UUID, UUID]]) -> None:
        """See `ArtefactFiles`."""
        for org, blob in blobs:
            await self._run(self._path(org, blob).unlink, True)

    async def aclose(self) -> None:
        """Nothing is open."""

    def _path(self, org: UUID, blob: UUID) -> Path:
        return self._directory / str(org) / str(blob)

    @staticmethod
    def _write(path: Path, content: bytes) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
        finally:
            with suppress(FileNotFoundError):
                part.unlink()

    @staticmethod
    async def _run(work: object, *values: object) -> None:
        assert callable(work)
        try:
            await asyncio.to_thread(work, *values)
        except OSError as error:
            raise FilesUnavailable(
                f"The artefact could not be stored: {error.strerror}. Check the space and mode of the data directory."
            ) from error


class StorageFiles:
    """Objects of a private bucket, which the app's secret key reaches; close with `aclose`."""

    def __init__(self, *, url: str, key: SecretStr, transport: httpx.AsyncBaseTransport | None = None) -> None:
        headers = {"apikey": key.get_secret_value(), "Authorization": f"Bearer {key.get_secret_value()}"}
        self._http = httpx.AsyncClient(
            base_url=f"{url.rstrip('/')}/storage/v1", headers=headers, timeout=TIMEOUT_SECONDS, transport=transport
        )

    async def put(self, org: UUID, blob: UUID, content: bytes) -> None:
        """See `ArtefactFiles`."""
        await self._ask(
            "POST",
            f"/object/{BUCKET}/{org}/{blob}",
            content=content,
            headers={"Content-Type": "application/octet-stream", "x-upsert": "true"},
        )

    async def get(self, org: UUID, blob: UUID) -> bytes | None:
        """See `ArtefactFiles`."""
        answer = await self._ask("GET", f"/object/authenticated/{BUCKET}/{org}/{blob}", may_miss=True)
        return answer.content if answer.is_success else None

    async def remove(self, blobs: Sequence[tuple[UUID, UUID]]) -> None:
        """See `ArtefactFiles`."""
        if blobs:
            await self._ask("DELETE", f"/object/{BUCKET}", json={"prefixes": [f"{org}/{blob}" for org, blob in blobs]})

    async def aclose(self) -> None:
        """Close the connections; idempotent."""
        await self._http.aclose()

    async def _ask(self, method: str, path: str, *, may_miss: bool = False, **more: object) -> httpx.Response:
        try:
            answer = await self._http.request(method, path, **more)  # type: ignore[arg-type]
        except httpx.HTTPError as error:
            raise FilesUnavailable(f"Supabase Storage did not respond: {type(error).__name__}. Try again.") from error
        # Storage answers 400 for an object that is not there.
        if not answer.is_success and not (may_miss and answer.status_code in (400, 404)):
            raise FilesUnavailable(
                f"Supabase Storage answered with status {answer.status_code}: check the bucket “{BUCKET}” and "
                "SUPABASE_SECRET_KEY."
            )
        return answer
