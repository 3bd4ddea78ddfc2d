"""How the demo's identity providers show a page: with a policy of its own, and nowhere kept."""

from __future__ import annotations

from aiohttp import hdrs, web

from gateway.demo.pages import render

NO_STORE = {hdrs.CACHE_CONTROL: "no-store", "Pragma": "no-cache"}


def provider_page(template: str, *, status: int = 200, nonce: str = "", **values: object) -> web.Response:
    """No `form-action` in the policy: Chromium applies it along the redirects that follow a form, and those lead to clients."""
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'"
    if nonce:
        policy += f"; script-src 'nonce-{nonce}'"
    headers = {**NO_STORE, "Content-Security-Policy": policy, "Referrer-Policy": "no-referrer"}
    return web.Response(status=status, text=render(template, nonce=nonce, **values), content_type="text/html", headers=headers)
