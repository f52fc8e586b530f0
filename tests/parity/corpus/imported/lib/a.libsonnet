{ name: 'a', other: import '../lib/b.libsonnet', values: [self.name, self.other.value] /***/, extra:: 1 /* x **/ }
