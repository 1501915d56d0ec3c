"""The life of one step: attempts, files, inputs, outputs, caching."""
