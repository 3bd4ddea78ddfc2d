"""One sealed cookie per login in flight: its name, its attributes, and how many a browser may hold.

The name carries a digest of the transaction id, so tabs do not collide and a lookup needs no list. The cookie outlives
the login by a day, only so that a login page left overnight, Back and F5 end on a page that names the virtual proxy.
A login that was used leaves a stub (`SpentLogin`) behind. RFC 6265bis for the attributes and the `__Host-` prefix.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Final, TypeAlias

from gateway.errors import BrowserError, NoLoginInFlight
from gateway.login import recent
from gateway.model import Binding, LoginTransaction, TransactionId
from gateway.ports import Clock, Entropy
from gateway.sealing import NONCE_SIZE, LoginRecord, Sealer, SpentLogin, open_login, seal_login

IN_FLIGHT = 10
REMEMBERED = 5
"""Stubs and expired logins kept beside those in flight: with them the Cookie header stays below 6 KiB."""
ROWS = 12
"""Virtual proxies whose last tickets are kept beside those, for the minute in which they count: a loop in one hides none in another."""
AFTERLIFE = timedelta(days=1)
_AFTERLIFE_SECONDS: Final = int(AFTERLIFE.total_seconds())
LONGEST_STATE = 128
_NAME: Final = re.compile(r"[A-Za-z0-9_-]+")
Held: TypeAlias = Mapping[str, LoginRecord | None]


class LoginCookies:
    """Reads and writes the login cookies of one gateway. `secure`: false only for a public URL that is http on loopback."""

    def __init__(self, sealer: Sealer, *, clock: Clock, entropy: Entropy, secure: bool) -> None:
        self._sealer = sealer
        self._clock = clock
        self._entropy = entropy
        self._secure = secure
        self._flag = "; Secure" if secure else ""
        self._prefix = ("__Host-" if secure else "") + "qgw-login-"

    def name(self, transaction: TransactionId) -> str:
        return self._prefix + transaction.cookie

    def read(self, cookies: Mapping[str, str], state: str) -> LoginRecord:
        """The login that this browser began under that state. Raises `NoLoginInFlight`, `UnreadableLogin`, `UnknownSealingKey`."""
        if not 0 < len(state) <= LONGEST_STATE or not state.isascii():
            raise NoLoginInFlight("a state that was never ours")
        transaction = TransactionId(state)
        name = self.name(transaction)
        if name not in cookies:
            raise NoLoginInFlight("no cookie for this state in this browser")
        record = open_login(self._sealer, cookies[name], context=name, transaction=transaction)
        if isinstance(record, LoginTransaction) and record.id != transaction:
            raise NoLoginInFlight("the cookie belongs to another state")
        return record

    def held(self, cookies: Mapping[str, str]) -> Held:
        """Every login that this browser shows, by the name of its cookie; None: nothing that can be read."""
        return {name: self._opened(name, value) for name, value in cookies.items() if name.startswith(self._prefix)}

    def issue(self, held: Held, transaction: LoginTransaction, binding: Binding) -> list[str]:
        """Set-Cookie values for a login that begins: its own, and removals of those that are too many or unreadable."""
        left = transaction.expires_at - self._clock.now() + AFTERLIFE
        own = self._line(transaction.id, transaction, binding, max_age=left.days * 86_400 + left.seconds)
        return [own, *map(self._removal, self._surplus(held))] if held else [own]

    def spend(self, transaction: LoginTransaction, binding: Binding, *, ticket: bool = False) -> str:
        """Set-Cookie value that leaves a stub in the place of a used login. `ticket`: it ended with one."""
        now = self._clock.now()
        tickets = (*transaction.tickets, now) if ticket else transaction.tickets
        stub = SpentLogin(virtual_proxy=transaction.virtual_proxy, expires_at=now, tickets=tickets)
        return self._line(transaction.id, stub, binding, max_age=_AFTERLIFE_SECONDS)

    def tickets(self, held: Held, virtual_proxy: str) -> tuple[datetime, ...]:
        """When this browser got its last tickets for a virtual proxy: the longest row that a used login remembers, of several the latest.

        Tabs that sign in side by side remember a row each: a browser that opens many at once does not go round in circles.
        """
        _, row = self._rows(held).get(virtual_proxy, ("", ())) if held else ("", ())
        return row

    def _rows(self, held: Held) -> dict[str, tuple[str, tuple[datetime, ...]]]:
        """For each virtual proxy the stub that remembers the row which counts, and that row; none is empty."""
        found: dict[str, tuple[str, tuple[datetime, ...]]] = {}
        now = self._clock.now()
        for name, record in held.items():
            if isinstance(record, SpentLogin) and (row := recent(record.tickets, now)):
                _, longest = found.get(record.virtual_proxy, ("", ()))
                if (len(row), row) > (len(longest), longest):
                    found[record.virtual_proxy] = name, row
        return found

    def _opened(self, name: str, value: str) -> LoginRecord | None:
        try:
            return open_login(self._sealer, value, context=name)
        except BrowserError:
            return None

    def _surplus(self, held: Held) -> Iterator[str]:
        """The oldest logins in flight beyond nine (the new one is the tenth), the oldest others beyond what is remembered."""
        now, counting = self._clock.now(), {name for name, _ in self._rows(held).values()}
        kept = {"live": IN_FLIGHT - 1, "counting": ROWS, "past": REMEMBERED}
        kinds: dict[str, list[tuple[float, str]]] = {kind: [] for kind in kept}
        for name, record in held.items():
            if record is None:
                if _NAME.fullmatch(name):  # else it was never set by us, and might not pass for a header
                    yield name
                continue
            in_flight = isinstance(record, LoginTransaction) and record.expires_at > now
            kind = "live" if in_flight else "counting" if name in counting else "past"
            kinds[kind].append((record.expires_at.timestamp(), name))
        for kind, most in kept.items():
            yield from (name for _, name in sorted(kinds[kind])[: max(0, len(kinds[kind]) - most)])

    def _line(self, transaction: TransactionId, record: LoginRecord, binding: Binding, *, max_age: int) -> str:
        name = self.name(transaction)
        value = seal_login(self._sealer, record, context=name, nonce=self._entropy.token(NONCE_SIZE))
        same_site = "None" if self._secure and binding.cross_site_post else "Lax"
        return f"{name}={value}; Path=/; Max-Age={max_age}; HttpOnly; SameSite={same_site}{self._flag}"

    def _removal(self, name: str) -> str:
        return f"{name}=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax{self._flag}"
