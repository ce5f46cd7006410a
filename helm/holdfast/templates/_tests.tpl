{{- define "holdfast.testNames" -}}
labels:
  {{- include "holdfast.labels" . | nindent 2 }}
  app.kubernetes.io/component: test
annotations:
  helm.sh/hook: test
  helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
{{- end -}}

{{/* Up to its container's last members, which the caller adds. */}}
{{- define "holdfast.testPod" -}}
restartPolicy: Never
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . | quote }}
  {{- end }}
{{- end }}
containers:
  - name: holdfast
    image: {{ include "holdfast.image" . | quote }}
    imagePullPolicy: {{ .Values.image.pullPolicy }}
    resources:
      requests: {cpu: 50m, memory: 64Mi}
      limits: {memory: 256Mi}
    securityContext:
      {{- toYaml .Values.securityContext | nindent 6 }}
{{- end -}}
