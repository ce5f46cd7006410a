{{/*
What pods have of Holdfast. In a chart that depends on this one they take its root, .Subcharts.holdfast:

  holdfast.initContainers   the native sidecar, an item of initContainers; nothing for the classic form
  holdfast.containers       the classic one, the first item of containers; nothing for the native form
  holdfast.volumes          items of volumes
  holdfast.env              items of env, for the agent's container
  holdfast.podLabels        by which pods are scraped, and let through to Redis
  holdfast.podAnnotations   so that pods restart for other settings
  holdfast.gracePeriod      terminationGracePeriodSeconds

Of a release that has a gateway env leads there, gracePeriod is the agent's own, and all others are empty.
*/}}

{{/* A pod without a proxy has no business with Redis. */}}
{{- define "holdfast.podLabels" -}}
{{- if not .Values.gateway.enabled -}}
{{ include "holdfast.proxyLabels" . }}
{{- end -}}
{{- end -}}

{{- define "holdfast.initContainers" -}}
{{- if and (not .Values.gateway.enabled) (eq (include "holdfast.form" .) "native") -}}
- {{ include "holdfast.container" (dict "root" . "form" "native") | nindent 2 | trim }}
{{- end -}}
{{- end -}}

{{- define "holdfast.containers" -}}
{{- if and (not .Values.gateway.enabled) (eq (include "holdfast.form" .) "classic") -}}
- {{ include "holdfast.container" (dict "root" . "form" "classic") | nindent 2 | trim }}
{{- end -}}
{{- end -}}

{{- define "holdfast.form" -}}
{{- if ne .Values.sidecar.form "auto" -}}
{{ .Values.sidecar.form }}
{{- else -}}
{{ semverCompare ">=1.29-0" .Capabilities.KubeVersion.Version | ternary "native" "classic" }}
{{- end -}}
{{- end -}}

{{- define "holdfast.volumes" -}}
{{- if not .Values.gateway.enabled -}}
{{ include "holdfast.proxyVolumes" . }}
{{- if not .Values.journal.volumeName }}
- name: holdfast-journal
  {{- include "holdfast.journalVolume" . | nindent 2 }}
{{- end }}
{{- end -}}
{{- end -}}

{{- define "holdfast.env" -}}
{{- $address := printf "127.0.0.1:%v" .Values.ports.listen -}}
{{- if .Values.gateway.enabled -}}
{{- $address = printf "%s.%s.svc:%v" (include "holdfast.fullname" .) .Release.Namespace .Values.ports.listen -}}
{{- end -}}
{{- $found := list -}}
{{- range $name, $path := .Values.agent.variables -}}
{{- $found = append $found (dict "name" $name "value" (printf "http://%s%s" $address $path)) -}}
{{- end -}}
{{ $found | toYaml }}
{{- end -}}

{{- define "holdfast.podAnnotations" -}}
{{- if not .Values.gateway.enabled -}}
holdfast.dev/settings: {{ include "holdfast.settings" . | sha256sum | trunc 16 | quote }}
{{- end -}}
{{- end -}}

{{/* A native sidecar is told to end when the agent has ended, a classic one at the same time. Closing the journal may take 4 s after the drain. */}}
{{- define "holdfast.gracePeriod" -}}
{{- if .Values.gateway.enabled -}}
{{ .Values.sidecar.agentGrace }}
{{- else if eq (include "holdfast.form" .) "native" -}}
{{ add .Values.sidecar.agentGrace .Values.drain 5 }}
{{- else -}}
{{ max .Values.sidecar.agentGrace (add .Values.sidecar.preStop .Values.drain 5) }}
{{- end -}}
{{- end -}}
