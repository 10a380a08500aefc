-- What has been scored for each team in a season.
-- Grain: one row whenever that has changed; the last of a season and team counts.
CREATE TEMPORARY VIEW team_season_totals AS
SELECT
    season_start,
    team_id,
    team_name,
    total AS total_score,
    latest_millis AS reached_at
FROM running_totals(
    input => (
        SELECT team_id, team_name, score, event_millis, season_start, arrival
        FROM accepted_events
    ) PARTITION BY team_id,
    summed => DESCRIPTOR(score),
    time_millis => DESCRIPTOR(event_millis),
    during => DESCRIPTOR(season_start),
    latest => DESCRIPTOR(team_name),
    arrival => DESCRIPTOR(arrival),
    kept_minutes => ${kept_minutes},
    uid => 'team-season-totals'
)
