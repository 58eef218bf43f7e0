"""The benchmarks: every goal as a ratio against a reference that is measured in the same run."""
