"""The pages of the way out: the question before, and what has ended."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from gateway.model import Journey
from gateway.web.pages.policy import Page, policy
from gateway.web.pages.templates import render

_OWN_FORM: Final = policy("form-action 'self'", "frame-ancestors 'none'")
_STILL: Final = policy("form-action 'none'", "frame-ancestors 'none'")
# A provider shows it in a frame, from whichever of its hosts; it says nothing and does nothing.
_FRAMED: Final = policy("form-action 'none'", "frame-ancestors *")


def confirm_page(*, url: str, token: str, virtual_proxy: str) -> Page:
    """Sign out? A POST to `url`, whose answer must be a page (`form-action`)."""
    return Page(html=render("confirm", url=url, token=token, virtual_proxy=virtual_proxy), csp=_OWN_FORM)


def signed_out_page(journey: Journey, *, open_providers: Sequence[str], sign_in: str | None) -> Page:
    """What has ended and what has not; `open_providers`: display names of those that may know the user yet; `sign_in`: the way back."""
    html = render("signed_out", journey=journey, open_providers=open_providers, sign_in=sign_in)
    return Page(html=html, csp=_STILL)


def heard_page() -> Page:
    """The provider's own logout was heard."""
    return Page(html=render("heard"), csp=_FRAMED, in_frames=True)
