"""Short names for the attribute URIs that AD FS and Entra ID send, so that a mapping can say `claim: upn`.

Sources: Microsoft's lists of AD FS claim types and of SAML token claims of Entra ID.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_SOAP: Final = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/"
_ENTRA: Final = "http://schemas.microsoft.com/identity/claims/"
_MICROSOFT: Final = "http://schemas.microsoft.com/ws/2008/06/identity/claims/"

_COMMON: Final[Mapping[str, str]] = {
    _SOAP + "upn": "upn",
    _SOAP + "name": "name",
    _SOAP + "emailaddress": "email",
    _SOAP + "givenname": "given_name",
    _SOAP + "surname": "surname",
    _MICROSOFT + "role": "roles",
}
ADFS: Final[Mapping[str, str]] = {
    **_COMMON,
    "http://schemas.xmlsoap.org/claims/Group": "groups",
    "http://schemas.xmlsoap.org/claims/CommonName": "common_name",
    _MICROSOFT + "windowsaccountname": "windows_account_name",
    _MICROSOFT + "primarysid": "primary_sid",
    _MICROSOFT + "groupsid": "group_sids",
}
ENTRA: Final[Mapping[str, str]] = {
    **_COMMON,
    _ENTRA + "objectidentifier": "oid",
    _ENTRA + "tenantid": "tid",
    _ENTRA + "displayname": "display_name",
    _ENTRA + "identityprovider": "idp_name",
    _MICROSOFT + "groups": "groups",
    _MICROSOFT + "wids": "wids",
}
PRESETS: Final[Mapping[str, Mapping[str, str]]] = {"adfs": ADFS, "entra": ENTRA}
