"""QGW-4xx: the Qlik Sense Proxy Service."""

from __future__ import annotations

from gateway.errors.kind import TELL_QLIK, Blame, GatewayError


class QlikError(GatewayError):
    """The Qlik Sense Proxy Service did not do its part."""

    code, status, blame = "QGW-400", 502, Blame.QLIK
    title = "Qlik Sense answered in an unexpected way"
    advice = TELL_QLIK


class NodeUnreachable(QlikError):
    """No answer: name, connection or time-out."""

    code, status = "QGW-401", 504
    title = "Qlik Sense does not answer"
    advice = "Try again in a minute. If it goes on, give the code and the reference below to your help desk."


class NodeNotVerified(QlikError):
    """The node's certificate was not issued by the site, or not to this node."""

    code = "QGW-402"
    title = "The Qlik Sense server could not prove that it is the right one"


class CertificateRejected(QlikError):
    """The node does not accept our client certificate (403)."""

    code = "QGW-403"
    title = "Qlik Sense does not accept this gateway's certificate"


class NodeAnswer(QlikError):
    """An answer that is not the documented one."""

    code = "QGW-404"


class PrefixUnknown(QlikError):
    """The node does not know the virtual proxy (400)."""

    code = "QGW-405"
    title = "Qlik Sense does not know this virtual proxy"


class TargetRefused(QlikError):
    """The TargetUri leads outside the virtual proxy's `targets`; the ticket is discarded."""

    code, status, blame = "QGW-406", 400, Blame.BROWSER
    title = "The link leads to an address that is not listed for this virtual proxy"
    advice = "Open Qlik Sense from its own start page. If the address should be allowed, its administrator can list it."


class SessionsLeftOver(QlikError):
    """A node did not end a user's sessions; it is asked again in the background."""

    code, status = "QGW-410", 504
    title = "Qlik Sense has not ended all sessions yet"
    advice = "It is tried again by itself. If it goes on, give the code and the reference below to your help desk."


class VirtualProxyGone(QlikError):
    """Sessions are to end in a virtual proxy that the configuration does not name any more."""

    code = "QGW-411"
    title = "A virtual proxy is not known to this gateway any more"
