local values = {
  text: ['', 'a', 'a\n', 'a\nb', 'a\nb\n', '\n', ' lead', 'é"\\\t', '\u007f\u0085'],
  nested: { empty: {}, none: [], list: [[], [1, [2, 3]], { a: 1, b: [] }, {}], deep: { a: { b: { c: 'x\ny\n' } } } },
  numbers: [0, -1, 0.1, 1e21, 1e-7, 1 / 3],
  truth: [true, false, null],
};
local keys = ['a', 'e', '1', '1.5', '1e3', '-', '---', 'y', 'NO', 'null', '.nan', '.inf', 'inf', '-inf', '+inf', 'nan', '-nan', 'infinity', '2020-01-02', '1-2-3', '0x1F', 'a0x1', '0b01', '-0b1', '0b12', '0o7', 'a_b', 'a/b', 'a.b', 'a b', '', 'é', '1_000', '1.', '.5', '-1', '--1', '1e400', '012', '0x', 'x'];
{
  doc: std.manifestYamlDoc(values),
  indented: std.manifestYamlDoc(values, indent_array_in_object=true),
  bare: std.manifestYamlDoc({ [k]: 1 for k in keys }, quote_keys=false),
  one_by_one: [std.manifestYamlDoc(x) for x in values.text + values.numbers + values.truth + [[], {}, [[]], [{}]]],
  stream: [std.manifestYamlStream(l, c_document_end=e) for l in [[], [1], values.nested.list] for e in [true, false]],
  parsed: [std.parseYaml(x) for x in ['a: 1', '---\na: 1', '- 1\n- [x, "y"]\n', 'a: 1\n---\nb: 2\n', '', 'k: |\n  a\n  b\n', 'x: {z: 2.5}', '"q"']],
}
