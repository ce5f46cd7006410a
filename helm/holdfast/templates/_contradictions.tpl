{{/* What no schema can say: refused before anything is made, with what to do. */}}
{{- define "holdfast.contradictions" -}}
{{- include "holdfast.sharing" . -}}
{{- include "holdfast.reaching" . -}}
{{- include "holdfast.holding" . -}}
{{- include "holdfast.parting" . -}}
{{- include "holdfast.scaling" . -}}
{{- include "holdfast.naming" . -}}
{{- end -}}

{{/* What pods share. */}}
{{- define "holdfast.sharing" -}}
{{- $gateway := .Values.gateway -}}
{{- $many := and $gateway.enabled (or $gateway.autoscaling.enabled (gt (int $gateway.replicas) 1)) -}}
{{- if and $many (not $gateway.apart) (not (include "holdfast.shares" .)) -}}
{{- fail "gateway: more than one pod, and no store: each would have budgets, rates and circuits of its own. Set store.url, store.existingSecret or redis.enabled; or gateway.apart, if that is what you want." -}}
{{- end -}}
{{- if and .Values.redis.enabled (not .Values.redis.existingSecret) -}}
{{- fail (printf "redis.existingSecret is empty. Make a password: kubectl create secret generic %s-redis --from-literal=password=$(openssl rand -hex 24); then set redis.existingSecret=%s-redis." (include "holdfast.fullname" .) (include "holdfast.fullname" .)) -}}
{{- end -}}
{{- if and .Values.redis.enabled (or .Values.store.existingSecret (ne .Values.store.url "memory")) -}}
{{- fail "redis.enabled and store both name what pods share. Leave one of them." -}}
{{- end -}}
{{- if and (not .Values.store.existingSecret) (regexMatch `://[^/@]*:[^/@$]+@` .Values.store.url) -}}
{{- fail "store.url holds a password, and would stand in a ConfigMap. Put the URL into a Secret, and name that in store.existingSecret." -}}
{{- end -}}
{{- end -}}

{{/* Who reaches what. */}}
{{- define "holdfast.reaching" -}}
{{- $ports := .Values.ports -}}
{{- $gateway := .Values.gateway -}}
{{- if eq (int $ports.listen) (int $ports.admin) -}}
{{- fail (printf "ports.listen and ports.admin are both %v: one process cannot have a port twice. Give them two." $ports.listen) -}}
{{- end -}}
{{- if or (hasPrefix "127." $ports.address) (has $ports.address (list "localhost" "[::1]")) -}}
{{- fail (printf "ports.address is %s, a loopback, which kubelet does not reach: no probe would be answered. Leave it at 0.0.0.0, or say \"[::]\"; agents beside a sidecar come in at the loopback anyway." $ports.address) -}}
{{- end -}}
{{- if and $gateway.enabled (ne $gateway.service.type "ClusterIP") (not (hasKey .Values.settings "identity")) -}}
{{- fail (printf "gateway.service.type is %s, which is reached from outside of the cluster, and settings.identity is not said: whoever comes would be the agent. Say settings.identity: [key], with tokens.existingSecret; or [static], if that is what you want." $gateway.service.type) -}}
{{- end -}}
{{- if and .Values.networkPolicy.confined (not $gateway.enabled) -}}
{{- fail "networkPolicy.confined closes agents to all but the gateway, and gateway.enabled is false: nothing would be closed. Set gateway.enabled; or, for pods with a sidecar, networkPolicy.sidecars." -}}
{{- end -}}
{{- if and .Values.networkPolicy.sidecars.enabled $gateway.enabled -}}
{{- fail "networkPolicy.sidecars closes pods with a sidecar, and with gateway.enabled there are none: nothing would be closed. Set networkPolicy.confined for agents of the gateway." -}}
{{- end -}}
{{- if and .Values.monitoring.serviceMonitor.enabled (not $gateway.enabled) -}}
{{- fail "monitoring.serviceMonitor finds the gateway, and gateway.enabled is false. Sidecars are found by monitoring.podMonitor." -}}
{{- end -}}
{{- end -}}

{{/* What would keep the proxy from its start, as far as values show it. */}}
{{- define "holdfast.holding" -}}
{{- $name := include "holdfast.fullname" . -}}
{{- if not (hasKey .Values.policies "00-upstreams.yaml") -}}
{{- if and (contains "/run/secrets/holdfast/credentials/" (toJson .Values.upstreams)) (not .Values.credentials.existingSecret) -}}
{{- fail (printf "upstreams have auth from /run/secrets/holdfast/credentials, and credentials.existingSecret is empty. kubectl create secret generic %s-credentials --from-literal=KEY=…; then set credentials.existingSecret=%s-credentials." $name $name) -}}
{{- end -}}
{{- $rooted := false -}}
{{- range $policies := .Values.policies -}}
{{- $rooted = or $rooted (kindIs "string" $policies) (hasKey $policies "upstreams") -}}
{{- end -}}
{{- range $upstream := .Values.upstreams -}}
{{- $rooted = or $rooted (eq ($upstream.path | default "/") "/") (contains "${" ($upstream.path | default "/")) -}}
{{- end -}}
{{- if not $rooted -}}
{{- fail (printf "upstreams: none of %s is at /, where agents come in. Say path: / of one." (keys .Values.upstreams | sortAlpha | join ", ")) -}}
{{- end -}}
{{- end -}}
{{- range $file, $policies := .Values.policies -}}
{{- if kindIs "string" $policies -}}
{{- with get (fromYaml $policies) "Error" -}}
{{- fail (printf "policies.%s: %s" $file .) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $kinds := keys (include "holdfast.journalVolume" . | fromYaml) | sortAlpha -}}
{{- if ne (len $kinds) 1 -}}
{{- fail (printf "journal.volume: expected one kind of volume, such as emptyDir or persistentVolumeClaim, found %s." (join ", " $kinds | default "none")) -}}
{{- end -}}
{{- if and (has "key" (.Values.settings.identity | default list)) (not .Values.tokens.existingSecret) -}}
{{- fail "settings.identity has key, which knows agents by the tokens file, and tokens.existingSecret is empty: it would know none. Make the file (holdfast token new --help), and a Secret of it." -}}
{{- end -}}
{{- end -}}

{{/* What follows from values, and would part from them. */}}
{{- define "holdfast.parting" -}}
{{- $ours := dict "CONFIG" "settings" "DATA_DIR" "journal.volume" "LISTEN" "ports" "ADMIN" "ports" "POLICIES" "policies" "DRAIN" "drain" "TOKENS" "tokens" -}}
{{- range $variable := .Values.extraEnv -}}
{{- $name := $variable.name | default "" -}}
{{- with get $ours (trimPrefix "HOLDFAST_" $name) -}}
{{- if hasPrefix "HOLDFAST_" $name -}}
{{- fail (printf "extraEnv has %s, which follows from %s: probes, ports and the grace period would not know of another. Say it there." $name .) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* How many there are. */}}
{{- define "holdfast.scaling" -}}
{{- $scaling := .Values.gateway.autoscaling -}}
{{- if $scaling.enabled -}}
{{- if gt (int $scaling.minReplicas) (int $scaling.maxReplicas) -}}
{{- fail (printf "gateway.autoscaling.minReplicas is %v, more than maxReplicas, %v." $scaling.minReplicas $scaling.maxReplicas) -}}
{{- end -}}
{{- if not (dig "requests" "cpu" "" .Values.gateway.resources) -}}
{{- fail "gateway.autoscaling goes by CPU in percent of gateway.resources.requests.cpu, and that is empty. Say it, such as 500m." -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Whether names are some, for Kubernetes and for YAML. */}}
{{- define "holdfast.naming" -}}
{{- $name := include "holdfast.fullname" . -}}
{{- if not (kindIs "string" (index (printf "name: %s" $name | fromYaml) "name")) -}}
{{- fail (printf "fullnameOverride: %s is no text in YAML. Take another name." $name) -}}
{{- end -}}
{{- if and (or .Values.gateway.enabled .Values.redis.enabled) (regexMatch "^[0-9]" $name) -}}
{{- fail (printf "Services would be called %s, and a Service's name begins with a letter. Set fullnameOverride." $name) -}}
{{- end -}}
{{- end -}}
