{{/*
What the schema of the values cannot tell: settings that must fit together. Each refusal is a sentence that says what to do. The files
themselves are checked by the gateway at its start (`qlikgw check` does the same beforehand).
*/}}
{{- define "qlikgw.checks" -}}
{{- $gateway := include "qlikgw.gateway" . | fromJson -}}
{{- if not .Values.image.repository -}}
{{- fail "image.repository is empty: build the image with helm/Dockerfile, push it, and name it here" -}}
{{- end -}}
{{- if has (dig "listen" "host" "0.0.0.0" $gateway) (list "127.0.0.1" "::1" "localhost") -}}
{{- fail "configuration.gateway.listen.host is loopback: nothing outside the pod would reach it; leave it out" -}}
{{- end -}}
{{- if or (eq (include "qlikgw.port" .) "0") (eq (include "qlikgw.managementPort" .) "0") -}}
{{- fail "listen.port and management.port must be fixed numbers: Service and probes name them" -}}
{{- end -}}
{{- include "qlikgw.checkReplicas" (list . $gateway) -}}
{{- include "qlikgw.checkProviders" (list . $gateway) -}}
{{- include "qlikgw.checkEnvironment" . -}}
{{- include "qlikgw.checkFolders" . -}}
{{- include "qlikgw.checkNetwork" . -}}
{{- end -}}

{{- define "qlikgw.checkReplicas" -}}
{{- $values := (index . 0).Values -}}{{- $gateway := index . 1 -}}
{{- if gt (int $values.replicas) 1 -}}
{{- if not (include "qlikgw.sharedStore" (index . 0)) -}}
{{- fail (printf "replicas is %d, but configuration.gateway.store is memory: a login that one replica finished could be finished again at another. Give store: {url: {env: QLIKGW_STORE_URL}} with a Redis or Valkey, or replicas: 1" (int $values.replicas)) -}}
{{- end -}}
{{- if not $gateway.cookie_keys -}}
{{- fail (printf "replicas is %d, but configuration.gateway has no cookie_keys: no replica could open another's logins. Make one with `qlikgw keygen cookie` and put it into a Secret" (int $values.replicas)) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "qlikgw.checkProviders" -}}
{{- $values := (index . 0).Values -}}{{- $gateway := index . 1 -}}
{{- range $name, $proxy := dig "virtual_proxies" dict $gateway -}}
{{- range $idp := dig "identity_providers" list ($proxy | default dict) -}}
{{- if and (not (hasKey $values.configuration $idp)) (not $values.configurationFrom) -}}
{{- fail (printf "the virtual proxy %s names the identity provider %s, but there is no configuration.%s (and no configurationFrom that could hold it)" $name $idp $idp) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Variables that the configuration names must come from somewhere. */}}
{{- define "qlikgw.checkEnvironment" -}}
{{- $given := list -}}
{{- range .Values.environment -}}{{- $given = append $given .name -}}{{- end -}}
{{- range $name, $content := .Values.configuration -}}
{{- range $found := regexFindAll "\"env\":\"QLIKGW_[A-Z0-9_]+\"" (include "qlikgw.tree" (dict "name" $name "content" $content)) -1 -}}
{{- $variable := $found | trimPrefix "\"env\":\"" | trimSuffix "\"" -}}
{{- if not (has $variable $given) -}}
{{- fail (printf "configuration.%s names {env: %s}, but environment does not list it: add {name: %s, secret: …, key: …}" $name $variable $variable) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* So must files: what lies in /etc/qlikgw is made of `folders`. */}}
{{- define "qlikgw.checkFolders" -}}
{{- $folders := .Values.folders -}}
{{- range $name, $content := .Values.configuration -}}
{{- range $found := regexFindAll "\"[.][.]/[a-z0-9-]+/[^\"]*\"" (include "qlikgw.tree" (dict "name" $name "content" $content)) -1 -}}
{{- $path := trimAll "\"" $found -}}
{{- $folder := index (splitList "/" $path) 1 -}}
{{- if not (or (hasKey $folders $folder) (eq $folder "var")) -}}
{{- fail (printf "configuration.%s names %s, but folders has no %s: say which Secrets or ConfigMaps it is made of" $name $path $folder) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "qlikgw.checkNetwork" -}}
{{- if .Values.networkPolicy.enabled -}}
{{- $egress := .Values.networkPolicy.egress -}}
{{- $nodes := include "qlikgw.nodes" . | fromJson -}}
{{- if not $nodes.ports -}}
{{- fail "configuration.gateway.qlik_sites has no nodes: the NetworkPolicy would have a rule without addresses, and that lets everything out" -}}
{{- end -}}
{{- if and $nodes.named (not $egress.qlik.to) -}}
{{- fail (printf "a NetworkPolicy knows no names: give the addresses of your proxy nodes (%s) as networkPolicy.egress.qlik.to: [{ipBlock: {cidr: 10.1.2.0/24}}], or set networkPolicy.enabled: false" (join ", " $nodes.named)) -}}
{{- end -}}
{{- if and (include "qlikgw.sharedStore" .) (not $egress.store.to) -}}
{{- fail "the shared store is not in networkPolicy.egress.store.to: give its address, [{ipBlock: {cidr: 10.1.3.4/32}}] or the selectors of its pods, or set networkPolicy.enabled: false" -}}
{{- end -}}
{{- end -}}
{{- end -}}
