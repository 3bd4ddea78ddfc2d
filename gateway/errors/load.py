"""QGW-117 and QGW-125 to 127: more than the gateway takes on, from everybody, from one client, for one provider, in one browser."""

from __future__ import annotations

from gateway.errors.browser import BrowserError
from gateway.errors.kind import Blame


class Overloaded(BrowserError):
    """More work than the gateway takes at once. Refused before anything was done: the same request may be sent again."""

    code, status = "QGW-117", 503
    title = "The gateway is busy"
    advice = "Wait a few seconds, then reload this page. If that does not help, open the Qlik link again."
    retry_seconds = 3


class TooManyRequests(BrowserError):
    """One client's network sent more requests of a kind within a minute than `limits` allows."""

    code, status = "QGW-125", 429
    title = "Too many sign-ins from your network in a short time"
    advice = "Wait a minute, then reload this page. If it happens again, give the code and the reference below to your help desk."
    retry_seconds = 60


class ProviderBusy(BrowserError):
    """More logins were begun with one identity provider within a minute than `limits` allows."""

    code, status = "QGW-126", 503
    title = "Too many people are signing in with this sign-in system at the moment"
    advice = "Wait a minute, then reload this page."
    retry_seconds = 60


class LoginLoop(BrowserError):
    """Qlik Sense sent one browser back to sign in again and again within a minute, although it was given a ticket each time."""

    code, status, blame = "QGW-127", 429, Blame.QLIK
    title = "Qlik Sense keeps sending you back to sign in"
    advice = (
        "You were signed in several times within a minute, but Qlik Sense did not keep you signed in. Give the code and the reference "
        "below to your help desk. Likely causes: the load balancer in front of the Qlik Sense proxies does not keep a browser at one "
        "proxy; the clocks of the servers differ; this address is missing in the virtual proxy's host allow list; the browser does not "
        "keep the cookie of Qlik Sense."
    )
    retry_seconds = 60
