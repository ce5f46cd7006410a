{{/* How things are called. All named templates of this chart take the chart's own root: `.` in it, .Subcharts.holdfast in a chart that depends on it. */}}

{{/* At most 46 characters: a StatefulSet's name may have 52, and ours end in -redis. Names of releases may have dots, those of Services not. */}}
{{- define "holdfast.fullname" -}}
{{- $own := contains .Chart.Name .Release.Name | ternary .Release.Name (printf "%s-%s" .Release.Name .Chart.Name) -}}
{{ .Values.fullnameOverride | default $own | replace "." "-" | trunc 46 | trimAll "-" }}
{{- end -}}

{{/* On everything that is made. */}}
{{- define "holdfast.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{/* On every pod with a Holdfast in it, sidecar or gateway: by it they are scraped, and let through to Redis.
     The port for agents is called holdfast, that of the admin side holdfast-admin: of containers, and of the gateway's headless Service NAME-pods. */}}
{{- define "holdfast.proxyLabels" -}}
holdfast.dev/name: {{ include "holdfast.fullname" . }}
{{- end -}}

{{/* Which pods are the gateway's. They never change: a Deployment's cannot. */}}
{{- define "holdfast.selectorLabels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/component: gateway
{{- end -}}

{{- define "holdfast.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end -}}
