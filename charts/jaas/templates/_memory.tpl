{{/* Memory of the container, and what fits into it. The operator refuses to start with less than the sum. */}}

{{/* Bytes that are needed whatever is evaluated: the operator with its idle workers, and its caches. */}}
{{- define "jaas.memory.base" -}}
{{- $base := 134217728 }}
{{- if .Values.operator.enabled }}
{{- $store := include "jaas.bytes" (list "operator.storage.cache" .Values.operator.storage.cache) }}
{{- $sources := include "jaas.bytes" (list "operator.sources.cache" .Values.operator.sources.cache) }}
{{- $base = add $base (int64 $store) (mul 3 (int64 $sources)) }}
{{- end }}
{{- $base }}
{{- end }}

{{/* Bytes of one evaluation. */}}
{{- define "jaas.memory.evaluation" -}}
{{- include "jaas.bytes" (list "arguments.evaluationMemory" .Values.arguments.evaluationMemory) }}
{{- end }}

{{/*
Request and limit. The Go implementation's default, with which no evaluation could run, stands in files that were written for it:
what three evaluations need is meant then.
*/}}
{{- define "jaas.memory" -}}
{{- $text := include "jaas.text" .Values.resources.memory }}
{{- if eq $text "64Mi" }}
{{- $sum := add (include "jaas.memory.base" . | int64) (mul 3 (include "jaas.memory.evaluation" . | int64)) }}
{{- printf "%dMi" (div (add $sum 1048575) 1048576) }}
{{- else }}
{{- $text }}
{{- end }}
{{- end }}

{{/* Evaluations that fit into the memory. */}}
{{- define "jaas.memory.holds" -}}
{{- $memory := include "jaas.bytes" (list "resources.memory" (include "jaas.memory" .)) | int64 }}
{{- div (sub $memory (include "jaas.memory.base" . | int64)) (include "jaas.memory.evaluation" . | int64 | max 1) }}
{{- end }}

{{/* Evaluations that may run at once: as many as are wanted and fit. */}}
{{- define "jaas.evaluations" -}}
{{- min (int64 .Values.arguments.maxConcurrentEvals) (include "jaas.memory.holds" . | int64) }}
{{- end }}

{{- define "jaas.refusals.memory" -}}
{{- if lt (include "jaas.memory.holds" . | int64) 1 }}
{{- $base := include "jaas.memory.base" . | int64 }}
{{- $evaluation := include "jaas.memory.evaluation" . | int64 }}
{{- fail (printf "resources.memory: must be at least %dMi, or the operator does not start: %dMi for itself and its caches (operator.storage.cache, and operator.sources.cache three times), and %dMi for an evaluation (arguments.evaluationMemory); got %q" (div (add $base $evaluation 1048575) 1048576) (div (add $base 1048575) 1048576) (div (add $evaluation 1048575) 1048576) (include "jaas.text" .Values.resources.memory)) }}
{{- end }}
{{- end }}
