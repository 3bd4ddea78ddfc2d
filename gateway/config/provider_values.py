"""Texts of an identity provider's file to values of the core: registration, mapping, expressions. Every reader raises `Refusal`."""

from __future__ import annotations

import re
from collections.abc import Callable

from gateway.config.diagnostics import Code
from gateway.config.values import Refusal, did_you_mean
from gateway.errors import GatewayError
from gateway.mapping import Expression, ExpressionProblem, Pattern, PatternProblem, Scope, compile_expression, compile_pattern
from gateway.protocol.oidc import RESERVED_AUTHORIZATION_PARAMS, SUPPORTED_ALGORITHMS
from gateway.protocol.oidc.addresses import is_https, is_loopback_http
from gateway.protocol.qps import check_attribute_name
from gateway.protocol.qps.users import check_attribute_value, check_directory, check_name
from gateway.routing import mail_domain

_SCOPE = re.compile(r"[!#-\[\]-~]+")  # RFC 6749 §3.3
_VISIBLE = re.compile(r"[ -~]+")
_MULTI_TENANT = re.compile(r"https://login\.microsoftonline\.com/(?:common|organizations|consumers)(?:/|$)")
_WHO_IT_IS = frozenset({"userdirectory", "userid"})
_DISCOVERY = "/.well-known/openid-configuration"


def read_issuer(text: str) -> str:
    """An issuer as the provider writes it in its tokens (OIDC Discovery §3: https, no query, no fragment)."""
    if text.rstrip("/").endswith(_DISCOVERY):
        near = text.rstrip("/").removesuffix(_DISCOVERY)
        raise Refusal(Code.WRONG_VALUE, "the issuer is named without the path of its discovery document", f"write {near}")
    if _MULTI_TENANT.match(text):
        raise Refusal(Code.WRONG_VALUE, "tokens are never issued under this shared address", "put the tenant's id in its place")
    if not (is_https(text) or is_loopback_http(text)):
        if text.startswith("http://"):
            raise Refusal(Code.INSECURE_URL, "an issuer begins with https://; http:// is for loopback only")
        raise Refusal(Code.WRONG_VALUE, "an issuer is an https address", "for instance: https://login.example.com")
    if "?" in text:
        raise Refusal(Code.WRONG_VALUE, "an issuer has no query")
    return text


def read_client_id(text: str) -> str:
    """RFC 6749 appendix A.1: visible characters of ASCII."""
    if not _VISIBLE.fullmatch(text) or text != text.strip():
        raise Refusal(Code.WRONG_VALUE, "a client id is visible ASCII without blanks at its ends")
    return text


def read_scope(text: str) -> str:
    """One scope (RFC 6749 §3.3)."""
    if not _SCOPE.fullmatch(text):
        raise Refusal(Code.WRONG_VALUE, "a scope is one word of visible ASCII", "several are a list: [openid, profile]")
    return text


def read_algorithm(text: str) -> str:
    """A signature algorithm that may be pinned."""
    if text not in SUPPORTED_ALGORITHMS:
        known = ", ".join(sorted(SUPPORTED_ALGORITHMS))
        raise Refusal(Code.WRONG_VALUE, f"ID tokens can be verified with {known}", did_you_mean(text, SUPPORTED_ALGORITHMS))
    return text


def read_parameter_name(text: str) -> str:
    """The name of an extra parameter of the authorization request."""
    if text.lower() in RESERVED_AUTHORIZATION_PARAMS:
        raise Refusal(Code.RESERVED, f"the gateway sets the parameter '{text}' itself")
    return text


def read_display_name(text: str) -> str:
    """What people read on the chooser page."""
    if not text.isprintable() or text != text.strip() or len(text) > 100:  # noqa: PLR2004
        raise Refusal(Code.WRONG_VALUE, "a display name is one line of at most 100 characters")
    return text


def read_message(text: str) -> str:
    """What a refused user reads."""
    if not text.isprintable() or text != text.strip() or len(text) > 500:  # noqa: PLR2004
        raise Refusal(Code.WRONG_VALUE, "a message is one line of at most 500 characters")
    return text


def read_pattern(text: str) -> Pattern:
    """A regular expression."""
    try:
        return compile_pattern(text)
    except PatternProblem as problem:
        raise Refusal(Code.EXPRESSION, str(problem)) from None


def read_extraction(text: str) -> Pattern:
    """A regular expression that a value is taken from: what its one group holds, or all of it."""
    pattern = read_pattern(text)
    if pattern.groups > 1:
        raise Refusal(
            Code.EXPRESSION, "only one group can be taken", "(?:…) groups without taking; replace can put several groups together"
        )
    return pattern


def read_refusal_code(text: str) -> str:
    """The code of a refusal by claims, mapping or access rules."""
    if not re.fullmatch(r"QGW-3\d\d", text):
        raise Refusal(Code.WRONG_VALUE, "a refusal of an identity has a code QGW-3nn", "for instance: QGW-306, refused by an access rule")
    return text


def read_directory(text: str) -> str:
    """A user directory that is named as a constant."""
    try:
        check_directory(text)
    except GatewayError as error:
        raise Refusal(Code.RESERVED, error.detail) from None
    return read_user_name(text, "directory")


def read_user_name(text: str, what: str = "user id") -> str:
    """A directory or a user id as Qlik Sense takes it."""
    try:
        check_name(text, what)
    except GatewayError as error:
        raise Refusal(Code.WRONG_VALUE, error.detail) from None
    return text


def read_attribute_name(text: str) -> str:
    """The name of a ticket's attribute."""
    try:
        check_attribute_name(text)
    except GatewayError as error:
        raise Refusal(Code.RESERVED, error.detail) from None
    if text.casefold() in _WHO_IT_IS:
        hint = "user_directory and user_id decide who somebody is; an attribute of that name would only look as if it did"
        raise Refusal(Code.RESERVED, f"the attribute '{text}' has the name of a part of the user's identity", hint)
    return text


def read_attribute_value(text: str) -> str:
    """The constant value of a ticket's attribute."""
    try:
        check_attribute_value("value", text)
    except GatewayError:
        raise Refusal(Code.WRONG_VALUE, "an attribute's value has no control characters") from None
    return text


def expression(scope: Scope, *, single: bool = False) -> Callable[[str], Expression]:
    """A reader of expressions, compiled and type-checked. `single`: the result is to be one string."""

    def read(text: str) -> Expression:
        try:
            return compile_expression(text, scope, single=single)
        except ExpressionProblem as problem:
            raise Refusal(Code.EXPRESSION, problem.message, problem.hint, line=problem.line, column=problem.column) from None

    return read


def read_domain(text: str) -> str:
    """A domain of mail addresses, in the form in which addresses are compared."""
    domain = None if "@" in text else mail_domain(text)
    if domain is None:
        raise ValueError("a domain such as example.com")
    return domain
