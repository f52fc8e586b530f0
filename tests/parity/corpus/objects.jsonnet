local base = { a: 1, b:: 2, c::: 3, nested: { x: 1, y:: 2 }, sum: self.a + self.b };
local child = base { a: 10, b: 20, c:: 30, nested+: { y: 5, z: super.x }, was: super.sum, has: ['a' in super, 'q' in super] };
{
  base: base,
  child: child,
  fields: [std.objectFields(child), std.objectFieldsAll(child), std.objectHas(base, 'b'), std.objectHasAll(base, 'b'), 'b' in base, std.objectHasEx(base, 'b', true)],
  values: [std.objectValues(base.nested), std.objectValuesAll(base.nested), std.objectKeysValues(base.nested), std.objectKeysValuesAll(base.nested)],
  get: [std.get(base, 'b'), std.get(base, 'b', 'x', false), std.get(base, 'q', 'x'), std.get(base, 'q')],
  removed: [std.objectRemoveKey(base.nested, 'x'), std.length(std.objectRemoveKey(base, 'c'))],
  patched: [std.mergePatch({ a: 1, b: { c: 2, d: 3 }, e:: 4 }, { b: { c: null, d:: 9, f: [null] }, a: null, g: { h: null } }), std.mergePatch([1], { a: 1 }), std.mergePatch({ a: 1 }, [2])],
  comprehended: { [k + '!']: { name: k, outer: $.get } for k in ['x', 'é', ''] },
  conditional: { [if false then 'gone']: 1, [null]: 2, [if true then 'kept']: 3 },
  mapped: std.mapWithKey(function(k, v) [k, v], base),
  local_binding: { local n = self.m, m: 4, twice: n * 2 },
  asserted: { assert self.ok : 'not ok', ok: true },
  methods: { f(x, y=x + 1):: [x, y], r: [self.f(1), self.f(1, 5), self.f(y=0, x=2)] },
  dollar: { a: { b: $.local_binding.twice } },
  lengths: [std.length(base), std.length(child), std.length(function(a, b=1) a)],
  equality: [base == base, { a: 1 } == { a: 1, b:: 2 }, { a: 1 } != { a: 2 }],
  keys: { '"': 1, '\\': 2, '\n': 3, '\u007f': 4, 'é': 5, '😀': 6, '': 7, Z: 8, _: 9 },
  parsed: std.parseJson('{"a": [1, 2.5, "x\\u00e9", null, true, {}], "b": 1e3}'),
  types: [std.type(x) for x in [null, true, 1, 'a', [], {}, std.type]],
  this_file: std.thisFile,
}
