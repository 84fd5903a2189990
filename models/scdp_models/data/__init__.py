"""Training data: samples, shards on disk, and reproducible sampling."""
