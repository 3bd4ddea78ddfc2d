"""The real clock and the real randomness: the only place that reads them."""

from __future__ import annotations

import os
from datetime import UTC, datetime


class SystemClock:
    """Aware UTC now."""

    def now(self) -> datetime:
        return datetime.now(UTC)


class SystemEntropy:
    """The operating system's random bytes."""

    def token(self, size: int) -> bytes:
        return os.urandom(size)
