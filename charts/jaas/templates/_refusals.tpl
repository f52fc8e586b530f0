{{/* Values that cannot work, each with the sentence that says why. */}}
{{- define "jaas.refusals" -}}
{{- if not .Values.operator.enabled }}
{{- fail "operator.enabled: there is no HTTP renderer yet, so without the operator there is nothing to run" }}
{{- end }}
{{- if ne .Values.operator.storage.backend "local" }}
{{- fail (printf "operator.storage.backend: only local is there yet, got %q" .Values.operator.storage.backend) }}
{{- end }}
{{- if not (regexMatch "^[0-9]+s$" .Values.arguments.shutdownDelay) }}
{{- fail (printf "arguments.shutdownDelay: must be whole seconds such as 5s, got %q" .Values.arguments.shutdownDelay) }}
{{- end }}
{{- end }}
