-- What each player has gathered in a season: for each team, and whichever team it
-- was for.
-- Grain: one row whenever that has changed. The last of a season, team and player
-- counts for player_total, the last of a season and player for all else. When a
-- player has a new name, all of theirs of the season come anew.
CREATE TEMPORARY VIEW player_season_totals AS
SELECT
    season_start,
    user_id,
    user_name,
    team_id,
    team_name,
    total AS player_total,
    key_total AS total_score,
    key_row_count AS events,
    key_latest_millis AS reached_at,
    arrival
FROM running_totals(
    input => TABLE accepted_events PARTITION BY user_id,
    summed => DESCRIPTOR(score),
    time_millis => DESCRIPTOR(event_millis),
    during => DESCRIPTOR(season_start),
    split_by => DESCRIPTOR(team_id),
    latest => DESCRIPTOR(user_name, team_name),
    arrival => DESCRIPTOR(arrival),
    kept_minutes => ${kept_minutes},
    uid => 'player-season-totals'
)
