"""QGW-270 to 279: what a provider says when a session ends, and what it answers when we end one."""

from __future__ import annotations

from gateway.errors.kind import TELL_IDP
from gateway.errors.provider import ProviderError


class LogoutError(ProviderError):
    """A message about the end of a session that cannot be acted upon."""

    code, status = "QGW-270", 400
    title = "Your sign-in system's message about signing out was refused"
    advice = f"Close the browser if you share this computer. {TELL_IDP}"


class LogoutUnproven(LogoutError):
    """The message does not prove what it should. The detail begins with the code of the rule that it breaks (QGW-21x, QGW-23x, QGW-24x)."""

    code = "QGW-271"


class LogoutEvent(LogoutError):
    """Signed by the provider, but no logout token: no logout event, or a `nonce` (Back-Channel Logout 1.0 §2.6)."""

    code = "QGW-272"


class LogoutSubject(LogoutError):
    """The message names nobody: no subject and no session, or one that cannot be used."""

    code = "QGW-273"


class LogoutUnmarked(LogoutError):
    """The logout token has no `jti` that can be used: it could be sent again (Back-Channel Logout 1.0 §2.4)."""

    code = "QGW-274"


class LogoutAnswer(LogoutError):
    """The provider's answer belongs to another request of ours than the one this browser was sent with."""

    code = "QGW-275"


class LogoutNotDone(LogoutError):
    """The provider answers that it did not end its session, or not everywhere."""

    code, status = "QGW-276", 502
    title = "Your sign-in system could not sign you out everywhere"
