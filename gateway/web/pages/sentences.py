"""Every sentence of the pages that an error does not bring itself (`gateway.errors` has those), for whoever rewords or translates them.

`Markup.format` escapes what it fills in; `<bdi>` keeps a name that is written from right to left from reordering the sentence.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from markupsafe import Markup

from gateway.errors import Blame

SENTENCES: Final[Mapping[str, Markup]] = {
    "language": Markup("en"),
    "product": Markup("Qlik Sense sign-in"),
    "error_journey": Markup("You were signing in to Qlik Sense, virtual proxy <strong>{virtual_proxy}</strong>."),
    "error_start_again": Markup("Start again"),
    "error_go_on": Markup("Go on to Qlik Sense"),
    "error_who": Markup("Who can fix it"),
    "error_code": Markup("Code"),
    "error_reference": Markup("Reference"),
    "error_time": Markup("Time"),
    "form_title": Markup("Going on to your sign-in system"),
    "form_text": Markup(
        "You are on your way to <strong><bdi>{provider}</bdi></strong>. If nothing happens within a moment, choose Continue."
    ),
    "form_button": Markup("Continue"),
    "frame_title": Markup("Sign in to Qlik Sense"),
    "frame_text": Markup("You need to sign in to see this part of the page. Signing in takes the whole window."),
    "frame_link": Markup("Continue in the whole window"),
    "redeem_title": Markup("Signing you in to Qlik Sense"),
    "redeem_text": Markup("The page that you asked for opens by itself. If nothing happens within a moment, choose Continue."),
    "redeem_link": Markup("Continue"),
    "chooser_title": Markup("Choose how to sign in"),
    "chooser_text": Markup("You are signing in to Qlik Sense, virtual proxy <strong>{virtual_proxy}</strong>."),
    "chooser_list": Markup("Sign-in systems"),
}

WHO_CAN_FIX_IT: Final[Mapping[Blame, str]] = {
    Blame.BROWSER: "You, with the step above.",
    Blame.IDP: "The administrators of your sign-in system.",
    Blame.QLIK: "The administrators of Qlik Sense.",
    Blame.OPERATOR: "The administrators of this gateway.",
}
