-- Players by wins; equal ones share a rank (1, 2, 2, 4) and are listed by name.
SELECT
    RANK() OVER (ORDER BY wins DESC) AS rank_number,
    player,
    wins
FROM flink.most_wins
ORDER BY wins DESC, player
LIMIT ${board_size}
