{{/* Name of the ValidatingWebhookConfiguration. */}}
{{- define "jaas.webhook.name" -}}
{{ .Release.Name }}-jsonnetsnippet
{{- end }}

{{/* Whether the certificate is mounted. */}}
{{- define "jaas.webhook.mounted" -}}
{{- with .Values.operator.webhook }}{{ and $.Values.operator.enabled .enabled (eq .certMode "cert-manager") }}{{ end }}
{{- end }}
