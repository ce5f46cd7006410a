{{/* What no schema can say: refused before anything is made, with what to do. */}}
{{- define "holdfast.contradictions" -}}
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
{{- if and .Values.monitoring.serviceMonitor.enabled (not $gateway.enabled) -}}
{{- fail "monitoring.serviceMonitor finds the gateway, and gateway.enabled is false. Sidecars are found by monitoring.podMonitor." -}}
{{- end -}}
{{- end -}}
