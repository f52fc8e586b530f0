// Every elementary function over a grid: to the last digit where the definition decides it, the others to 12 digits.
local near(x) = '%.12g' % x;
local points = [-1e300, -12345.678, -7.5, -3, -1, -0.9, -0.7, -0.66, -0.5, -1e-8, 0, 1e-300, 1e-8, 0.1, 0.25, 0.3, 0.5, 0.66, 0.7, 0.9, 1, 1.5, 2, 2.41421356, 2.5, 3, 3.7, 7.1, 10, 42, 100.125, 355, 708.5, 12345.678, 1e6, 987654321, 536870912, 1e15, 1e22, 1e300];
local positive = [x for x in points if x > 0];
local small = [x for x in points if x >= -1 && x <= 1];
{
  sin: [near(std.sin(x)) for x in points],
  cos: [near(std.cos(x)) for x in points],
  tan: [near(std.tan(x)) for x in points],
  atan: [near(std.atan(x)) for x in points],
  asin: [near(std.asin(x)) for x in small],
  acos: [near(std.acos(x)) for x in small],
  exp: [near(std.exp(x)) for x in points if x < 700],
  log: [[near(std.log(x)), near(std.log2(x)), near(std.log10(x))] for x in positive],
  sqrt: [std.sqrt(x) for x in positive],
  mantissa: [[std.mantissa(x), std.exponent(x)] for x in points],
  degrees: [[std.deg2rad(x), std.rad2deg(x)] for x in points if x < 1e290 && x > -1e290],
  pow: [std.pow(x, y) for x in positive if x < 1e7 && x > 1e-9 for y in [-3, 0, 1, 2, 3, 10, 43]],
  roots: [near(std.pow(x, y)) for x in positive if x < 1e7 && x > 1e-9 for y in [-0.5, 0.5, 1.1, 2.7, 12.34]],
  pow_negative: [std.pow(x, y) for x in [-8, -2, -0.5] for y in [-3, -2, 0, 1, 2, 3, 11]],
  atan2: [near(std.atan2(x, y)) for x in [-2, -1, 0, 0.5, 3] for y in [-2, -0.1, 0, 1, 100]],
  hypot: [std.hypot(x, y) for x in [-2, 0, 0.5, 3, 1e200] for y in [-2, 0, 1, 1e150]],
}
