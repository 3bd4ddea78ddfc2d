"""Who can sign in at the demo's identity providers: the same people at each."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoUser:
    """Somebody to sign in as. `note` is what the sign-in page says beside the name."""

    sub: str
    name: str
    groups: tuple[str, ...]
    note: str

    @property
    def email(self) -> str:
        return f"{self.sub}@example.com"


DEMO_USERS = (
    DemoUser(sub="alice", name="Alice", groups=("qlik-users", "sales", "finance"), note="Sales and finance; may use Qlik Sense."),
    DemoUser(sub="bob", name="Bob", groups=("warehouse",), note="Not in the group that may use Qlik Sense: will be refused."),
)
