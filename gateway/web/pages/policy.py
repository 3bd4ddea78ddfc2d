"""What a page may do in the browser: its Content Security Policy and the headers beside it.

Style sheet, scripts and icon stand in the page itself, the first two named by the hash of their text. A hash needs no second
address to serve, no second request, no random value per answer, and allows that one text where a nonce would allow whatever
carries it.

No Cross-Origin-Opener-Policy: a mashup may sign its users in through a window that it opened and wait for that window; the
header would cut the two apart on the way, and the pages hold nothing that an opener could read or press in secret.
Strict-Transport-Security is the middleware's: it knows whether the gateway is reached by https.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import field
from hashlib import sha256
from pathlib import Path
from typing import Final
from urllib.parse import quote

from gateway.errors import InternalError
from gateway.noun import noun

HERE: Final = Path(__file__).parent
STYLE: Final = (HERE / "style.css").read_text("utf-8")
SUBMIT_SCRIPT: Final = (HERE / "submit.js").read_text("utf-8")
REDEEM_SCRIPT: Final = (HERE / "redeem.js").read_text("utf-8")

ICON: Final = "data:image/svg+xml," + quote((HERE / "icon.svg").read_text("utf-8").strip())
"""The tab's icon: without one in the page, the browser asks for /favicon.ico."""

ANSWER_HEADERS: Final[Mapping[str, str]] = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
"""For every answer that is no page: redirects and JSON."""

_HIDDEN_FROM_FRAMES: Final[Mapping[str, str]] = {"Cross-Origin-Resource-Policy": "same-origin", "X-Frame-Options": "DENY"}
_ADDRESS: Final = re.compile(r"(?:https?://|/(?![/\\]))[^\x00-\x20\x7f]*", re.IGNORECASE)
_ORIGIN: Final = re.compile(r"(https?:)//([a-z0-9.-]+(?::[0-9]+)?|(\[[0-9a-f:.]+\])(?::[0-9]+)?)(?=[/?#]|$)", re.IGNORECASE)


@noun
class Page:
    """One page as the browser gets it, and the policy that it is shown under."""

    html: str = field(repr=False)
    csp: str
    referrer: str = "no-referrer"
    in_frames: bool = False


def security_headers(page: Page) -> dict[str, str]:
    """Every header that keeps a page to itself."""
    own = {"Content-Security-Policy": page.csp, "Referrer-Policy": page.referrer}
    return {**ANSWER_HEADERS, **own, **({} if page.in_frames else _HIDDEN_FROM_FRAMES)}


def content_hash(text: str) -> str:
    """The source expression that allows exactly this inline text (CSP Level 3 §2.3.1)."""
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


def policy(*directives: str, images: str = "", styles: str = "") -> str:
    """A policy that allows our style sheet and `styles`, our icon, images from the source `images`, and what `directives` add."""
    own = (
        "default-src 'none'",
        f"style-src {content_hash(STYLE)} {styles}".rstrip(),
        f"img-src data: {images}".rstrip(),
        "base-uri 'none'",
    )
    return "; ".join((*own, *directives))


def address(url: str) -> str:
    """The URL itself, where it is http(s) or a path on this gateway. Raises `InternalError` for anything else (`javascript:`, `//host`).

    Escaping alone would leave such a URL alive in an attribute. Addresses are checked long before they get here; this is the last look.
    """
    if not _ADDRESS.fullmatch(url):
        raise InternalError("a page was given a link that is neither http(s) nor a path")
    return url


def image_source(url: str) -> str:
    """The source expression for the origin of one image.

    A policy has no way to write an IPv6 host (CSP Level 3 §2.3.1): for such a one its scheme must do.
    """
    match = _ORIGIN.match(url)
    if match is None:
        raise InternalError("a page was given an image without an http(s) origin")
    scheme, host, ipv6 = match.groups()
    return scheme if ipv6 else f"{scheme}//{host}"
