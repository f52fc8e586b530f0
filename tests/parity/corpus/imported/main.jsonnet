local lib = import 'lib/a.libsonnet';
/** a comment with an even number of stars **/
{
  values: lib.values,
  names: [lib.name, lib.other.name],
  text: importstr 'lib/note.txt',
  code_as_text: importstr 'lib/starred.libsonnet',
  code: import './lib/starred.libsonnet',
  bytes: importbin 'lib/bytes.bin',
  twice: (import 'lib/a.libsonnet') == lib,
}
