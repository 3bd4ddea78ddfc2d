{{/*
What the chart must know of the configuration folder: ports, the store, the nodes, how long a stop takes. It is read from the same files
that the gateway reads, so nothing has to be said twice.
*/}}

{{/* One file of the folder as a tree (JSON): {name, content}; content is text or values. */}}
{{- define "qlikgw.tree" -}}
{{- $tree := .content -}}
{{- if kindIs "string" .content -}}
{{- $tree = fromYaml .content -}}
{{- if hasKey $tree "Error" -}}
{{- fail (printf "configuration.%s is not YAML: %s" .name $tree.Error) -}}
{{- end -}}
{{- end -}}
{{- toJson $tree -}}
{{- end -}}

{{- define "qlikgw.gateway" -}}
{{- if not .Values.configuration.gateway -}}
{{- fail "configuration.gateway is missing: give your gateway.yaml, as values or with --set-file configuration.gateway=idp_configs/gateway.yaml" -}}
{{- end -}}
{{- $tree := include "qlikgw.tree" (dict "name" "gateway" "content" .Values.configuration.gateway) -}}
{{- include "qlikgw.checkShape" (fromJson $tree) -}}
{{- $tree -}}
{{- end -}}

{{/* The schema does not look into files given as text: what the chart reads of them must be there, and no key with nothing behind it. */}}
{{- define "qlikgw.checkShape" -}}
{{- if not (and (kindIs "string" .public_url) .public_url) -}}
{{- fail "configuration.gateway has no public_url: how browsers reach the gateway, https://sso.example.com" -}}
{{- end -}}
{{- range $key := list "listen" "management" "store" "qlik_sites" "virtual_proxies" -}}
{{- if and (hasKey $ $key) (not (kindIs "map" (get $ $key))) -}}
{{- fail (printf "configuration.gateway.%s is empty: fill it, or leave it out" $key) -}}
{{- end -}}
{{- end -}}
{{- range $key := list "qlik_sites" "virtual_proxies" -}}
{{- range $name, $content := dig $key dict $ -}}
{{- if not (kindIs "map" $content) -}}
{{- fail (printf "configuration.gateway.%s.%s is empty: fill it, or leave it out" $key $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "qlikgw.port" -}}
{{- dig "listen" "port" 8080 (include "qlikgw.gateway" . | fromJson) | int -}}
{{- end -}}

{{- define "qlikgw.managementPort" -}}
{{- dig "management" "port" 8081 (include "qlikgw.gateway" . | fromJson) | int -}}
{{- end -}}

{{- define "qlikgw.publicHost" -}}
{{- $host := (urlParse (include "qlikgw.gateway" . | fromJson).public_url).host -}}
{{- regexReplaceAll ":[0-9]+$" $host "" | lower -}}
{{- end -}}

{{/* "true" where replicas share their one-time marks, else empty. */}}
{{- define "qlikgw.sharedStore" -}}
{{- if ne (dig "store" "url" "memory:" (include "qlikgw.gateway" . | fromJson) | toString) "memory:" -}}true{{- end -}}
{{- end -}}

{{/* Seconds: what the gateway takes for a graceful stop (drain, then at most 20 s for requests in hand), and some to spare. */}}
{{- define "qlikgw.gracePeriod" -}}
{{- $drain := dig "drain" "5s" (include "qlikgw.gateway" . | fromJson) | toString -}}
{{- $number := regexFind "^[0-9]+" $drain | int -}}
{{- $seconds := get (dict "ms" 1 "s" $number "m" (mul 60 $number) "h" (mul 3600 $number)) (regexFind "[a-z]+$" $drain) -}}
{{- add (default 5 $seconds) 30 -}}
{{- end -}}

{{/* A short text that changes with the settings that the running gateway cannot take over (docs/reload.md): the pods restart for them. */}}
{{- define "qlikgw.restartOn" -}}
{{- $gateway := include "qlikgw.gateway" . | fromJson -}}
{{- $listen := dig "listen" dict $gateway -}}
{{- list (dig "host" "" $listen) (hasKey $listen "tls") (dig "management" dict $gateway) (dig "store" dict $gateway) | toJson | sha256sum | trunc 16 -}}
{{- end -}}

{{/* Where the nodes are reached (JSON): {addresses: [CIDR], ports: [number], named: [URL that names a host]} */}}
{{- define "qlikgw.nodes" -}}
{{- $addresses := list -}}{{- $ports := list -}}{{- $named := list -}}
{{- range $site := dig "qlik_sites" dict (include "qlikgw.gateway" . | fromJson) -}}
{{- range $node := $site.nodes -}}
{{- $url := $node.reach_at | default $node.proxy_rest_uri | toString -}}
{{- $host := (urlParse $url).host -}}
{{- $ports = append $ports (trimPrefix ":" (regexFind ":[0-9]+$" $host) | default "443" | int) -}}
{{- $name := regexReplaceAll ":[0-9]+$" $host "" -}}
{{- if regexMatch "^[0-9.]+$" $name -}}
{{- $addresses = append $addresses (printf "%s/32" $name) -}}
{{- else if hasPrefix "[" $name -}}
{{- $addresses = append $addresses (printf "%s/128" (trimAll "[]" $name)) -}}
{{- else -}}
{{- $named = append $named $url -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- dict "addresses" (uniq $addresses) "ports" (uniq $ports) "named" (uniq $named) | toJson -}}
{{- end -}}

{{/* Sources of a projected volume: a list of {secret | configMap, items}. */}}
{{- define "qlikgw.sources" -}}
{{- range . }}
{{- if .secret }}
- secret:
    name: {{ .secret | quote }}
{{- else }}
- configMap:
    name: {{ .configMap | quote }}
{{- end }}
{{- with .items }}
    items:
{{- range $key, $path := . }}
      - key: {{ $key | quote }}
        path: {{ $path | quote }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}
