"""What somebody would take instead: Apache modules from Debian, and libraries from npm, as far as this machine has them.

    apt-get install apache2 libapache2-mod-auth-openidc libapache2-mod-auth-mellon libapache2-mod-shib
    npm ci --prefix tests/bench/node

None of them buys a ticket or maps a claim: they end with a session of their own, which a virtual proxy would have to take
from a header. Each is set up as its manual shows, with signatures checked and connections kept alive where it can.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from string import Template

from cryptography.hazmat.primitives.serialization import Encoding

from tests.bench.browser import Journey
from tests.bench.identity_provider import CLIENT_ID, CLIENT_SECRET
from tests.bench.signing import rsa_pair, write_key
from tests.bench.stage import HOST, Stage
from tests.bench.systems import System
from tests.ports import unused_port

MODULES = Path("/usr/lib/apache2/modules")
NODE = Path(__file__).parent / "node"
ALWAYS = ("mpm_event", "authn_core", "authz_core", "authz_user", "auth_basic", "dir", "mime", "headers", "socache_shmcb")
HTTPD = Template("""\
ServerRoot $home
PidFile $home/httpd.pid
DefaultRuntimeDir $home
Mutex file:$home default
ErrorLog $home/error.log
LogLevel warn
Listen $host:$port
ServerName http://$host:$port
$user
$modules
TypesConfig /etc/mime.types
StartServers 2
MinSpareThreads 25
MaxSpareThreads 75
ThreadsPerChild 25
MaxRequestWorkers 150
KeepAlive On
MaxKeepAliveRequests 0
KeepAliveTimeout 15
DocumentRoot $home/htdocs
DirectoryIndex index.html
UseCanonicalName On
$body
""")
OPENIDC = Template("""\
OIDCProviderIssuer $issuer
OIDCProviderAuthorizationEndpoint $issuer/authorize
OIDCProviderTokenEndpoint $issuer/token
OIDCProviderJwksUri $issuer/jwks
OIDCProviderTokenEndpointAuth client_secret_basic
OIDCCABundlePath $folder/ca.crt
OIDCClientID $client
OIDCClientSecret $secret
OIDCRedirectURI http://$host:$port/oidc/callback
OIDCCryptoPassphrase $passphrase
OIDCScope "openid profile email"
OIDCPKCEMethod S256
OIDCRemoteUserClaim sub
<Location />
AuthType openid-connect
Require valid-user
</Location>
""")
MELLON = Template("""\
MellonCacheSize 10000
<Location />
AuthType Mellon
MellonEnable auth
Require valid-user
MellonEndpointPath /mellon
MellonSPPrivateKeyFile $home/sp.key
MellonSPCertFile $home/sp.crt
MellonSPMetadataFile $home/sp.xml
MellonIdPMetadataFile $folder/idp-metadata.xml
MellonUser NAME_ID
MellonSecureCookie Off
</Location>
""")
MELLON_METADATA = Template("""\
<EntityDescriptor entityID="$base/metadata" xmlns="urn:oasis:names:tc:SAML:2.0:metadata">
<SPSSODescriptor AuthnRequestsSigned="false" WantAssertionsSigned="true"
 protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">
<AssertionConsumerService index="0" isDefault="true" Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"
 Location="$base/postResponse"/></SPSSODescriptor></EntityDescriptor>
""")
SHIB = """\
ShibConfig {home}/shibboleth2.xml
<Location /Shibboleth.sso>
SetHandler shib
</Location>
<Location />
AuthType shibboleth
ShibRequestSetting requireSession 1
Require shib-session
</Location>
"""
SHIBBOLETH = Template("""\
<SPConfig xmlns="urn:mace:shibboleth:3.0:native:sp:config" clockSkew="180">
<OutOfProcess logger="$home/logger" tranLogFormat="%u"/><InProcess logger="$home/logger"/>
<UnixListener address="$home/shibd.sock"/><StorageService type="Memory" id="mem" cleanupInterval="900"/>
<SessionCache type="StorageService" StorageService="mem" cacheTimeout="3600" inprocTimeout="900" cleanupInterval="900"/>
<ReplayCache StorageService="mem"/><ArtifactMap artifactTTL="180"/><RequestMapper type="Native"><RequestMap/></RequestMapper>
<ApplicationDefaults entityID="http://$host:$port/sp" REMOTE_USER="mail" signing="false" encryption="false">
<Sessions lifetime="28800" timeout="3600" relayState="cookie" checkAddress="false" handlerSSL="false" cookieProps="http"
 redirectLimit="exact"><SSO entityID="$issuer/saml/metadata">SAML2</SSO></Sessions><Errors/>
<MetadataProvider type="XML" validate="false" path="$folder/idp-metadata.xml"/>
<AttributeExtractor type="XML" validate="false" reloadChanges="false" path="$home/attribute-map.xml"/>
<AttributeFilter type="Dummy"/><CredentialResolver type="File" key="$home/sp.key" certificate="$home/sp.crt"/>
</ApplicationDefaults><SecurityPolicyProvider type="XML" validate="true" path="/etc/shibboleth/security-policy.xml"/>
<ProtocolProvider type="XML" validate="true" reloadChanges="false" path="/etc/shibboleth/protocols.xml"/></SPConfig>
""")
ATTRIBUTES = """\
<Attributes xmlns="urn:mace:shibboleth:2.0:attribute-map">
<Attribute name="email" id="mail"/><Attribute name="groups" id="groups"/></Attributes>
"""
LOGGER = """\
log4j.rootCategory=ERROR, f
log4j.appender.f=org.apache.log4j.FileAppender
log4j.appender.f.fileName={home}/shibd.log
log4j.appender.f.layout=org.apache.log4j.BasicLayout
"""


def installed(stage: Stage) -> Iterator[tuple[str, System]]:
    """Peers that this machine has, by name."""
    stage.folder.chmod(0o755)  # Apache's workers are somebody else
    apache: dict[str, Callable[[Stage, Path, int], System]] = {"auth_openidc": openidc, "auth_mellon": mellon, "mod_shib": shib}
    for module, make in apache.items():
        if shutil.which("apache2") and (MODULES / f"{module if module.startswith('mod_') else f'mod_{module}'}.so").exists():
            yield module if module.startswith("mod_") else f"mod_{module}", make(stage, home(stage, module), unused_port())
    if (NODE / "node_modules").exists():
        yield "openid-client", node(stage, "openid-client", "OIDC")
        yield "passport-saml", node(stage, "passport-saml", "SAML")


def home(stage: Stage, module: str) -> Path:
    """A folder of its own, with a page to protect and a key pair."""
    folder = stage.folder / module
    (folder / "htdocs").mkdir(parents=True)
    (folder / "htdocs" / "index.html").write_text("hello\n")
    key, certificate = rsa_pair()
    write_key(folder / "sp.key", key)
    (folder / "sp.crt").write_bytes(certificate.public_bytes(Encoding.PEM))
    return folder


def openidc(stage: Stage, folder: Path, port: int) -> System:
    """mod_auth_openidc, with its session in shared memory."""
    values = {"issuer": stage.provider.issuer, "folder": stage.folder, "client": CLIENT_ID, "secret": CLIENT_SECRET, "passphrase": "x" * 32}
    command = httpd(folder, port, "auth_openidc", OPENIDC.substitute(values, host=HOST, port=port))
    return system("mod_auth_openidc", command, port, {"OIDC": journey(port, "/", "mod_auth_openidc_session=.")})


def mellon(stage: Stage, folder: Path, port: int) -> System:
    """mod_auth_mellon, without the system's roots: its XML library would parse them for every response."""
    (folder / "sp.xml").write_text(MELLON_METADATA.substitute(base=f"http://{HOST}:{port}/mellon"))
    (folder / "empty.pem").touch()
    command = httpd(folder, port, "auth_mellon", MELLON.substitute(home=folder, folder=stage.folder))
    nothing = {"SSL_CERT_FILE": str(folder / "empty.pem"), "SSL_CERT_DIR": str(folder / "htdocs")}
    return system("mod_auth_mellon", command, port, {"SAML": journey(port, "/", "mellon-cookie=.", inner="/mellon/")}, nothing)


def shib(stage: Stage, folder: Path, port: int) -> System:
    """mod_shib with its daemon."""
    values = {"home": folder, "host": HOST, "port": port, "issuer": stage.provider.issuer, "folder": stage.folder}
    (folder / "shibboleth2.xml").write_text(SHIBBOLETH.substitute(values))
    (folder / "attribute-map.xml").write_text(ATTRIBUTES)
    (folder / "logger").write_text(LOGGER.format(home=folder))
    apache = " ".join(httpd(folder, port, "mod_shib", SHIB.format(home=folder)))
    daemon = f"shibd -F -c {folder}/shibboleth2.xml -p {folder}/shibd.pid"
    return system("mod_shib", ["sh", "-c", f"{daemon} & sleep 2; exec {apache}"], port, {"SAML": journey(port, "/", "_shibsession_.")})


def httpd(folder: Path, port: int, module: str, body: str) -> Sequence[str]:
    """An Apache of its own, with Debian's numbers of processes and threads."""
    root = os.geteuid() == 0
    names = ALWAYS if module == "mod_shib" else (*ALWAYS, module)
    loaded = [f"LoadModule {name}_module {MODULES}/mod_{name}.so" for name in names]
    if module == "mod_shib":  # which calls itself otherwise
        loaded.append(f"LoadModule mod_shib {MODULES}/mod_shib.so")
    text = HTTPD.substitute(
        home=folder, host=HOST, port=port, user="User www-data\nGroup www-data" if root else "", modules="\n".join(loaded), body=body
    )
    (folder / "httpd.conf").write_text(text)
    if root:
        for path in (folder, *folder.rglob("*")):
            shutil.chown(path, "www-data", "www-data")
    return ["apache2", "-f", str(folder / "httpd.conf"), "-DFOREGROUND"]


def node(stage: Stage, script: str, protocol: str) -> System:
    """A library from npm with express, the way its manual shows."""
    port = unused_port()
    environment = {"NODE_ENV": "production", "NODE_EXTRA_CA_CERTS": str(stage.folder / "ca.crt"), "PORT": str(port)}
    environment |= {"ISSUER": stage.provider.issuer, "FOLDER": str(stage.folder), "CLIENT_ID": CLIENT_ID, "CLIENT_SECRET": CLIENT_SECRET}
    at = journey(port, "/login", "connect.sid=.")
    return system(script, ["node", str(NODE / f"{script}.mjs")], port, {protocol: at}, environment)


def journey(port: int, start: str, ends: str, *, inner: str | None = None) -> Journey:
    """A login that ends with a session of the peer's own."""
    return Journey(
        start=f"http://{HOST}:{port}{start}",
        ends=re.compile(ends),
        address=(HOST, port),
        inner=None if inner is None else re.compile(inner),
    )


def system(
    name: str, command: Sequence[str], port: int, journeys: Mapping[str, Journey], environment: Mapping[str, str] | None = None
) -> System:
    return System(name=name, command=command, journeys=journeys, ready=(HOST, port, ""), environment=environment or {})
