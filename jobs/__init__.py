"""The four Flink SQL jobs: what each computes, and how it reaches a JobManager."""
