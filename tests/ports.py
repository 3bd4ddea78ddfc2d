"""Ports that no other test takes between the choice and the listening.

The system's own choice comes from the ephemeral range, where any outgoing connection may take it meanwhile. These come
from below it, and each worker of pytest-xdist has a range of its own.
"""

from __future__ import annotations

import os
import socket
from itertools import count

FIRST = 12_000
EACH = 1_500
_worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
_numbers = count(os.getpid() * 37 % EACH)


def unused_port() -> int:
    """A port on loopback, free when asked and not given again soon."""
    for number in _numbers:
        port = FIRST + _worker % 12 * EACH + number % EACH
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("unreachable")
