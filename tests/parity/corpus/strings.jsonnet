local texts = ['', 'a', 'abcabc', 'a,b,,c', 'é中😀é', ' \t\n x \u00a0\u0085', 'AbC'];
{
  lengths: [std.length(x) for x in texts],
  chars: [std.stringChars(x) for x in texts],
  split: [std.split(x, ',') for x in texts],
  limited: [std.splitLimit(x, 'b', n) for x in texts for n in [-1, 0, 1, 5]],
  from_right: [std.splitLimitR(x, ',', n) for x in texts for n in [-1, 0, 1, 5]],
  long_separator: [std.splitLimit('a--b--c', '--', 1), std.splitLimitR('a--b--c', '--', 1)],
  substr: [std.substr(x, i, n) for x in texts for i in [0, 1, 9] for n in [0, 2]],
  slices: [x[1:3] for x in texts] + ['abcdef'[::2], 'abcdef'[-2:], 'abcdef'[:-2]],
  trim: [std.trim(x) for x in texts],
  strip: [f(x, ' \tac') for f in [std.stripChars, std.lstripChars, std.rstripChars] for x in texts],
  cases: [[std.asciiUpper(x), std.asciiLower(x)] for x in texts],
  folded: [std.equalsIgnoreCase(p[0], p[1]) for p in [['abc', 'ABC'], ['É', 'é'], ['\u212a', 'k'], ['ß', 'SS'], ['Σ', 'ς']]],
  found: [std.findSubstr(p, 'abcabc') for p in ['', 'a', 'bc', 'x']],
  member: [std.member('abc', p) for p in ['', 'b', 'bc', 'x']],
  replaced: [std.strReplace(x, 'a', 'aa') for x in texts],
  points: [std.codepoint(x) for x in ['a', 'é', '😀']] + [std.char(n) for n in [65, 233, 128512, 65.9, 55296]],
  utf8: [std.encodeUTF8(x) for x in texts] + [std.decodeUTF8(b) for b in [[195, 169], [255], [240, 159, 152], [97, 226, 130]]],
  base64: [std.base64(x) for x in ['', 'a', 'ab', 'abc', 'é']] + [std.base64([0, 255]), std.base64DecodeBytes('AP8='), std.base64Decode('w6k='), std.base64Decode('YR=='), std.base64Decode('/w==')],
  hashes: [f('é') for f in [std.md5, std.sha1, std.sha256, std.sha512, std.sha3]],
  compared: [x < y for x in texts for y in texts],
  plus: ['a' + x for x in [1, true, null, [1, 'b'], { c: [] }, 'd']],
  starts: [[std.startsWith(x, 'a'), std.endsWith(x, 'c')] for x in texts],
  formatted: ['%d|%5d|%-5d|%05d|%+d|%x|%X|%o|%#x|%c|%%' % [42, 42, 42, 42, 42, 255, 255, 8, 255, 'z']],
  floats: ['%f|%.2f|%e|%.1e|%g|%8.3f' % [3.14159, 2.5, 12345.678, 0.00012, 0.5, 2.25]],
  named: ['%(a)s and %(b)03d' % { a: 'x', b: 7 }],
  block: |||
    one
      two

    three
  |||,
  chomped: |||-
    one
  |||,
}
