"""The cache on disk: engines that were built before, and whole conversions, found by a hash of all they depend on."""
