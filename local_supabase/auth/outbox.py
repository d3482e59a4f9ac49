"""The outbox: e-mails that a hosted project would send are appended to a file instead."""

import asyncio
import json
import os
from datetime import UTC, datetime
from pathlib import Path

from local_supabase.auth.one_time_tokens import Link
from local_supabase.postgres.data_directory import keep_owner

FILE_NAME = "mail.jsonl"
MAX_BYTES = 1024 * 1024


class Outbox:
    """Appends one line of JSON per e-mail to a file of mode 0600; the older half of a full file is dropped."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = asyncio.Lock()

    async def deliver(self, link: Link) -> None:
        """Append the e-mail with a link and its code."""
        line = json.dumps(
            {
                "to": link.to,
                "type": link.type.value,
                "sent_at": datetime.now(UTC).isoformat(),
                "action_link": link.url,
                "email_otp": link.code,
                "hashed_token": link.hashed_token,
            }
        )
        async with self._lock:
            await asyncio.to_thread(self._append, line + "\n")

    def _append(self, line: str) -> None:
        if self._path.exists() and self._path.stat().st_size > MAX_BYTES:
            kept = self._path.read_bytes()[-MAX_BYTES // 2 :].partition(b"\n")[2]
            self._path.write_bytes(kept)
        descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "a") as file:
            file.write(line)
        keep_owner(self._path)
