{{- define "holdfast.dns" -}}
- to: # DNS
    - namespaceSelector:
        matchLabels: {kubernetes.io/metadata.name: kube-system}
  ports: [{port: 53, protocol: UDP}, {port: 53, protocol: TCP}]
{{- end -}}

{{/* What every proxy needs: names, and what pods share if it is ours. */}}
{{- define "holdfast.always" -}}
{{ include "holdfast.dns" . }}
{{- if .Values.redis.enabled }}
- to:
    - podSelector:
        matchLabels:
          {{- include "holdfast.redisLabels" . | nindent 10 }}
  ports: [{port: redis, protocol: TCP}]
{{- end }}
{{- end -}}

{{- define "holdfast.redisLabels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: redis
{{- end -}}

{{- define "holdfast.testLabels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: test
{{- end -}}
