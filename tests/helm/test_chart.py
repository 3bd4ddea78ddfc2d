"""The chart as two real helms render it: checked against Kubernetes' own schemas, and point by point for what it promises."""

from __future__ import annotations

import copy
import hashlib
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.helm import tools
from tests.helm.conftest import CHART, EXAMPLES, Helm, one, render, template

pytestmark = pytest.mark.needs("helm")
ROOT = CHART.parents[1]
ONE, SEVERAL, OPENSHIFT = (next(path for path in EXAMPLES if path.name.startswith(start)) for start in ("one-", "several-", "openshift-"))
NODES = {"networkPolicy": {"egress": {"qlik": {"to": [{"ipBlock": {"cidr": "10.1.2.0/24"}}]}}}}


def pod(manifests: list[dict[str, Any]]) -> dict[str, Any]:
    spec: dict[str, Any] = one(manifests, "Deployment")["spec"]["template"]["spec"]
    return spec


def with_change(path: Path, *keys: str, value: object) -> dict[str, Any]:
    """An example's values with one changed."""
    values: dict[str, Any] = yaml.safe_load(path.read_text())
    place = values
    for key in keys[:-1]:
        place = place.setdefault(key, {})
    place[keys[-1]] = value
    return values


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_every_example_passes_the_strict_lint(helm: Helm, example: Path) -> None:
    done = helm("lint", "--strict", CHART, "-f", example)
    assert done.returncode == 0, done.stdout
    assert "[WARNING]" not in done.stdout
    assert "[ERROR]" not in done.stdout


@pytest.mark.parametrize("version", ["1.25", "1.31", "1.37"])
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_every_rendered_object_is_what_kubernetes_takes(helm: Helm, example: Path, version: str, tmp_path: Path) -> None:
    file = tmp_path / "rendered.yaml"
    file.write_text(template(helm, "-f", example).stdout)
    command = [sys.executable, "-m", "kubernetes_validate", "-k", version, "--strict", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={"PYTHONPATH": str(tools.SCHEMAS)})
    assert done.returncode == 0, done.stdout
    objects = [document for document in yaml.safe_load_all(file.read_text()) if document]
    assert done.stdout.count(" passed for resource ") == sum(document["kind"] != "HTTPRoute" for document in objects)


def test_the_schema_check_would_tell(tmp_path: Path, helm_4: Helm) -> None:
    """A field that Kubernetes does not know, one level deep in the pod."""
    manifests = render(helm_4, "-f", ONE)
    pod(manifests)["enableServiceLink"] = False
    file = tmp_path / "rendered.yaml"
    file.write_text(yaml.safe_dump_all(manifests))
    command = [sys.executable, "-m", "kubernetes_validate", "-k", "1.37", "--strict", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={"PYTHONPATH": str(tools.SCHEMAS)})
    assert done.returncode == 1
    assert "enableServiceLink" in done.stdout


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_two_renders_are_identical(helm: Helm, example: Path) -> None:
    first, second = (template(helm, "-f", example).stdout for _ in range(2))
    assert first == second
    assert hashlib.sha256(first.encode()).digest() == hashlib.sha256(second.encode()).digest()


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_both_helms_render_the_same_objects(example: Path, tmp_path: Path) -> None:
    from tests.helm.conftest import helm_of  # noqa: PLC0415 - the fixture takes one at a time

    old, new = (render(helm_of(name, tmp_path), "-f", example) for name in tools.HELMS)

    def by_name(manifests: list[dict[str, Any]]) -> dict[tuple[str, str], dict[str, Any]]:
        return {(manifest["kind"], manifest["metadata"]["name"]): manifest for manifest in manifests}

    assert by_name(old) == by_name(new)


def test_it_packages_with_the_gateways_own_version(helm: Helm, tmp_path: Path) -> None:
    from gateway import __version__  # noqa: PLC0415 - as the chart says it

    assert yaml.safe_load((CHART / "Chart.yaml").read_text())["appVersion"] == __version__
    done = helm("package", CHART, "-d", tmp_path)
    assert done.returncode == 0, done.stderr
    assert [path.name for path in tmp_path.glob("*.tgz")] == [f"qlik-auth-gateway-{__version__}.tgz"]


# The pod


@pytest.mark.parametrize("example", [ONE, SEVERAL], ids=lambda path: path.stem)
def test_the_pod_meets_the_restricted_level_of_pod_security(helm_4: Helm, example: Path) -> None:
    """Pod Security Standards, "restricted": every field that it names, set to what it allows."""
    spec = pod(render(helm_4, "-f", example))
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["runAsUser"] == 65532
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    (container,) = spec["containers"]
    assert container["securityContext"]["allowPrivilegeEscalation"] is False
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert not {"hostNetwork", "hostPID", "hostIPC", "initContainers"} & set(spec)
    assert all("hostPort" not in port for port in container["ports"])
    assert all(set(volume) - {"name"} <= {"projected", "emptyDir"} for volume in spec["volumes"])


def test_the_root_is_read_only_and_only_two_empty_folders_can_be_written(helm_4: Helm) -> None:
    spec = pod(render(helm_4, "-f", SEVERAL))
    (container,) = spec["containers"]
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    writable = {mount["mountPath"] for mount in container["volumeMounts"] if not mount.get("readOnly")}
    assert writable == {"/tmp", "/etc/qlikgw/var"}  # noqa: S108 - in the pod
    volumes = {volume["name"]: volume for volume in spec["volumes"]}
    for mount in container["volumeMounts"]:
        assert ("emptyDir" in volumes[mount["name"]]) == (mount["mountPath"] in writable)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_directories_are_mounted_and_never_a_sub_path(helm_4: Helm, example: Path) -> None:
    (container,) = pod(render(helm_4, "-f", example))["containers"]
    assert all(set(mount) <= {"name", "mountPath", "readOnly"} for mount in container["volumeMounts"])


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_no_secret_is_rendered_and_no_token_or_service_link_gets_in(helm_4: Helm, example: Path) -> None:
    manifests = render(helm_4, "-f", example)
    assert {manifest["kind"] for manifest in manifests} <= {
        "ConfigMap", "Deployment", "Service", "Ingress", "HTTPRoute", "NetworkPolicy", "PodDisruptionBudget"
    }  # fmt: skip
    spec = pod(manifests)
    assert spec["automountServiceAccountToken"] is False
    assert spec["enableServiceLinks"] is False


def test_templates_ask_neither_the_cluster_nor_chance() -> None:
    """What they ask would make two renders differ, or a render outside the cluster."""
    words = "lookup|rand[A-Z]\\w+|gen[A-Z]\\w+|uuidv4|now|date\\w*|htpasswd|bcrypt|getHostByName|Capabilities|Revision|IsUpgrade|IsInstall"
    for file in (CHART / "templates").iterdir():
        actions = re.findall(r"\{\{.*?\}\}", re.sub(r"\{\{-? */\*.*?\*/ *-?\}\}", "", file.read_text(), flags=re.DOTALL), re.DOTALL)
        assert [action for action in actions if re.search(rf"(?<![\w\"])({words})\b", action)] == [], file.name


def test_probes_are_on_the_management_port_which_the_pods_address_has_and_the_service_has_not(helm_4: Helm) -> None:
    manifests = render(helm_4, "-f", SEVERAL)
    (container,) = pod(manifests)["containers"]
    probes = {name: container[name]["httpGet"] for name in ("startupProbe", "livenessProbe", "readinessProbe")}
    assert {probe["port"] for probe in probes.values()} == {"management"}
    assert [probe["path"] for probe in probes.values()] == ["/livez", "/livez", "/readyz"]
    assert {port["name"]: port["containerPort"] for port in container["ports"]} == {"http": 8443, "management": 9090}
    host = next(variable for variable in container["env"] if variable["name"] == "QLIKGW_MANAGEMENT_HOST")
    assert host["valueFrom"] == {"fieldRef": {"fieldPath": "status.podIP"}}
    assert one(manifests, "Service")["spec"]["ports"] == [{"name": "https", "port": 80, "targetPort": "http"}]


@pytest.mark.parametrize(("drain", "seconds"), [("0s", 35), ("5s", 35), ("500ms", 31), ("90s", 120), ("2m", 150)])
def test_kubernetes_waits_as_long_as_the_gateway_takes_to_stop(helm_4: Helm, drain: str, seconds: int) -> None:
    """`drain`, 20 s for requests in hand, and 10 s to spare."""
    values = with_change(ONE, "configuration", "gateway", "drain", value=drain)
    assert pod(render(helm_4, values=values))["terminationGracePeriodSeconds"] == seconds


def test_one_replica_on_the_memory_store_is_recreated_and_several_roll(helm_4: Helm) -> None:
    one_of, several = (one(render(helm_4, "-f", example), "Deployment")["spec"] for example in (ONE, SEVERAL))
    assert one_of["strategy"] == {"type": "Recreate"}
    assert several["strategy"] == {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    assert several["replicas"] == 3
    assert several["template"]["spec"]["topologySpreadConstraints"][0]["whenUnsatisfiable"] == "ScheduleAnyway"


def test_pods_restart_for_what_needs_a_restart_and_for_nothing_else(helm_4: Helm) -> None:
    def template_of(*keys: str, value: object) -> dict[str, Any]:
        rendered: dict[str, Any] = one(render(helm_4, values=with_change(ONE, *keys, value=value)), "Deployment")["spec"]["template"]
        return rendered

    before = one(render(helm_4, "-f", ONE), "Deployment")["spec"]["template"]
    assert template_of("configuration", "entra", "display_name", value="Contoso") == before
    assert template_of("configuration", "gateway", "login_lifetime", value="10m") == before
    assert template_of("podDisruptionBudget", "enabled", value=False) == before
    assert template_of("configuration", "gateway", "management", value={"port": 9000}) != before
    assert template_of("configuration", "gateway", "listen", value={"host": "0.0.0.0"}) != before


def test_a_new_release_of_the_chart_alone_restarts_no_pod(helm_4: Helm, tmp_path: Path) -> None:
    newer = tmp_path / "chart"
    shutil.copytree(CHART, newer)
    file = newer / "Chart.yaml"
    file.write_text(file.read_text().replace("\nversion: 0.1.0", "\nversion: 0.2.0"))
    before, after = (one(render(helm_4, "-f", ONE, chart=chart), "Deployment") for chart in (CHART, newer))
    assert before["metadata"]["labels"] != after["metadata"]["labels"]
    assert before["spec"] == after["spec"]


def test_a_platform_may_choose_the_user(helm_4: Helm) -> None:
    spec = pod(render(helm_4, "-f", OPENSHIFT))
    assert not {"runAsUser", "runAsGroup", "fsGroup"} & set(spec["securityContext"])
    assert spec["securityContext"]["runAsNonRoot"] is True


# Around the pod


def test_the_policy_lets_the_pod_reach_names_nodes_providers_and_the_store_and_nothing_else(helm_4: Helm) -> None:
    spec = one(render(helm_4, "-f", SEVERAL), "NetworkPolicy")["spec"]
    assert spec["policyTypes"] == ["Ingress", "Egress"]
    assert all(rule["to"] for rule in spec["egress"]), "a rule without peers lets everything through"
    ports = [sorted({port["port"] for port in rule["ports"]}) for rule in spec["egress"]]
    assert ports == [[53], [443, 4243], [443], [6379]]
    assert spec["egress"][1]["to"] == [{"ipBlock": {"cidr": "10.1.2.0/24"}}]
    public = spec["egress"][2]["to"][0]["ipBlock"]
    assert {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "127.0.0.0/8"} <= set(public["except"])
    browsers, metrics = spec["ingress"]
    assert browsers["ports"] == [{"port": "http", "protocol": "TCP"}]
    assert metrics["ports"] == [{"port": "management", "protocol": "TCP"}]
    assert metrics["from"]


def test_nobody_reaches_the_management_port_unless_listed(helm_4: Helm) -> None:
    spec = one(render(helm_4, "-f", ONE), "NetworkPolicy")["spec"]
    assert [rule["ports"] for rule in spec["ingress"]] == [[{"port": "http", "protocol": "TCP"}]]


@pytest.mark.parametrize(
    ("reach_at", "network"),
    [("https://10.9.8.7:4243/qps/", "10.9.8.7/32"), ("https://[fd00::7]:4243/qps/", "fd00::7/128")],
)
def test_a_node_with_an_address_is_in_the_policy_by_itself(helm_4: Helm, reach_at: str, network: str) -> None:
    node = {"proxy_rest_uri": "https://qlik1.corp.example:4243/qps/", "reach_at": reach_at}
    values = with_change(ONE, "configuration", "gateway", "qlik_sites", "prod", "nodes", value=[node])
    assert {"ipBlock": {"cidr": network}} in one(render(helm_4, values=values), "NetworkPolicy")["spec"]["egress"][1]["to"]


def test_the_way_in_has_the_host_of_the_public_url(helm_4: Helm) -> None:
    ingress = one(render(helm_4, "-f", ONE), "Ingress")["spec"]
    assert ingress["rules"][0]["host"] == "sso.example.com"
    assert ingress["tls"] == [{"hosts": ["sso.example.com"], "secretName": "sso-example-com"}]
    manifests = render(helm_4, "-f", SEVERAL)
    route = one(manifests, "HTTPRoute")["spec"]
    assert route["hostnames"] == ["sso.example.com"]
    assert route["parentRefs"] == [{"name": "public", "namespace": "gateways", "sectionName": "https"}]
    (backend,) = route["rules"][0]["backendRefs"]
    service = one(manifests, "Service")
    assert (backend["name"], backend["port"]) == (service["metadata"]["name"], service["spec"]["ports"][0]["port"])


def test_the_budget_never_keeps_a_node_from_being_drained(helm_4: Helm) -> None:
    assert one(render(helm_4, "-f", ONE), "PodDisruptionBudget")["spec"]["maxUnavailable"] == 1


def test_a_release_whose_name_has_dots_makes_names_that_a_service_can_have(helm: Helm) -> None:
    """Helm takes such releases; the name of a Service is a label of DNS (RFC 1035)."""
    names = {manifest["metadata"]["name"] for manifest in render(helm, "-f", ONE, release="qlik.prod")}
    assert names == {"qlik-prod-qlik-auth-gateway"}


def test_hosts_are_written_small(helm_4: Helm) -> None:
    """Kubernetes refuses capitals in a host."""
    manifests = render(helm_4, values=with_change(ONE, "configuration", "gateway", "public_url", value="https://SSO.Example.com"))
    assert one(manifests, "Ingress")["spec"]["rules"][0]["host"] == "sso.example.com"


@pytest.mark.parametrize("kind", ["Deployment", "NetworkPolicy", "PodDisruptionBudget", "Service"])
def test_every_selector_finds_the_pod(helm_4: Helm, kind: str) -> None:
    manifests = render(helm_4, "-f", SEVERAL)
    labels = one(manifests, "Deployment")["spec"]["template"]["metadata"]["labels"]
    spec = one(manifests, kind)["spec"]
    selector = spec.get("podSelector") or spec["selector"]
    assert (selector.get("matchLabels") or selector).items() <= labels.items()


def test_it_can_be_a_part_of_another_chart(helm_4: Helm) -> None:
    values = with_change(ONE, "global", value={"anything": {"at": "all"}})
    assert render(helm_4, values=values)
    assert render(helm_4, values={"enabled": False}) == []


# The configuration


def test_files_given_as_text_arrive_as_they_are(helm_4: Helm) -> None:
    """The repository's own example folder, one --set-file each."""
    folder = ROOT / "idp_configs"
    files = {path.stem: path for path in sorted(folder.glob("*.yaml"))}
    options = [part for name, path in files.items() for part in ("--set-file", f"configuration.{name}={path}")]
    values = {"image": {"repository": "qlikgw"}, "folders": {"certs": [{"secret": "certs"}]}, **NODES}
    manifests = render(helm_4, *options, values=values)
    assert one(manifests, "ConfigMap")["data"] == {path.name: path.read_text() for path in files.values()}


def test_values_become_files_that_say_the_same(helm_4: Helm) -> None:
    values = yaml.safe_load(ONE.read_text())
    data = one(render(helm_4, "-f", ONE), "ConfigMap")["data"]
    assert {name: yaml.safe_load(text) for name, text in data.items()} == {
        f"{name}.yaml": content for name, content in values["configuration"].items()
    }


@pytest.mark.parametrize("value", ["yes", "010", "1e3", "null", "~", "2026-01-01", "a: b", "#x", "{{ .Values }}", "ümlaut", "x" * 300])
def test_texts_stay_texts(helm: Helm, value: str) -> None:
    rendered = one(render(helm, values=with_change(ONE, "configuration", "entra", "display_name", value=value)), "ConfigMap")
    assert yaml.safe_load(rendered["data"]["entra.yaml"])["display_name"] == value


def test_large_numbers_stay_whole(helm: Helm) -> None:
    """Helm reads numbers as floating point; 1234567 must not become 1.234567e+06."""
    gateway = with_change(ONE, "configuration", "gateway", "limits", value={"starts_per_client": 12345678})
    text = one(render(helm, values=gateway), "ConfigMap")["data"]["gateway.yaml"]
    assert "starts_per_client: 12345678\n" in text + "\n"


# What fails


SHARED = {"url": {"env": "QLIKGW_STORE_URL"}}
REFUSED: dict[str, tuple[Path, tuple[str, ...], object, str]] = {
    "an unknown key": (ONE, ("replica",), 2, "replica"),
    "an unknown key deep inside": (ONE, ("networkPolicy", "egress", "qlick"), {}, "qlick"),
    "an unknown key in gateway.yaml": (ONE, ("configuration", "gateway", "public_ulr"), "https://x", "public_ulr"),
    "an unknown key in a provider's file": (ONE, ("configuration", "entra", "isuer"), "https://x", "isuer"),
    "a SAML key in an OpenID provider's file": (ONE, ("configuration", "entra", "entity_id"), "x", "entity_id"),
    "a wrong type": (ONE, ("replicas",), "two", "replicas"),
    "a provider's file name that is none": (ONE, ("configuration", "Entra.yaml"), {}, "Entra.yaml"),
    "a secret of which nobody says where": (ONE, ("folders", "certs"), [{}], "certs"),
    "two sources in one": (ONE, ("folders", "certs"), [{"secret": "a", "configMap": "b"}], "certs"),
    "a folder that is taken": (ONE, ("folders", "var"), [{"secret": "a"}], "var"),
    "a variable that is not ours": (ONE, ("environment",), [{"name": "PATH", "secret": "a", "key": "b"}], "environment"),
    "a variable that the chart sets": (ONE, ("environment",), [{"name": "QLIKGW_CONFIG", "secret": "a", "key": "b"}], "environment"),
    "a route to nowhere": (ONE, ("httpRoute",), {"enabled": True}, "parentRefs"),
    "an egress rule that would mean everybody": (ONE, ("networkPolicy", "egress", "dns", "to"), [], "dns"),
    "no image": (ONE, ("image",), {"repository": ""}, "image.repository is empty: build the image with helm/Dockerfile"),
    "no configuration": (ONE, ("configuration",), {}, "configuration.gateway is missing: give your gateway.yaml"),
    "replicas without a store": (ONE, ("replicas",), 2, "replicas is 2, but configuration.gateway.store is memory"),
    "a provider of which there is no file": (
        ONE, ("configuration", "gateway", "virtual_proxies", "sales", "identity_providers"), ["okta"],
        "the virtual proxy sales names the identity provider okta, but there is no configuration.okta",
    ),
    "a variable that comes from nowhere": (ONE, ("environment",), [], "{env: QLIKGW_CLIENT_KEY_PASSWORD}, but environment does not"),
    "a file that comes from nowhere": (ONE, ("folders",), {}, "names ../certs/"),
    "a listener that nobody reaches": (ONE, ("configuration", "gateway", "listen"), {"host": "127.0.0.1"}, "listen.host is loopback"),
    "a port that nobody knows": (ONE, ("configuration", "gateway", "listen"), {"port": 0}, "must be fixed numbers"),
    "nodes by name without their addresses": (SEVERAL, ("networkPolicy", "egress", "qlik", "to"), [], "a NetworkPolicy knows no names"),
    "a store out of reach": (SEVERAL, ("networkPolicy", "egress", "store", "to"), [], "store is not in networkPolicy.egress"),
    "a name that a Service cannot have": (ONE, ("fullnameOverride",), "My.Gateway", "fullnameOverride"),
    "a label that the selectors are made of": (ONE, ("podLabels",), {"app.kubernetes.io/name": "other"}, "app.kubernetes.io/name"),
    "text that is not YAML": (SEVERAL, ("configuration", "gateway"), "a: [", "configuration.gateway is not YAML"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_a_mistake_fails_with_a_sentence(helm: Helm, name: str) -> None:
    example, keys, value, sentence = REFUSED[name]
    done = template(helm, values=with_change(example, *keys, value=value))
    assert done.returncode != 0
    assert sentence in done.stderr
    assert not done.stdout


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        (("public_url",), "configuration.gateway has no public_url"),
        (("listen",), "configuration.gateway.listen is empty: fill it, or leave it out"),
        (("management",), "configuration.gateway.management is empty"),
        (("store",), "configuration.gateway.store is empty"),
        (("qlik_sites",), "configuration.gateway.qlik_sites is empty"),
        (("qlik_sites", "prod"), "configuration.gateway.qlik_sites.prod is empty"),
        (("qlik_sites", "prod", "nodes"), "configuration.gateway.qlik_sites has no nodes"),
        (("virtual_proxies",), "configuration.gateway.virtual_proxies is empty"),
        (("virtual_proxies", "sales"), "configuration.gateway.virtual_proxies.sales is empty"),
    ],
    ids=lambda value: ".".join(value) if isinstance(value, tuple) else "",
)
def test_a_key_with_nothing_behind_it_in_a_file_given_as_text_fails_with_a_sentence(
    helm: Helm, keys: tuple[str, ...], sentence: str
) -> None:
    """The schema does not look into text, and a policy without nodes would let everything out."""
    values = with_change(ONE, "configuration", "gateway", *keys, value=None)
    values["configuration"] = {name: yaml.safe_dump(content) for name, content in values["configuration"].items()}
    done = template(helm, values=values)
    assert done.returncode != 0
    assert sentence in done.stderr


def test_several_replicas_need_cookie_keys(helm: Helm) -> None:
    values = yaml.safe_load(SEVERAL.read_text())
    gateway = yaml.safe_load(values["configuration"]["gateway"])
    del gateway["cookie_keys"]
    values["configuration"]["gateway"] = gateway
    done = template(helm, values=values)
    assert "has no cookie_keys: no replica could open another's logins" in done.stderr


def test_a_mapping_key_called_env_is_not_taken_for_a_secret(helm_4: Helm) -> None:
    assert render(helm_4, values=with_change(ONE, "configuration", "entra", "authorization_params", value={"env": "prod"}))


# What people read


def notes(helm: Helm, *arguments: str | Path, values: object = None) -> str:
    done = helm("install", "rel", CHART, "--dry-run=client", *arguments, "-f", "-", given=json.dumps(values or {}))
    assert done.returncode == 0, done.stderr
    return done.stdout.partition("NOTES:")[2]


def test_the_notes_have_the_exact_redirect_uri_of_each_virtual_proxy(helm_4: Helm) -> None:
    """With one helm: the older one does not print them without a cluster."""
    text = notes(helm_4, "-f", ONE)
    lines = {line.split()[0]: line for line in text.splitlines() if "/vp/" in line}
    assert set(lines) == {"https://sso.example.com/vp/sales/login", "https://sso.example.com/vp/hub/login"}
    assert "(prefix sales, site prod)" in lines["https://sso.example.com/vp/sales/login"]
    assert "(the default virtual proxy, site prod)" in lines["https://sso.example.com/vp/hub/login"]
    assert "entra: redirect URI https://sso.example.com/idp/entra/callback" in text
    assert "adfs: entity id and metadata https://sso.example.com/idp/adfs/metadata" in text
    assert "adfs: assertion consumer service https://sso.example.com/idp/adfs/acs" in text


def test_the_notes_warn_of_what_is_weak(helm_4: Helm) -> None:
    assert "one-time marks are kept in memory" in notes(helm_4, "-f", ONE)
    weak = notes(helm_4, "-f", OPENSHIFT)
    assert "no cookie_keys" in weak
    assert "no NetworkPolicy" in weak
    assert "WARNING" not in notes(helm_4, "-f", SEVERAL)


def test_the_readme_explains_every_value() -> None:
    readme = (CHART.parent / "README.md").read_text()
    schema = json.loads((CHART / "values.schema.json").read_text())
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    assert set(schema["properties"]) == set(values)
    assert [name for name in values if f"`{name}" not in readme] == []


def test_every_default_passes_its_schema_and_has_its_place_there() -> None:
    """A key of values.yaml that the schema does not know would fail every install."""
    schema = json.loads((CHART / "values.schema.json").read_text())

    def unknown(values: dict[str, Any], part: dict[str, Any], at: str) -> list[str]:
        if part.get("additionalProperties") is not False:
            return []
        found = [f"{at}{key}" for key in values if key not in part["properties"]]
        for key, value in values.items():
            if isinstance(value, dict) and key in part["properties"]:
                found += unknown(value, part["properties"][key], f"{at}{key}.")
        return found

    assert unknown(copy.deepcopy(yaml.safe_load((CHART / "values.yaml").read_text())), schema, "") == []
