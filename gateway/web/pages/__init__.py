"""The pages that a user may see on the way: plain values in, a `Page` out. `security_headers` gives the headers to send with it.

Rendered here and complete in themselves: no other request, no cookie, and no script but two lines that spare a click.
The pages know nothing of requests, configuration or why something failed: an error comes as its class, so that a detail
meant for the log cannot be shown.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from html import escape
from secrets import token_hex
from typing import Final

from gateway.errors import GatewayError
from gateway.model import FormPost
from gateway.web.pages.leaving import confirm_page, heard_page, signed_out_page
from gateway.web.pages.policy import (
    ANSWER_HEADERS,
    REDEEM_SCRIPT,
    SUBMIT_SCRIPT,
    Page,
    content_hash,
    image_source,
    policy,
    security_headers,
)
from gateway.web.pages.sentences import WHO_CAN_FIX_IT
from gateway.web.pages.templates import prepare, render
from gateway.web.pages.trials import trial_page, trial_start_page

__all__ = [
    "ANSWER_HEADERS",
    "Choice",
    "MailSearch",
    "Page",
    "RefusingRule",
    "Ways",
    "chooser_page",
    "confirm_page",
    "error_json",
    "error_page",
    "form_page",
    "frame_page",
    "heard_page",
    "onward_page",
    "prepare",
    "redeem_page",
    "security_headers",
    "signed_out_page",
    "trial_page",
    "trial_start_page",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ways:
    """The ways on from a sign-in that stopped: to begin it afresh, to Qlik Sense as one is, to another sign-in system."""

    virtual_proxy: str
    start_again: str
    go_on: str | None = None
    choose: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusingRule:
    """The access rule that refused: its id, and what its author wants the user to read."""

    id: str
    message: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One identity provider on the chooser page: what people call it, and the address that begins a login there. `last`: used last."""

    name: str
    url: str = field(repr=False)
    last: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class MailSearch:
    """The chooser page's question for a mail address: where it is sent, what was given before, and whether that found nothing."""

    url: str = field(repr=False)
    mail: str = field(default="", repr=False)
    failed: bool = False


MOST_ERROR_PAGES: Final = 256
"""That are kept, without what differs from one answer to the next."""
_REFERENCE, _MACHINE_TIME, _TIME = _GAPS = tuple(token_hex(16) for _ in range(3))
"""Stand for reference and time in an error page that is kept. Nobody can guess them, so no text of others is taken for one."""
_STILL: Final = policy("form-action 'none'", "frame-ancestors 'none'")
_OWN_FORM: Final = policy("form-action 'self'", "frame-ancestors 'none'")
# No form-action here: Chromium holds it against every redirect that follows the POST, too, and a provider may hand on to
# another one on a host that nobody can name beforehand. The form is ours and fixed; nothing else on the page could be sent.
_FORM: Final = policy(f"script-src {content_hash(SUBMIT_SCRIPT)}", "frame-ancestors 'none'")
# Shown wherever Qlik Sense is embedded, so every ancestor may frame it: all it carries is a link that leaves the frame.
_FRAME: Final = policy("form-action 'none'", "frame-ancestors *")


def error_page(
    error: type[GatewayError], *, correlation_id: str, now: datetime, ways: Ways | None = None, rule: RefusingRule | None = None
) -> Page:
    """Why it goes no further, what to do, who can mend it, and what to quote. With `ways`, also the start-again page."""
    time = _to_the_second(int(now.timestamp()))
    fillings = {_REFERENCE: escape(correlation_id), _MACHINE_TIME: f"{time.replace(' ', 'T')}Z", _TIME: f"{time} UTC"}
    pieces = _error_page_around_gaps(error, ways, rule)  # type: ignore[arg-type]  # mypy holds no class for hashable
    return Page(html="".join([fillings.get(piece, piece) for piece in pieces]), csp=_STILL)


@lru_cache(maxsize=1)
def _to_the_second(second: int) -> str:
    return f"{datetime.fromtimestamp(second, UTC):%Y-%m-%d %H:%M:%S}"


@lru_cache(maxsize=MOST_ERROR_PAGES)
def _error_page_around_gaps(error: type[GatewayError], ways: Ways | None, rule: RefusingRule | None) -> Sequence[str]:
    """Rendered once, into what stands around the gaps, and these: whoever is overloaded gives the same page to everybody.

    In ASCII, which is sent as it is; its style sheet is (a test compares its hash), and elsewhere references stand for the rest.
    """
    gaps = {"correlation_id": _REFERENCE, "machine_time": _MACHINE_TIME, "time": _TIME}
    html = render("error", error=error, who=WHO_CAN_FIX_IT[error.blame], ways=ways, rule=rule, **gaps)
    return re.split(f"({'|'.join(_GAPS)})", html.encode("ascii", "xmlcharrefreplace").decode())


def error_json(error: type[GatewayError], *, correlation_id: str, rule: RefusingRule | None = None) -> dict[str, str]:
    """The same for programs. `detail` is the advice: what the log calls detail stays there."""
    told = {"code": error.code, "title": error.title, "detail": error.advice, "correlation_id": correlation_id}
    if rule is not None:
        told |= {"rule": rule.id} | ({} if rule.message is None else {"message": rule.message})
    return told


def form_page(post: FormPost, *, provider: str) -> Page:
    """A form that submits itself to an identity provider; without JavaScript, by its button. `provider` is its display name.

    Some providers refuse a POST with `Origin: null`, which `no-referrer` would send (Fetch §3.2): they get our origin, and no path.
    """
    html = render("form", post=post, provider=provider, script=SUBMIT_SCRIPT)
    return Page(html=html, csp=_FORM, referrer="strict-origin")


def frame_page(*, url: str, leaving: bool = False) -> Page:
    """A login, or a logout, was asked for inside a frame: a link that opens `url`, the same address, in the whole window."""
    return Page(html=render("frame", url=url, leaving=leaving), csp=_FRAME, in_frames=True)


def redeem_page(*, redeem_at: str, location: str) -> Page:
    """Spend a ticket on the Qlik host before the browser goes on to a page elsewhere.

    The browser fetches `redeem_at` as an image: it is none, but the answer sets the session's cookie. Then it goes on:
    by script once the answer is there, else after two seconds, or by the link.
    """
    html = render("redeem", redeem_at=redeem_at, location=location, script=REDEEM_SCRIPT)
    rules = (f"script-src {content_hash(REDEEM_SCRIPT)}", "form-action 'none'", "frame-ancestors 'none'")
    return Page(html=html, csp=policy(*rules, images=image_source(redeem_at)))


def chooser_page(*, virtual_proxy: str, choices: Sequence[Choice], search: MailSearch | None = None) -> Page:
    """Several identity providers serve one virtual proxy: a list of links. `form-action` has no say in where plain GETs lead.

    With `search`, also a form for a mail address, whose answer must be a page: a redirect would be held against `form-action`.
    """
    html = render("chooser", virtual_proxy=virtual_proxy, choices=choices, search=search)
    return Page(html=html, csp=_STILL if search is None else _OWN_FORM)


def onward_page(*, url: str, provider: str) -> Page:
    """Goes on to `url` at once and by itself, without JavaScript: no redirect, so no `form-action` of the page before binds it."""
    return Page(html=render("onward", url=url, provider=provider), csp=_STILL)
