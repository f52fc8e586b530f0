{{/* Address under which consumers reach the storage server. */}}
{{- define "jaas.baseURL" -}}
{{- $built := printf "http://jaas-storage.%s.svc.cluster.local:%d" .Release.Namespace (int64 .Values.ports.storage) }}
{{- .Values.operator.storage.baseURL | default $built }}
{{- end }}

{{/*
The command line, one argument a line. Numbers go through int64: a values file holds floats, and a large one would be printed with an
exponent.
*/}}
{{- define "jaas.arguments" -}}
{{- $arguments := .Values.arguments }}
{{- $operator := .Values.operator }}
{{- $storage := $operator.storage -}}
- --enable-flux-integration
- --leader-election=true
- {{ printf "--leader-election-id=%s-operator" .Release.Name | quote }}
- {{ printf "--leader-election-namespace=%s" .Release.Namespace | quote }}
- {{ printf "--no-cross-namespace-refs=%t" $operator.noCrossNamespaceRefs | quote }}
{{- with $operator.defaultServiceAccount }}
- {{ printf "--default-service-account=%s" . | quote }}
{{- end }}
{{- with $operator.watchNamespaces }}
- {{ printf "--watch-namespaces=%s" (join "," .) | quote }}
{{- end }}
- {{ printf "--max-withdraw-wait=%v" $operator.maxWithdrawWait | quote }}
- {{ printf "--max-concurrent-reconciles=%d" (int64 $operator.maxConcurrentReconciles) | quote }}
{{- with $operator.runbookBaseURL }}
- {{ printf "--runbook-base-url=%s" . | quote }}
{{- end }}
{{- range $name, $value := $operator.extVars }}
- {{ printf "--ext-var=%s=%v" $name $value | quote }}
{{- end }}
- {{ printf "--evaluation-timeout=%v" $arguments.evaluationTimeout | quote }}
- {{ printf "--evaluation-memory=%v" $arguments.evaluationMemory | quote }}
- {{ printf "--max-stack=%d" (int64 $arguments.maxStack) | quote }}
- {{ printf "--max-concurrent-evals=%d" (int64 $arguments.maxConcurrentEvals) | quote }}
- {{ printf "--storage-backend=%s" $storage.backend | quote }}
- {{ printf "--storage-path=%s" $storage.path | quote }}
- {{ printf "--storage-base-url=%s" (include "jaas.baseURL" .) | quote }}
- {{ printf "--storage-listen-address=%s" $storage.listenAddress | quote }}
- {{ printf "--storage-port=%d" (int64 .Values.ports.storage) | quote }}
- {{ printf "--storage-read-timeout=%v" $storage.readTimeout | quote }}
- {{ printf "--storage-write-timeout=%v" $storage.writeTimeout | quote }}
- {{ printf "--storage-sweep-interval=%v" $storage.sweep.interval | quote }}
- {{ printf "--storage-sweep-max-tmp-age=%v" $storage.sweep.maxTmpAge | quote }}
- {{ printf "--max-artifact-bytes=%d" (int64 $storage.maxArtifactBytes) | quote }}
- {{ printf "--artifact-gc-grace=%v" $storage.gcGrace | quote }}
- {{ printf "--management-listen-address=%s" $arguments.managementListenAddress | quote }}
- {{ printf "--management-port=%d" (int64 .Values.ports.management) | quote }}
- {{ printf "--management-read-timeout=%v" $arguments.managementReadTimeout | quote }}
- {{ printf "--management-write-timeout=%v" $arguments.managementWriteTimeout | quote }}
{{- if $operator.metrics.enabled }}
- {{ printf "--metrics-bind-address=:%d" (int64 .Values.ports.metrics) | quote }}
{{- else }}
- "--metrics-bind-address=0"
{{- end }}
- {{ printf "--shutdown-delay=%s" $arguments.shutdownDelay | quote }}
- {{ printf "--log-level=%s" $arguments.logLevel | quote }}
- {{ printf "--log-format=%s" $arguments.logFormat | quote }}
{{- end }}
