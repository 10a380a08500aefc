-- What each player has gathered in a season, whichever team it was for.
-- Grain: one row whenever that has changed; the last of a season and player counts.
CREATE TEMPORARY VIEW player_season_totals AS
SELECT
    season_start,
    user_id,
    user_name,
    team_id,
    team_name,
    total AS total_score,
    row_count AS events,
    latest_millis AS reached_at
FROM running_totals(
    input => TABLE accepted_events PARTITION BY user_id,
    summed => DESCRIPTOR(score),
    time_millis => DESCRIPTOR(event_millis),
    during => DESCRIPTOR(season_start),
    latest => DESCRIPTOR(user_name, team_id, team_name),
    arrival => DESCRIPTOR(arrival),
    kept_minutes => ${kept_minutes},
    uid => 'player-season-totals'
)
