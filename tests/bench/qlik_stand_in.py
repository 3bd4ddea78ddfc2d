"""The Qlik proxy of the driver: its ticket API by mTLS, as documented (Qlik "Add ticket", "Using Xrfkey headers"), and nothing else."""

from __future__ import annotations

import json
import re
import secrets
from collections import Counter
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from tests.bench import wire

TICKET = re.compile(r"/qps/(?:[a-z0-9-]+/)?ticket")
XRFKEY = re.compile(r"[A-Za-z0-9]{16}")


@dataclass(slots=True)
class QlikStandIn:
    """Gives a ticket for whoever is named, towards `target`."""

    target: str
    counts: Counter[str] = field(default_factory=Counter)

    def serve(self, message: wire.Message) -> bytes:
        """POST …/ticket?xrfkey=…: 201, or what was wrong."""
        method, url, _ = message.first.split(" ", 2)
        path, _, query = url.partition("?")
        key = next((value for name, value in parse_qsl(query) if name.lower() == "xrfkey"), "")
        if not XRFKEY.fullmatch(key) or message.headers.get("x-qlik-xrfkey") != key:
            return self._refuse(403)
        if method != "POST" or not TICKET.fullmatch(path):
            return self._refuse(404)
        asked = json.loads(message.body)
        if not all(isinstance(asked.get(name), str) for name in ("UserDirectory", "UserId")):
            return self._refuse(400)
        self.counts["tickets"] += 1
        self.counts["attributes"] += len(asked.get("Attributes", ()))
        answer = {name: asked.get(name) for name in ("UserDirectory", "UserId", "Attributes")}
        return wire.answer(201, json.dumps(answer | {"Ticket": secrets.token_urlsafe(12), "TargetUri": self.target}).encode())

    def _refuse(self, status: int) -> bytes:
        self.counts[f"refused {status}"] += 1
        return wire.answer(status)
