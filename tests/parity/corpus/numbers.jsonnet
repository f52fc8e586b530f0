local points = [-1e16, -2.5, -2, -1.5, -1, -0.5, -0.1, 0, -0, 0.1, 0.5, 1, 1.5, 2, 2.5, 3, 1e16];
{
  abs: [std.abs(x) for x in points],
  sign: [std.sign(x) for x in points],
  rounding: [[std.floor(x), std.ceil(x), std.round(x)] for x in points],
  parity: [[std.isEven(x), std.isOdd(x), std.isInteger(x), std.isDecimal(x)] for x in points],
  extremes: [[std.max(x, y), std.min(x, y)] for x in [-1, 0, 2] for y in [-2, 0, 3]],
  clamp: [std.clamp(x, 0, 1) for x in points] + [std.clamp(3, 5, 1)],
  modulo: [x % y for x in [-7, -0.5, 7, 7.25] for y in [-3, 2, 2.5]],
  sums: [std.sum([]), std.sum([0.1, 0.2, 0.3]), std.avg([1, 2, 4])],
  bits: [(~6) * 2, 6 & 3, 6 | 3, 6 ^ 3, 1 << 40, 1099511627776 >> 38, -8 >> 1],
  parsed: [std.parseInt(x) for x in ['0', '-12', '+5', '9007199254740993']] + [std.parseOctal('755'), std.parseHex('fF')],
  literals: [1e21, 1e-7, 123456789012345678, 0.1, 1.7976931348623157e308, 5e-324, 1_000_000.5],
  text: [std.toString(x) for x in [0.1, 1e21, 1e-7, -0, 100, 1 / 3]],
}
