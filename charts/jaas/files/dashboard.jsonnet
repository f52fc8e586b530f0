// The operator in Grafana. Needs no library. `selector` is put into every query, such as 'cluster="a"'.
function(datasource='prometheus', title='JaaS operator', selector='', window='28d', availabilityTarget=0.99, latencyTarget=30)
  local number(value) = if std.isString(value) then std.parseJson(value) else value;
  local availability = number(availabilityTarget);
  local latency = number(latencyTarget);

  // A metric with its labels and the selector's.
  local of(metric, labels='') =
    local all = std.join(',', [part for part in [labels, selector] if part != '']);
    metric + (if all == '' then '' else '{' + all + '}');
  local per(range, metric, labels='') = 'rate(%s[%s])' % [of(metric, labels), range];
  local quantile(share, range, metric, labels='', by='le') =
    'histogram_quantile(%s, sum by (%s) (%s))' % [share, by, per(range, metric + '_bucket', labels)];

  local controller = 'controller="jsonnetsnippet"';
  local good = 'sum(%s)' % per(window, 'jaas_snippet_reconcile_total', 'status="True"');
  // Nothing at all is not a failure.
  local bad = '(sum(%s) or vector(0))' % per(window, 'jaas_snippet_reconcile_total', 'status="False",reason!~"Suspended|Pending"');
  local available = '%s / (%s + %s)' % [good, good, bad];

  local steps(list) = { mode: 'absolute', steps: [{ color: step[0], value: step[1] } for step in list] };
  local panel(kind, name, x, y, w, h, queries, unit, thresholds=steps([['green', null]])) = {
    type: kind,
    title: name,
    gridPos: { x: x, y: y, w: w, h: h },
    datasource: { type: 'prometheus', uid: datasource },
    targets: [
      { refId: std.char(65 + i), expr: queries[i][1], legendFormat: queries[i][0], instant: kind == 'stat', range: kind != 'stat' }
      for i in std.range(0, std.length(queries) - 1)
    ],
    fieldConfig: { defaults: { unit: unit, thresholds: thresholds }, overrides: [] },
    options: {},
  };
  local good_from(value) = steps([['red', null], ['green', value]]);

  local objectives = [
    panel('stat', 'Reconcile availability (%s)' % window, 0, 0, 6, 6, [['', available]], 'percentunit', good_from(availability)),
    panel('stat', 'Error budget remaining', 6, 0, 6, 6, [['', '(%s - %s) / (1 - %s)' % [available, availability, availability]]], 'percentunit', steps([['red', null], ['orange', 0], ['green', 0.25]])),
    panel('stat', 'Reconcile latency p95 (%s)' % window, 12, 0, 6, 6, [['', quantile(0.95, window, 'controller_runtime_reconcile_time_seconds', controller)]], 's', steps([['green', null], ['red', latency]])),
    panel('stat', 'Snippets that are not ready', 18, 0, 6, 6, [['{{reason}}', 'sum by (reason) (%s)' % of('jaas_snippets', 'status!="True"')]], 'short', steps([['green', null], ['orange', 1]])),
  ];
  local details = [
    ['Reconciles by reason', [['{{reason}}', 'sum by (reason) (%s)' % per('5m', 'jaas_snippet_reconcile_total')]], 'ops'],
    ['Reconcile latency (p95)', [['p95', quantile(0.95, '5m', 'controller_runtime_reconcile_time_seconds', controller)]], 's'],
    ['Steps of a reconcile (p95)', [['{{stage}}', quantile(0.95, '5m', 'jaas_reconcile_stage_duration_seconds', by='le, stage')]], 's'],
    ['Queue depth', [['waiting', 'sum(%s)' % of('workqueue_depth', controller)]], 'short'],
    ['Evaluations', [['run', 'sum(%s)' % of('jaas_eval_in_flight')], ['wait', 'sum(%s)' % of('jaas_eval_waiting')], ['may run', 'max(%s)' % of('jaas_eval_max_concurrent')]], 'short'],
    ['Evaluations that were put off', [['per second', 'sum(%s)' % per('5m', 'jaas_eval_unavailable_total')]], 'ops'],
    ['Rendered bytes (p95)', [['p95', quantile(0.95, '6h', 'jaas_snippet_rendered_bytes')]], 'bytes'],
    ['Publishes that failed', [['{{cause}}', 'sum by (cause) (%s)' % per('5m', 'jaas_publish_failures_total')]], 'ops'],
    ['The store', [['used', 'max(%s)' % of('jaas_storage_bytes')], ['quota', 'max(%s)' % of('jaas_storage_quota_bytes')], ['free', 'min(%s)' % of('jaas_storage_free_bytes')]], 'bytes'],
    ['The store is full in', [['at the growth of the last hours', 'min(%s)' % of('jaas_storage_full_in_seconds')]], 's'],
    ['Sweeps that failed', [['per second', 'sum(%s)' % per('5m', 'jaas_storage_sweep_failures_total')]], 'ops'],
    ['Requests for artifacts', [['{{code}}', 'sum by (code) (%s)' % per('5m', 'jaas_storage_http_requests_total')]], 'reqps'],
    ['Who leads, and what is watched', [['leaders', 'sum(%s)' % of('leader_election_master_status')], ['{{kind}}', 'min by (kind) (%s)' % of('jaas_watch_up')]], 'short'],
  ];
  {
    uid: 'jaas-operator',
    title: title,
    tags: ['jaas', 'operator', 'slo'],
    schemaVersion: 39,
    refresh: '30s',
    time: { from: 'now-6h', to: 'now' },
    panels: [
      panel { id: i + 1 }
      for i in std.range(0, std.length(objectives) + std.length(details) - 1)
      for panel in [
        if i < std.length(objectives) then objectives[i] else
          local n = i - std.length(objectives);
          panel('timeseries', details[n][0], (n % 2) * 12, 6 + std.floor(n / 2) * 8, 12, 8, details[n][1], details[n][2]),
      ]
    ],
  }
