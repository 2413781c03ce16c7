"""Starting child processes, watching over them, and telling others that one is alive."""
