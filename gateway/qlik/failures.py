"""What went wrong on the way to a node, in the gateway's own words. The sentences are for the log and for `qlikgw doctor`."""

from __future__ import annotations

import re
import ssl

from gateway.errors import CertificateRejected, NodeAnswer, NodeNotVerified, NodeUnreachable, QlikError
from gateway.exchange import MalformedAnswer, OversizeAnswer
from gateway.protocol.qps import Node

# OpenSSL's verification results (x509_vfy.h), told as what they mean at a Qlik site.
_FOREIGN = "presents a certificate that was not issued by this site (nor is it the pinned one)"
_OTHER_NAME = "presents a certificate of this site that is for another name: set `server_name` to the name in the node's certificate"
_VERIFY = {
    7: _FOREIGN,
    18: _FOREIGN,
    19: _FOREIGN,
    20: _FOREIGN,
    21: _FOREIGN,
    9: "presents a certificate that is not valid yet, or the site's root is not: is the clock right?",
    10: "presents an expired certificate, or the site's root has expired: renew them in the QMC",
    47: _OTHER_NAME,
    62: _OTHER_NAME,
    64: _OTHER_NAME,
}
_REFUSES_US = re.compile(
    r"ALERT_(?:NO_CERTIFICATE|BAD_CERTIFICATE|UNSUPPORTED_CERTIFICATE|CERTIFICATE_\w+|UNKNOWN_CA|ACCESS_DENIED)"
    r"|alert (?:no certificate|bad certificate|unsupported certificate|certificate \w+|unknown ca|access denied)"
)


def failure(error: OSError | MalformedAnswer | OversizeAnswer, node: Node) -> QlikError:
    """The error that stands for `error`, which is the exchange's, ssl's or the system's."""
    where = f"{node.name} ({node.server_name}, reached at {node.reach_at})"
    if isinstance(error, OversizeAnswer):
        return NodeAnswer(f"{where} answers with {error}")
    if isinstance(error, MalformedAnswer):
        return NodeAnswer(f"{where} does not speak HTTP as expected: {error}")
    return _broken(error, where)


def _broken(error: OSError, where: str) -> QlikError:
    if isinstance(error, ssl.SSLCertVerificationError):
        return NodeNotVerified(f"{where} {_presented(error)}")
    if _REFUSES_US.search(str(error)):
        return CertificateRejected(f"{where} refuses the client certificate during TLS: {_told(error)}")
    if isinstance(error, ssl.SSLError):
        return NodeNotVerified(f"{where} does not agree on TLS: {_told(error)}")
    if isinstance(error, TimeoutError):
        return NodeUnreachable(f"{where} does not answer in time")
    return NodeUnreachable(f"{where}: {_told(error)}")


def _presented(error: ssl.SSLCertVerificationError) -> str:
    meaning = _VERIFY.get(getattr(error, "verify_code", 0), "presents an unusable certificate")
    return f"{meaning} (OpenSSL: {getattr(error, 'verify_message', error)})"


def _told(error: Exception) -> str:
    """The kind of an error and its own words, which may be missing."""
    words = str(error)
    return f"{type(error).__name__}: {words[:200]}" if words else type(error).__name__
