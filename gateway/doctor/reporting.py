"""Findings for people and for programs."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from gateway.config.reporting import shown
from gateway.doctor.findings import Finding, Status
from gateway.model import JsonValue

_PAINT = {Status.OK: "\x1b[32m", Status.WARNING: "\x1b[33m", Status.ERROR: "\x1b[31m"}
_BOLD, _BLUE, _PLAIN = "\x1b[1m", "\x1b[34m", "\x1b[0m"


def as_text(findings: Sequence[Finding], *, colour: bool) -> str:
    """Peer by peer, a line for each finding, and what to do below it."""

    def paint(style: str, text: str) -> str:
        return f"{style}{text}{_PLAIN}" if colour else text

    lines: list[str] = []
    for about, found in groupby(findings, lambda finding: finding.about):
        lines.append(paint(_BOLD, shown(about)))
        for finding in found:
            code = f"[{finding.code}]" if finding.code else ""
            status = paint(_PAINT[finding.status], f"{finding.status}{code}")
            lines.append(f"  {status}: {shown(finding.step)}: {shown(finding.message)}")
            if finding.hint is not None:
                lines.append(f"      {paint(_BLUE, '=')} help: {shown(finding.hint)}")
        lines.append("")
    return "\n".join(lines)


def as_json(findings: Sequence[Finding]) -> list[JsonValue]:
    """One object each."""
    return [
        {
            "about": shown(finding.about),
            "step": shown(finding.step),
            "status": finding.status.value,
            "code": finding.code,
            "message": shown(finding.message),
            "hint": None if finding.hint is None else shown(finding.hint),
        }
        for finding in findings
    ]


def as_summary(findings: Sequence[Finding]) -> str:
    """One line that closes a report."""
    peers = len({finding.about for finding in findings})
    counts = {status: sum(finding.status is status for finding in findings) for status in (Status.ERROR, Status.WARNING)}
    told = " and ".join(f"{count} {status}{'' if count == 1 else 's'}" for status, count in counts.items() if count)
    return f"{peers} peers and sites examined: {told or 'all is well'}"
