{ [std.char(n)]: n for n in std.range(0, 170) }
