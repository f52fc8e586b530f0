local value = {
  title: 'x "y" \\ \t',
  number: 0.1,
  list: [1, 2.5, 'a', [true, []], {}],
  empty: [],
  inline: [{ a: 1 }, 2],
  table: { a: 1, 'k k': { b: 2, '': { c: 3 } }, none: {} },
  tables: [{ a: 1, t: { b: [1] } }, {}, { u: [{ v: 1 }] }],
};
{
  two: std.manifestToml(value),
  tab: std.manifestTomlEx(value, '\t'),
  none: std.manifestToml({}),
  only_tables: std.manifestToml({ a: { b: {} } }),
}
