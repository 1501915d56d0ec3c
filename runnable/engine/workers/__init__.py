"""Worker processes, and the messages between them and a run."""
