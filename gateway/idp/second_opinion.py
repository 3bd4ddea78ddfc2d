"""The second opinion: python3-saml, with libxmlsec underneath, on documents that are authenticated already.

It verifies the signatures anew and reads NameID and attributes; `protocol.saml` compares. Times, audience and request are not
its business: it reads the wall clock and has a skew of its own (non-strict mode leaves them out).

The only importer of python3-saml and xmlsec, and the wall around them: whatever they raise becomes `OpinionsDiffer`.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import onelogin.saml2
import xmlsec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import load_pem_x509_certificate
from lxml import etree
from onelogin.saml2.constants import OneLogin_Saml2_Constants
from onelogin.saml2.response import OneLogin_Saml2_Response
from onelogin.saml2.settings import OneLogin_Saml2_Settings
from onelogin.saml2.utils import OneLogin_Saml2_Utils
from onelogin.saml2.xml_utils import OneLogin_Saml2_XML
from onelogin.saml2.xmlparser import fromstring

from gateway.errors import OpinionsDiffer
from gateway.protocol import saml

# libxmlsec opens `file:` URIs by default. Ours never hold one, but a library that cannot open files is better than one that need not.
xmlsec.cleanup_callbacks()

_SCHEMA_FILE: Final = Path(onelogin.saml2.__file__).parent / "schemas" / "saml-schema-protocol-2.0.xsd"
_SCHEMA: Final = etree.XMLSchema(etree.parse(_SCHEMA_FILE))  # compiled once; in strict mode the library does it for every response
# As the library's own, but for its elements, which look for comments at every step: this parser leaves none in.
_PARSER: Final = etree.XMLParser(resolve_entities=False, remove_comments=True, no_network=True, remove_pis=True, huge_tree=False)


@lru_cache(maxsize=64)
def _compiled(path: str) -> Any:  # noqa: ANN401  lxml has no types
    prefixes = {prefix: uri for prefix, uri in OneLogin_Saml2_Constants.NSMAP.items() if f"{prefix}:" in path}
    return etree.XPath(path, namespaces=prefixes, regexp=False)


def _query(dom: Any, path: str, context: Any = None, tagid: str | None = None) -> Any:  # noqa: ANN401  the library's own signature
    source = dom if context is None else context
    return _compiled(path)(source) if tagid is None else _compiled(path)(source, tagid=tagid)


_contents: Final = etree.XPath(
    "saml:AttributeValue/node()", namespaces={"saml": OneLogin_Saml2_Constants.NS_SAML}, regexp=False, smart_strings=False
)


@lru_cache(maxsize=64)
def _key(certificate: str) -> xmlsec.Key:
    """The public key alone: libxmlsec copies what it is given for every signature, and a certificate is dear to copy."""
    public = load_pem_x509_certificate(certificate.encode()).public_key()
    return xmlsec.Key.from_memory(
        public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo), xmlsec.constants.KeyDataFormatPem, None
    )


def _is_signed_by(signature: Any, _tree: Any, certificate: str, *_: Any, **__: Any) -> bool:  # noqa: ANN401  the library's own signature
    context = xmlsec.SignatureContext()
    context.key = _key(certificate)
    context.set_enabled_key_data([xmlsec.constants.KeyDataX509])
    try:
        context.verify(signature)
    except xmlsec.Error:
        return False
    return True


def _element_text(element: Any) -> Any:  # noqa: ANN401  the library's own signature
    return element.text


# For every response the library compiles its twenty constant expressions and loads the provider's certificate anew, and for every text
# it looks for comments, of which no parser leaves any.
OneLogin_Saml2_XML.query = staticmethod(_query)
OneLogin_Saml2_XML.element_text = staticmethod(_element_text)
OneLogin_Saml2_Utils.validate_node_sign = staticmethod(_is_signed_by)


class _Response(OneLogin_Saml2_Response):  # type: ignore[misc]  # the library has no types
    """A response in clear, from its bytes: what the library's own constructor makes of base64."""

    def __init__(self, settings: OneLogin_Saml2_Settings, document: bytes) -> None:
        self._settings = settings
        self._error = None
        self.response = document
        self.document = fromstring(document, _PARSER, forbid_dtd=True, forbid_entities=True)
        self.decrypted_document = None
        self.encrypted = None
        self.valid_scd_not_on_or_after = None
        self._found: dict[tuple[str, str | None], Any] = {}

    def _query(self, query: str, tagid: str | None = None) -> Any:  # noqa: ANN401  the library's own signature
        """Once for each expression: the library looks for the signature anew with everything that it reads."""
        if (query, tagid) not in self._found:
            self._found[query, tagid] = super()._query(query, tagid)
        return self._found[query, tagid]


class Python3Saml:
    """The second opinion on one identity provider's responses. Call it with `saml.Evidence`. Safe to share between threads."""

    def __init__(self, sp: saml.ServiceProvider, idp: saml.IdentityProviderMetadata) -> None:
        self._settings = OneLogin_Saml2_Settings(_settings(sp, idp), sp_validation_only=True)

    def __call__(self, evidence: saml.Evidence) -> saml.Reading:
        """Verify and read anew. Raises `OpinionsDiffer`."""
        try:
            return self._read(evidence)
        except OpinionsDiffer:
            raise
        except Exception as error:  # noqa: BLE001  python3-saml raises whatever its parts raise; each of it is a refusal
            raise OpinionsDiffer(type(error).__name__) from None

    def _read(self, evidence: saml.Evidence) -> saml.Reading:
        response = _Response(self._settings, evidence.document)
        if not _SCHEMA.validate(response.document):
            fault = _SCHEMA.error_log.last_error  # its message quotes values
            raise OpinionsDiffer(f"not valid by the schema: {fault.type_name} in line {fault.line}" if fault else "not valid by the schema")
        self._verify(response, evidence)
        name_id = response.get_nameid_data()
        return saml.Reading(
            name_id=name_id["Value"],
            name_id_format=name_id.get("Format"),
            attributes=plain_attributes(response) or any_attributes(response),
        )

    def _verify(self, response: Any, evidence: saml.Evidence) -> None:  # noqa: ANN401  the library has no types
        if evidence.signed and not response.is_valid({}):
            raise OpinionsDiffer("refused: the signature")
        if evidence.sealed is not None and not OneLogin_Saml2_Utils.validate_sign(
            evidence.sealed,
            xpath=OneLogin_Saml2_Utils.RESPONSE_SIGNATURE_XPATH,
            multicerts=self._settings.get_idp_data()["x509certMulti"]["signing"],
        ):
            raise OpinionsDiffer("refused: the signature of the Response around the encrypted assertion")


def plain_attributes(response: Any) -> dict[str, tuple[str, ...]] | None:  # noqa: ANN401  the library has no types
    """What `any_attributes` gives where all values are texts, else None. The library looks for a name in each value: most of its work."""
    found: dict[str, tuple[str, ...]] = {}
    for attribute in response._query_assertion("/saml:AttributeStatement/saml:Attribute"):  # noqa: SLF001
        texts = _contents(attribute)
        if not all(isinstance(text, str) for text in texts):
            return None
        name = attribute.get("Name")
        if name:
            found[name] = found.get(name, ()) + tuple([trimmed for text in texts if (trimmed := text.strip())])
    return found


def any_attributes(response: Any) -> dict[str, tuple[str, ...]]:  # noqa: ANN401  the library has no types
    """As the library reads them."""
    return {name: tuple(map(_text, values)) for name, values in response.get_attributes().items()}


def _settings(sp: saml.ServiceProvider, idp: saml.IdentityProviderMetadata) -> dict[str, Any]:
    certificates = [certificate.base64 for certificate in idp.certificates]
    return {
        "strict": False,
        "sp": {
            "entityId": sp.entity_id,
            # Not used outside strict mode, but looked at: the library takes no host without a dot.
            "assertionConsumerService": {"url": "https://service-provider.invalid/acs"},
        },
        "idp": {"entityId": idp.entity_id, "x509cert": certificates[0], "x509certMulti": {"signing": certificates}},
        "security": {"allowRepeatAttributeName": True, "rejectDeprecatedAlgorithm": True},
    }


def _text(value: Any) -> str:  # noqa: ANN401  a string, or the library's dict for a NameID inside a value
    return str(value["NameID"]["value"] or "").strip() if isinstance(value, dict) else str(value)
