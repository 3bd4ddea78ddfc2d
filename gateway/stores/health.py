"""Whether the shared store works, as far as this replica knows: told once at each change, never once per request."""

from __future__ import annotations

from gateway.errors import StoreError
from gateway.events import StoreFound, StoreLost
from gateway.ports import Journal


class Health:
    """Any failure means down; only a look at the whole store (`found`) means up again.

    If one request's success meant up, a cluster with one dead shard would go up and down with every request.
    `up` is None before anything is known.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self.up: bool | None = None

    def lost(self, error: StoreError) -> None:
        """Something did not work."""
        if self.up is not False:
            self.up = False
            self._journal.record(StoreLost(code=error.code, detail=error.detail))

    def found(self) -> bool:
        """All of the store was seen to work. True: that is news."""
        if self.up is True:
            return False
        self.up = True
        self._journal.record(StoreFound())
        return True
