{{/* Nothing where nobody answers it: an empty list of peers would mean all. */}}
{{- define "holdfast.dns" -}}
{{- with .Values.networkPolicy.dns -}}
- to: # DNS
    {{- toYaml . | nindent 4 }}
  ports: [{port: 53, protocol: UDP}, {port: 53, protocol: TCP}]
{{- end -}}
{{- end -}}

{{/* What every proxy needs: names, and what pods share if it is ours. */}}
{{- define "holdfast.always" -}}
{{ include "holdfast.dns" . }}
{{- if .Values.redis.enabled }}
- to:
    - podSelector:
        matchLabels:
          {{- include "holdfast.redisLabels" . | nindent 10 }}
  ports: [{port: 6379, protocol: TCP}]
{{- end }}
{{- end -}}

{{/* Who reaches the admin port, beside kubelet. */}}
{{- define "holdfast.watchers" -}}
{{- with .Values.networkPolicy.admin }}
{{- toYaml . }}
{{ end -}}
- podSelector:
    matchLabels:
      {{- include "holdfast.testLabels" . | nindent 6 }}
{{- end -}}

{{- define "holdfast.redisLabels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/component: redis
{{- end -}}

{{- define "holdfast.testLabels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/component: test
{{- end -}}
