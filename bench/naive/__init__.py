"""What the goals are measured against: the same work the way that a first version would do it, on the same servers."""
