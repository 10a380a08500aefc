-- What each player has gathered in a season for each team.
-- Grain: one row whenever that has changed; the last of a season, team and player
-- counts. When a player has a new name, all of theirs of the season come anew.
CREATE TEMPORARY VIEW member_season_totals AS
SELECT
    season_start,
    team_id,
    user_id,
    user_name,
    total AS player_total,
    arrival
FROM running_totals(
    input => TABLE accepted_events PARTITION BY user_id,
    summed => DESCRIPTOR(score),
    time_millis => DESCRIPTOR(event_millis),
    during => DESCRIPTOR(season_start),
    split_by => DESCRIPTOR(team_id),
    latest => DESCRIPTOR(user_name),
    arrival => DESCRIPTOR(arrival),
    kept_minutes => ${kept_minutes},
    uid => 'member-season-totals'
)
