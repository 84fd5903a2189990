"""Chain the jobs to flows, and choose what they use by default."""
