[std.char(n) for n in std.range(0, 170)] + ["\u2028\u2029", "<>&'/", "\ud83d\ude00", "\ufeff", "\uffff", "tab\tnew\nline"]
