from __future__ import annotations

from tests.flow.conftest import certificates, real_clock, worlds
from tests.stores.conftest import redis

__all__ = ["certificates", "real_clock", "redis", "worlds"]
