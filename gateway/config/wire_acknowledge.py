"""The wire shape of `acknowledge:`: findings of the linter that somebody looked at, with the reason why they are harmless here."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from gateway.config.diagnostics import FINDINGS, Code
from gateway.config.values import Refusal, did_you_mean
from gateway.config.wire import Reads, Text, Wire


def read_finding(text: str) -> str:
    """The code of something that can be acknowledged: a finding, never an error."""
    if text not in FINDINGS:
        raise Refusal(Code.WRONG_VALUE, "only findings of the linter can be acknowledged", did_you_mean(text, FINDINGS))
    return text


class AcknowledgeWire(Wire):
    """One finding that is known and harmless here. It goes on being shown as acknowledged, and is told when there is nothing left of it."""

    finding: Annotated[str, Reads(read_finding, {"enum": sorted(FINDINGS)})] = Field(description="The finding's code: QGW-53n.")
    about: Text | None = Field(
        default=None,
        description="What it is about: a claim, an attribute, another provider, as the finding says. Left out: all of the file.",
    )
    reason: Text = Field(description="Why it is harmless here: a sentence for whoever reads this next.")


Acknowledgements = Annotated[list[AcknowledgeWire], Field(min_length=1)]
ACKNOWLEDGE = "Findings of the linter about this file that are known and harmless, each with its reason."
