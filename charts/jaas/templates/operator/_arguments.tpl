{{/* The command line, one argument a line. */}}
{{- define "jaas.arguments" -}}
{{ include "jaas.arguments.renderer" . }}
{{ include "jaas.arguments.evaluation" . }}
{{- if .Values.operator.enabled }}
- --enable-flux-integration
{{ include "jaas.arguments.election" . }}
{{ include "jaas.arguments.snippets" . }}
{{ include "jaas.arguments.backend" . }}
{{ include "jaas.arguments.storage" . }}
{{- end }}
{{- include "jaas.arguments.libraries" . }}
{{ include "jaas.arguments.management" . }}
{{- end }}

{{- define "jaas.arguments.renderer" -}}
{{- $arguments := .Values.arguments -}}
- {{ printf "--listen-address=%s" $arguments.listenAddress | quote }}
- {{ printf "--port=%d" (int64 .Values.ports.http) | quote }}
- {{ printf "--read-timeout=%s" (include "jaas.text" $arguments.readTimeout) | quote }}
- {{ printf "--write-timeout=%s" (include "jaas.text" $arguments.writeTimeout) | quote }}
- {{ printf "--jsonnet-endpoint-path=%s" (include "jaas.text" $arguments.jsonnetEndpointPath) | quote }}
- {{ printf "--snippet-directory=%s" .Values.paths.snippets | quote }}
{{- end }}

{{/* Folders of libraries. Of two libraries of one name that of the last folder counts. */}}
{{- define "jaas.arguments.libraries" -}}
{{- $operator := .Values.operator.enabled }}
{{- if $operator }}
{{- range .Values.operator.libraries.paths }}
- {{ printf "--library-path=%s" . | quote }}
{{- end }}
{{- end }}
{{- range $name := splitList "," (include "jaas.images.order" .) }}
{{- if $name }}
- {{ printf "--library-path=%s/%s" $.Values.paths.libraries $name | quote }}
{{- end }}
{{- end }}
{{- if $operator }}
{{- range $name, $image := .Values.operator.libraries.images }}
- {{ printf "--library-path=%s/images/%s" (include "jaas.libraries" $) $name | quote }}
{{- end }}
{{- if .Values.operator.libraries.configMaps }}
- {{ printf "--library-path=%s/configmaps" (include "jaas.libraries" .) | quote }}
{{- end }}
{{- end }}
{{- end }}

{{- define "jaas.arguments.election" -}}
{{- $election := .Values.operator.leaderElection -}}
- {{ printf "--leader-election=%t" $election.enabled | quote }}
- {{ printf "--leader-election-id=%s" ($election.id | default (printf "%s-operator" .Release.Name)) | quote }}
- {{ printf "--leader-election-namespace=%s" .Release.Namespace | quote }}
- {{ printf "--leader-election-lease-duration=%s" (include "jaas.text" $election.leaseDuration) | quote }}
- {{ printf "--leader-election-renew-deadline=%s" (include "jaas.text" $election.renewDeadline) | quote }}
- {{ printf "--leader-election-retry-period=%s" (include "jaas.text" $election.retryPeriod) | quote }}
{{- end }}

{{- define "jaas.arguments.snippets" -}}
{{- $operator := .Values.operator -}}
- {{ printf "--no-cross-namespace-refs=%t" $operator.noCrossNamespaceRefs | quote }}
{{- with $operator.defaultServiceAccount }}
- {{ printf "--default-service-account=%s" . | quote }}
{{- end }}
{{- with $operator.watchNamespaces }}
- {{ printf "--watch-namespaces=%s" (join "," .) | quote }}
{{- end }}
{{- with $operator.labelSelector }}
- {{ printf "--label-selector=%s" . | quote }}
{{- end }}
- {{ printf "--watch-timeout=%s" (include "jaas.text" $operator.watchTimeout) | quote }}
- {{ printf "--max-withdraw-wait=%s" (include "jaas.text" $operator.maxWithdrawWait) | quote }}
- {{ printf "--max-concurrent-reconciles=%d" (int64 $operator.maxConcurrentReconciles) | quote }}
- {{ printf "--rerender-rate=%s" (include "jaas.text" $operator.rerenderRate) | quote }}
- {{ printf "--rerender-burst=%d" (int64 $operator.rerenderBurst) | quote }}
{{- with $operator.sources.allowedHosts }}
- {{ printf "--allowed-source-hosts=%s" (join "," .) | quote }}
{{- end }}
- {{ printf "--flux-namespace=%s" $operator.sources.fluxNamespace | quote }}
- {{ printf "--source-cache=%s" (include "jaas.bytes" (list "operator.sources.cache" $operator.sources.cache)) | quote }}
{{- with $operator.runbookBaseURL }}
- {{ printf "--runbook-base-url=%s" . | quote }}
{{- end }}
{{- range $name, $value := $operator.extVars }}
- {{ printf "--ext-var=%s=%s" $name (include "jaas.text" $value) | quote }}
{{- end }}
- {{ printf "--max-artifact-bytes=%d" (int64 $operator.storage.maxArtifactBytes) | quote }}
- {{ printf "--artifact-gc-grace=%s" (include "jaas.text" $operator.storage.gcGrace) | quote }}
{{- end }}

{{- define "jaas.arguments.evaluation" -}}
{{- $arguments := .Values.arguments -}}
- {{ printf "--evaluation-timeout=%s" (include "jaas.text" $arguments.evaluationTimeout) | quote }}
- {{ printf "--evaluation-memory=%s" (include "jaas.bytes" (list "arguments.evaluationMemory" $arguments.evaluationMemory)) | quote }}
- {{ printf "--max-stack=%d" (int64 $arguments.maxStack) | quote }}
- {{ printf "--max-concurrent-evals=%d" (include "jaas.evaluations" . | int64) | quote }}
{{- end }}

{{- define "jaas.arguments.backend" -}}
{{- $storage := .Values.operator.storage -}}
- {{ printf "--storage-backend=%s" $storage.backend | quote }}
{{- if eq (include "jaas.store" .) "s3" }}
{{- with $storage.s3 }}
- {{ printf "--s3-endpoint=%s" .endpoint | quote }}
- {{ printf "--s3-bucket=%s" (include "jaas.text" .bucket) | quote }}
{{- if .prefix }}
- {{ printf "--s3-prefix=%s" (include "jaas.text" .prefix) | quote }}
{{- end }}
{{- if .region }}
- {{ printf "--s3-region=%s" .region | quote }}
{{- end }}
- {{ printf "--s3-use-ssl=%t" .useSSL | quote }}
- {{ printf "--s3-anonymous=%t" .anonymous | quote }}
{{- if .credentialsSecret.name }}
- {{ printf "--s3-credentials-file=%s" (include "jaas.s3.credentials" $) | quote }}
{{- end }}
{{- if .caConfigMap.name }}
- {{ printf "--s3-ca-file=%s/ca.crt" (include "jaas.s3.ca" $) | quote }}
{{- end }}
{{- end }}
{{- else }}
- {{ printf "--storage-path=%s" $storage.path | quote }}
{{- with include "jaas.quota" . }}
- {{ printf "--storage-quota=%s" . | quote }}
{{- end }}
{{- end }}
{{- end }}

{{- define "jaas.arguments.storage" -}}
{{- $storage := .Values.operator.storage -}}
- {{ printf "--storage-base-url=%s" (include "jaas.baseURL" .) | quote }}
- {{ printf "--storage-listen-address=%s" $storage.listenAddress | quote }}
- {{ printf "--storage-port=%d" (int64 .Values.ports.storage) | quote }}
- {{ printf "--storage-read-timeout=%s" (include "jaas.text" $storage.readTimeout) | quote }}
- {{ printf "--storage-write-timeout=%s" (include "jaas.text" $storage.writeTimeout) | quote }}
- {{ printf "--storage-cache=%s" (include "jaas.bytes" (list "operator.storage.cache" $storage.cache)) | quote }}
- {{ printf "--storage-namespace-quota=%s" (include "jaas.share" (list "operator.storage.namespaceQuota" $storage.namespaceQuota)) | quote }}
- {{ printf "--storage-take-over=%t" $storage.takeOver | quote }}
- {{ printf "--storage-check-interval=%s" (include "jaas.text" $storage.checkInterval) | quote }}
- {{ printf "--storage-scrub-period=%s" (include "jaas.text" $storage.scrub.period) | quote }}
- {{ printf "--storage-scrub-rate=%s" (include "jaas.bytes" (list "operator.storage.scrub.rate" $storage.scrub.rate)) | quote }}
- {{ printf "--storage-orphan-age=%s" (include "jaas.text" $storage.orphans.age) | quote }}
- {{ printf "--storage-orphan-interval=%s" (include "jaas.text" $storage.orphans.interval) | quote }}
- {{ printf "--storage-sweep-interval=%s" (include "jaas.text" $storage.sweep.interval) | quote }}
- {{ printf "--storage-sweep-max-tmp-age=%s" (include "jaas.text" $storage.sweep.maxTmpAge) | quote }}
{{- end }}

{{- define "jaas.arguments.management" -}}
{{- $arguments := .Values.arguments -}}
- {{ printf "--management-listen-address=%s" $arguments.managementListenAddress | quote }}
- {{ printf "--management-port=%d" (int64 .Values.ports.management) | quote }}
- {{ printf "--management-read-timeout=%s" (include "jaas.text" $arguments.managementReadTimeout) | quote }}
- {{ printf "--management-write-timeout=%s" (include "jaas.text" $arguments.managementWriteTimeout) | quote }}
{{- if .Values.operator.metrics.enabled }}
- {{ printf "--metrics-bind-address=:%d" (int64 .Values.ports.metrics) | quote }}
- {{ printf "--metrics-snippet-sizes=%t" .Values.operator.metrics.snippetSizes | quote }}
{{- else }}
- "--metrics-bind-address=0"
{{- end }}
{{- $operator := .Values.operator.enabled }}
{{- with .Values.operator.tracing }}
{{- if and $operator .endpoint }}
- {{ printf "--tracing-endpoint=%s" .endpoint | quote }}
- {{ printf "--tracing-insecure=%t" .insecure | quote }}
- {{ printf "--tracing-sample-ratio=%s" (include "jaas.text" .sampleRatio) | quote }}
{{- end }}
{{- end }}
{{- with .Values.operator.webhook }}
{{- if and $operator .enabled }}
- "--enable-webhook"
- {{ printf "--webhook-listen-address=%s" .listenAddress | quote }}
- {{ printf "--webhook-port=%d" (int64 $.Values.ports.webhook) | quote }}
- {{ printf "--webhook-cert-mode=%s" .certMode | quote }}
{{- if eq .certMode "cert-manager" }}
- {{ printf "--webhook-cert-dir=%s" .certDir | quote }}
{{- else }}
- {{ printf "--webhook-service-namespace=%s" $.Release.Namespace | quote }}
- {{ printf "--webhook-secret-name=%s" .secretName | quote }}
- {{ printf "--webhook-validating-config-name=%s" (include "jaas.webhook.name" $) | quote }}
- {{ printf "--webhook-cert-validity=%s" (include "jaas.text" .selfSignedValidity) | quote }}
{{- end }}
{{- end }}
{{- end }}
{{- if and $operator .Values.operator.admin.enabled }}
- {{ printf "--admin-bind-address=127.0.0.1:%d" (int64 .Values.ports.admin) | quote }}
{{- end }}
- {{ printf "--shutdown-delay=%s" $arguments.shutdownDelay | quote }}
- {{ printf "--log-level=%s" $arguments.logLevel | quote }}
- {{ printf "--log-format=%s" $arguments.logFormat | quote }}
{{- end }}
