"""The messages of the Qlik Sense Proxy Service (QPS), Sans-IO: the redirect to us, the ticket, the way back.

Follows Qlik's "Authentication API" (the redirect and its return) and "Add ticket". Everything that comes through the
browser or out of a node's answer is hostile until it is matched with the configuration. This package must not know
sockets, certificates or the web server; `gateway.qlik` sends what is built here.
"""

from gateway.protocol.qps.answers import TargetUnknown
from gateway.protocol.qps.nodes import Node, match_node, read_node, read_redirect
from gateway.protocol.qps.probe import check_probe, probe_request
from gateway.protocol.qps.sessions import end_sessions_request, read_ended_sessions
from gateway.protocol.qps.targets import (
    CheckedTarget,
    Target,
    Targets,
    check_target,
    check_target_list,
    default_target,
    read_target,
    ticket_location,
)
from gateway.protocol.qps.tickets import TicketReply, read_ticket_response, ticket_body, ticket_call, ticket_json
from gateway.protocol.qps.users import ATTRIBUTE_BUDGET, check_attribute_name, check_user

__all__ = [
    "ATTRIBUTE_BUDGET",
    "CheckedTarget",
    "Node",
    "Target",
    "TargetUnknown",
    "Targets",
    "TicketReply",
    "check_attribute_name",
    "check_probe",
    "check_target",
    "check_target_list",
    "check_user",
    "default_target",
    "end_sessions_request",
    "match_node",
    "probe_request",
    "read_ended_sessions",
    "read_node",
    "read_redirect",
    "read_target",
    "read_ticket_response",
    "ticket_body",
    "ticket_call",
    "ticket_json",
    "ticket_location",
]
