"""QGW-3xx: the identity is proven, but mapping or access rules refuse it."""

from __future__ import annotations

from gateway.errors.kind import ACCOUNT, Blame, GatewayError


class IdentityError(GatewayError):
    """The identity is proven, but does not lead to a Qlik user."""

    code, status, blame = "QGW-300", 403, Blame.OPERATOR
    title = "Your account cannot be turned into a Qlik Sense user"
    advice = ACCOUNT


class ClaimsRefused(IdentityError):
    """A claim holds control characters or lone surrogates, or the whole is too deep or too large."""

    code = "QGW-301"


class DirectoryUnmapped(IdentityError):
    """The mapping gives no user directory."""

    code = "QGW-302"


class UserIdUnmapped(IdentityError):
    """The mapping gives no user id."""

    code = "QGW-303"


class AttributeUnmapped(IdentityError):
    """An attribute's value is an object or another thing that a ticket cannot carry."""

    code = "QGW-304"


class ExpressionFailed(IdentityError):
    """A CEL expression ended in an error, in a type that may not be used there, or could take too much on claims as long as these."""

    code = "QGW-305"


class AccessDenied(IdentityError):
    """An access rule of the provider or of the virtual proxy refused: `allow` came out false, or an entry of `deny` true."""

    code = "QGW-306"
    title = "You do not have access"
    advice = "If you should have access, give the code and the reference below to your help desk."


class ReservedDirectory(IdentityError):
    """`INTERNAL` and `NONE` belong to Qlik Sense itself."""

    code = "QGW-307"


class MalformedUser(IdentityError):
    """Directory or user id: blank, blanks at the ends, backslash, a path of dots, control characters, not NFC, too long."""

    code = "QGW-308"


class ReservedAttribute(IdentityError):
    """An attribute name that Qlik Sense sets itself, or that cannot be carried."""

    code = "QGW-309"


class AttributesTooLarge(IdentityError):
    """The attributes would not fit into the header that Qlik Sense sends them in."""

    code = "QGW-310"
    title = "Your account belongs to too many groups"


class DirectoryNotListed(IdentityError):
    """The directory is not in the mapping's `one_of`."""

    code = "QGW-312"


class GroupsWithheld(IdentityError):
    """The provider sent a pointer instead of a claim that mapping or access rules read; mostly groups, when they are too many."""

    code = "QGW-313"
    title = "Your sign-in system did not send your groups"
