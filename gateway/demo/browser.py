"""A scripted browser: keeps cookies, follows redirects one by one and fills in forms, and remembers every step."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from html.parser import HTMLParser
from types import TracebackType
from typing import Self
from urllib.parse import urljoin

import aiohttp
from yarl import URL

NAVIGATION = {"Accept": "text/html,application/xhtml+xml", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
MOST_REDIRECTS = 10
PATIENCE = aiohttp.ClientTimeout(total=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """One request and its answer. `sent`: the form that was posted; `location` is absolute; times are seconds of `time.perf_counter`."""

    method: str
    url: str = field(repr=False)
    sent: dict[str, str] = field(default_factory=dict, repr=False)
    status: int
    location: str | None = field(repr=False)
    cookies: dict[str, str] = field(repr=False)
    body: str = field(repr=False)
    began: float
    ended: float


@dataclass(slots=True)
class Form:
    """A form of a page, with what it would send by itself."""

    action: str = ""
    fields: dict[str, str] = field(default_factory=dict)


class PageReader(HTMLParser):
    """What a page offers and shows: its first form, its links by their text, and the texts marked by `data-show`, as (kind, name, text)."""

    def __init__(self, body: str) -> None:
        super().__init__()
        self.form: Form | None = None
        self.links: dict[str, str] = {}
        self.shown: list[tuple[str, str, str]] = []
        self._open: tuple[str, str] | None = None
        self._link: str | None = None
        self.feed(body)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self._open = (found["data-show"], found.get("data-name", "")) if "data-show" in found else None
        if tag == "a":
            self._link = found.get("href")
        elif tag == "form" and self.form is None:
            self.form = Form(found.get("action", ""))
        elif tag == "input" and self.form is not None and found.get("type") == "hidden":
            self.form.fields[found.get("name", "")] = found.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        self._open = None
        if tag == "a":
            self._link = None

    def handle_data(self, data: str) -> None:
        if self._link is not None:
            self.links[data.strip()] = self._link
        if self._open is not None:
            self.shown.append((*self._open, data.strip()))


class ScriptedBrowser:
    """Opens pages and sends forms as a person would. Raises `aiohttp.ClientError` and `TimeoutError` where nobody answers."""

    def __init__(self) -> None:
        self.visits: list[Visit] = []
        self._http = aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True), headers=NAVIGATION, timeout=PATIENCE)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self._http.close()

    async def open(self, url: str) -> Visit:
        """Open an address and follow where it leads."""
        return await self._follow(await self._send("GET", url))

    async def click(self, page: Visit, link: str) -> Visit:
        """Open what a page's link names, and follow where it leads."""
        return await self.open(urljoin(page.url, link))

    async def submit(self, page: Visit, form: Form, **chosen: str) -> Visit:
        """Send a page's form by POST and follow where it leads."""
        return await self._follow(await self._send("POST", urljoin(page.url, form.action), form.fields | chosen))

    async def _follow(self, visit: Visit) -> Visit:
        for _ in range(MOST_REDIRECTS):
            if visit.location is None:
                break
            visit = await self._send("GET", visit.location)
        return visit

    async def _send(self, method: str, url: str, data: dict[str, str] | None = None) -> Visit:
        began = time.perf_counter()
        async with self._http.request(method, URL(url, encoded=True), data=data, allow_redirects=False) as response:
            location = response.headers.get("Location")
            visit = Visit(
                method=method,
                url=url,
                sent=data or {},
                status=response.status,
                location=urljoin(url, location) if location else None,
                cookies={name: morsel.value for name, morsel in response.cookies.items()},
                body=await response.text(),
                began=began,
                ended=time.perf_counter(),
            )
        self.visits.append(visit)
        return visit
