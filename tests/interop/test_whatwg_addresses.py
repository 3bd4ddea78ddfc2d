"""What a real WHATWG URL parser makes of the ways back that we build: Node's, the same as browsers have."""

import json
import shutil
import subprocess
from urllib.parse import urlsplit

import pytest

from gateway.errors import TargetRefused
from gateway.model import Secret
from gateway.protocol.qps import ticket_location
from tests.attacks.test_target_uri import ATTACKS, NODE, TARGETS
from tests.properties.test_qps_addresses import GOOD, PIECES

SCRIPT = """
const urls = JSON.parse(require('fs').readFileSync(0, 'utf8'));
console.log(JSON.stringify(urls.map(text => { const url = new URL(text); return [url.origin, url.pathname, url.hash]; })));
"""


def locations() -> list[str]:
    """Every way back that is accepted among all attacks and all single insertions into good addresses."""
    edited = [good[:at] + piece + good[at:] for good in GOOD for at in range(len(good) + 1) for piece in PIECES]
    found = []
    for uri in [*ATTACKS.values(), *edited]:
        try:
            found.append(ticket_location(Secret("iokrVXS-IndQgEON"), uri, TARGETS, NODE, prefix="sales").location)
        except TargetRefused:
            continue
    return found


@pytest.mark.needs("node")
def test_a_real_browsers_parser_stays_on_the_listed_targets() -> None:
    node = shutil.which("node")
    assert node is not None
    built = locations()
    result = subprocess.run([node, "-e", SCRIPT], input=json.dumps(built), capture_output=True, text=True, check=True)
    allowed = {
        f"{target.scheme}://{target.host}" + (f":{target.port}" if target.port != 443 else ""): target.path for target in TARGETS.allowed
    }
    assert len(built) > 1000
    for location, (origin, path, fragment) in zip(built, json.loads(result.stdout), strict=True):
        assert f"{path}/".startswith(f"{allowed[origin]}/"), location
        assert fragment.removeprefix("#") == urlsplit(location).fragment, location
