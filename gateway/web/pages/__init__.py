"""The pages that a user may see on the way: plain values in, a `Page` out. `security_headers` gives the headers to send with it.

Rendered here and complete in themselves: no other request, no cookie, and no script but two lines that spare a click.
The pages know nothing of requests, configuration or why something failed: an error comes as its class, so that a detail
meant for the log cannot be shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from gateway.errors import GatewayError
from gateway.model import FormPost
from gateway.web.pages.policy import (
    ANSWER_HEADERS,
    HERE,
    ICON,
    REDEEM_SCRIPT,
    STYLE,
    SUBMIT_SCRIPT,
    Page,
    address,
    content_hash,
    image_source,
    policy,
    security_headers,
)
from gateway.web.pages.sentences import SENTENCES, WHO_CAN_FIX_IT

__all__ = [
    "ANSWER_HEADERS",
    "Choice",
    "Page",
    "Ways",
    "chooser_page",
    "error_json",
    "error_page",
    "form_page",
    "frame_page",
    "redeem_page",
    "security_headers",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ways:
    """The ways on from a sign-in that stopped: to begin it afresh (the virtual proxy's login address), or to Qlik Sense as one is."""

    virtual_proxy: str
    start_again: str
    go_on: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One identity provider on the chooser page: what people call it, and the address that begins a login there."""

    name: str
    url: str = field(repr=False)


def _environment() -> Environment:
    """The templates. A name that a template uses and nobody gave is an error, never an empty place."""
    environment = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, auto_reload=False, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["address"] = address
    environment.globals.update(say=SENTENCES, style=STYLE, icon=ICON)
    return environment


_ENVIRONMENT: Final = _environment()
_TEMPLATES: Final = {name: _ENVIRONMENT.get_template(f"{name}.html") for name in ("error", "form", "frame", "redeem", "chooser")}

_STILL: Final = policy("form-action 'none'", "frame-ancestors 'none'")
# No form-action here: Chromium holds it against every redirect that follows the POST, too, and a provider may hand on to
# another one on a host that nobody can name beforehand. The form is ours and fixed; nothing else on the page could be sent.
_FORM: Final = policy(f"script-src {content_hash(SUBMIT_SCRIPT)}", "frame-ancestors 'none'")
# Shown wherever Qlik Sense is embedded, so every ancestor may frame it: all it carries is a link that leaves the frame.
_FRAME: Final = policy("form-action 'none'", "frame-ancestors *")


def error_page(error: type[GatewayError], *, correlation_id: str, now: datetime, ways: Ways | None = None) -> Page:
    """Why it goes no further, what to do, who can mend it, and what to quote. With `ways`, also the start-again page."""
    html = _TEMPLATES["error"].render(
        error=error, who=WHO_CAN_FIX_IT[error.blame], correlation_id=correlation_id, now=now.astimezone(UTC), ways=ways
    )
    return Page(html=html, csp=_STILL)


def error_json(error: type[GatewayError], *, correlation_id: str) -> dict[str, str]:
    """The same for programs. `detail` is the advice: what the log calls detail stays there."""
    return {"code": error.code, "title": error.title, "detail": error.advice, "correlation_id": correlation_id}


def form_page(post: FormPost, *, provider: str) -> Page:
    """A form that submits itself to an identity provider; without JavaScript, by its button. `provider` is its display name.

    Some providers refuse a POST with `Origin: null`, which `no-referrer` would send (Fetch §3.2): they get our origin, and no path.
    """
    html = _TEMPLATES["form"].render(post=post, provider=provider, script=SUBMIT_SCRIPT)
    return Page(html=html, csp=_FORM, referrer="strict-origin")


def frame_page(*, url: str) -> Page:
    """A login was asked for inside a frame: a link that opens `url`, the same address, in the whole window."""
    return Page(html=_TEMPLATES["frame"].render(url=url), csp=_FRAME, in_frames=True)


def redeem_page(*, redeem_at: str, location: str) -> Page:
    """Spend a ticket on the Qlik host before the browser goes on to a page elsewhere.

    The browser fetches `redeem_at` as an image: it is none, but the answer sets the session's cookie. Then it goes on:
    by script once the answer is there, else after two seconds, or by the link.
    """
    html = _TEMPLATES["redeem"].render(redeem_at=redeem_at, location=location, script=REDEEM_SCRIPT)
    rules = (f"script-src {content_hash(REDEEM_SCRIPT)}", "form-action 'none'", "frame-ancestors 'none'")
    return Page(html=html, csp=policy(*rules, images=image_source(redeem_at)))


def chooser_page(*, virtual_proxy: str, choices: Sequence[Choice]) -> Page:
    """Several identity providers serve one virtual proxy: a list of links. `form-action` has no say in where plain GETs lead."""
    return Page(html=_TEMPLATES["chooser"].render(virtual_proxy=virtual_proxy, choices=choices), csp=_STILL)
