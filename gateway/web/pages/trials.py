"""The pages of a test sign-in: what a link is for, and what a login would have become. For administrators, not for users."""

from __future__ import annotations

from typing import Final

from gateway.web.pages.policy import HERE, Page, content_hash, policy
from gateway.web.pages.templates import render

TRACE_STYLE: Final = (HERE / "trace.css").read_text("utf-8")
COPY_SCRIPT: Final = (HERE / "copy.js").read_text("utf-8")

_START_POLICY: Final = policy("form-action 'self'", "frame-ancestors 'none'")
_TRACE_POLICY: Final = policy(
    f"script-src {content_hash(COPY_SCRIPT)}", "form-action 'none'", "frame-ancestors 'none'", styles=content_hash(TRACE_STYLE)
)


def trial_start_page(*, url: str, virtual_proxy: str, provider: str) -> Page:
    """What a link is for, and a button: a POST to `url`, whose answer must be a page (`form-action`)."""
    return Page(html=render("trial_start", url=url, virtual_proxy=virtual_proxy, provider=provider), csp=_START_POLICY)


def trial_page(trace: object) -> Page:
    """The trace of one test sign-in. Its one script copies the test case; without it, a press selects the text."""
    return Page(html=render("trial", trace=trace, trace_style=TRACE_STYLE, script=COPY_SCRIPT), csp=_TRACE_POLICY)
