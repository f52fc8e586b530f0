{ a:: 1, b: { c:: 2 }, d::: 3, assert self.a == 1 } + { d:: 4 }
