"""One peer's findings as they come: each step within its time, and none after one that failed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

from gateway.doctor.findings import Finding, FindingCode, Status, hint_for
from gateway.errors import GatewayError
from gateway.model import HttpRequest, HttpResponse
from gateway.ports import Clock, HttpClient

STEP_SECONDS: Final = 10.0
SOON: Final = timedelta(days=30)
_WHOLE_SECOND: Final = timedelta(seconds=1)  # a Date header has no fractions


class Ended(Exception):
    """What comes after a failed step makes no sense."""


class Notes:
    """What is written down about one peer."""

    def __init__(self, about: str, clock: Clock) -> None:
        self.about = about
        self.clock = clock
        self.findings: list[Finding] = []

    def ok(self, step: str, message: str) -> None:
        self._add(step, Status.OK, message)

    def caution(self, step: str, code: str, message: str, hint: str | None = None) -> None:
        self._add(step, Status.WARNING, message, code, hint)

    def fail(self, step: str, code: str, message: str, hint: str | None = None) -> None:
        self._add(step, Status.ERROR, message, code, hint)

    def refuse(self, step: str, error: GatewayError, hint: str | None = None) -> None:
        """An error of the gateway's own, as a login would end with it. `hint`: where more is known than its class tells."""
        self.fail(step, error.code, error.detail or error.title, hint or hint_for(error))

    @asynccontextmanager
    async def step(self, name: str, late: type[GatewayError], hint: str | None = None) -> AsyncIterator[None]:
        """Steps that raise, or take too long (`late`), are written down and end the examination of this peer: `Ended`."""
        try:
            async with asyncio.timeout(STEP_SECONDS):
                yield
        except GatewayError as error:
            self.refuse(name, error, hint)
            raise Ended from error
        except TimeoutError as error:
            self.refuse(name, late(f"nothing within {STEP_SECONDS:.0f} s"), hint)
            raise Ended from error

    def certificate(self, step: str, what: str, ends: datetime, hint: str) -> None:
        """How long a certificate is still good."""
        now = self.clock.now()
        if ends <= now:
            self.fail(step, FindingCode.ENDED, f"{what} ended on {ends:%Y-%m-%d}", hint)
        elif ends - now < SOON:
            self.caution(step, FindingCode.ENDS_SOON, f"{what} ends on {ends:%Y-%m-%d}", hint)
        else:
            self.ok(step, f"{what} is good until {ends:%Y-%m-%d}")

    def clocks(self, ahead: timedelta | None, most: timedelta) -> None:
        """How far the peer's clock is from ours. Beyond `most` its answers are refused; from half of that on it is told."""
        if ahead is None:
            return
        told = f"its clock is {abs(ahead).total_seconds():.0f} s {'ahead of' if ahead > timedelta(0) else 'behind'} this machine's"
        hint = "set both by time servers; answers from the future or of long ago are refused"
        if abs(ahead) > most:
            self.fail("clock", FindingCode.CLOCK, told, hint)
        elif abs(ahead) > most / 2:
            self.caution("clock", FindingCode.CLOCK, told, hint)
        else:
            self.ok("clock", f"within {max(abs(ahead), _WHOLE_SECOND).total_seconds():.0f} s of this machine's")

    def _add(self, step: str, status: Status, message: str, code: str | None = None, hint: str | None = None) -> None:
        self.findings.append(Finding(about=self.about, step=step, status=status, message=message, code=code, hint=hint))


class Dated:
    """An HTTP client that notes how far ahead of ours the clock of the last answer was (`Date`, RFC 9110 §6.6.1)."""

    def __init__(self, http: HttpClient, clock: Clock) -> None:
        self._http, self._clock = http, clock
        self.ahead: timedelta | None = None

    async def send(self, request: HttpRequest) -> HttpResponse:
        asked = self._clock.now()
        response = await self._http.send(request)
        self.ahead = ahead(response, asked, self._clock.now())
        return response


def ahead(response: HttpResponse, asked: datetime, answered: datetime) -> timedelta | None:
    """By how much the peer's clock is surely ahead (or behind): it looked at it between question and answer, and cut off fractions."""
    try:
        date = parsedate_to_datetime(response.headers["date"]).astimezone(UTC)
    except (KeyError, ValueError, OverflowError):
        return None
    if date > answered:
        return date - answered
    return min(date + _WHOLE_SECOND - asked, timedelta(0))
