"""How Kafka, PostgreSQL and Flink are reached, and what they answer; nothing here knows a board."""
