{{/* holdfast.yaml: what follows from the values, over what they say in `settings`. */}}
{{- define "holdfast.settings" -}}
{{- $values := .Values -}}
{{- $for := $values.gateway.enabled | ternary $values.ports.address "127.0.0.1" -}}
{{- $own := dict
  "listen" (printf "%s:%v" $for $values.ports.listen)
  "admin" (printf "%s:%v" $values.ports.address $values.ports.admin)
  "policies" "/etc/holdfast/policies"
  "agent" (dict "id" ($values.agent.id | default (include "holdfast.fullname" .)) "fleet" $values.agent.fleet)
  "drain" (printf "%vs" $values.drain)
-}}
{{- $store := include "holdfast.store" . -}}
{{- if $store -}}{{- $_ := set $own "store" $store -}}{{- end -}}
{{- if $values.tokens.existingSecret -}}
{{- $_ := set $own "tokens" (printf "/run/secrets/holdfast/tokens/%s" $values.tokens.key) -}}
{{- end -}}
{{- if $values.journal.existingSecret -}}
{{- $_ := set $own "audit" (dict "key" (printf "${file:/run/secrets/holdfast/journal/%s}" $values.journal.key)) -}}
{{- end -}}
{{ mergeOverwrite (deepCopy $values.settings) $own | toYaml }}
{{- end -}}

{{/* Empty where the environment says it: HOLDFAST_STORE. */}}
{{- define "holdfast.store" -}}
{{- if .Values.store.existingSecret -}}
{{- else if .Values.redis.enabled -}}
redis://holdfast:${REDIS_PASSWORD}@{{ include "holdfast.fullname" . }}-redis:6379/0
{{- else -}}
{{ .Values.store.url }}
{{- end -}}
{{- end -}}

{{- define "holdfast.shares" -}}
{{- if or .Values.store.existingSecret .Values.redis.enabled (ne .Values.store.url "memory") -}}yes{{- end -}}
{{- end -}}
