"""The Flink SQL jobs: how a game's SQL becomes jobs, and how they reach a JobManager."""
