"top\nlevel"
