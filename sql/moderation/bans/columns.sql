kind STRING,
banned_id STRING,
reason STRING,
author STRING,
banned_at BIGINT
