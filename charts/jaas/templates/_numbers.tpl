{{/* A value as text. A values file holds floats, and a large one would be printed with an exponent. */}}
{{- define "jaas.text" -}}
{{- if and (kindIs "float64" .) (eq (floor .) .) }}{{ int64 . }}{{ else }}{{ . }}{{ end }}
{{- end }}

{{/* A share: a percentage as it is, or bytes as a whole number. Takes a list: name of the value, the value. */}}
{{- define "jaas.share" -}}
{{- $text := include "jaas.text" (last .) }}
{{- if regexMatch "^([1-9][0-9]?|100)%$" $text }}{{ $text }}
{{- else if contains "%" $text }}
{{- fail (printf "%s: must be 0, a percentage from 1%% to 100%%, or bytes such as 256Mi, got %q" (first .) $text) }}
{{- else }}{{ include "jaas.bytes" . }}
{{- end }}
{{- end }}

{{/* Bytes of a quantity such as 256Mi, as a whole number. Takes a list: name of the value, the value. */}}
{{- define "jaas.bytes" -}}
{{- $units := dict "" 1 "Ki" 1024 "Mi" 1048576 "Gi" 1073741824 "Ti" 1099511627776 "k" 1000 "M" 1000000 "G" 1000000000 "T" 1000000000000 }}
{{- $text := include "jaas.text" (last .) }}
{{- if not (regexMatch "^[0-9]+([.][0-9]+)?(Ki|Mi|Gi|Ti|k|M|G|T)?$" $text) }}
{{- fail (printf "%s: must be a number of bytes such as 256Mi, got %q" (first .) $text) }}
{{- end }}
{{- $unit := regexFind "[A-Za-z]*$" $text }}
{{- mulf (trimSuffix $unit $text | float64) (get $units $unit) | floor | int64 }}
{{- end }}
