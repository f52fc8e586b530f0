local curry(f) = function(a) function(b) f(a, b);
local fib(n) = if n < 2 then n else fib(n - 1) + fib(n - 2);
local count(n, sum=0) = if n == 0 then sum else count(n - 1, sum + n) tailstrict;
local even(n) = n == 0 || odd(n - 1), odd(n) = n != 0 && even(n - 1);
{
  curried: curry(function(a, b) a - b)(10)(3),
  fib: fib(15),
  counted: count(100),
  mutual: [even(10), odd(7)],
  defaults: (function(a, b=a * 2, c=b + 1) [a, b, c])(1, c=9),
  lazy: (function(a, b) a)(1, error 'never'),
  shadowed: local x = 1; [local x = 2; x, x],
  short_circuit: [false && error 'never', true || error 'never'],
  nested_if: [if x > 2 then 'big' else if x > 1 then 'middle' else 'small' for x in [1, 2, 3]],
  without_else: if false then 1,
  closures: [f(10) for f in [(function(y) x + y) for x in [1, 2, 3]]],
  late: local o = { a: self.b, b: 1 }; [o.a, (o { b: 2 }).a],
  asserted: assert 1 < 2 : 'order'; 'fine',
  traced: std.trace('not shown', 5),
  deep: std.foldl(function(o, i) { [std.toString(i)]: o }, std.range(1, 30), 'end'),
}
