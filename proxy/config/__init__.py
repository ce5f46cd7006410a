"""What was written down: settings and policies, read from files and judged."""
