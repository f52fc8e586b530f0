local value = { n: 0.1, w: 1e21, s: 'a"\\\n\u0001\u007f\u0085\u2028é/<>&', l: [1, [], {}], o: { t: true, f: false, z: null } };
{
  json: std.manifestJson(value),
  minified: std.manifestJsonMinified(value),
  ex: [std.manifestJsonEx(value, i) for i in ['', ' ', '\t']] + [std.manifestJsonEx(value, ' ', '\r\n', ' = ')],
  empties: [std.manifestJsonEx(x, ' ') for x in [[], {}, [[]], { a: {} }]],
  text: [std.toString(x) for x in [value, [], {}, 'x', null, true]],
  python: std.manifestPython(value),
  python_vars: std.manifestPythonVars(value),
  ini: std.manifestIni({ main: { a: 0.1, b: ['x', 2.5] }, sections: { s: { c: true }, t: {} } }),
  xml: std.manifestXmlJsonml(['a', { k: 0.5, q: 'v' }, 'text', ['b'], ['c', {}, ['d', 'e']]]),
  escapes: [f(value.s) for f in [std.escapeStringJson, std.escapeStringPython, std.escapeStringBash, std.escapeStringDollars, std.escapeStringXML]],
  escaped_values: [f(x) for f in [std.escapeStringJson, std.escapeStringBash, std.escapeStringDollars, std.escapeStringXML] for x in [0.1, ['$'], { a: "'" }]],
}
