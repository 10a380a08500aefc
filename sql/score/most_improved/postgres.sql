-- The board is ranked from all players of the hour: this is their order.
CREATE INDEX IF NOT EXISTS most_improved_by_rank ON flink.most_improved (
    hour_start, improvement DESC, points_this_hour DESC, user_id
);
