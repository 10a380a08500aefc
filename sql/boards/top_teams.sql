-- Teams by total score; equal totals share a rank (1, 2, 2, 4) and are listed
-- by who reached theirs first, then by id.
SELECT
    rank_number,
    team_id,
    team_name,
    total_score,
    to_timestamp(reached_at / 1000.0) AS reached_at,
    to_timestamp(season_start / 1000.0) AS season_start
FROM (
    SELECT
        *,
        RANK() OVER (
            PARTITION BY season_start ORDER BY total_score DESC
        ) AS rank_number,
        ROW_NUMBER() OVER (
            PARTITION BY season_start
            ORDER BY total_score DESC, reached_at, team_id
        ) AS place
    FROM flink.top_teams
    ${of_seasons}
) AS ranked
WHERE place <= ${board_size}
ORDER BY season_start DESC, place
