"""Building blocks on top of the operating system: files, ids, YAML, object stores."""
