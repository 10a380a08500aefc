"""Where boards live and how they are read: the two sinks, lookups, last events, moderation."""
