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
    "error_choose": Markup("Sign in another way"),
    "error_who": Markup("Who can fix it"),
    "error_code": Markup("Code"),
    "error_rule": Markup("Rule"),
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
    "frame_out_title": Markup("Sign out of Qlik Sense"),
    "frame_out_text": Markup("Signing out takes the whole window."),
    "confirm_title": Markup("Sign out of Qlik Sense?"),
    "confirm_text": Markup(
        "You were sent here to sign out of Qlik Sense, virtual proxy <strong>{virtual_proxy}</strong>. This ends all your sessions there, "
        "in other browsers too, and then goes on to your sign-in system."
    ),
    "confirm_button": Markup("Sign out"),
    "signed_out_title": Markup("You are signed out of Qlik Sense"),
    "signed_out_left_title": Markup("You are not signed out everywhere yet"),
    "signed_out_unknown_title": Markup("No sign-in of this browser is known"),
    "signed_out_unknown": Markup(
        "Either nobody has signed in here, or it was too long ago. If Qlik Sense still shows you as signed in, close the browser, "
        "and ask your help desk to end your sessions."
    ),
    "signed_out_ended": Markup("All your sessions have ended, in other browsers too, in:"),
    "signed_out_left": Markup("A Qlik Sense server does not answer. Your sessions will be ended as soon as it does, in:"),
    "signed_out_open": Markup(
        "<strong><bdi>{provider}</bdi></strong> may still know you as signed in. On a computer that others use, sign out there, "
        "or close the browser."
    ),
    "signed_out_back": Markup("The next time, you will be asked to sign in."),
    "signed_out_link": Markup("Sign in again"),
    "signed_out_close": Markup("You can close this page."),
    "redeem_title": Markup("Signing you in to Qlik Sense"),
    "redeem_text": Markup("The page that you asked for opens by itself. If nothing happens within a moment, choose Continue."),
    "redeem_link": Markup("Continue"),
    "chooser_title": Markup("Choose how to sign in"),
    "chooser_text": Markup("You are signing in to Qlik Sense, virtual proxy <strong>{virtual_proxy}</strong>."),
    "chooser_list": Markup("Sign-in systems"),
    "chooser_last": Markup("Last used"),
    "chooser_mail": Markup("Your e-mail address"),
    "chooser_mail_hint": Markup("It finds your sign-in system; nothing is sent to it."),
    "chooser_mail_button": Markup("Continue"),
    "chooser_mail_failed": Markup("No sign-in system is known for this address. Check it, or choose below."),
    "chooser_or": Markup("Or choose your sign-in system"),
    "trial_start_title": Markup("Test sign-in"),
    "trial_start_text": Markup(
        "You test how users of <strong><bdi>{provider}</bdi></strong> are signed in to virtual proxy <strong>{virtual_proxy}</strong>. "
        "You sign in as yourself, and then see what Qlik Sense would be told. Nobody is signed in to Qlik Sense."
    ),
    "trial_start_once": Markup("The link is good for one test. The page that follows shows what your sign-in system says about you."),
    "trial_start_button": Markup("Start the test"),
    "trial_allowed": Markup("Test sign-in: let in"),
    "trial_refused": Markup("Test sign-in: refused"),
    "trial_text": Markup(
        "Identity provider <strong>{idp}</strong>, virtual proxy <strong>{virtual_proxy}</strong>. "
        "No ticket was asked for, and nobody was signed in to Qlik Sense."
    ),
    "trial_claims": Markup("What the identity provider proved"),
    "trial_steps": Markup("Mapping, step by step"),
    "trial_rules": Markup("Access rules"),
    "trial_ticket": Markup("The ticket that a login would ask for"),
    "trial_case": Markup("As a test case"),
    "trial_case_text": Markup(
        "Under <code>tests:</code> in <code>{idp}.yaml</code> it keeps this sign-in as it is: a configuration that changes it is not used."
    ),
    "trial_copy": Markup("Copy as test case"),
    "trial_copied": Markup("Copied."),
}

WHO_CAN_FIX_IT: Final[Mapping[Blame, str]] = {
    Blame.BROWSER: "You, with the step above.",
    Blame.IDP: "The administrators of your sign-in system.",
    Blame.QLIK: "The administrators of Qlik Sense.",
    Blame.OPERATOR: "The administrators of this gateway.",
}
