"""What all errors have in common: code, status, blame, and the two sentences of the page."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar


class Blame(StrEnum):
    """Who can mend a failure."""

    BROWSER = "browser"
    IDP = "idp"
    QLIK = "qlik"
    OPERATOR = "operator"


AGAIN = "Open the Qlik link once more from the start. If it happens again, give the code and the reference below to your help desk."
TELL_IDP = (
    "Give the code and the reference below to your help desk: the administrators of the sign-in system and of this gateway can mend it."
)
TELL_ADMIN = "Give the code and the reference below to your help desk: the administrator of this gateway can mend it."
TELL_QLIK = "Give the code and the reference below to your help desk: the administrator of the Qlik Sense site can mend it."
ACCOUNT = "Give the code and the reference below to your help desk: they can see which rule decided and what your account lacks."


class GatewayError(Exception):
    """A request that must not go on. `detail` says why, for the log; the page shows the class's fixed sentences.

    Where an access rule decided, `rule` is its id and `message` what its author wants the user to read: the page shows both.
    """

    code: ClassVar[str] = "QGW-500"
    status: ClassVar[int] = 500
    blame: ClassVar[Blame] = Blame.OPERATOR
    title: ClassVar[str] = "Something went wrong inside the gateway"
    advice: ClassVar[str] = TELL_ADMIN
    retry_seconds: ClassVar[int | None] = None
    """After how many seconds another try may help (`Retry-After`, RFC 9110 §10.2.3), where an error knows no better."""

    def __init__(self, detail: str = "", *, rule: str | None = None, message: str | None = None, retry_after: int | None = None) -> None:
        super().__init__(detail)
        self.retry_after = self.retry_seconds if retry_after is None else retry_after
        self.detail = detail
        self.rule = rule
        self.message = message


class InternalError(GatewayError):
    """A fault of ours that no other class names."""
