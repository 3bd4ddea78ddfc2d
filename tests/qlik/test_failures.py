"""Rare failures that no peer here can bring about at will: each still ends as an error of Qlik's."""

import socket
import ssl

import pytest

from gateway.errors import CertificateRejected, NodeAnswer, NodeNotVerified, NodeUnreachable, QlikError
from gateway.exchange import BrokenOff, MalformedAnswer, OversizeAnswer
from gateway.protocol.qps import read_node
from gateway.qlik.failures import failure

NODE = read_node("https://qlik1.corp.example:4243/qps/")


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ssl.SSLCertVerificationError(1, "odd"), NodeNotVerified),
        (ssl.SSLError(1, "[SSL: UNSUPPORTED_PROTOCOL] unsupported protocol"), NodeNotVerified),
        (ssl.SSLError(1, "[SSL: TLSV13_ALERT_CERTIFICATE_REQUIRED] tlsv13 alert certificate required"), CertificateRejected),
        (ssl.SSLError(1, "[SSL: TLSV1_ALERT_UNKNOWN_CA] tlsv1 alert unknown ca"), CertificateRejected),
        (BrokenOff(), NodeUnreachable),
        (TimeoutError(), NodeUnreachable),
        (ConnectionResetError(), NodeUnreachable),
        (socket.gaierror(-2, "Name or service not known"), NodeUnreachable),
        (MalformedAnswer("cut off"), NodeAnswer),
        (OversizeAnswer(200, 10), NodeAnswer),
    ],
)
def test_every_failure_is_an_error_of_qliks_that_names_the_node(
    error: OSError | MalformedAnswer | OversizeAnswer, expected: type[QlikError]
) -> None:
    told = failure(error, NODE)
    assert type(told) is expected
    assert NODE.name in told.detail
