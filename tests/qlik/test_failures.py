"""Rare failures that no peer here can bring about at will: each still ends as an error of Qlik's."""

import ssl

import aiohttp
import pytest

from gateway.errors import CertificateRejected, NodeAnswer, NodeNotVerified, NodeUnreachable, QlikError
from gateway.protocol.qps import read_node
from gateway.qlik.failures import failure

NODE = read_node("https://qlik1.corp.example:4243/qps/")
KEY = None  # aiohttp's connection key: only shown, never read


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (aiohttp.ClientConnectorCertificateError(KEY, OSError("odd")), NodeNotVerified),  # type: ignore[arg-type]
        (aiohttp.ClientConnectorCertificateError(KEY, ssl.SSLCertVerificationError(1, "odd")), NodeNotVerified),  # type: ignore[arg-type]
        (ssl.SSLError(1, "[SSL: UNSUPPORTED_PROTOCOL] unsupported protocol"), NodeNotVerified),
        (ssl.SSLError(1, "[SSL: TLSV13_ALERT_CERTIFICATE_REQUIRED] tlsv13 alert certificate required"), CertificateRejected),
        (aiohttp.ClientOSError(1, "[SSL: TLSV1_ALERT_UNKNOWN_CA] tlsv1 alert unknown ca"), CertificateRejected),
        (aiohttp.ServerDisconnectedError(), NodeUnreachable),
        (aiohttp.ServerTimeoutError(), NodeUnreachable),
        (TimeoutError(), NodeUnreachable),
        (ConnectionResetError(), NodeUnreachable),
        (aiohttp.ClientPayloadError("cut off"), NodeAnswer),
        (aiohttp.ClientError(), NodeAnswer),
    ],
)
def test_every_failure_is_an_error_of_qliks_that_names_the_node(error: Exception, expected: type[QlikError]) -> None:
    told = failure(error, NODE)
    assert type(told) is expected
    assert NODE.name in told.detail
