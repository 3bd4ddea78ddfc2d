"""QGW-1xx: what the browser sent cannot be used."""

from __future__ import annotations

from gateway.errors.kind import AGAIN, TELL_ADMIN, Blame, GatewayError


class BrowserError(GatewayError):
    """What the browser sent cannot be used."""

    code, status, blame = "QGW-100", 400, Blame.BROWSER
    title = "This request cannot be used"
    advice = AGAIN


class MalformedStart(BrowserError):
    """One of `targetId` and `proxyRestUri` is missing, doubled, empty or of a wrong shape."""

    code = "QGW-101"
    title = "This address was opened without the details that Qlik Sense adds"


class NotFound(BrowserError):
    """No such virtual proxy, identity provider or path."""

    code, status = "QGW-102", 404
    title = "There is nothing at this address"
    advice = "Check the link. If Qlik Sense sent you here, give the code and the reference below to your help desk."


class UnknownNode(BrowserError):
    """`proxyRestUri` names no configured node of this virtual proxy."""

    code, blame = "QGW-103", Blame.OPERATOR
    title = "The Qlik Sense server that sent you here is not known to this gateway"
    advice = TELL_ADMIN


class NotANavigation(BrowserError):
    """A script, an image or a socket asked for a login; only a navigation starts one."""

    code, status = "QGW-104", 401
    title = "Sign-in needed: open this address as a page"
    advice = "Reload the page that you were on."


class PrefetchRefused(BrowserError):
    """The browser asked ahead of the user (`Sec-Purpose: prefetch`)."""

    code, status = "QGW-105", 503
    title = "This page is not prepared in advance"
    advice = "Open the link."


class MalformedResponse(BrowserError):
    """The answer that the browser carried from the identity provider lacks, doubles or overfills a parameter."""

    code = "QGW-107"
    title = "The answer from your sign-in system arrived damaged"


class NoLoginInFlight(BrowserError):
    """This browser began no login with that state: another browser did, or the cookie is gone."""

    code = "QGW-108"
    title = "This browser did not begin this sign-in, or it has forgotten it"
    advice = "Open the Qlik link once more in this browser. Cookies must be allowed for this address."


class LoginExpired(BrowserError):
    """The login took longer than `login_lifetime`."""

    code = "QGW-109"
    title = "This sign-in took too long"
    advice = "Start again; your sign-in system may let you through without asking."


class LoginAlreadyUsed(BrowserError):
    """The transaction was finished before: Back, F5 or a replay."""

    code = "QGW-110"
    title = "This sign-in has been used already"
    advice = "If you are signed in, go on to Qlik Sense; else start again."


class UnreadableLogin(BrowserError):
    """The sealed login does not open: altered, or sealed under another cookie's name."""

    code = "QGW-111"
    title = "This browser's record of the sign-in cannot be read"


class UnknownSealingKey(BrowserError):
    """The login was sealed with a key that this gateway does not hold."""

    code = "QGW-112"
    title = "This sign-in was begun at a gateway with another key"


class LoginMismatch(BrowserError):
    """The answer came to another provider, binding or purpose than the login began with, or the configuration moved on."""

    code = "QGW-113"
    title = "This sign-in was begun under another configuration"


class MethodNotAllowed(BrowserError):
    """The path knows other methods."""

    code, status = "QGW-114", 405
    title = "This address cannot be used in this way"


class RequestTooLarge(BrowserError):
    """The body or the parameters are over the limit."""

    code, status = "QGW-115", 413
    title = "This request is too large"


class UnknownHint(BrowserError):
    """`idp=` names no identity provider of this virtual proxy."""

    code = "QGW-116"
    title = "The link asks for a sign-in system that is not offered here"


class UnreadableRequest(BrowserError):
    """Not a request: bytes that cannot be parsed, or a header over the limit."""

    code = "QGW-118"
    title = "This request cannot be read"


class LinkRefused(BrowserError):
    """The link of a test sign-in was used before, is older than ten minutes, or is none of this gateway's."""

    code = "QGW-119"
    title = "This link to a test sign-in cannot be used"
    advice = "Ask for a new one: a link is good for one sign-in, within ten minutes."


class ConfirmationRefused(BrowserError):
    """The confirmation of a logout is none of this gateway's, is for another browser, or too old."""

    code = "QGW-120"
    title = "This confirmation cannot be used any more"
    advice = "Open the link to sign out once more."


class NoLogoutInFlight(BrowserError):
    """A provider answers a logout that this browser did not begin, or that it has forgotten."""

    code = "QGW-121"
    title = "This browser did not begin this sign-out, or it has forgotten it"
    advice = "Your sign-in system has signed you out. If Qlik Sense still knows you, use its link to sign out."


class LogoutMismatch(BrowserError):
    """The answer came too late, to another provider, or the configuration moved on."""

    code = "QGW-122"
    title = "This sign-out was begun too long ago, or under another configuration"
    advice = "Your sign-in system has signed you out. If Qlik Sense still knows you, use its link to sign out."


class LogoutAlreadyHeard(BrowserError):
    """A logout's message, answer or confirmation came once before: Back, F5 or a replay."""

    code = "QGW-123"
    title = "This sign-out has been dealt with already"
    advice = "Nothing more needs to be done. If Qlik Sense still knows you, use its link to sign out."


class MalformedLogout(BrowserError):
    """What came to a logout address lacks, doubles or overfills a parameter."""

    code = "QGW-124"
    title = "This message about a sign-out arrived damaged"
    advice = "Close the browser to be sure that you are signed out."
