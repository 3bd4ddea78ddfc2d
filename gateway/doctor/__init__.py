"""`qlikgw doctor`: does what the configuration names answer, and as it must? Asks every peer once, by the gateway's own adapters.

    findings      what is told: code, sentence, what to do
    notes         one peer's findings, step by step, each within its time
    network       names, and certificates as a handshake shows them
    providers     OpenID discovery and keys, SAML metadata
    sites         Qlik nodes by mutual TLS
    store         the shared store
    examination   all of them at once
    reporting     for people and for programs

It changes nothing: no login, no ticket, no session; the shared store gets one mark that ends by itself.
"""

from gateway.doctor.examination import examine
from gateway.doctor.findings import Finding, FindingCode, Status

__all__ = ["Finding", "FindingCode", "Status", "examine"]
